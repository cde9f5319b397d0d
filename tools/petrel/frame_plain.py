"""Write `lib/frame/_plain.py` from `_fast.py`: the same loops without viper.

    python tools/petrel/frame_plain.py          writes the file
    python tools/petrel/frame_plain.py --check  exits 1 if it is not up to date
"""
import pathlib
import re
import sys

FRAME = pathlib.Path(__file__).resolve().parents[2] / "lib" / "frame"
DOCSTRING = '''"""The inner loops of the encoder in ordinary Python.

Made from `_fast.py`, where they are explained, by `tools/petrel/frame_plain.py`: change
them there.
"""
# ruff: noqa: C901, SIM102
# pyright: reportPossiblyUnboundVariable=false
'''


def plain(fast):
    """Return the text of _plain.py for the text of _fast.py."""
    body = fast.split("import micropython\n", 1)[1]
    body = body.replace("@micropython.viper\n", "")
    body = re.sub(r"    (\w+) = ptr\d+\(\1_\)\n", "", body)
    return DOCSTRING + re.sub(r"\b(\w+)_\b", r"\1", body)


def main():
    wanted = plain((FRAME / "_fast.py").read_text())
    target = FRAME / "_plain.py"
    if sys.argv[1:] != ["--check"]:
        target.write_text(wanted)
    elif target.read_text() != wanted:
        print("lib/frame/_plain.py is out of date: run tools/petrel/frame_plain.py",
              file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
