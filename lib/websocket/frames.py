"""Frames (RFC 6455, section 5), written in place and read from any split of the input.

      0        1        2 or more            then
    +--------+--------+--------------------+----------------+---------
    |FRRR op |M len   | longer length 0/2/8| key, if M: 4   | payload
    +--------+--------+--------------------+----------------+---------

Nothing here allocates for a frame. Masking runs as machine code where there is some.
"""

from .errors import ProtocolError

try:
    from ._fast import mask, move
except (ImportError, ValueError, SyntaxError, AttributeError):
    from ._plain import mask, move

try:
    from micropython import const
except ImportError:

    def const(value):  # CPython
        return value


CONTINUATION = const(0)
TEXT = const(1)
BINARY = const(2)
CLOSE = const(8)
PING = const(9)
PONG = const(10)

_FINAL = const(0x80)
_MASKED = const(0x80)

__all__ = (
    "BINARY", "CLOSE", "CONTINUATION", "PING", "PONG", "TEXT", "Reader", "head_len", "mask",
    "move", "wrap",
)


def head_len(payload_len, masked):
    """Bytes before a payload of such a length: 2 to 14."""
    longer = 0 if payload_len < 126 else 2 if payload_len < 65536 else 8
    return 2 + longer + (4 if masked else 0)


def wrap(buffer, at, end, opcode, final, key):
    """Make the payload buffer[at:end] a frame: mask it in place with `key` (4 bytes; None: a
    server's frame), write the header into the `head_len` bytes before it, and return where the
    frame begins.
    """
    length = end - at
    start = at - head_len(length, key is not None)
    buffer[start] = opcode | (_FINAL if final else 0)
    bit = 0
    if key is not None:
        mask(buffer, at, end, key, 0)
        move(buffer, at - 4, key, 0, 4)
        bit = _MASKED
        at -= 4
    size = at - start - 2
    buffer[start + 1] = bit | (length if size == 0 else 126 if size == 2 else 127)
    for _ in range(size):
        at -= 1
        buffer[at] = length & 0xFF
        length >>= 8
    return start


class Reader:
    """Frames out of a stream of bytes. `masked`: whether the peer must mask, as clients do.

    After each `feed`, data[start:stop] is payload of the frame `opcode`, `final`, unmasked in
    place; `left` more bytes of it are to come, and it is `whole` if none are. `kind` is TEXT or
    BINARY, what the message is to which a data frame belongs. Before a header is complete,
    start == stop and the frame is not whole.
    """

    def __init__(self, masked):
        self._masked = masked
        self._head = bytearray(14)
        self._have = 0  # bytes of the header
        self._need = 2  # until it is known how many it has
        self._key = bytearray(4)
        self._unfinished = False  # a message goes on in the next data frame
        self.opcode = self.kind = self.start = self.stop = self.left = self.length = 0
        self.final = self.whole = False

    def feed(self, data, at, end):
        """Take data[at:end] up to the end of a frame; return where it stopped. Raises
        ProtocolError.
        """
        if self.whole:
            self.whole = False
            self._have, self._need = 0, 2
        while self._have < self._need:
            if at == end:
                self.start = self.stop = at
                return at
            self._head[self._have] = data[at]
            at += 1
            self._have += 1
            if self._have == 2:
                self._begin()
            if self._have == self._need:
                self._measure()
        self.start = at
        self.stop = stop = min(end, at + self.left)
        if self._masked:
            mask(data, at, stop, self._key, self.length - self.left & 3)
        self.left -= stop - at
        self.whole = self.left == 0
        if self.whole and self.opcode < CLOSE:
            self._unfinished = not self.final
        return stop

    def _begin(self):
        """The first two bytes: what kind of frame is it, and may it come now?"""
        first, second = self._head[0], self._head[1]
        opcode = self.opcode = first & 15
        length = second & 0x7F
        self.final = first >= _FINAL
        if first & 0x70:
            raise ProtocolError("a frame with reserved bits")
        if (second >= _MASKED) != self._masked:
            raise ProtocolError("a frame without a mask" if self._masked else "a masked frame")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise ProtocolError("a frame of the reserved opcode %d" % opcode)
            if not self.final or length > 125:
                raise ProtocolError("a control frame in fragments, or of more than 125 bytes")
        elif opcode > BINARY:
            raise ProtocolError("a frame of the reserved opcode %d" % opcode)
        elif self._unfinished != (opcode == CONTINUATION):
            raise ProtocolError("a frame that continues nothing, or begins within a message")
        elif opcode:
            self.kind = opcode
        longer = 0 if length < 126 else 2 if length == 126 else 8
        self._need = 2 + longer + (4 if self._masked else 0)

    def _measure(self):
        """The whole header: how long is the payload?"""
        head = self._head
        length = head[1] & 0x7F
        size = self._need - (6 if self._masked else 2)
        if size:
            length = 0
            for i in range(2, 2 + size):
                length = length << 8 | head[i]
            if length < (126 if size == 2 else 65536) or length >> 63:
                raise ProtocolError("a length that is not minimal, or is negative")
        self.length = self.left = length
        if self._masked:
            move(self._key, 0, head, self._need - 4, self._need)
