"""A flash whose power fails, whose bits flip and whose blocks wear out, for a real file system.

This runs on MicroPython. Power cuts are not acted out: `Recorder` notes every operation while a
workload runs once, and `cuts` makes from that the image that each cut would have left behind. So
no workload runs twice, and no file of a dead mount is ever finalised.
"""

BLOCK = 4096
EMPTY = b"\xff" * BLOCK
SECTOR = 512  # of FAT

PROGRAM, ERASE, SYNC = range(3)

_EIO = 5


class Flash:
    """NOR flash of `blocks` blocks: programming clears bits, an erase sets them.

    `refusal` is an errno that every program and erase shall fail with. A block in `worn` neither
    erases nor programs any more, and does not say so; one in `failing` says so. While it is
    `strict`, programming what is not erased is an error of the file system; where bits have
    flipped it is not.
    """

    def __init__(self, blocks, program=32, image=None):
        self.blocks = blocks
        self.program = program
        self.image = image if image is not None else bytearray(b"\xff" * (blocks * BLOCK))
        self._view = memoryview(self.image)
        self.strict = True
        self.refusal = 0
        self.worn = ()
        self.failing = ()
        self.erases = [0] * blocks

    def readblocks(self, block, buffer, offset=0):
        at = block * BLOCK + offset
        buffer[:] = self._view[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        if offset % self.program or len(buffer) % self.program:
            raise ValueError(f"not in units of {self.program} bytes")
        if self._refuses(block):
            return
        self._note(PROGRAM, block, offset, buffer)
        if self.strict:
            program(self.image, block, offset, buffer)
            return
        at = block * BLOCK + offset
        for i in range(len(buffer)):
            self.image[at + i] &= buffer[i]

    def ioctl(self, op, arg):
        if op == 3:
            self._note(SYNC, 0, 0, None)
        elif op == 4:
            return self.blocks
        elif op == 5:
            return BLOCK
        elif op == 6 and not self._refuses(arg):
            self._note(ERASE, arg, 0, None)
            self.erases[arg] += 1
            erase(self.image, arg)
        return 0

    def _refuses(self, block):
        if self.refusal or block in self.failing:
            raise OSError(self.refusal or _EIO)
        return block in self.worn

    def _note(self, kind, block, offset, data):
        """For `Recorder`."""


def program(image, block, offset, data):
    at = block * BLOCK + offset
    if image[at : at + len(data)] != EMPTY[: len(data)]:
        raise ValueError("programmed twice without an erase")
    image[at : at + len(data)] = data


def erase(image, block):
    image[block * BLOCK : (block + 1) * BLOCK] = b"\xff" * BLOCK


class Recorder(Flash):
    """A flash that keeps every operation in `log`, [(kind, block, offset, data)]."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.log = []

    def _note(self, kind, block, offset, data):
        self.log.append((kind, block, offset, data and bytes(data)))


def cuts(image, log):
    """Yield (operation's number, how, image) for every moment at which power may fail while `log`
    is carried out on `image`, which is changed. What is yielded must not be.

    how: "before" the operation; "torn" inside of it; "late", before it, but an earlier operation
    has not reached the flash although later ones have (until a sync, a driver may reorder). After
    an operation is before the next one; the last one is followed by "end".
    """
    waiting = None  # (block, content before the first operation since a sync)
    others = False
    for number, (kind, block, offset, data) in enumerate(log):
        if kind == SYNC:
            waiting = None
            others = False
            continue
        yield number, "before", image
        if others:
            yield number, "late", with_block(image, *waiting)
        yield number, "torn", torn(image, kind, block, offset, data)
        if waiting is None:
            waiting = (block, bytes(memoryview(image)[block * BLOCK : (block + 1) * BLOCK]))
        elif waiting[0] != block:
            others = True
        carry_out(image, kind, block, offset, data)
    yield len(log), "end", image


def carry_out(image, kind, block, offset, data):
    if kind == ERASE:
        erase(image, block)
    elif kind == PROGRAM:
        program(image, block, offset, data)


def with_block(image, block, content):
    image = bytearray(image)
    image[block * BLOCK : (block + 1) * BLOCK] = content
    return image


def torn(image, kind, block, offset, data):
    """The image after power failed in the middle of an operation: half of the bytes are programmed
    and one more has half of its bits; half a block is erased, the rest is neither old nor empty.
    """
    image = bytearray(image)
    at = block * BLOCK + offset
    if kind == PROGRAM:
        half = len(data) // 2
        image[at : at + half] = data[:half]
        image[at + half] = data[half] | 0x55
    else:
        half = BLOCK // 2
        image[at : at + half] = b"\xff" * half
        for i in range(at + half, at + BLOCK, 7):
            image[i] |= 0x5A
    return image


def flip(image, at, bit):
    image[at] ^= 1 << bit


class Sectors:
    """A disk of 512-byte sectors for FAT, each of which is written wholly or not at all.

    `log` has every write, [(sector, data)].
    """

    def __init__(self, sectors, image=None):
        self.sectors = sectors
        self.image = image if image is not None else bytearray(sectors * SECTOR)
        self.log = []

    def readblocks(self, sector, buffer):
        at = sector * SECTOR
        buffer[:] = memoryview(self.image)[at : at + len(buffer)]

    def writeblocks(self, sector, buffer):
        for i in range(0, len(buffer), SECTOR):
            data = bytes(memoryview(buffer)[i : i + SECTOR])
            self.log.append((sector + i // SECTOR, data))
            self.image[sector * SECTOR + i : sector * SECTOR + i + SECTOR] = data

    def ioctl(self, op, arg):
        return {4: self.sectors, 5: SECTOR}.get(op, 0)


def sector_cuts(image, log):
    """Yield (write's number, "before", image) as `cuts` does, for `Sectors`."""
    for number, (sector, data) in enumerate(log):
        yield number, "before", image
        image[sector * SECTOR : (sector + 1) * SECTOR] = data
    yield len(log), "end", image
