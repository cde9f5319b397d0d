"""Bodies larger than a datagram, in blocks (RFC 7959).

    Block option:  | number (4 to 20 bits) | M: more follow | SZX: size is 16 << SZX, 16 to 1024 |

Block1 carries a request's body, Block2 a response's. A client's sides are Upload and Download; a
server cuts with `slice_into` and collects in Uploads. A client knows one block at a time, so a
body may be longer than memory: it is read and written piece by piece.
"""

from .message import ProtocolError, const

_ETAG = const(4)
_BLOCK2 = const(23)
_BLOCK1 = const(27)
_SIZE2 = const(28)
_SIZE1 = const(60)
_REQUEST_TAG = const(292)
_CONTINUE = const(0x5F)
_INCOMPLETE = const(0x88)
_TOO_LARGE = const(0x8D)
_BAD_REQUEST = const(0x80)


def get_block(message, option):
    """(number, more, szx) of a block option, or None. Raises ProtocolError for size 7."""
    value = message.uint(option)
    if value is None:
        return None
    if value & 7 == 7:
        raise ProtocolError("block size")
    return value >> 4, value >> 3 & 1, value & 7


def szx_for(size):
    """The largest block size that is at most `size`, as its exponent."""
    szx = 6
    while szx and 16 << szx > size:
        szx -= 1
    return szx


class Upload:
    """A request's body: bytes, or (length, read) with `read(offset, size)` giving bytes.

    next(message) puts the next block in; take(response) says whether another is wanted.
    """

    def __init__(self, body, szx=6):
        self._length, self._read = body if isinstance(body, tuple) else (len(body), None)
        self._body = None if self._read else memoryview(body)
        self._szx = szx
        self._at = self._end = 0

    def next(self, message):
        start, size = self._at, 16 << self._szx
        self._end = end = min(start + size, self._length)
        message.payload = self._read(start, end - start) if self._read else self._body[start:end]
        message.add(_BLOCK1, start >> self._szx + 4 << 4 | (end < self._length) << 3 | self._szx)
        if not start:
            message.add(_SIZE1, self._length)

    def take(self, response):
        """True: send the next block. False: `response` is the answer to all of it."""
        block = get_block(response, _BLOCK1)
        if response.code == _TOO_LARGE and block and block[2] < self._szx and not self._at:
            self._szx = block[2]  # a hint at what would be taken (section 2.9.3)
            return True
        if response.code != _CONTINUE:
            return False
        if self._end == self._length or block is None or block[0] != self._at >> self._szx + 4:
            raise ProtocolError("Block1")
        self._at = self._end
        self._szx = min(self._szx, block[2])  # smaller ones from now on
        return True


class Download:
    """A response's body. `write(bytes)` takes it in order; by default it is collected, up to
    `limit` bytes, in `body`.

    take(response) returns the Block2 value to ask for next, or None at the end. It raises
    ProtocolError for what does not fit together; `changed` tells that it was another version of
    the resource, so that asking again from the start can help.
    """

    def __init__(self, write=None, limit=65536):
        self.body = b""
        self._write = write or self._collect
        self._limit = limit
        self._etag = None
        self._at = 0
        self.changed = False

    def take(self, response):
        block = get_block(response, _BLOCK2)
        if block is None:
            if self._at:
                raise ProtocolError("no Block2")
            self._write(response.payload)
            return None
        number, more, szx = block
        size = 16 << szx
        length = len(response.payload)
        etag = response.get(_ETAG)
        if self._at and etag != self._etag:
            self.changed = True
            raise ProtocolError("ETag")
        if number * size != self._at or length > size or (more and length != size):
            raise ProtocolError("Block2")
        if self._at + length > self._limit:
            raise ProtocolError("body size")
        self._etag = etag
        self._at += length
        self._write(response.payload)
        return number + 1 << 4 | szx if more else None

    def _collect(self, data):
        self.body += data


def slice_into(response, body, request, szx=6, etag=None):
    """Make `response` carry the block of `body` that `request` asks for, at most 16 << szx bytes.

    A body that fits is sent whole. Returns False if there is no such block.
    """
    block = get_block(request, _BLOCK2)
    number = 0
    if block:
        number = block[0]
        if block[2] < szx:
            szx = block[2]
        else:
            number <<= block[2] - szx  # ours are smaller: the place stays the same
    size = 16 << szx
    start = number * size
    if start and start >= len(body):
        return False
    more = start + size < len(body)
    if block or more:
        response.add(_BLOCK2, number << 4 | more << 3 | szx)
        if etag is not None:
            response.add(_ETAG, etag)
        if not number:
            response.add(_SIZE2, len(body))
        body = memoryview(body)[start : start + size]
    response.payload = body
    return True


class Uploads:
    """Collects request bodies, at most `bodies` at once, of at most `limit` bytes each.

    A body belongs to a peer, a resource and a Request-Tag. One that is not continued for
    `patience_ms` is forgotten, the oldest first when there is no room.
    """

    def __init__(self, bodies=2, limit=4096, szx=6, patience_ms=60_000):
        self._bodies, self._limit, self._szx = bodies, limit, szx
        self._patience_ms = patience_ms
        self._open = []  # [key, bytearray, until]

    def take(self, request, key, now):
        """Take a request's block. Returns (body, None) when it is the last, (None, code) when
        `code` is the answer, 2.31 or an error. `answer_into` adds the options of either.
        """
        block = get_block(request, _BLOCK1)
        if block is None:
            return request.payload, None
        number, more, szx = block
        key = (request.peer, key, request.get(_REQUEST_TAG))
        entry = self._find(key, now)
        start, size = number * (16 << szx), len(request.payload)
        if more and size != 16 << szx:
            return None, _BAD_REQUEST
        large = max(start + size, request.uint(_SIZE1) or 0) > self._limit
        if entry and (large or not number):
            self._open.remove(entry)
            entry = None
        if large:
            return None, _TOO_LARGE
        if not number:
            if len(self._open) >= self._bodies:
                self._open.pop(0)
            entry = [key, bytearray(), 0]
            self._open.append(entry)
        if entry is None or start != len(entry[1]):
            return None, _INCOMPLETE
        entry[1].extend(request.payload)
        entry[2] = now + self._patience_ms
        if more:
            return None, _CONTINUE
        self._open.remove(entry)
        return bytes(entry[1]), None

    def _find(self, key, now):
        found = None
        for entry in list(self._open):
            if entry[2] <= now:
                self._open.remove(entry)
            elif entry[0] == key:
                found = entry
        return found

    def answer_into(self, response, request):
        """Add the Block1 option that an answer to a block must bear, and how much may come."""
        block = get_block(request, _BLOCK1)
        if block:
            number, more, szx = block
            if response.code in (_CONTINUE, _TOO_LARGE):
                szx = min(szx, self._szx)
            response.add(_BLOCK1, number << 4 | more << 3 | szx)
        if response.code == _TOO_LARGE:
            response.add(_SIZE1, self._limit)
