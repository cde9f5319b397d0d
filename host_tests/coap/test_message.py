"""lib/coap/message.py: the bytes of RFC 7252, section 3, and every way to spoil them."""
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# pyright: reportPossiblyUnboundVariable=false

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coap.message import ACK, CON, NON, RST, Message, ProtocolError, decode

BUFFER = 1200
GOLDEN = {
    # RFC 7252, figures 16 to 21 (appendix A)
    "get": (bytes.fromhex("40017d34bb") + b"temperature", CON, 1, 0x7D34, b""),
    "content": (bytes.fromhex("60457d34ff") + b"22.3 C", ACK, 0x45, 0x7D34, b""),
    "token": (bytes.fromhex("41017d3620bb") + b"temperature", CON, 1, 0x7D36, b"\x20"),
    "empty": (bytes.fromhex("60007d37"), ACK, 0, 0x7D37, b""),
    # libcoap's and the long forms: options 3, 11, 12, 15 and a payload
    "long": (
        bytes.fromhex("5403123401020304") + b"\x3d\x00" + b"h" * 13 + b"\x8d\xf2" + b"p" * 255
        + b"\x11\x3c" + b"\x3d\x07" + b"q" * 20 + b"\xff" + b"body",
        NON, 3, 0x1234, b"\1\2\3\4",
    ),
    "far": (bytes.fromhex("48 02 0001 0102030405060708 e1 0017 01".replace(" ", "")), CON, 2, 1,
            bytes(range(1, 9))),
}
ACCEPTS = [data for data, *_ in GOLDEN.values()]
REJECTS = {  # those of libcoap's tests, and the borders of each field
    "cut in its header": "534112",
    "a payload marker and nothing": "40011234ff",
    "a token shorter than it says": "53691234746f",
    "a token of 9": "49691234" + "00" * 9,
    "a token of 15": "4f691234" + "00" * 15,
    "content in an empty message": "4000123401",
    "a token in an empty message": "410012 3401".replace(" ", ""),
    "version 0": "00011234",
    "version 2": "80011234",
    "a delta of 15": "40011234f0",
    "a length of 15": "400112340f",
    "a delta that is cut": "40011234d0",
    "a long delta that is cut": "40011234e000",
    "a length that is cut": "400112340d",
    "a value that is cut": "4001123442aa",
    "an option number beyond 65535": "40011234e0fef3e0fef3",
}


def encode(message):
    buffer = bytearray(BUFFER)
    return bytes(buffer[: message.encode_into(buffer)])


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name):
    data, kind, code, mid, token = GOLDEN[name]
    message = decode(data)
    assert (message.type, message.code, message.mid, message.token) == (kind, code, mid, token)
    assert message.bad is None
    assert encode(message) == data


def test_the_rfc_s_option_delta_example():
    message = Message(1)
    message.add(11, "temperature")
    assert encode(message)[4:5] == b"\xbb"


@pytest.mark.parametrize("name", REJECTS)
def test_rejects(name):
    with pytest.raises(ProtocolError):
        decode(bytes.fromhex(REJECTS[name]))


def test_libcoap_s_vector_with_a_truncated_token():
    """`53691234746f6b656e` says a token of 3 and follows with an option that is cut."""
    with pytest.raises(ProtocolError):
        decode(bytes.fromhex("53691234746f6b656e"))


@pytest.mark.parametrize("data", ACCEPTS)
def test_every_truncation_and_bit_flip_is_a_message_or_a_protocol_error(data):
    spoilt = [data[:end] for end in range(len(data))]
    for place in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[place >> 3] ^= 1 << (place & 7)
        spoilt.append(bytes(flipped))
    accepted = 0
    for bad in spoilt:
        try:
            message = decode(bad)
        except ProtocolError:
            continue
        accepted += 1
        again = decode(encode(message))
        assert (again.options, again.payload) == (message.options, message.payload)
    assert accepted < len(spoilt)


