"""One WebSocket connection (RFC 6455) without I/O: bytes in, bytes and events out.

              the answer is right                 close()
    OPENING ----------------------> OPEN ------------------------> CLOSING
       |                             |                                |
       | it is not,                  | their Close, answered;         | their Close,
       | or none in time             | a ProtocolError; silence;      | or none in time;
       |                             | the end of the stream          | the end of the stream
       '-----------------------------+--------> CLOSED <--------------'

Messages are given whole, up to `message_bytes`, or not at all: with `message_bytes` 0 the
connection is a stream of bytes, and `receive` leaves them in the buffer that it was given.
"""

from .errors import ProtocolError
from .frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Reader, head_len, move, wrap
from .utf8 import Utf8

try:
    from micropython import const
except ImportError:

    def const(value):  # CPython
        return value


OPENING = const(0)
OPEN = const(1)
CLOSING = const(2)
CLOSED = const(3)

_CONTROL_BYTES = const(125)
_RESERVE = const(131)  # of the memory for what is sent: a Close of ours finds room in it

NORMAL = const(1000)
NO_CODE = const(1005)
ABNORMAL = const(1006)  # these two are never sent (7.4.1)


def _may_be_sent(code):
    """Is it a close code that the RFC, IANA or an application has given a meaning on the wire?"""
    if code in (1004, NO_CODE, ABNORMAL):
        return False
    return 1000 <= code <= 1014 or 3000 <= code <= 4999


