"""Where a device's queue is: a folder that stands for a flash, or a copy of the flash itself."""

import contextlib
import re
import struct
import tempfile
from pathlib import Path, PurePosixPath

from littlefs import LittleFS, LittleFSError

from petrel import queue_lives
from petrel.errors import Failure, Misuse

FILE = re.compile(r"([0-9a-f]{8}|[sm]\d+)\.j\d+")  # docs/JOURNAL.md, Files
_MAGIC = b"littlefs"
_MAGIC_AT = 8  # in a block that begins with the superblock's entry (littlefs's SPEC.md)
_LAYOUT_AT = 24  # block size and count, 32 bits each


@contextlib.contextmanager
def queue_in(place):
    """(folder of the queue, config.json or None) of a device's folder or an image of its flash."""
    place = Path(place)
    if place.is_dir():
        yield _queue_of(place), _config_of(place)
    elif place.is_file():
        with tempfile.TemporaryDirectory(prefix="petrel-journal-") as folder:
            _unpack(place, Path(folder))
            yield _queue_of(Path(folder), place), _config_of(Path(folder))
    else:
        raise Misuse(f"{place}: no such folder or image")


def _queue_of(folder, place=None):
    found = sorted({file.parent for file in folder.rglob("*.j*") if FILE.fullmatch(file.name)})
    if len(found) != 1:
        there = "no queue" if not found else f"{len(found)} queues; name the folder of one"
        raise Failure(f"{place or folder} holds {there}")
    return found[0]


def _config_of(folder):
    """The config beside the queue, or above it."""
    for place in (folder, folder.absolute().parent):
        if (place / "config.json").is_file():
            return place / "config.json"
    return None


def _unpack(image, folder):
    """Copy the config and the files of queues out of an image."""
    system = _mounted(image)
    for root, _, names in system.walk("/"):
        for name in names:
            if FILE.fullmatch(name) or name in ("config.json", queue_lives.FILE):
                path = PurePosixPath(root) / name
                target = folder / path.relative_to("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(LittleFSError), system.open(str(path), "rb") as file:
                    target.write_bytes(file.read())


def _mounted(image):
    """The first LittleFS in an image that can be mounted; it may lie anywhere in it."""
    content = image.read_bytes()
    at = content.find(_MAGIC)
    while at >= 0:
        for start, block, count in _layouts(content, at - _MAGIC_AT):
            system = LittleFS(block_size=block, block_count=count, mount=False)
            system.context.buffer = bytearray(content[start : start + block * count])
            with contextlib.suppress(LittleFSError):
                system.mount()
                return system
        at = content.find(_MAGIC, at + 1)
    raise Failure(f"{image} holds no LittleFS that can be mounted")


def _layouts(content, start):
    """(start, block size, blocks) that a superblock at `start` may speak of: it is in one of the
    first two blocks.
    """
    with contextlib.suppress(struct.error):
        block, count = struct.unpack_from("<II", content, start + _LAYOUT_AT)
        if start >= 0 and 128 <= block <= 1 << 20 and block * count <= 1 << 30:
            for first in (start, start - block):
                if first >= 0:
                    yield first, block, count
