"""CoAP messages (RFC 7252, section 3).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    |Ver| T |  TKL  |      Code     |          Message ID           |
    |   Token (0 to 8 bytes), options, 0xFF and the payload if any  |

An option is its number's distance from the last one, its length and its value; 13 and 14 in
either field mean that one or two more bytes follow. Options are kept in the order of their
numbers, and among equals in the order in which they were added: `a/b` stays `a/b`.
"""

try:
    from micropython import const
except ImportError:

    def const(value):  # CPython
        return value


CON = const(0)
NON = const(1)
ACK = const(2)
RST = const(3)

_OPTIONS = const(40)  # of one message; who sends more means no good
_TEXT = const(1 << 16)
_MANY = const(1 << 17)  # may come more than once
_RULES = {  # option number: shortest | longest << 4 | what else; RFC 7252, table 4, and later ones
    1: _MANY | 8 << 4,  # If-Match
    3: _TEXT | 1 | 255 << 4,  # Uri-Host
    4: _MANY | 1 | 8 << 4,  # ETag
    5: 0,  # If-None-Match
    6: 3 << 4,  # Observe
    7: 2 << 4,  # Uri-Port
    8: _MANY | _TEXT | 255 << 4,  # Location-Path
    11: _MANY | _TEXT | 255 << 4,  # Uri-Path
    12: 2 << 4,  # Content-Format
    14: 4 << 4,  # Max-Age
    15: _MANY | _TEXT | 255 << 4,  # Uri-Query
    17: 2 << 4,  # Accept
    20: _MANY | _TEXT | 255 << 4,  # Location-Query
    23: 3 << 4,  # Block2
    27: 3 << 4,  # Block1
    28: 4 << 4,  # Size2
    35: _TEXT | 1 | 1034 << 4,  # Proxy-Uri
    39: _TEXT | 1 | 255 << 4,  # Proxy-Scheme
    60: 4 << 4,  # Size1
    252: 1 | 40 << 4,  # Echo
    258: 1 << 4,  # No-Response
    292: _MANY | 8 << 4,  # Request-Tag
}


class ProtocolError(Exception):
    """What a peer sent is no CoAP; the argument names the part that is wrong. Of a datagram it is
    a message format error (RFC 7252, section 3).
    """


class Message:
    """`code` is class << 5 | detail; `options` a list of (number, bytes), kept in order by `add`.

    Of a message that was received, `peer` is who sent it, and `bad` the number of a critical
    option that is not known or not right, or None. Memory: about 100 bytes on a 32-bit port,
    50 an option, and the bytes.
    """

    def __init__(self, code=0, payload=b"", type=CON):
        self.type = type
        self.code = code
        self.mid = 0
        self.token = b""
        self.options = []
        self.payload = payload
        self.peer = self.bad = None

    def add(self, number, value):
        """Add an option: bytes, text, or an integer, which takes as few bytes as it can."""
        if isinstance(value, int):
            length = 0
            while value >> 8 * length:
                length += 1
            value = value.to_bytes(length, "big")
        elif isinstance(value, str):
            value = value.encode()
        at = len(self.options)
        while at and self.options[at - 1][0] > number:
            at -= 1
        self.options.insert(at, (number, value))

    def copy(self, but=None):
        """The same once more, under an id and a token to come; without the option `but`."""
        message = Message(self.code, self.payload, self.type)
        for option in self.options:
            if option[0] != but:
                message.options.append(option)
        return message

    def get(self, number):
        """The first value of an option, as bytes, or None."""
        for known, value in self.options:
            if known == number:
                return value
        return None

    def all(self, number):
        """Every value of an option, in order."""
        values = []  # a comprehension would be a function more to keep
        for known, value in self.options:
            if known == number:
                values.append(value)
        return values

    def uint(self, number):
        """An option's value as an integer, or None."""
        value = self.get(number)
        return None if value is None else int.from_bytes(value, "big")

    def size(self):
        """The length of the encoded message."""
        size = 4 + len(self.token)
        last = 0
        for number, value in self.options:
            size += 1 + len(value)
            for n in (number - last, len(value)):
                if n >= 13:
                    size += 1 if n < 269 else 2
            last = number
        return size + 1 + len(self.payload) if len(self.payload) else size

    def encode_into(self, buffer):
        """Write the message to the start of `buffer` and return its length; raises ValueError if
        it does not fit or can't be written.
        """
        size = self.size()
        if size > len(buffer):
            raise ValueError("a message of %d bytes does not fit" % size)
        token = self.token
        end = 4 + len(token)
        if end > 12:
            raise ValueError("token")
        buffer[0] = 0x40 | self.type << 4 | len(token)
        buffer[1] = self.code
        buffer[2] = self.mid >> 8
        buffer[3] = self.mid & 0xFF
        buffer[4:end] = token
        last = 0
        for number, value in self.options:
            end = _put_option(buffer, end, number - last, value)
            last = number
        if end < size:
            buffer[end] = 0xFF
            buffer[end + 1 : size] = self.payload
        return size


