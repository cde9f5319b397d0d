"""`petrel run`: does the board treat the chip as a board does?

The chip here is the real runtime with a program of a few lines instead of the firmware.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from host_tests.harness.device import alive, children
from petrel import runtime
from petrel.run import flash

# Starts a board around the program in argv[1]; argv[2:] are Limits, as NAME=SECONDS.
BOARD = """
import os, sys
from petrel import errors, runtime
from petrel.board import Board, Limits
limits = Limits(**{k: float(v) for k, v in (a.split("=") for a in sys.argv[2:])})
argv = [*runtime.find_runtime(), "-c", sys.argv[1]]
try:
    sys.exit(Board(argv, os.getcwd(), dict(os.environ), limits).run())
except errors.Failure as error:
    sys.exit(errors.report("petrel run", error))
"""

# Appends what it is told to the file `log`: a memory that survives a reset.
NOTE = """
import os, select, sys, time
def note(text):
    with open("log", "a") as file:
        file.write(text + "\\n")
note(os.getenv("PETREL_RESET_CAUSE"))
def lives():
    with open("log") as file:
        return len(file.read().split())
"""
HANG = "while True: time.sleep(1)\n"
FEED_UNTIL_STOPPED = """
print("wdt 1000")  # armed before anybody can stop it
note("ready")
poll = select.poll()
poll.register(sys.stdin, select.POLLIN)
while True:
    print("wdt 1000")
    if poll.poll(50):
        line = sys.stdin.readline()
        note(line.strip() or "EOF")
        break