class Engine:
    """`masks(key)` fills a bytearray(4) with bytes that nobody can foresee (5.3); None: we are the
    server. `handshake`: a Handshake, None if the connection is open already. `ping_ms`: after so
    much silence a Ping is sent, and the peer has `timeout_ms` to say anything; 0: never.

    Memory, allocated here: `message_bytes` + `out_bytes` + 0.5 KB.

    Events: ("open", protocol), ("text", str), ("binary", bytes), ("closed", code, reason) with
    1005 for no code and 1006 for a connection that ended without a Close.
    """

    def __init__(
        self, masks, handshake=None, message_bytes=1024, out_bytes=1024, ping_ms=0,
        timeout_ms=10000, now=0,
    ):
        self._masks = masks
        self._key = bytearray(4) if masks else None
        self._handshake = handshake
        self._reader = Reader(masked=masks is None)
        self._message = bytearray(message_bytes)
        self._have = 0  # bytes of the message so far; of a stream: bytes in the caller's buffer
        self._utf8 = Utf8()
        self._control = bytearray(_CONTROL_BYTES)
        self._control_len = 0
        self._pong_owed = False  # the payload is still in _control
        request = handshake.request if handshake else b""
        self._out = bytearray(max(len(request), out_bytes + 14 + _RESERVE))
        self._view = memoryview(self._out)
        self._sent, self._written = 0, len(request)
        self._out[: len(request)] = request
        self._fragmented = False  # a message of ours goes on
        self._events = []
        self._ping_ms, self._timeout_ms = ping_ms, timeout_ms
        self._received_ms = self._since_ms = now
        self._pinged = False
        self.state = OPENING if handshake else OPEN

    # What the application says

    def room(self):
        """How long a payload of `send` may be now."""
        return max(0, len(self._out) - _RESERVE - 14 - self._written)

    def send(self, data, text=False, final=True):
        """Write bytes as a frame. A message in fragments: final=False for all but the last.
        Raises ValueError if there is no room for it, or the connection is not open.
        """
        if self.state != OPEN:
            raise ValueError("the WebSocket is not open")
        if len(data) > self.room():
            raise ValueError("%d bytes, and room for %d" % (len(data), self.room()))
        opcode = CONTINUATION if self._fragmented else TEXT if text else BINARY
        self._frame(opcode, data, len(data), final)
        self._fragmented = not final

    def close(self, code=NORMAL, reason="", now=0):
        """Write a Close (5.5.1), once; "closed" comes with the peer's, or after `timeout_ms`.
        Raises ValueError for a code that may not be sent.
        """
        if not _may_be_sent(code) or len(reason.encode()) > _CONTROL_BYTES - 2:
            raise ValueError("close code %d, or more than 123 bytes of reason" % code)
        if self.state == OPEN:
            self._since_ms = now
            self._say_close(code, reason)
            self.state = CLOSING
        elif self.state == OPENING:
            self._closed(ABNORMAL, reason)

    # Time

    def on_timer(self, now):
        """Do what the time asks for."""
        due = self.deadline()
        if due is None or now < due:
            return
        if self.state == OPENING:
            self._closed(ABNORMAL, "no answer within %d ms" % self._timeout_ms)
        elif self.state == CLOSING:
            self._closed(ABNORMAL, "no answer to Close within %d ms" % self._timeout_ms)
        elif self._pinged:
            self._closed(ABNORMAL, "silent for %d ms" % (now - self._received_ms))
        else:
            self._pinged = True
            self._since_ms = now
            if self._sent == self._written:  # else what waits to be sent will do as well
                self._frame(PING, b"", 0, True)

    def deadline(self):
        """When `on_timer` has something to do, if nothing else happens until then; or None."""
        if self.state in (OPENING, CLOSING) or self._pinged:
            return self._since_ms + self._timeout_ms
        if self.state == OPEN and self._ping_ms:
            return self._received_ms + self._ping_ms
        return None

    # Bytes and events

    def next_out(self):
        """What is to be sent, a memoryview; it stays where it is until `sent` has been told of
        all of it.
        """
        if self._pong_owed and self._written == 0 and self.state != CLOSED:
            self._pong_owed = False
            self._frame(PONG, self._control, self._control_len, True)
        return self._view[self._sent : self._written]

    def sent(self, length):
        self._sent += length
        if self._sent == self._written:
            self._sent = self._written = 0

    def next_event(self):
        return self._events.pop(0) if self._events else None

    def receive(self, data, now):
        """Take bytes from the peer in any portions, a bytearray or memoryview, which is written
        to; none at all are the end of its stream. Returns how many bytes of payload are now at
        the start of `data`: 0 where messages are given as events.

        Raises ProtocolError, its Close ready to be sent.
        """
        self._received_ms = now
        self._pinged = False
        if not len(data):
            self._closed(ABNORMAL, "the peer closed the connection")
            return 0
        stream = not len(self._message)
        if stream:
            self._have = 0
        try:
            self._receive(data, len(data))
        except ProtocolError as error:
            if self.state == OPEN:
                self._say_close(error.code, str(error))
            self.state = CLOSED
            raise
        return self._have if stream else 0

    def _receive(self, data, end):
        at = 0
        if self.state == OPENING:
            at = self._handshake.receive(data, at, end)
            if self._handshake.done:
                self._events.append(("open", self._handshake.protocol))
                self._handshake = None
                self.state = OPEN
        reader = self._reader
        while at < end and self.state != CLOSED:
            at = reader.feed(data, at, end)
            if reader.opcode < CLOSE:
                self._data(data, reader.start, reader.stop)
            elif reader.whole or reader.stop > reader.start:
                self._take_control(data, reader.start, reader.stop)

    def _data(self, data, start, stop):
        """A piece of a data frame."""
        reader, have = self._reader, self._have
        limit = len(self._message)
        if not limit:
            if reader.kind == TEXT:
                raise ProtocolError("text, where bytes are expected", 1003)
            move(data, have, data, start, stop)
            self._have = have + stop - start
            return
        if have + stop - start + reader.left > limit:
            raise ProtocolError("a message of more than %d bytes" % limit, 1009)
        move(self._message, have, data, start, stop)
        self._have = have = have + stop - start
        if reader.kind == TEXT:
            self._utf8.feed(data, start, stop)
        if reader.whole and reader.final:
            message = bytes(self._message[:have])
            self._have = 0
            if reader.kind == TEXT:
                self._utf8.end()
                self._events.append(("text", message.decode()))
            else:
                self._events.append(("binary", message))

    def _take_control(self, data, start, stop):
        """A piece of a Close, Ping or Pong."""
        reader = self._reader
        if reader.opcode == PONG:
            return
        self._pong_owed = False  # for an older one (5.5.3)
        move(self._control, reader.length - reader.left - (stop - start), data, start, stop)
        if not reader.whole:
            return
        self._control_len = reader.length
        if reader.opcode == PING:
            self._pong_owed = True
        else:
            code, reason = self._close_reason()
            if self.state == OPEN:
                self._say_close(code, "")
            self._closed(code, reason)

    def _close_reason(self):
        """The code and the words of their Close (7.1.5, 7.4)."""
        control, length = self._control, self._control_len
        if length == 0:
            return NO_CODE, ""
        code = control[0] << 8 | control[1] if length > 1 else 0
        if not _may_be_sent(code):
            raise ProtocolError("a Close with the code %d" % code)
        self._utf8 = Utf8()
        self._utf8.feed(control, 2, length)
        self._utf8.end()
        return code, bytes(control[2:length]).decode()

    def _say_close(self, code, reason):
        payload = bytes((code >> 8, code & 0xFF)) + reason.encode() if code != NO_CODE else b""
        self._frame(CLOSE, payload, len(payload), True)

    def _closed(self, code, reason):
        if self.state != CLOSED:
            self.state = CLOSED
            self._pinged = False
            self._events.append(("closed", code, reason))

    def _frame(self, opcode, data, length, final):
        """Write data[:length] behind what waits to be sent."""
        at = self._written + head_len(length, self._masks is not None)
        move(self._out, at, data, 0, length)
        if self._masks:
            self._masks(self._key)
        wrap(self._out, at, at + length, opcode, final, self._key)
        self._written = at + length
