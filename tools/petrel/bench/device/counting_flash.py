"""A NOR flash in RAM that counts what is programmed and erased, under a real LittleFS 2."""

# MicroPython's modules are not CPython's.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import os

import vfs

BLOCK = 4096
PLACE = "/flash"
QUEUE = PLACE + "/queue"


class Flash:
    """`programmed` bytes and `erased` blocks, data, directories and all."""

    def __init__(self, blocks, program):
        self.blocks = blocks
        self.program = program
        self.image = bytearray(b"\xff" * (blocks * BLOCK))
        self._view = memoryview(self.image)
        self.forget()

    def forget(self):
        self.programmed = self.erased = 0

    def readblocks(self, block, buffer, offset=0):
        at = block * BLOCK + offset
        buffer[:] = self._view[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        self.programmed += len(buffer)
        at = block * BLOCK + offset
        self.image[at : at + len(buffer)] = buffer

    def ioctl(self, op, arg):
        if op == 6:
            self.erased += 1
            self.image[arg * BLOCK : (arg + 1) * BLOCK] = b"\xff" * BLOCK
        return {4: self.blocks, 5: BLOCK}.get(op, 0)


def mounted(blocks, program):
    """A new flash with an empty directory QUEUE; what was mounted before is gone."""
    flash = Flash(blocks, program)
    try:
        vfs.umount(PLACE)
    except OSError:
        pass
    vfs.VfsLfs2.mkfs(flash, progsize=program)
    vfs.mount(vfs.VfsLfs2(flash, progsize=program), PLACE)
    os.mkdir(QUEUE)
    flash.forget()
    return flash


def inline(program):
    """The longest file that LittleFS keeps inside of its directory."""
    return 128 if program == 32 else 512


def free_blocks():
    return os.statvfs(QUEUE)[3]
