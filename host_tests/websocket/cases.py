"""What a peer may send and must not, after the headings of the Autobahn test suite.

A case: name, frames as arguments of wire.frame, the events and answers it must lead to, and the
code of the Close that it must fail with (None: it must not fail).
"""

from host_tests.websocket.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close_payload,
)

LIMIT = 70_000  # message_bytes of the engines that run the cases
_WORD = "Hello-µ@ßöäüàá-UTF-8!!"


def text(words):
    return ("text", words)


def binary(data):
    return ("binary", data)


def cases():
    yield from _sizes()
    yield from _pings()
    yield from _reserved()
    yield from _fragments()
    yield from _utf8()
    yield from _closes()


def _sizes():
    for size in (0, 1, 125, 126, 127, 128, 65535, 65536):
        yield f"1.1 text of {size}", [(TEXT, b"*" * size)], [text("*" * size)], [], None
        data = b"\xfe" * size
        yield f"1.2 binary of {size}", [(BINARY, data)], [binary(data)], [], None
    yield "1.3 message too large", [(BINARY, bytes(LIMIT + 1))], [], [], 1009
    too_much = [(BINARY, bytes(LIMIT), False), (CONTINUATION, b"1")]
    yield "1.4 message too large in two frames", too_much, [], [], 1009
    yield "1.5 length 5 in two bytes", [(BINARY, b"12345", True, None, 0, 2)], [], [], 1002
    yield "1.6 length 5 in eight bytes", [(BINARY, b"12345", True, None, 0, 8)], [], [], 1002
    yield "1.7 length 126 in eight bytes", [(BINARY, bytes(126), True, None, 0, 8)], [], [], 1002


def _pings():
    for payload in (b"", b"Hello, world!", b"\x00\xff\xfe\xfd", bytes(125)):
        yield f"2.1 ping of {len(payload)}", [(PING, payload)], [], [(PONG, payload)], None
    yield "2.5 ping of 126", [(PING, bytes(126))], [], [], 1002
    yield "2.7 unsolicited pong", [(PONG, b"unsolicited")], [], [], None
    yield "2.9 pong, then ping", [(PONG, b"1"), (PING, b"2")], [], [(PONG, b"2")], None


def _reserved():
    for rsv in range(1, 8):
        yield f"3.{rsv} reserved bits", [(TEXT, b"x", True, None, rsv)], [], [], 1002
        yield f"3.{rsv} of a ping", [(PING, b"", True, None, rsv)], [], [], 1002
        after = [(BINARY, b"1"), (BINARY, b"2", True, None, rsv)]
        yield f"3.{rsv} after a good frame", after, [binary(b"1")], [], 1002
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield f"4 opcode {opcode}", [(opcode, b"")], [], [], 1002
        yield f"4 opcode {opcode} with payload", [(opcode, b"reserved")], [], [], 1002


def _fragments():
    yield "5.1 fragmented ping", [(PING, b"1", False), (CONTINUATION, b"2")], [], [], 1002
    yield "5.2 fragmented pong", [(PONG, b"1", False), (CONTINUATION, b"2")], [], [], 1002
    halves = [(TEXT, b"frag", False), (CONTINUATION, b"ment")]
    yield "5.3 two fragments", halves, [text("fragment")], [], None
    between = [halves[0], (PING, b"p"), halves[1]]
    yield "5.6 ping between", between, [text("fragment")], [(PONG, b"p")], None
    empty = [(TEXT, b"", False), (CONTINUATION, b"", False), (CONTINUATION, b"")]
    yield "5.8 three empty fragments", empty, [text("")], [], None
    for final in (True, False):
        yield f"5.9 nothing to continue {final}", [(CONTINUATION, b"x", final)], [], [], 1002
        again = [*halves, (CONTINUATION, b"x", final)]
        yield f"5.12 nothing more to continue {final}", again, [text("fragment")], [], 1002
    yield "5.18 message in a message", [(TEXT, b"1", False), (TEXT, b"2")], [], [], 1002
    other = [(TEXT, b"1", False), (BINARY, b"2")]
    yield "5.18 binary in text", other, [], [], 1002
    many = [(BINARY, b"0", False), *[(CONTINUATION, b"1", False)] * 9, (CONTINUATION, b"2")]
    yield "5.19 eleven fragments", many, [binary(b"0" + b"1" * 9 + b"2")], [], None


def _utf8():
    word = _WORD.encode()
    yield "6.2 words", [(TEXT, word)], [text(_WORD)], [], None
    for cut in range(len(word)):
        parts = [(TEXT, word[:cut], False), (CONTINUATION, word[cut:])]
        yield f"6.2 cut at {cut}", parts, [text(_WORD)], [], None
    for data in VALID_UTF8:
        yield f"6.5 valid {data.hex()}", [(TEXT, data)], [text(data.decode())], [], None
    for data in INVALID_UTF8:
        yield f"6.3 invalid {data.hex()}", [(TEXT, b"a" + data)], [], [], 1007
        yield f"6.3 invalid {data.hex()} at first", [(TEXT, data + b"a")], [], [], 1007
    early = [(TEXT, b"\xce\xba\xf4\x90", False)]
    yield "6.4 refused before the end", early, [], [], 1007
    yield "6.6 binary is not looked at", [(BINARY, b"\xff")], [binary(b"\xff")], [], None


VALID_UTF8 = [chr(point).encode() for point in (
    0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x10FFFF,
)]
_OVERLONG = "80 bf fe ff c0 c1 f5 c080 c1bf e08080 e09fbf f0808080 f08fbfbf"
_SURROGATES = "eda080 edadbf edae80 edbfbf eda080edb080"
_TOO_HIGH = "f4908080 f5808080 f8888080 fc8480808080"
_CUT = "c3 e282 f09f98 c341 e28241 f09f9841 c3c3"
INVALID_UTF8 = [
    bytes.fromhex(data)
    for line in (_OVERLONG, _SURROGATES, _TOO_HIGH, _CUT)
    for data in line.split()
]


def _closes():
    normal = [(CLOSE, close_payload(1000))]
    yield "7.1.1 text, then close", [(TEXT, b"1"), *normal], [
        text("1"), ("closed", 1000, "")], normal, None
    yield "7.1.3 nothing after close", [*normal, (TEXT, b"1"), (PING, b"")], [
        ("closed", 1000, "")], normal, None
    yield "7.1.5 close in a message", [(TEXT, b"1", False), *normal], [
        ("closed", 1000, "")], normal, None
    yield "7.3.1 empty", [(CLOSE, b"")], [("closed", 1005, "")], [(CLOSE, b"")], None
    yield "7.3.2 one byte", [(CLOSE, b"\x03")], [], [], 1002
    for reason in ("Hello World!", "x" * 123):
        yield f"7.3.4 reason of {len(reason)}", [(CLOSE, close_payload(1000, reason.encode()))], [
            ("closed", 1000, reason)], normal, None
    yield "7.3.6 reason of 124", [(CLOSE, close_payload(1000, b"x" * 124))], [], [], 1002
    yield "7.5 reason not UTF-8", [(CLOSE, close_payload(1000, b"\xce\xba\xed\xa0"))], [], [], 1007
    for code in (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999):
        sent = [(CLOSE, close_payload(code))]
        yield f"7.7 code {code}", sent, [("closed", code, "")], sent, None
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        yield f"7.9 code {code}", [(CLOSE, close_payload(code))], [], [], 1002