def _put_option(buffer, at, delta, value):
    length = len(value)
    start = at
    at = _put_more(buffer, at + 1, delta)
    at = _put_more(buffer, at, length)
    buffer[start] = _nibble(delta) << 4 | _nibble(length)
    buffer[at : at + length] = value
    return at + length


def _nibble(n):
    return n if n < 13 else 13 if n < 269 else 14


def _put_more(buffer, at, n):
    if n >= 269:
        n -= 269
        if n > 0xFFFF:
            raise ValueError("option")
        buffer[at] = n >> 8
        buffer[at + 1] = n & 0xFF
        return at + 2
    if n >= 13:
        buffer[at] = n - 13
        return at + 1
    return at


def decode(data):
    """The Message in a datagram (bytes or a memoryview). Raises ProtocolError.

    Elective options that are not right are left out, as if they were not known (section 5.4.1).
    """
    if len(data) < 4:
        raise ProtocolError("header")
    if data[0] >> 6 != 1:
        raise ProtocolError("version")
    message = Message(data[1], type=data[0] >> 4 & 3)
    message.mid = data[2] << 8 | data[3]
    end = 4 + (data[0] & 15)
    if end > 12 or end > len(data):
        raise ProtocolError("token")
    if not message.code and len(data) > 4:
        raise ProtocolError("empty message")
    message.token = bytes(data[4:end])
    at = _get_options(message, data, end)
    if at == len(data):
        raise ProtocolError("payload")
    message.payload = bytes(data[at:])
    return message


def _get_options(message, data, at):
    """Take the options and return where the payload starts; behind the end if there is none."""
    number = count = 0
    while at < len(data):
        head = data[at]
        at += 1
        if head == 0xFF:
            return at
        delta, at = _get_more(data, at, head >> 4)
        length, at = _get_more(data, at, head & 15)
        last = number
        number += delta
        count += 1
        if number > 0xFFFF or at + length > len(data) or count > _OPTIONS:
            raise ProtocolError("options")
        value = bytes(data[at : at + length])
        at += length
        if _right(number, value, count > 1 and number == last):
            message.options.append((number, value))
        elif number & 1 and message.bad is None:
            message.bad = number
    return at + 1


def _get_more(data, at, n):
    """The whole number of a 4-bit field, and where the next byte is."""
    if n < 13:
        return n, at
    if n == 15 or at + n - 12 > len(data):
        raise ProtocolError("option")
    if n == 13:
        return data[at] + 13, at + 1
    return (data[at] << 8 | data[at + 1]) + 269, at + 2


def _right(number, value, again):
    """Whether an option may stand: what is not known may if it is elective."""
    rule = _RULES.get(number)
    if rule is None:
        return not number & 1
    if not rule & 15 <= len(value) <= rule >> 4 & 0xFFF or (again and not rule & _MANY):
        return False
    if rule & _TEXT:
        try:
            str(value, "utf-8")
        except UnicodeError:
            return False
    return True
