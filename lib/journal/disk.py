"""The directory of a journal: all that is asked of the system below.

A file is written whole or appended to, and is durable when the call returns. On LittleFS either
happens completely or not at all, also when power fails.
"""

import os

from .errors import JournalNewer

_VERSION = 1  # of the format, the extension of every file


def random_number():
    """31 random bits."""
    bits = os.urandom(4)
    return (bits[0] & 0x7F) << 24 | bits[1] << 16 | bits[2] << 8 | bits[3]


class Directory:
    """`path` must exist. `block` is the unit in which its file system gives room, in bytes."""

    def __init__(self, path):
        self.path = path
        self.block = os.statvfs(path)[0]

    def occupied(self, size):
        """Bytes of blocks that a file of `size` bytes takes. In each but the first LittleFS keeps
        a few bytes for itself.
        """
        blocks = (size + self.block - 1) // self.block
        return (size + 8 * (blocks - 1) + self.block - 1) // self.block * self.block

    def sizes(self):
        """{file name: bytes}; raises JournalNewer if there is a file of a newer version."""
        sizes = {}
        for found in self._listed():
            version = found[0].rpartition(".j")[2]
            if version.isdigit() and int(version) > _VERSION:
                raise JournalNewer(
                    "%s was written by a newer version of the journal; update the firmware, or "
                    "delete the directory's files" % self.path
                )
            size = found[3] if len(found) > 3 else os.stat(self._place(found[0]))[6]
            sizes[found[0]] = size
        return sizes

    def _listed(self):
        """(name, type, inode, bytes), the last not everywhere; CPython knows only names."""
        if hasattr(os, "ilistdir"):
            return os.ilistdir(self.path)
        return [(name,) for name in os.listdir(self.path)]

    def read(self, name):
        """The whole of a small file, b"" if there is none."""
        try:
            with self.open(name, "rb") as file:
                return file.read()
        except OSError as error:
            if error.args[0] != 2:  # ENOENT
                raise
            return b""

    def open(self, name, mode):
        return open(self._place(name), mode)

    def write(self, name, content, mode="wb"):
        file = self.open(name, mode)
        try:
            file.write(content)
            file.flush()  # close alone is no promise on every file system
        finally:
            file.close()

    def remove(self, name):
        os.remove(self._place(name))

    def _place(self, name):
        return self.path + "/" + name
