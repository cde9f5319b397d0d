"""`petrel flash` with the real mpremote against a stand-in board: MicroPython with a LittleFS of
its own behind a pseudo-terminal.
"""

import contextlib
import json
import subprocess
import threading

import pytest

from host_tests.flash.standin import Board
from petrel import flash
from petrel.errors import Failure, Misuse
from petrel.flash.link import Link, check, find_port

SMALL = {  # an application that says who it is, and has a part in each place
    "boot.py": "import switch\nprint('switch:', switch.finish())\n",
    "main.py": "from firmware import NAME\nimport part\nprint('runs', NAME, part.NAME)\n",
    "firmware/__init__.py": "NAME = '{}'\n",
    "firmware/links/one.py": "NAME = '{}'\n",
    "lib/part.py": "NAME = '{}'\n",
}


def small(name):
    files = {place: text.replace("{}", name).encode() for place, text in SMALL.items()}
    files["switch.py"] = flash._SWITCH.encode()
    return dict(sorted(files.items()))


@pytest.fixture
def desk(tmp_path, evidence):
    """Puts a stand-in board on the desk."""
    boards = []

    def put(**options):
        folder = tmp_path / f"board-{len(boards)}"
        folder.mkdir()
        board = Board(folder, **options)
        boards.append(board)
        evidence("console", lambda: board.heard.decode(errors="replace"))
        return board

    yield put
    for board in boards:
        board.__exit__()


class PulledOut(Exception):
    pass


def install(board, files, stop=None):
    """What run_flash does from the copy to the switch; `stop` is the file after which the cable is
    pulled out.
    """
    copied = []

    def say(line):
        if line.startswith("["):
            copied.append(line)
        if len(copied) == stop:
            raise PulledOut

    with Link(board.port) as link:
        link.interrupt()
        flash.make_room(link, files, say)
        flash.copy(link, files, say)
        link.run("import os\nos.rename('new', 'next')")
        if stop is not None and stop > len(copied):
            raise PulledOut
        link.run(flash._SWITCH + "\nfinish()")


def after_power(board):
    """What the board says when its power comes back."""
    before = len(board.heard)
    board.cut()
    board.wait_for("runs ", after=before)  # a REPL that was left says "help()" too
    board.wait_for("help()", after=board.heard.index(b"runs ", before))
    return board.heard[before:].decode()


def test_an_empty_board_gets_the_application(desk):
    board = desk()
    install(board, small("one"))
    assert "runs one one" in after_power(board)


def test_pulled_out_after_every_file_the_old_one_or_the_new_one_runs(desk):
    board = desk()
    install(board, small("old"))
    files = small("new")
    for stop in range(1, len(files) + 2):
        with pytest.raises(PulledOut):
            install(board, files, stop)
        said = after_power(board)
        if stop <= len(files):
            assert "switch: undone" in said and "runs old old" in said, stop
        else:
            assert "switch: finished" in said and "runs new new" in said
    assert "switch: None" in after_power(board)


def test_the_power_goes_while_files_are_written(desk, monkeypatch):
    monkeypatch.setattr("petrel.flash.link._READ_S", 0.5)
    board = desk()
    install(board, small("old"))
    with Link(board.port) as link:
        link.interrupt()
        link.make_folder("new")
        board.cut()
        with pytest.raises(Failure):
            flash.copy(link, {"firmware/__init__.py": bytes(20_000)}, lambda line: None)
    assert "runs old old" in after_power(board)


def test_what_others_have_put_into_lib_moves_along(desk):
    board = desk()
    install(board, small("one"))
    with Link(board.port) as link:
        link.interrupt()
        link.make_folder("lib/theirs")
        link.write("lib/theirs/module.py", b"x = 1\n")
        link.write("lib/ring.mpy", b"ours, of an older version")
        found = flash.others(link)
    assert found == {"lib/part.py": b"NAME = 'one'\n", "lib/theirs/module.py": b"x = 1\n"}


def test_too_little_space_is_said_before_anything_is_copied(desk):
    board = desk(flash_kb=96)
    files = {**small("one"), "lib/large.py": bytes(80_000)}
    with pytest.raises(Failure) as raised:
        install(board, files)
    assert " KB free, the application needs " in str(raised.value)
    with Link(board.port) as link:
        link.interrupt()
        assert "new" not in link.list()


def test_no_space_left_by_an_older_attempt_is_counted_as_free(desk):
    board = desk(flash_kb=160)
    files = {**small("one"), "lib/large.py": bytes(60_000)}
    with pytest.raises(PulledOut):
        install(board, files, len(files))
    install(board, files)
    assert "runs one one" in after_power(board)


def test_a_file_that_arrives_damaged_is_noticed(desk, monkeypatch):
    board = desk()
    monkeypatch.setattr(Link, "sha256", lambda link, place: bytes(32))
    with pytest.raises(Failure, match="arrived damaged; try another cable"):
        install(board, small("one"))
    with Link(board.port) as link:
        link.interrupt()
        assert "next" not in link.list()


@pytest.mark.parametrize(("version", "what"), [
    ("1.24.1", "the board has MicroPython 1.24.1, 1.25 is needed; micropython.org/download"),
    ("0.9.0", "the board has MicroPython 0.9.0, 1.25 is needed"),
])
def test_an_old_micropython(desk, version, what):
    board = desk(version=version)
    with pytest.raises(Failure) as raised:
        flash.run_flash(board.port, "config.json", say=lambda line: None)
    assert str(raised.value).startswith(what)


def test_another_kind_of_board(desk):
    board = desk()
    with Link(board.port) as link:
        link.interrupt()
        link.run("import sys\nsys.platform = 'stm32'")
        facts = link.facts()
    with pytest.raises(Failure, match=r"\(stm32\); Petrel runs on an ESP32 and an RP2040"):
        check(facts)


def test_no_board(monkeypatch):
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    with pytest.raises(Misuse, match="no board found: connect it by USB"):
        find_port()


def test_a_port_that_is_none(tmp_path):
    with pytest.raises(Failure, match="failed to access"):
        Link(str(tmp_path / "ttyUSB0"))


def test_a_board_without_config_needs_one(desk, tmp_path):
    board = desk()
    with pytest.raises(Misuse, match="no such file, and the board has none either"):
        flash.run_flash(board.port, tmp_path / "config.json", say=lambda line: None)


def test_a_bad_config_is_refused_before_anything_is_copied(desk, tmp_path):
    board = desk()
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"sensors": [{"driver": "bme280", "scl": 22, "sda": 21}]}))
    with pytest.raises(Misuse, match=r"sensors\[0\].channels: missing; it must be given"):
        flash.run_flash(board.port, file, say=lambda line: None)


def test_logs_show_the_console_and_disturb_nothing(desk):
    board = desk()
    install(board, small("one"))
    said = []
    with contextlib.suppress(PulledOut):
        def say(line):
            said.append(line)
            if "runs" in line:
                raise PulledOut

        threading.Timer(0.5, board.cut).start()
        flash.run_logs(board.port, say)
    assert said[-1] == "runs one one"


def test_the_prompt_is_mpremote_s(desk, monkeypatch):
    started = []
    monkeypatch.setattr(
        "petrel.flash.subprocess.run",
        lambda command, check: started.append(command) or subprocess.CompletedProcess(command, 0),
    )
    board = desk()
    assert flash.run_repl(board.port) == 0
    assert started[0][1:] == ["-m", "mpremote", "connect", board.port, "resume", "repl"]
