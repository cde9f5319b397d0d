"""Is it UTF-8 (RFC 3629)? Asked of text that comes in portions, as it comes."""

from .errors import ProtocolError


class Utf8:
    """`feed` portions, then `end`: raises ProtocolError at the first byte that is wrong."""

    def __init__(self):
        self._more = 0  # continuation bytes that must follow
        self._low, self._high = 0x80, 0xBF  # what the next of them may be

    def feed(self, data, at, end):
        while at < end:
            byte = data[at]
            at += 1
            if self._more:
                if not self._low <= byte <= self._high:
                    self._wrong()
                self._more -= 1
                self._low, self._high = 0x80, 0xBF
            elif byte >= 0x80:
                self._lead(byte)

    def end(self):
        if self._more:
            self._wrong()

    def _lead(self, byte):
        """The first byte of several. No overlong form, no surrogate, nothing above U+10FFFF."""
        if not 0xC2 <= byte <= 0xF4:
            self._wrong()
        self._more = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
        if byte == 0xE0:
            self._low = 0xA0
        elif byte == 0xED:
            self._high = 0x9F
        elif byte == 0xF0:
            self._low = 0x90
        elif byte == 0xF4:
            self._high = 0x8F

    def _wrong(self):
        self._more = 0
        self._low, self._high = 0x80, 0xBF
        raise ProtocolError("text that is not UTF-8", 1007)
