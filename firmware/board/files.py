"""Small files that a power cut leaves old or new, never between: LittleFS renames at one moment.
"""

import os

_FOLDER = "state"


def place(name):
    """The path of a file or folder of such a name; never beside the application, where a folder
    would hide the library of its name.
    """
    try:
        os.mkdir(_FOLDER)
    except OSError:
        pass  # it is there
    return _FOLDER + "/" + name


def load(name):
    try:
        with open(_FOLDER + "/" + name, "rb") as file:
            return file.read()
    except OSError:
        return None


def save(name, data):
    path = place(name)
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.rename(path + ".new", path)
