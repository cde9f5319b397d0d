"""The ledger: does it tell exactly what came, what came twice, what is missing and what nobody can
know, also after it was killed?
"""

import contextlib
import json
import random
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt import publish

from petrel import ledger as ledgers
from petrel.errors import Failure
from petrel.ledger import Ledger
from petrel.ledger_file import LedgerFile, read

NUMBERS = st.lists(st.integers(1, 60), max_size=120)


def filled(numbers, stream=7):
    ledger = Ledger()
    for number in numbers:
        ledger.add("shed", stream, number)
    return ledger


# ---- what came


def test_what_is_new_missing_and_twice():
    ledger = Ledger()
    assert [ledger.add("shed", 7, n) for n in (1, 2, 5, 2, 4)] == [True, True, True, False, True]
    shed = ledger.streams("shed")[7]
    assert (shed.received, shed.missing, shed.duplicates, shed.highest) == (4, 1, 1, 5)
    assert ledger.gaps("shed", 7) == [(3, 3)]
    assert ledger.add("shed", 7, 3)
    assert (shed.received, shed.missing, ledger.gaps("shed", 7)) == (5, 0, [])


def test_devices_and_streams_are_apart():
    ledger = Ledger()
    for device in ("shed", "barn"):
        for stream in (7, 8):
            assert ledger.add(device, stream, 1)
    assert not ledger.add("barn", 8, 1)
    assert (ledger.total("received"), ledger.total("duplicates")) == (4, 1)
    assert ledger.gaps("nobody", 1) == []


@given(NUMBERS)
@settings(deadline=None)
def test_against_a_set(numbers):
    ledger, came = Ledger(), set()
    for number in numbers:
        assert ledger.add("shed", 7, number) == (number not in came)
        came.add(number)
    stream = ledger.streams("shed").get(7) or ledgers.Stream()
    missing = [n for n in range(1, max(came, default=0) + 1) if n not in came]
    assert [n for a, b in stream.gaps() for n in range(a, b + 1)] == missing
    assert (stream.received, stream.missing) == (len(came), len(missing))
    assert stream.duplicates == len(numbers) - len(came)
    assert all(b[0] - a[1] > 1 for a, b in zip(stream.spans, stream.spans[1:], strict=False))


@given(NUMBERS)
@settings(deadline=None)
def test_a_bound_on_gaps_miscounts_nothing_that_is_new(numbers):
    """What comes for a forgotten gap is taken for new, and said so."""
    most, ledgers.MOST_SPANS = ledgers.MOST_SPANS, 3
    try:
        ledger, came = Ledger(), set()
        for number in numbers:
            new = ledger.add("shed", 7, number)
            assert new or number in came
            came.add(number)
        stream = ledger.streams("shed").get(7) or ledgers.Stream()
        assert len(stream.spans) <= 3
        assert len(came) <= stream.received <= len(came) + stream.unsure
        assert stream.received + stream.missing == stream.end
    finally:
        ledgers.MOST_SPANS = most


def test_a_bound_on_streams_keeps_the_sums(monkeypatch):
    monkeypatch.setattr(ledgers, "MOST_STREAMS", 3)
    ledger = Ledger()
    for stream in range(1, 11):
        for number in (1, 2, 4, 4):
            ledger.add("shed", stream, number)
    assert list(ledger.streams("shed")) == [8, 9, 10]
    assert [ledger.total(what) for what in ("received", "missing", "duplicates")] == [30, 10, 10]
    again = Ledger.load(json.loads(json.dumps(ledger.dump())))
    assert [*again.lines()] == [*ledger.lines()]
    assert "shed: 7 older streams: 21 arrived, 7 missing, 7 duplicates removed" in again.lines()


# ---- what the devices say


def lines(ledger):
    return [line.removeprefix("shed: stream ") for line in ledger.lines()][:-1]


def test_a_birth_tells_the_end_of_the_stream_before():
    ledger = filled(range(1, 11))
    assert lines(ledger) == ["7: 1 to 10 are complete"]
    ledger.status("shed", {"status": "online", "s": 8, "before": {"s": 7, "n": 12}})
    assert ledger.gaps("shed", 7) == [(11, 12)]
    assert lines(ledger) == [
        "7: 10 of 1 to 12 arrived; missing 2: 11 to 12",
        "7: it is over; whether it had readings after 12 cannot be known",
        "8: nothing of it arrived, and the device knows of no reading that was safe",
    ]
    ledger.add("shed", 7, 12)
    ledger.add("shed", 7, 11)
    ledger.add("shed", 8, 1)
    assert lines(ledger)[0] == "7: 1 to 12 are complete"
    assert lines(ledger)[2] == "8: 1 is there"


