"""What becomes of a message: every format the same readings, each once, the rest as it is."""

import json

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.test_profiles import ROWS, blob, framed  # noqa: F401
from petrel.gateway.intake import Intake
from petrel.gateway.message import Arrival, kind_of, plain_text

DATA = "devices/shed/data"
READING = {"s": 7, "n": 1, "ts": 1732265000, "t": 25.5, "h": 60}


def take(intake, topic, payload, **more):
    payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return intake.take(Arrival(topic, payload, 1000, **more))


def told(messages):
    return [(message.device, message.kind, json.loads(message.data)) for message in messages]


SENML = [
    {-2: "devices/shed/", -3: 1732265000, 0: "t", 1: "Cel", 2: 25.5, "stream": 7, "seq": 1},
    {0: "h", 1: "%RH", 2: 60},
]


@pytest.mark.parametrize("payload", [
    READING, cbor2.dumps(READING), cbor2.dumps([READING]), cbor2.dumps(SENML),
], ids=["json", "cbor", "cbor batch", "senml"])
def test_every_format_becomes_the_same(payload):
    assert told(take(Intake(), DATA, payload)) == [("shed", "data", READING)]


def test_only_what_is_new_of_a_batch_goes_on():
    intake = Intake()
    take(intake, DATA, READING)
    batch = [{**READING, "n": n} for n in (1, 2, 3)]
    assert told(take(intake, DATA, batch)) == [("shed", "data", batch[1:])]
    assert take(intake, DATA, batch) == []
    assert (intake.readings, intake.duplicates) == (3, 4)
    assert intake.ledger.streams("shed")[7].spans == [[1, 3]]


def test_frames_wait_for_their_profile(blob):  # noqa: F811
    intake = Intake()
    assert take(intake, DATA, framed(blob, 101, 103)) == []
    assert intake.taken_changes().held == {"shed"}
    ((device, kind, items),) = told(take(intake, "devices/shed/profile", blob))
    assert (device, kind, [item["t"] for item in items]) == (
        "shed", "data", [row[0] / 10 for row in ROWS[100:103]]
    )
    assert intake.ledger.streams("shed")[77].spans == [[101, 103]]
    assert len(take(intake, DATA, framed(blob, 104, 110))) == 1


@pytest.mark.parametrize("topic", ["sensors/roof", "devices/shed/data"])
@pytest.mark.parametrize("payload, data", [
    (b'{"temperature":25.5,"humidity":60}', {"temperature": 25.5, "humidity": 60}),
    (b"23.5", 23.5),
    (b" 23.50 ", 23.5),
    (b"on", "on"),
    (b"", ""),
    (b'{"s":1,"n":0,"t":1}', {"s": 1, "n": 0, "t": 1}),
    (b'{"s":99999999999,"n":1,"t":1}', {"s": 99999999999, "n": 1, "t": 1}),
    (b"NaN", "NaN"),
    (b"\xff\x00", {"base64": "/wA="}),
])
def test_what_others_send_passes_as_it_is(topic, payload, data):
    intake = Intake()
    ((device, kind, found),) = told(take(intake, topic, payload))
    assert device == ("shed" if "devices" in topic else topic)
    assert (kind, found) == ("other", data)
    assert not intake.ledger.devices


@pytest.mark.parametrize("depth", [99, 100, 970])
def test_json_that_is_too_deep_for_others_to_parse_goes_on_as_text(depth):
    text = '{"a":' * depth + "[]" + "}" * depth
    told = plain_text(text.encode())
    assert told == (json.dumps(text) if depth >= 100 else text)
    flat = json.dumps([[{}]] * 200)
    assert plain_text(flat.encode()) == flat


def test_a_number_keeps_its_digits():
    assert plain_text(b"23.50") == "23.50"


def test_kinds():
    assert kind_of("devices/shed/data") == kind_of("site/devices/shed/data") == "data"
    assert kind_of("devices/shed/nonsense") == kind_of("data") == kind_of("a/b/data") == "other"


def test_what_a_device_says_of_itself_goes_into_the_ledger_and_on():
    intake = Intake()
    take(intake, DATA, READING)
    status = {"status": "online", "s": 8, "before": {"s": 7, "n": 3}}
    assert told(take(intake, "devices/shed/status", status)) == [("shed", "status", status)]
    assert intake.ledger.gaps("shed", 7) == [(2, 3)]
    assert list(intake.taken_changes().streams) == [("shed", 7), ("shed", 8)]
    take(intake, "devices/shed/health", {"s": 8, "n": 5})
    assert intake.ledger.gaps("shed", 8) == [(1, 5)]


def test_the_brokers_copy_of_a_known_status_is_no_news():
    intake, status = Intake(), {"status": "online", "s": 8}
    assert len(take(intake, "devices/shed/status", status, retained=True)) == 1
    assert take(intake, "devices/shed/status", status, retained=True) == []
    assert len(take(intake, "devices/shed/status", status)) == 1
    assert len(take(intake, "devices/shed/status", {"status": "offline"}, retained=True)) == 1


def test_commands_and_profiles_are_not_for_sinks():
    intake = Intake()
    assert take(intake, "devices/shed/commands", {"cmd": "ping"}) == []
    assert take(intake, "devices/shed/profile", b"no profile") == []
    assert intake.undecodable == 1


KINDS = st.sampled_from(["data", "status", "health", "profile", "responses", "commands", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["s", "n", "ts", "t", "before", "seq"]), inner, max_size=4),
)
PAYLOADS = (
    st.binary(max_size=60) | JSON.map(json.dumps).map(str.encode) | JSON.map(cbor2.dumps)
)


@given(st.lists(st.tuples(KINDS, PAYLOADS), max_size=8))
@settings(deadline=None, max_examples=100)
def test_nothing_that_arrives_is_an_error(arrivals):
    intake = Intake()
    for kind, payload in arrivals:
        for message in take(intake, f"devices/shed/{kind}", payload):
            json.loads(message.data, parse_constant=lambda name: pytest.fail(name))
