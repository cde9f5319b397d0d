"""firmware/payloads/cbor.py and senml_cbor.py: do others read what they write?"""

from binascii import unhexlify
from decimal import Decimal

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tests.on_cpython import load
from petrel import senml
from petrel.readings import decode

Channel = load("sensors").Channel
FORMATS = {name: load(f"payloads.{name}") for name in ("cbor", "senml_cbor")}
CHANNELS = [Channel("t", "Cel", 2), Channel("h", "%RH", 0), Channel("ß", None, 9)]
INT32 = st.integers(-(2**31), 2**31 - 1)
STREAM, DEVICE = 2**31 - 1, "greenhouse"
ROW = st.lists(st.none() | INT32, min_size=3, max_size=3).filter(any)


def encode(name, rows, limit=4096, device=DEVICE):
    """The rows (number, (unix_ms, uptime_ms), values) as messages; none may be refused."""
    encoder = FORMATS[name].Encoder(CHANNELS, STREAM, device)
    buffer, messages = bytearray(limit + 1), []
    encoder.begin(buffer, limit)
    for row in rows:
        if not encoder.add(*row):
            messages.append(taken(encoder, buffer))
            encoder.begin(buffer, limit)
            assert encoder.add(*row), "one reading alone must fit"
    return [*messages, taken(encoder, buffer)]


def taken(encoder, buffer):
    start, end = encoder.finish()
    return bytes(buffer[start:end])


def expected(row):
    number, (unix_ms, _), values = row
    channels = zip(CHANNELS, values, strict=True)
    numbers = {c.key: Decimal(v).scaleb(-c.decimals) for c, v in channels if v is not None}
    return number, None if unix_ms is None else unix_ms // 1000, numbers


@pytest.mark.parametrize("name", FORMATS)
@given(rows=st.lists(ROW, min_size=1, max_size=8), clock=st.booleans(), limit=st.just(300))
def test_whatever_is_written_is_read(name, rows, clock, limit):
    due = (1_732_265_000_999, None) if clock else (None, 61_000)
    rows = [(number, due, values) for number, values in enumerate(rows, 1)]
    messages = encode(name, rows, limit)
    assert all(len(message) <= limit for message in messages)
    found = [r for m in messages for r in decode(f"devices/{DEVICE}/data", m)]
    assert [(r.stream, r.device) for r in found] == [(STREAM, DEVICE)] * len(rows)
    for reading, row in zip(found, rows, strict=True):
        number, seconds, values = expected(row)
        assert (reading.seq, reading.ts) == (number, seconds)
        assert reading.values == {key: float(value) for key, value in values.items()}


@pytest.mark.parametrize("name", FORMATS)
def test_the_longest_reading_is_as_long_as_stated(name):
    row = (2**31 - 1, (99_999_999_999_999, None), [-(2**31)] * 3)
    (message,) = encode(name, [row], device="d" * 64)
    assert len(message) <= FORMATS[name].most_bytes(CHANNELS) <= len(message) + 24


def test_values_are_exact():
    (message,) = encode("cbor", [(12, (1_732_265_000_000, None), [2550, -60, 1])])
    assert cbor2.loads(message) == {
        "s": STREAM, "n": 12, "ts": 1_732_265_000,
        "t": Decimal("25.5"), "h": -60, "ß": Decimal("1e-9"),
    }


def test_a_pack_names_what_it_measures():
    rows = [(7, (1_732_265_000_250, None), [2550, 60, None]),
            (8, (1_732_265_010_250, None), [2560, None, None])]
    (message,) = encode("senml_cbor", rows)
    assert cbor2.loads(message)[0] == {
        -2: "devices/greenhouse/", -3: Decimal("1732265000.25"), 0: "t", 1: "Cel",
        2: Decimal("25.5"), "stream": STREAM, "seq": 7,
    }
    records = senml.resolve(cbor2.loads(message))
    assert [(r.name, r.unit, r.value, r.time) for r in records] == [
        ("devices/greenhouse/t", "Cel", Decimal("25.5"), Decimal("1732265000.25")),
        ("devices/greenhouse/h", "%RH", 60, Decimal("1732265000.25")),
        ("devices/greenhouse/t", "Cel", Decimal("25.6"), Decimal("1732265010.25")),
    ]


def test_a_pack_ends_when_the_clock_is_set():
    rows = [(1, (None, 5000), [1, 2, 3]), (2, (1_732_265_000_000, None), [1, 2, 3])]
    assert len(encode("senml_cbor", rows)) == 2


# The example of RFC 8428, section 6, in its own bytes.
RFC_CBOR = unhexlify(
    "87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b001062"
    "23614120050067766f6c7461676501615602fb405e066666666666"
    "a3006763757272656e74062402fb3ff3333333333333a3006763757272656e74062302fb3ff4cccccccccccd"
    "a3006763757272656e74062202fb3ff6666666666666a3006763757272656e74062102fb3ff8000000000000"
    "a3006763757272656e74062002fb3ff999999999999aa2006763757272656e7402fb3ffb333333333333"
)


def test_the_rfc_s_example_resolves():
    base, start = "urn:dev:ow:10e2073a0108006:", 1276020076.001
    records = senml.resolve(cbor2.loads(RFC_CBOR))
    assert records[0] == senml.Record(base + "voltage", "V", 120.1, start, {})
    assert [(r.name, r.unit, r.value, r.time) for r in records[1:]] == [
        (base + "current", "A", value, start + after)
        for value, after in zip((1.2, 1.3, 1.4, 1.5, 1.6, 1.7), range(-5, 1), strict=True)
    ]


@pytest.mark.parametrize("pack, why", [
    ([{"v": 1}], "without a name"),
    ([{0: "t"}], "one value"),
    ([{0: "t", 2: 1, 4: True}], "one value"),
    ([{0: "t", 2: 1, "need_": 1}], "must be understood"),
    ([{-1: 11, 0: "t", 2: 1}], "newer"),
    ([3], "a map"),
])
def test_what_the_rfc_forbids_is_refused(pack, why):
    with pytest.raises(ValueError, match=why):
        senml.resolve(pack)
