"""Takes over what `petrel flash` has copied, before anything of the application is imported. It
stands beside boot.py and needs nothing else, because it runs when everything else is in pieces.

    new/  --- whole and verified: renamed to --->  next/  --- part by part --->  done
      |                                              |
      '- power lost: removed at the next start       '- power lost: the next start goes on

A rename is one moment on LittleFS, also where it replaces a file. So a power cut leaves the old
application or, once `next` is there, a start that finishes the new one. What finishes is switched
first, then the rest. The folders of the application are replaced as a whole, and kept in `old`
until all is done; into other folders, those of a config's files, files are put one by one.
"""

import os

_FIRST = ("switch.py", "boot.py")
_WHOLE = ("firmware", "lib")


def finish():
    """Finish or undo; returns what was done: "finished", "undone" or None."""
    there = os.listdir()
    if "next" in there:
        _switch(there)
        return "finished"
    for name in ("old", "new"):
        if name in there:
            _remove(name)
    return "undone" if "new" in there else None


def _switch(there):
    if "old" not in there:
        os.mkdir("old")
    for name in sorted(os.listdir("next"), key=lambda name: name not in _FIRST):
        if name in _WHOLE:
            if name in there:
                os.rename(name, "old/" + name)
            os.rename("next/" + name, name)
        else:
            _put("next/" + name, name)
    os.rmdir("next")
    _remove("old")


def _put(source, goal):
    if not _is_folder(source):
        os.rename(source, goal)
        return
    try:
        os.mkdir(goal)
    except OSError:  # it is there
        pass
    for name in os.listdir(source):
        _put(source + "/" + name, goal + "/" + name)
    os.rmdir(source)


def _remove(name):
    if _is_folder(name):
        for inner in os.listdir(name):
            _remove(name + "/" + inner)
        os.rmdir(name)
    else:
        os.remove(name)


def _is_folder(name):
    return os.stat(name)[0] & 0x4000
