"""firmware/commands.py: does every command get its response, and no command harm the device?"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.chip import Chip

ALL = "info, ping, read, reboot"


@pytest.fixture(scope="module")
def chip():
    with Chip("commanding") as chip:
        yield chip


@pytest.fixture(scope="module")
def small_chip():
    """With as much stack and heap as a microcontroller."""
    with Chip("commanding", "32-bit", heap="112K") as chip:
        yield chip


def execute(chip, *payloads, **options):
    """The result, after checks that hold for whatever was sent: one response each, and alive."""
    usual = {"number": 12, "values": [2550, None, -5], "raises": None, "apart_ms": 1000}
    assert options.keys() <= usual.keys()
    coded = [[coded_payload(payload), None] for payload in payloads]
    result = chip.call("execute", coded, *(usual | options).values())
    assert not result["died"], chip.errors()[-1000:]
    assert result["overdue"] == []
    assert [kind for kind, _ in result["posts"]] == ["responses"] * len(payloads)
    result["responses"] = [json.loads(payload) for _, payload in result["posts"]]
    for response in result["responses"]:
        assert response["ok"] == ("error" not in response)
        assert "id" in response
    return result


def coded_payload(payload):
    if isinstance(payload, dict):
        payload = json.dumps(payload, ensure_ascii=False)
    return (payload.encode() if isinstance(payload, str) else payload).hex()


def response(chip, payload, **options):
    return execute(chip, payload, **options)["responses"][0]


# ---- what commands do


def test_ping(chip):
    assert response(chip, {"id": 1, "cmd": "ping"}) == {"id": 1, "ok": True}


def test_info_tells_what_the_device_is(chip):
    told = response(chip, {"id": "a", "cmd": "info"})
    assert told.pop("free") > 0
    assert told == {
        "id": "a", "ok": True, "version": told["version"], "boot": "watchdog", "s": 7, "up": 100,
        "channels": {"t": ["Cel", 2], "h": ["%RH", 0], "ß温": [None, 1]},
    }


def test_read_takes_a_reading_and_tells_its_values(chip):
    told = response(chip, {"id": 5, "cmd": "read"})
    assert told == {"id": 5, "ok": True, "n": 12, "values": {"t": 25.5, "ß温": -0.5}}


def test_read_is_exact(chip):
    result = execute(chip, {"cmd": "read"}, values=[2**31 - 1, -(2**31), 2**31 - 1])
    assert '"t":21474836.47' in result["posts"][0][1]
    assert '"h":-2147483648' in result["posts"][0][1]


def test_read_without_a_value_is_an_error(chip):
    told = response(chip, {"id": 5, "cmd": "read"}, number=None)
    assert told == {"id": 5, "ok": False, "error": "no sensor could be read"}


def test_reboot_answers_first(chip):
    result = execute(chip, {"id": 9, "cmd": "reboot"})
    assert result["responses"] == [{"id": 9, "ok": True}]
    assert (result["reboot"], result["ended"]) == (True, "reboot")


@pytest.mark.parametrize("number", [None, 0, -1, 2**31, 2**70, "", "x" * 64, "äöü\n\"\\"])
def test_the_id_comes_back_as_it_was(chip, number):
    assert response(chip, {"id": number, "cmd": "ping"}) == {"id": number, "ok": True}


def test_a_command_without_an_id_is_answered_too(chip):
    assert response(chip, {"cmd": "ping"}) == {"id": None, "ok": True}


def test_what_a_command_does_not_know_it_leaves_alone(chip):
    told = response(chip, {"id": 1, "cmd": "ping", "error": "no", "ok": False, "args": [{}]})
    assert told == {"id": 1, "ok": True}


# ---- what is no command

NOT_JSON = "not JSON in UTF-8"
NO_OBJECT = 'not a JSON object with "id" and "cmd"'
NO_CMD = '"cmd" is missing or no string'
BAD_ID = '"id" is no whole number and no string of at most 64 characters'
UNKNOWN = f'unknown "cmd"; there is: {ALL}'


@pytest.mark.parametrize("payload, number, error", [
    (b"", None, NOT_JSON),
    (b" ", None, NOT_JSON),
    (b"reboot", None, NOT_JSON),
    (b'{"cmd":"ping"', None, NOT_JSON),
    (b'{"cmd":"ping"}}', None, NOT_JSON),
    (b'{"cmd":"pi\xffng"}', None, NOT_JSON),
    (b"\xff\xfe{", None, NOT_JSON),
    (b'\0{"cmd":"ping"}', None, NOT_JSON),
    (b"\0" * 1024, None, NOT_JSON),
    (b'{[]:1}', None, NOT_JSON),
    (b"[]", None, NO_OBJECT),
    (b'["ping"]', None, NO_OBJECT),
    (b"null", None, NO_OBJECT),
    (b"7", None, NO_OBJECT),
    (b'"ping"', None, NO_OBJECT),
    (b"{}", None, NO_CMD),
    (b'{"id":1}', None, NO_CMD),
    (b'{"id":1,"cmd":null}', None, NO_CMD),
    (b'{"id":1,"cmd":["ping"]}', None, NO_CMD),
    (b'{"id":1,"cmd":{"cmd":"ping"}}', None, NO_CMD),
    (b'{1:2,"cmd":3}', None, NO_CMD),
    (b'{"id":1,"cmd":""}', 1, UNKNOWN),
    (b'{"id":1,"cmd":"PING"}', 1, UNKNOWN),
    (b'{"id":1,"cmd":"ping "}', 1, UNKNOWN),
    (b'{"id":1,"cmd":"__init__"}', 1, UNKNOWN),
    ('{"id":1,"cmd":"п\u0000ing"}'.encode().replace(b"\0", b"\\u0000"), 1, UNKNOWN),
    (b'{"id":1.5,"cmd":"ping"}', None, BAD_ID),
    (b'{"id":true,"cmd":"ping"}', None, BAD_ID),
    (b'{"id":[1],"cmd":"ping"}', None, BAD_ID),
    (b'{"id":{"a":1},"cmd":"ping"}', None, BAD_ID),
    (b'{"id":"' + b"x" * 65 + b'","cmd":"ping"}', None, BAD_ID),
    (b'{"id":' + b"9" * 65 + b',"cmd":"ping"}', None, BAD_ID),
], ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else "")
def test_a_malformed_command_gets_an_error(chip, payload, number, error):
    told = response(chip, payload)
    if number is None:  # where it can be told, whose error it is may be told
        told["id"] = None
    assert told == {"id": number, "ok": False, "error": error}


@pytest.mark.parametrize("where", ["chip", "small_chip"])
@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}"), ('{"id":[', "]}")])
def test_deep_nesting_is_an_error_like_others(request, where, opening, closing):
    """As deep as the longest command that a link takes."""
    chip = request.getfixturevalue(where)
    depth = 1024 // len(opening + closing)
    for payload in (opening * 1024, opening * depth + closing * depth):
        told = response(chip, payload[:1024])
        assert told["ok"] is False


def test_a_command_may_be_long(small_chip):
    payload = json.dumps({"id": 1, "cmd": "ping", "pad": ""})
    payload = payload.replace('""', '"' + "x" * (1024 - len(payload)) + '"')
    assert len(payload) == 1024
    assert response(small_chip, payload) == {"id": 1, "ok": True}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
COMMAND = st.fixed_dictionaries(
    {}, optional={"id": JSON, "cmd": JSON | st.sampled_from(ALL.split(", ")), "more": JSON}
)


@settings(max_examples=150, deadline=None, print_blob=True)
@given(payload=st.binary(max_size=60) | (COMMAND | JSON).map(lambda v: json.dumps(v).encode()))
def test_whatever_comes_gets_one_response(chip, payload):
    """`execute` checks it: one response that is JSON and says whether it was done."""
    execute(chip, payload)


def test_a_command_that_fails_in_an_unforeseen_way_is_an_error_too(chip):
    """The device does not end by it, and the next one is executed."""
    for raises in ("OSError", "MemoryError"):
        result = execute(chip, {"id": 1, "cmd": "read"}, {"id": 2, "cmd": "ping"}, raises=raises)
        assert result["responses"][0]["ok"] is False
        assert result["responses"][1] == {"id": 2, "ok": True}


# ---- the inbox


def test_commands_are_executed_one_after_the_other(chip):
    result = execute(chip, *[{"id": n, "cmd": "read"} for n in range(4)], apart_ms=0)
    assert [told["id"] for told in result["responses"]] == [0, 1, 2, 3]


def test_a_full_inbox_is_busy(chip):
    """Four wait beside the one that is executed; the rest hears so at once."""
    result = execute(chip, *[{"id": n, "cmd": "read"} for n in range(8)], apart_ms=0)
    done = [told["id"] for told in result["responses"] if told["ok"]]
    busy = [told for told in result["responses"] if not told["ok"]]
    assert done == sorted(done) and len(done) in (4, 5)
    assert {told["error"] for told in busy} == {"busy; 4 commands wait already"}
    later = execute(chip, {"id": 1, "cmd": "ping"})
    assert later["responses"] == [{"id": 1, "ok": True}]


def test_a_link_s_problem_is_passed_on(chip):
    problem = "a command of 100009 bytes; at most 512 are taken"
    result = chip.call("execute", [[None, problem]])
    ((kind, payload),) = result["posts"]
    assert kind == "responses"
    assert json.loads(payload) == {"id": None, "ok": False, "error": problem}
