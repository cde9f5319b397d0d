"""switch.py, cut off after every step: the board starts the old application or the new one, or
finishes by itself.

Here on CPython, in a folder, where each step of the file system is counted; on MicroPython and
LittleFS it runs in test_flash.py.
"""

import os

import pytest

import switch


class PowerCut(BaseException):
    pass


class CountingOs:
    """`os`, whose power is lost before the step number `left`."""

    def __init__(self, left):
        self._left = left

    def __getattr__(self, name):
        action = getattr(os, name)
        if name in ("listdir", "stat"):
            return action

        def step(*arguments):
            if self._left == 0:
                raise PowerCut
            self._left -= 1
            return action(*arguments)

        return step


def app(folder, version, **more):
    files = {
        "switch.py": "", "boot.py": version, "main.py": version, "firmware/__init__.py": version,
        "firmware/links/umqtt.mpy": version, "lib/ring.mpy": version, **more,
    }
    for place, text in files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def board(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cut_after(steps, monkeypatch):
    """Is the power lost within so many steps?"""
    monkeypatch.setattr(switch, "os", CountingOs(steps))
    try:
        switch.finish()
        return False
    except PowerCut:
        return True
    finally:
        monkeypatch.setattr(switch, "os", os)


def build(board, stage):
    for path in sorted(board.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    app(board, "old", **{"config.json": "mine", "firmware/gone.mpy": "old", "data/a.csv": "a"})
    app(board / stage, "new", **{"data/b.csv": "b", "firmware/came.mpy": "new"})


NEW = {
    "switch.py": "", "boot.py": "new", "main.py": "new", "firmware/__init__.py": "new",
    "firmware/links/umqtt.mpy": "new", "lib/ring.mpy": "new", "firmware/came.mpy": "new",
    "config.json": "mine", "data/a.csv": "a", "data/b.csv": "b",
}


def test_all_of_the_new_one_takes_over_and_the_rest_stays(board):
    build(board, "next")
    assert switch.finish() == "finished"
    assert tree(board) == NEW
    assert {path.name for path in board.iterdir()} == {place.split("/")[0] for place in NEW}
    assert switch.finish() is None


def test_cut_off_after_every_step_it_is_finished_at_the_next_start(board, monkeypatch):
    steps = 0
    for steps in range(100):
        build(board, "next")
        was_cut = cut_after(steps, monkeypatch)
        assert (board / "switch.py").exists() and (board / "boot.py").exists(), steps
        switch.finish()
        assert tree(board) == NEW, steps
        if not was_cut:
            break
    assert steps > 10


def test_cut_off_twice(board, monkeypatch):
    for steps in range(0, 14, 3):
        for more in range(0, 14, 3):
            build(board, "next")
            cut_after(steps, monkeypatch)
            cut_after(more, monkeypatch)
            switch.finish()
            assert tree(board) == NEW, (steps, more)


def test_a_copy_that_is_not_whole_is_undone(board, monkeypatch):
    build(board, "new")
    (board / "new" / "main.py").unlink()
    old = {place: text for place, text in tree(board).items() if not place.startswith("new/")}
    for steps in range(30):
        was_cut = cut_after(steps, monkeypatch)
        assert {p: t for p, t in tree(board).items() if not p.startswith("new/")} == old
        if not was_cut:
            break
    assert tree(board) == old
    assert not (board / "new").exists()