"""


@pytest.fixture
def board(tmp_path):
    """Starts boards whose chip runs a program; ends them, whatever the test left."""
    started = []

    def start(program, *limits):
        env = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, "-c", BOARD, NOTE + program, *limits],
            cwd=tmp_path,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def until(found, limit_s=10):
    """Wait for `found()` to be true; return what it found."""
    deadline = time.monotonic() + limit_s
    while not (result := found()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)
    return result


def log(folder):
    path = Path(folder) / "log"
    return path.read_text().split() if path.exists() else []


def end(process, limit_s=20):
    """(exit status, stdout, stderr) of a board that ends by itself."""
    out, err = process.communicate(timeout=limit_s)
    return process.returncode, out, err


def chip_of(process):
    """The process id of the chip that a board has started."""
    return until(lambda: children(process.pid))[0]


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (2, 2), (7, 1)])
def test_ends_with_the_status_the_chip_asks_for(board, status, expected):
    code, _, err = end(board(f"sys.exit({status})"))
    assert code == expected
    assert ("crashed with status 7" in err) == (status == 7)


def test_what_the_chip_prints_comes_out_and_feeding_does_not(board):
    assert end(board("print('wdt 5000'); print('hello'); sys.stdout.write('no end')")) == (
        0,
        "hello\nno end\n",
        "",
    )


def test_a_wanted_reset_starts_the_chip_again_with_its_cause(board, tmp_path):
    assert end(board("sys.exit(3 if lives() < 3 else 0)"))[0] == 0
    assert log(tmp_path) == ["power", "software", "software"]


def test_the_watchdog_bites_a_chip_that_hangs(board, tmp_path):
    code, _, err = end(board("print('wdt 300')\nif lives() < 2:\n " + HANG))
    assert code == 0
    assert err == "petrel run: watchdog: not fed for 300 ms: the device is reset\n"
    assert log(tmp_path) == ["power", "watchdog"]


def test_the_watchdog_is_not_armed_before_the_first_feed(board):
    assert end(board("time.sleep(1)"))[0] == 0


def test_a_paused_chip_is_reset_like_a_hung_one(board, tmp_path):
    process = board(FEED_UNTIL_STOPPED)
    until(lambda: "ready" in log(tmp_path))
    os.kill(chip_of(process), signal.SIGSTOP)
    until(lambda: log(tmp_path) == ["power", "ready", "watchdog", "ready"])


def test_a_paused_board_does_not_blame_the_chip(board, tmp_path):
    process = board(FEED_UNTIL_STOPPED)
    until(lambda: "ready" in log(tmp_path))
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.6)
    process.send_signal(signal.SIGCONT)
    time.sleep(0.3)
    process.terminate()
    assert end(process) == (0, "", "")
    assert log(tmp_path) == ["power", "ready", "stop"]


def test_board_and_chip_paused_together_go_on(board, tmp_path):
    process = board(FEED_UNTIL_STOPPED)
    until(lambda: "ready" in log(tmp_path))
    chip = chip_of(process)
    process.send_signal(signal.SIGSTOP)
    os.kill(chip, signal.SIGSTOP)
    time.sleep(1.6)
    process.send_signal(signal.SIGCONT)
    time.sleep(0.3)
    os.kill(chip, signal.SIGCONT)
    time.sleep(0.3)
    process.terminate()
    assert end(process) == (0, "", "")


def test_a_crash_loop_ends(board, tmp_path):
    code, _, err = end(board("sys.exit(3)"))
    assert code == 1
    assert log(tmp_path) == ["power"] + 5 * ["software"]
    assert err.count("\n") == 1
    assert "wanted 6 restarts within 60 s" in err


def test_a_device_that_lives_may_restart_as_often_as_it_likes(board):
    assert end(board("time.sleep(0.2); sys.exit(3 if lives() < 9 else 0)", "life_s=0.1"))[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_a_polite_stop(board, tmp_path, number):
    process = board(FEED_UNTIL_STOPPED)
    until(lambda: "ready" in log(tmp_path))
    process.send_signal(number)
    assert end(process) == (0, "", "")
    assert log(tmp_path)[-1] == "stop"


def test_a_device_that_wants_a_reset_while_it_is_stopped_stays_off(board, tmp_path):
    process = board("note('ready'); sys.stdin.readline(); sys.exit(3)")
    until(lambda: "ready" in log(tmp_path))
    process.terminate()
    assert end(process)[0] == 0
    assert log(tmp_path) == ["power", "ready"]


def test_a_device_that_does_not_stop_loses_its_power(board, tmp_path):
    process = board("note('ready')\n" + HANG, "stop_s=0.5")
    until(lambda: "ready" in log(tmp_path))
    process.terminate()
    code, _, err = end(process)
    assert (code, err) == (1, "petrel run: the device did not stop within 0.5 s: power cut\n")


def test_a_second_signal_cuts_the_power(board, tmp_path):
    process = board("note('ready')\n" + HANG)
    until(lambda: "ready" in log(tmp_path))
    chip = chip_of(process)
    process.terminate()
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    code, _, err = end(process)
    assert (code, err) == (1, "petrel run: asked to stop a second time: power cut\n")
    assert not alive(chip)


def test_a_killed_board_takes_the_chip_with_it(board, tmp_path):
    process = board("note('ready')\n" + HANG)
    until(lambda: "ready" in log(tmp_path))
    chip = chip_of(process)
    process.kill()
    # Only Linux kills at once a chip that hangs; elsewhere it reads EOF when it gets round to it.
    if sys.platform.startswith("linux"):
        until(lambda: not alive(chip), limit_s=2)
    else:
        os.kill(chip, signal.SIGKILL)


def test_a_killed_chip_is_reported(board, tmp_path):
    process = board("note('ready')\n" + HANG)
    until(lambda: "ready" in log(tmp_path))
    os.kill(chip_of(process), signal.SIGKILL)
    code, _, err = end(process)
    assert (code, err) == (1, "petrel run: the device was killed by SIGKILL\n")


def test_a_chip_that_never_stops_printing_can_be_stopped(board, tmp_path):
    process = board("note('ready')\nwhile True: print('x' * 100)", "stop_s=0.5")
    drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
    until(lambda: "ready" in log(tmp_path))
    process.terminate()
    assert process.wait(timeout=10) == 1
    drain.wait(timeout=10)


def petrel_run(*arguments):
    """`petrel run` with a command line that cannot work: (exit status, what stderr said)."""
    done = subprocess.run(
        [sys.executable, "-m", "petrel.cli", "run", *map(str, arguments)],
        capture_output=True, text=True, timeout=60,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_bad_usage_is_told_in_one_line(tmp_path):
    config, state = tmp_path / "config.json", tmp_path / "flash"
    missing = petrel_run("--config", config, "--state", state)
    assert missing == (2, f"petrel run: --config: {config}: no such file\n")
    config.write_text("{}")
    for extra, reason in (
        (["--state", state, "--heap", "much"], "--heap: 'much' is no size"),
        (["--state", config], f"--state: {config}: "),
        (["--state", state, "--runtime", "/no/runtime"], "--runtime: cannot start /no/runtime"),
        (["--state", state, "--runtime", "/no/runtime", "--heap", "1M"],
         "cannot start the runtime '/no/runtime'"),
        (["--state", state, "--runtime", "'"], "--runtime: "),
        (["--state", state, "--umqtt", "0.1"], "--umqtt: no version 0.1 here"),
    ):
        status, err = petrel_run("--config", config, *extra)
        assert status == 2
        assert err.startswith(f"petrel run: {reason}")
        assert err.count("\n") == 1


def test_two_devices_cannot_have_the_same_flash(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with flash(tmp_path / "flash"):
        status, err = petrel_run("--config", tmp_path / "config.json", "--state",
                                 tmp_path / "flash")
    assert (status, err) == (
        1, f"petrel run: --state: {tmp_path}/flash is in use by another device\n",
    )


def test_the_stand_in_has_the_runtime_of_the_firmware():
    assert runtime.runtime_version(runtime.find_runtime()) >= runtime.OLDEST