def test_a_life_whose_readings_were_durable_at_once_leaves_nothing_unknown():
    ledger = filled(range(1, 11))
    for durability, unknown in (("always", 0), ("ram", 1)):  # the journal failed in between
        ledger.status("shed", {"status": "online", "s": 7, "durability": durability})
        ledger.status("shed", {"status": "online", "s": 8, "before": {"s": 7, "n": 10}})
        assert len([line for line in lines(ledger) if "cannot be known" in line]) == unknown


def test_a_birth_that_says_the_end_leaves_nothing_unknown():
    ledger = filled(range(1, 11))
    ledger.status("shed", {"status": "online", "s": 8, "before": {"s": 7, "n": 10, "end": True}})
    assert lines(ledger)[0] == "7: 1 to 10 are complete"
    assert lines(ledger)[1].startswith("8: ")


def test_a_stream_of_which_nothing_arrived_is_told():
    ledger = filled([1])
    ledger.birth("shed", 9, (8, 3))
    assert "8: 0 of 1 to 3 arrived; missing 3: 1 to 3" in lines(ledger)
    assert "7: it is over; whether it had readings after 1 cannot be known" in lines(ledger)


def test_a_birth_that_knows_less_takes_nothing_back():
    ledger = filled(range(1, 11))
    ledger.birth("shed", 8, (7, 0))
    assert lines(ledger)[:2] == [
        "7: 1 to 10 are complete",
        "7: it is over; whether it had readings after 10 cannot be known",
    ]


def test_health_tells_what_is_on_the_way():
    ledger = filled([1, 2])
    ledger.health("shed", {"s": 7, "n": 5})
    assert ledger.gaps("shed", 7) == [(3, 5)]


@pytest.mark.parametrize(
    "said",
    [None, 3, [], {}, {"s": None}, {"s": 0}, {"s": True, "n": 3}, {"s": 7, "n": -1},
     {"s": 7, "n": 1e9}, {"s": 7, "before": 3}, {"s": 7, "before": {"s": 6}},
     {"s": 7, "before": {"s": "6", "n": 1}}],
)
def test_nonsense_is_left_out(said):
    ledger = filled([1, 2])
    ledger.status("shed", said)
    ledger.health("shed", said)
    assert lines(ledger) == ["7: 1 to 2 are complete"]


def test_many_gaps_are_not_all_listed():
    (line,) = lines(filled(range(2, 100, 2)))
    assert line.endswith("15, 17, 19 and 39 more places")


# ---- on disk


def test_a_file_keeps_everything_over_restarts(tmp_path):
    path = tmp_path / "ledger"
    with LedgerFile(path) as kept:
        client = kept.client
        birth = {"s": 8, "before": {"s": 7, "n": 3}}
        for entry in (("add", "shed", 7, 1), ("status", "shed", birth)):
            getattr(kept.ledger, entry[0])(*entry[1:])
            kept.log([entry])
        told = [*kept.ledger.lines()]
    for _ in range(2):
        assert [*read(path).lines()] == told
        with LedgerFile(path) as kept:
            assert kept.client == client
            assert [*kept.ledger.lines()] == told
            assert not kept.ledger.add("shed", 7, 1)


def test_a_line_that_was_cut_off_does_not_count(tmp_path):
    path = tmp_path / "ledger"
    with LedgerFile(path) as kept:
        kept.log([("add", "shed", 7, n) for n in (1, 2, 3)])
    content = path.read_bytes()
    start = content.index(b"\n") + 1
    for length in range(start, len(content) + 1):
        path.write_bytes(content[:length])
        whole = content[start:length].count(b"\n")
        assert read(path).total("received") == whole
        with LedgerFile(path) as kept:
            kept.log([("add", "shed", 7, 9)])
        assert read(path).total("received") == whole + 1


def test_a_long_log_is_written_anew_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("petrel.ledger_file._LEAST_LOG", 1000)
    path = tmp_path / "ledger"
    most = 0
    with LedgerFile(path) as kept:
        for number in range(1, 1001):
            kept.ledger.add("shed", 7, number)
            kept.log([("add", "shed", 7, number)])
            most = max(most, path.stat().st_size)
    assert most < 2000
    assert read(path).gaps("shed", 7) == []
    assert read(path).total("received") == 1000
    assert [file.name for file in tmp_path.iterdir()] == ["ledger"]


def test_a_file_that_is_just_being_made_is_an_empty_ledger(tmp_path):
    (tmp_path / "ledger").touch()
    assert not read(tmp_path / "ledger").devices
    LedgerFile(tmp_path / "ledger").close()
    assert not read(tmp_path / "ledger").devices


