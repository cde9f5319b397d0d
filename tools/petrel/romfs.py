"""A `micropython` that runs the application out of ROMFS, as a board flashed with `--romfs` does:

    petrel run --runtime "$PWD/.venv/bin/python -m petrel.romfs" ...

The 32-bit Unix port, started in an image, with that image in ROMFS. On a board it lies in the
flash, and code is run where it lies; here it is a file that is mapped into memory, beside the
heap.
"""

import contextlib
import io
import os
import sys
from pathlib import Path

from mpremote.romfs import make_romfs

from petrel import runtime
from petrel.errors import Failure, report

_MOUNT = """
import ffi, sys, uctypes, vfs
mapped = ffi.open(None).func("P", "mmap", "PIiiil")(0, %(size)d, 1, 2, %(file)d, 0)
vfs.mount(vfs.VfsRom(uctypes.bytearray_at(mapped, %(size)d)), "/rom")
sys.path[:] = "/rom", "/rom/lib", ".frozen"
del ffi, uctypes, vfs, mapped
"""


def main(arguments):
    argv = runtime.runtime32()
    if argv is None:
        raise Failure("there is no 32-bit MicroPython here; type: make setup")
    *options, code = arguments
    if options[-1:] != ["-c"]:
        raise Failure("only -c CODE can be run out of ROMFS")
    if not Path("firmware/start.mpy").exists():  # asked what it is, not in an image
        os.execv(argv[0], [*argv, *arguments])
    with contextlib.redirect_stdout(io.StringIO()):
        image = make_romfs(os.getcwd(), mpy_cross=None)
    file = os.memfd_create("romfs", 0)  # inherited
    os.write(file, image)
    os.execv(argv[0], [*argv, *options, _MOUNT % {"size": len(image), "file": file} + code])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Exception as error:
        sys.exit(report("petrel.romfs", error))
