"""The client's opening handshake (RFC 6455, section 4.1): an HTTP request, and its answer checked.

No redirect is followed, no extension offered. Memory: the request, and 256 bytes while the answer
comes in.
"""

import hashlib
from binascii import b2a_base64

from .errors import HandshakeError

try:
    from micropython import const
except ImportError:

    def const(value):  # CPython
        return value


_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # section 1.3
_LINE_BYTES = const(256)  # of a longer line no more is looked at
_ANSWER_BYTES = const(8192)  # a server that says more than this has no WebSocket for us


def accept(key):
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key, both as bytes (section 4.2.2)."""
    return b2a_base64(hashlib.sha1(key + _GUID).digest()).strip()


class Handshake:
    """`host` as in a URL, with the port unless it is the scheme's own; `nonce`: 16 random bytes,
    new for each connection; `protocol`: the one that the server must choose, or None; `headers`:
    further (name, value) pairs, such as Authorization.

    `request` is to be sent first. Raises ValueError for what no HTTP header can carry.
    """

    def __init__(self, host, path, nonce, protocol=None, headers=()):
        key = b2a_base64(nonce).strip()
        pairs = [
            ("Host", host),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key.decode()),
            ("Sec-WebSocket-Version", "13"),
        ]
        if protocol:
            pairs.append(("Sec-WebSocket-Protocol", protocol))
        lines = ["GET %s HTTP/1.1" % path]
        lines.extend("%s: %s" % pair for pair in pairs)
        lines.extend("%s: %s" % pair for pair in headers)
        for line in lines:
            if "\r" in line or "\n" in line:
                raise ValueError("a line break in %r" % line)
        if " " in path or path[:1] != "/":
            raise ValueError("the path must begin with / and be without spaces: %r" % path)
        self.request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self.protocol = protocol
        self.done = False
        self._wanted = {"upgrade": "websocket", "sec-websocket-accept": accept(key).decode()}
        if protocol:
            self._wanted["sec-websocket-protocol"] = protocol
        self._missing = list(self._wanted) + ["connection"]
        self._line = bytearray(_LINE_BYTES)
        self._have = self._total = 0
        self._status = None

    def receive(self, data, at, end):
        """Take data[at:end] up to the end of the answer; return where it stopped. Raises
        HandshakeError.
        """
        while at < end and not self.done:
            byte = data[at]
            at += 1
            self._total += 1
            if self._total > _ANSWER_BYTES:
                raise HandshakeError("an answer of more than %d bytes" % _ANSWER_BYTES)
            if byte == 10:
                line = bytes(self._line[: self._have])
                self._have = 0
                self._take(line[:-1] if line[-1:] == b"\r" else line)
            elif self._have < _LINE_BYTES:
                self._line[self._have] = byte
                self._have += 1
        return at

    def _take(self, line):
        try:
            line = line.decode()
        except UnicodeError:
            line = "?"  # no header that we know
        if self._status is None:
            self._take_status(line)
        elif line:
            name, _, value = line.partition(":")
            self._take_header(name.lower(), value.strip())
        elif self._missing:
            raise HandshakeError("the server's answer has no valid " + self._missing[0])
        else:
            self.done = True
            self._line = None

    def _take_status(self, line):
        words = line.split(" ", 2)
        if len(words) < 2 or words[0] != "HTTP/1.1" or not words[1].isdigit():
            raise HandshakeError("the server does not speak HTTP/1.1")
        self._status = int(words[1])
        if self._status != 101:
            said = "the server answered %s instead of opening a WebSocket" % " ".join(words[1:])
            raise HandshakeError(said, self._status)

    def _take_header(self, name, value):
        if name == "connection":
            good = "upgrade" in [token.strip() for token in value.lower().split(",")]
        elif name == "sec-websocket-extensions":
            good = not value
        elif name == "sec-websocket-protocol":
            good = value == self._wanted.get(name)
        else:
            wanted = self._wanted.get(name, value)
            good = (value.lower() if name == "upgrade" else value) == wanted
        if not good:
            raise HandshakeError("the server's %s is %s" % (name, value or "empty"))
        if name in self._missing:
            self._missing.remove(name)