def test_a_second_listener_is_told(tmp_path):
    with LedgerFile(tmp_path / "ledger"), pytest.raises(Failure, match="another listener"):
        LedgerFile(tmp_path / "ledger")
    LedgerFile(tmp_path / "ledger").close()


@pytest.mark.parametrize(
    "content", [b"hello", b"{}\n", b'{"kind":"petrel ledger 9"}\n', b"\xff\n"]
)
def test_a_file_that_is_no_ledger_is_left_alone(tmp_path, content):
    path = tmp_path / "ledger"
    path.write_bytes(content)
    with pytest.raises(Failure, match="is no ledger, or a damaged one"):
        LedgerFile(path)
    assert path.read_bytes() == content


KILLED = """
import sys
from petrel import ledger_file
ledger_file._LEAST_LOG = 2000
with ledger_file.LedgerFile(sys.argv[1]) as kept:
    number = kept.ledger.total("received")
    while True:
        number += 1
        kept.ledger.add("shed", 7, number)
        kept.log([("add", "shed", 7, number)])
        print(number, flush=True)
"""


def test_a_kill_at_any_moment_loses_nothing_that_was_logged(tmp_path, seed):
    path = tmp_path / "ledger"
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE
        ) as writer:
            lines = [writer.stdout.readline()]
            time.sleep(random.uniform(0, 0.05))
            writer.kill()
            lines += writer.stdout.readlines()
        logged = int([line for line in lines if line.endswith(b"\n")][-1])
        found = read(path)
        assert found.gaps("shed", 7) == []
        assert logged <= found.total("received") <= logged + 1, f"seed {seed}"


# ---- petrel listen --ledger


def tell(broker, number, topic="devices/shed/data"):
    payload = number if isinstance(number, dict) else {"s": 7, "n": number, "t": number}
    publish.single(topic, json.dumps(payload), qos=1, hostname=broker.host, port=broker.port)


def wait_received(path, count):
    ends = time.monotonic() + 50
    while not path.exists() or read(path).total("received") < count:
        assert time.monotonic() < ends, f"never {count} readings"
        time.sleep(0.05)


@pytest.fixture
def listening():
    """Starts `petrel listen --ledger`."""
    with contextlib.ExitStack() as stack:

        def start(broker, path):
            url = f"mqtt://{broker.host}:{broker.port}"
            command = [sys.executable, "-m", "petrel.cli", "listen", url, "--json"]
            process = stack.enter_context(subprocess.Popen(
                [*command, "--ledger", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True,
            ))
            stack.callback(process.kill)
            return process

        yield start


def test_a_listener_with_a_ledger_misses_nothing_and_shows_nothing_twice(
    mosquitto, listening, tmp_path
):
    """Also what comes while it is not there, and after it was killed."""
    path = tmp_path / "ledger"
    shown = []
    last = 0
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        process = listening(mosquitto, path)
        wait_received(path, last)
        while not read(path).total("received"):  # no session yet: knock until it answers
            tell(mosquitto, 1)
        for number in range(last + 1, last + 6):
            tell(mosquitto, number)
            tell(mosquitto, number)  # as a device does that heard no acknowledgement
        wait_received(path, last + 5)
        process.send_signal(how)
        out, err = process.communicate(timeout=20)
        shown += [json.loads(line)["seq"] for line in out.splitlines()]
        last += 8
        for number in range(last - 2, last + 1):  # nobody listens
            tell(mosquitto, number)
    assert process.returncode == 0
    assert "all: " in err
    assert shown == list(range(1, last - 2))
    assert read(path).total("missing") == 0


def test_the_ledger_of_a_listener_knows_births(mosquitto, listening, tmp_path):
    path = tmp_path / "ledger"
    birth = {"status": "online", "s": 8, "before": {"s": 7, "n": 4}}
    publish.single(
        "devices/shed/status", json.dumps(birth), qos=1, retain=True, hostname=mosquitto.host,
        port=mosquitto.port,
    )
    process = listening(mosquitto, path)
    ends = time.monotonic() + 50
    while not path.exists() or not read(path).streams("shed"):
        assert time.monotonic() < ends
        time.sleep(0.05)
    process.terminate()
    _, err = process.communicate(timeout=20)
    assert "shed: stream 7: 0 of 1 to 4 arrived; missing 4: 1 to 4" in err
    done = subprocess.run(
        [sys.executable, "-m", "petrel.cli", "ledger", str(path)],
        capture_output=True, text=True, timeout=20, check=True,
    )
    assert done.stdout == err
