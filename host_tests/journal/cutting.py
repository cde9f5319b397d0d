"""Cuts the power at every operation of a story, and looks at what is left. Runs on MicroPython."""

# MicroPython's modules are not CPython's.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import os
import random

import vfs

from host_tests.faults import flash
from host_tests.journal.story import LIMIT, SCRIPT, Story
from journal import Journal, JournalFault

PLACE = "/cut"
QUEUE = PLACE + "/queue"
BLOCKS = 24
SECTORS = 192


class LittleFS:
    """How to make and mount one; `inline` is what the journal is told."""

    cuts = staticmethod(flash.cuts)
    more = ()
    fragile = False

    def __init__(self, program, inline):
        self.program = program
        self.options = {"inline": inline}

    def device(self, image=None):
        return flash.Recorder(BLOCKS, self.program, image)

    def format(self, device):
        vfs.VfsLfs2.mkfs(device, progsize=self.program)

    def mount(self, device):
        vfs.mount(vfs.VfsLfs2(device, progsize=self.program), PLACE)


class FAT:
    """On a disk whose sectors are written in order, each wholly or not at all."""

    cuts = staticmethod(flash.sector_cuts)
    options = {"inline": 0}
    fragile = True  # FatFs links a new cluster to a directory before it clears it
    more = (("many", 14, 1900), ("append", 3, 60))  # its blocks are small: more fits

    def device(self, image=None):
        return flash.Sectors(SECTORS, image)

    def format(self, device):
        vfs.VfsFat.mkfs(device)

    def mount(self, device):
        vfs.mount(vfs.VfsFat(device), PLACE)


FILE_SYSTEMS = {
    "littlefs 32": LittleFS(32, 128), "littlefs 256": LittleFS(256, 512), "fat": FAT(),
}


def unmount():
    vfs.umount(PLACE)


def tell(kind, steps, **options):
    """Play a story. Returns (it, the image it began with, the operations)."""
    device = kind.device()
    kind.format(device)
    kind.mount(device)
    os.mkdir(QUEUE)
    image = bytearray(device.image)
    device.log.clear()
    story = Story(QUEUE, **dict(kind.options, **options))
    story.play(steps, lambda: len(device.log))
    unmount()
    return story, image, device.log


class Cutter:
    """Counts in `states` what it has looked at; `complaints` has the first of what it found."""

    def __init__(self, kind, **options):
        self.kind = FILE_SYSTEMS[kind]
        self.options = dict(self.kind.options, **options)
        self.states = self.inner = self.broken = 0
        self.complaints = []

    def cut(self, steps, part=0, parts=1, depth=2, stride=1):
        """Look at each cut whose number is `part` of `parts`."""
        story, image, log = tell(self.kind, steps, **self.options)
        for number, how, left in self.kind.cuts(image, log):
            if number // stride % parts == part and number % stride == 0:
                before, after = story.around(number)
                self.look(story, left, before, after, f"{how} {number}", depth)
                if len(self.complaints) > 9:
                    break
        return len(log)

    def look(self, story, image, before, after, where, depth):
        """Mount, open, check; append, check again; then cut that."""
        self.states += 1
        device = self.kind.device(bytearray(image))
        try:
            self.kind.mount(device)
        except OSError as error:
            self.complaints.append(f"{where}: no mount: {error}")
            return
        try:
            self.recover(story, before, after, where, depth, image, device)
        except (ValueError, OSError) as error:
            self.complaints.append(f"{where}: {error}")
        except JournalFault as error:
            self.fault(where, error)
        finally:
            unmount()

    def recover(self, story, before, after, where, depth, image, device):
        journal = Journal(QUEUE, LIMIT, stream=77, **self.options)
        story.check(journal, before, after)
        kept = list(journal.entries())
        lost = journal.dropped
        start = journal.last
        taken = journal.append(b"after the cut")
        done = len(device.log)
        fresh = (start + 1, 77, 1, b"after the cut")
        expected = (kept + [fresh])[journal.dropped - lost :] if taken else kept  # noqa: RUF005
        self.equal(list(journal.entries()), expected, journal)
        journal = Journal(QUEUE, LIMIT, **self.options)
        self.equal(list(journal.entries()), expected, journal)
        if depth > 1:
            unmount()
            try:
                for number, how, left in self.kind.cuts(bytearray(image), device.log[:done]):
                    self.inner += 1
                    self.second(left, kept, fresh, f"{where}, {how} {number}")
            finally:
                self.kind.mount(device)
        journal.release(start + 1)
        if list(journal.entries()) or len(journal):
            raise ValueError("not empty once all is delivered")

    def second(self, image, kept, fresh, where):
        """After a cut during the recovery all is there, the record being appended or not."""
        device = self.kind.device(bytearray(image))
        self.kind.mount(device)
        try:
            journal = Journal(QUEUE, LIMIT, stream=78, **self.options)
            found = list(journal.entries())
            if found[-1:] == [fresh]:
                found.pop()
            self.equal(found, kept, journal)
        except (ValueError, OSError) as error:
            raise ValueError(f"{where}: {error}")  # noqa: B904
        except JournalFault as error:
            self.fault(where, error)
        finally:
            unmount()

    def fault(self, where, error):
        """The file system itself did not survive the cut."""
        self.broken += 1
        if not self.kind.fragile:
            self.complaints.append(f"{where}: {error}")

    @staticmethod
    def equal(found, expected, journal):
        if found != expected:
            # What was dropped to make room for the record after the cut may be gone.
            if journal.dropped and found == expected[len(expected) - len(found) :]:
                return
            raise ValueError(f"has {spans(found)}, not {spans(expected)}")
        if journal.damaged:
            raise ValueError(f"damaged {journal.damaged}")


def spans(entries):
    numbers = [entry[0] for entry in entries]
    return f"{len(numbers)} records, {numbers[:1]} to {numbers[-1:]}"


def random_steps(seed, count):
    random.seed(seed)
    steps = []
    for _ in range(count):
        word = random.choice(("append", "append", "append", "many", "release", "boot", "sync"))
        most = 6 if word == "append" else 20
        steps.append((word, random.randint(0, most), random.choice((1, 10, 60, 100, 400, 1200))))
    return steps


def exhaustive(kind, part=0, parts=1, depth=2, **options):
    cutter = Cutter(kind, **options)
    operations = cutter.cut(SCRIPT + cutter.kind.more, part, parts, depth)
    return [operations, cutter.states, cutter.inner, cutter.broken, cutter.complaints]


def by_chance(kind, seed, count, stride, **options):
    cutter = Cutter(kind, **options)
    operations = cutter.cut(random_steps(seed, count), 0, 1, 1, stride)
    return [operations, cutter.states, cutter.inner, cutter.broken, cutter.complaints]


def without_marks(kind):
    """The same with a journal whose marks are not written, to see that it is noticed."""
    mark = Journal._mark

    def forgetful(self):
        if not self._claimed:
            mark(self)
        self._safe = self.floor

    Journal._mark = forgetful
    try:
        return exhaustive(kind, depth=1)
    finally:
        Journal._mark = mark