@given(st.binary(max_size=60))
def test_rubbish_is_a_message_or_a_protocol_error(data):
    with contextlib.suppress(ProtocolError):
        encode(decode(b"\x44\x01\0\0" + data))


OPTIONS = st.tuples(st.integers(0, 65535), st.binary(max_size=300))


@given(
    st.lists(OPTIONS, max_size=3), st.binary(max_size=8), st.binary(max_size=100),
    st.sampled_from([CON, NON, ACK, RST]), st.integers(0, 65535),
)
def test_round_trip(options, token, payload, kind, mid):
    options = [option for option in options if option[0] % 2 == 0 and option[0] > 300]
    message = Message(2, payload, kind)
    message.token, message.mid = token, mid
    for number, value in options:
        message.add(number, value)
    again = decode(encode(message))
    assert again.options == sorted(options, key=lambda option: option[0])
    assert (again.token, again.payload, again.type, again.mid) == (token, payload, kind, mid)


def test_equal_options_keep_their_order():
    message = Message(1)
    for segment in "cab":
        message.add(12, 50)
        message.add(11, segment)
        message.add(3, "host")
    assert decode(encode(message)).all(11) == [b"c", b"a", b"b"]


@pytest.mark.parametrize("length", [0, 12, 13, 268, 269, 600])
def test_lengths_at_the_borders_of_their_forms(length):
    message = Message(1)
    message.add(2000, bytes(length))
    assert decode(encode(message)).get(2000) == bytes(length)


@pytest.mark.parametrize("value, data", [(0, b""), (1, b"\1"), (255, b"\xff"), (256, b"\1\0"),
                                         (65000, b"\xfd\xe8"), (1 << 24, b"\1\0\0\0")])
def test_integers_take_as_few_bytes_as_they_can(value, data):
    message = Message(1)
    message.add(14, value)
    assert message.get(14) == data
    assert message.uint(14) == value


@pytest.mark.parametrize("number, value, bad", [
    (9, b"", 9),  # critical, not known
    (10, b"", None),  # elective, not known: ignored by whoever reads
    (5, b"x", 5),  # If-None-Match is empty
    (1, bytes(9), 1),
    (11, bytes(256), 11),
    (11, b"\xff\xfe", 11),  # no UTF-8
    (12, bytes(3), None),  # elective and too long: left out
    (258, bytes(2), None),
    (23, bytes(4), 23),
])
def test_options_that_are_not_right(number, value, bad):
    message = Message(1)
    message.options.append((number, value))
    message = decode(encode(message))
    assert message.bad == bad
    assert message.get(number) == (value if number == 10 else None)


def test_an_option_that_may_come_once_and_comes_twice():
    message = Message(1)
    message.add(17, 50)
    message.add(17, 60)
    message.add(12, 50)
    message.add(12, 60)
    message = decode(encode(message))
    assert (message.bad, message.uint(12), message.all(12)) == (17, 50, [b"\x32"])


def test_more_options_than_anybody_means():
    with pytest.raises(ProtocolError, match="options"):
        decode(b"\x40\x01\0\0" + b"\xb1a" + b"\x01b" * 50)


@pytest.mark.parametrize("size", range(30))
def test_a_buffer_that_is_too_small(size):
    message = Message(1, b"0123456789")
    message.token = b"abcd"
    message.add(11, "path")
    message.add(2000, b"x")
    whole = len(encode(message))
    buffer = bytearray(size)
    if size < whole:
        with pytest.raises(ValueError, match="does not fit"):
            message.encode_into(buffer)
    else:
        assert message.encode_into(buffer) == whole


@pytest.mark.parametrize("spoil", [
    lambda message: setattr(message, "token", bytes(9)),
    lambda message: message.options.append((80_000, b"")),
])
def test_what_can_not_be_written(spoil):
    message = Message(1)
    spoil(message)
    with pytest.raises(ValueError):
        encode(message)
