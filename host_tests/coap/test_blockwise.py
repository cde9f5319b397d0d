"""lib/coap/blockwise.py: do bodies arrive whole, in blocks of any size, whatever is lost?"""
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# pyright: reportPossiblyUnboundVariable=false

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coap.blockwise import Download, Upload, Uploads, get_block, slice_into, szx_for
from coap.message import Message, ProtocolError
from host_tests.coap.wire import CONTENT, EDGE, GET, Wire

PUT, CHANGED, CONTINUE, INCOMPLETE, TOO_LARGE = 3, 0x44, 0x5F, 0x88, 0x8D
BLOCK2, BLOCK1, ETAG, SIZE1, SIZE2 = 23, 27, 4, 60, 28


def put_in_blocks(sender, uploads, peer="client", now=EDGE):
    """Send a body to `uploads`; returns what arrived and the responses' codes."""
    codes = []
    while True:
        request = Message(PUT)
        request.peer = peer
        sender.next(request)
        body, code = uploads.take(request, "key", now)
        response = Message(code or CHANGED)
        uploads.answer_into(response, request)
        codes.append(response.code)
        if not sender.take(response):
            return body, codes


def get_in_blocks(body, receiver, szx=6, etag=b"1", first=None):
    """Fetch a body; returns the sizes of the blocks."""
    sizes, value = [], first
    while True:
        request = Message(GET)
        if value is not None:
            request.add(BLOCK2, value)
        response = Message(CONTENT)
        assert slice_into(response, body, request, szx, etag)
        sizes.append(len(response.payload))
        value = receiver.take(response)
        if value is None:
            return sizes


@given(st.binary(max_size=3000), st.integers(0, 6), st.integers(0, 6))
def test_a_body_goes_up_and_down(body, ours, theirs):
    arrived, codes = put_in_blocks(Upload(body, ours), Uploads(szx=theirs))
    assert arrived == body
    assert set(codes[:-1]) <= {CONTINUE}
    receiver = Download()
    get_in_blocks(body, receiver, theirs, first=ours)  # an early negotiation
    assert receiver.body == body


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 1023, 1024, 1025, 2048, 4096])
def test_lengths_at_the_borders_of_blocks(length):
    body = bytes(i & 0xFF for i in range(length))
    for szx in (0, 6):
        arrived, codes = put_in_blocks(Upload(body, szx), Uploads())
        assert arrived == body
        assert len(codes) == max(1, -(-length // (16 << szx)))
        receiver = Download()
        get_in_blocks(body, receiver, szx)
        assert receiver.body == body


def test_a_server_that_wants_smaller_blocks_gets_them():
    """RFC 7959, figure 8: 128 bytes are sent, 32 asked for, and the next block is number 4."""
    sender = Upload(bytes(200), szx=3)
    message = Message(PUT)
    sender.next(message)
    assert (get_block(message, BLOCK1), message.uint(SIZE1)) == ((0, 1, 3), 200)
    response = Message(CONTINUE)
    response.add(BLOCK1, 0 << 4 | 8 | 1)
    assert sender.take(response)
    message = Message(PUT)
    sender.next(message)
    assert (get_block(message, BLOCK1), len(message.payload)) == ((4, 1, 1), 32)


def test_too_large_with_a_hint_starts_again_with_smaller_blocks():
    """RFC 7959, section 2.9.3."""
    sender = Upload(bytes(200), szx=6)
    sender.next(Message(PUT))
    response = Message(TOO_LARGE)
    response.add(BLOCK1, 2)
    assert sender.take(response)
    message = Message(PUT)
    sender.next(message)
    assert get_block(message, BLOCK1) == (0, 1, 2)


def test_too_large_without_one_is_the_answer():
    sender = Upload(bytes(5000))
    sender.next(Message(PUT))
    assert not sender.take(Message(TOO_LARGE))


def test_a_body_is_read_piece_by_piece():
    read = []

    def source(offset, size):
        read.append((offset, size))
        return bytes(size)

    arrived, _ = put_in_blocks(Upload((2500, source)), Uploads())
    assert len(arrived) == 2500
    assert read == [(0, 1024), (1024, 1024), (2048, 452)]


def test_a_body_is_written_piece_by_piece():
    pieces = []
    get_in_blocks(bytes(100), Download(pieces.append), szx=1)
    assert [len(piece) for piece in pieces] == [32, 32, 32, 4]


@pytest.mark.parametrize("block, payload, etag, text", [
    ((2 << 4) | 0, bytes(16), b"1", "Block2"),
    ((1 << 4) | 0, bytes(17), b"1", "Block2"),
    ((1 << 4) | 8, bytes(15), b"1", "Block2"),
    ((1 << 4) | 7, bytes(16), b"1", "block size"),
    ((1 << 4) | 0, bytes(16), b"2", "ETag"),
    (None, bytes(16), b"1", "no Block2"),
])
def test_blocks_that_do_not_fit_together(block, payload, etag, text):
    receiver = Download()
    first = Message(CONTENT, bytes(16))
    first.add(BLOCK2, 8)
    first.add(ETAG, b"1")
    assert receiver.take(first) == 1 << 4
    second = Message(CONTENT, payload)
    second.add(ETAG, etag)
    if block is not None:
        second.add(BLOCK2, block)
    with pytest.raises(ProtocolError, match=text):
        receiver.take(second)
    assert receiver.changed == (text == "ETag")


def test_a_body_without_end_is_given_up():
    with pytest.raises(ProtocolError, match="body size"):
        get_in_blocks(bytes(200), Download(limit=100), szx=1)


@pytest.mark.parametrize("code, block", [(CONTINUE, None), (CONTINUE, 5 << 4 | 8)])
def test_an_acknowledgement_of_no_block_of_ours(code, block):
    sender = Upload(bytes(100), szx=0)
    sender.next(Message(PUT))
    response = Message(code)
    if block is not None:
        response.add(BLOCK1, block)
    with pytest.raises(ProtocolError, match="Block1"):
        sender.take(response)


# ---- a server's memory for bodies that are under way


def block(number, more, payload, szx=0, peer="a", tag=None):
    request = Message(PUT, payload)
    request.peer = peer
    request.add(BLOCK1, number << 4 | more << 3 | szx)
    if tag:
        request.add(292, tag)
    return request


def test_a_gap_is_incomplete():
    uploads = Uploads()
    assert uploads.take(block(1, 1, bytes(16)), "k", EDGE) == (None, INCOMPLETE)
    assert uploads.take(block(0, 1, bytes(16)), "k", EDGE) == (None, CONTINUE)
    assert uploads.take(block(2, 0, b"x"), "k", EDGE) == (None, INCOMPLETE)


def test_bodies_of_different_tags_do_not_mix():
    """RFC 9175, section 3."""
    uploads = Uploads()
    uploads.take(block(0, 1, b"a" * 16, tag=b"1"), "k", EDGE)
    uploads.take(block(0, 1, b"b" * 16, tag=b"2"), "k", EDGE)
    assert uploads.take(block(1, 0, b"!", tag=b"1"), "k", EDGE) == (b"a" * 16 + b"!", None)
    assert uploads.take(block(1, 0, b"?", tag=b"2"), "k", EDGE) == (b"b" * 16 + b"?", None)


def test_memory_is_bounded_in_bodies_bytes_and_time():
    uploads = Uploads(bodies=2, limit=64)
    for peer in range(10_000):
        uploads.take(block(0, 1, bytes(16), peer=peer), "k", EDGE)
    assert len(uploads._open) == 2
    assert uploads.take(block(1, 0, b"x", peer=0), "k", EDGE) == (None, INCOMPLETE)
    assert uploads.take(block(1, 0, b"x", peer=9999), "k", EDGE)[1] is None
    assert uploads.take(block(0, 1, bytes(128), szx=3), "k", EDGE) == (None, TOO_LARGE)
    request = block(0, 1, bytes(16))
    request.add(SIZE1, 65)
    assert uploads.take(request, "k", EDGE) == (None, TOO_LARGE)
    response = Message(TOO_LARGE)
    uploads.answer_into(response, request)
    assert response.uint(SIZE1) == 64
    uploads.take(block(0, 1, bytes(16), peer="late"), "k", EDGE)
    assert uploads.take(block(1, 0, b"x", peer="late"), "k", EDGE + 60_000) == (None, INCOMPLETE)


@pytest.mark.parametrize("size, szx", [(16, 0), (31, 0), (32, 1), (1024, 6), (5000, 6), (1, 0)])
def test_block_sizes(size, szx):
    assert szx_for(size) == szx


def test_a_block_beyond_the_end():
    request = Message(GET)
    request.add(BLOCK2, 5 << 4)
    assert not slice_into(Message(CONTENT), bytes(20), request)


def test_a_block_size_that_is_larger_than_ours_keeps_its_place():
    request = Message(GET)
    request.add(BLOCK2, 1 << 4 | 2)  # the second 64 bytes
    response = Message(CONTENT)
    assert slice_into(response, bytes(range(100)), request, 0)
    assert (get_block(response, BLOCK2), response.payload[0]) == ((4, 1, 0), 64)


# ---- over the wire, under every pattern of loss

PATTERNS = 256
"""Every way to lose some of the first 8 datagrams."""


class Transfer:
    """A body of 100 bytes on its way, over a wire that loses by a pattern of bits."""

    body = bytes(range(100))
    szx = 1  # four blocks of 32 bytes: 8 datagrams

    def __init__(self, bits):
        self.wire = Wire(lost=lambda n: n < 8 and bits >> n & 1, seed=bits)
        self.wire.answer, self.wire.next_step = self.answer, self.step
        self.arrived = []
        self.ask()

    def step(self, event):
        if event[0] == "response" and self.goes_on(event[2]):
            self.ask()

    def respond(self, incoming, response):
        self.wire.server.engine.serving.respond(incoming, response, self.wire.now)

    def end(self):
        """What the client was told last. Nothing is kept, and only the last can be a failure."""
        self.wire.run()
        client, server = self.wire.client, self.wire.server
        assert not client.engine.exchanges and not server.engine.exchanges
        *others, last = client.events
        assert all(event[0] == "response" for event in others)
        return last


class Up(Transfer):
    """PUT in blocks. `arrived`: at the server."""

    def __init__(self, bits):
        self.uploads, self.sender = Uploads(), Upload(self.body, szx=self.szx)
        super().__init__(bits)

    def ask(self):
        message = Message(PUT)
        self.sender.next(message)
        self.wire.request(message)

    def goes_on(self, response):
        return self.sender.take(response)

    def answer(self, incoming, message):
        whole, code = self.uploads.take(message, "k", self.wire.now)
        if whole is not None:
            self.arrived.append(whole)
        response = Message(code or CHANGED)
        self.uploads.answer_into(response, message)
        self.respond(incoming, response)


class Down(Transfer):
    """GET in blocks. `arrived`: at the client."""

    def __init__(self, bits):
        self.receiver, self.block = Download(), None
        super().__init__(bits)

    def ask(self):
        message = Message(GET)
        if self.block is not None:
            message.add(BLOCK2, self.block)
        self.wire.request(message)

    def goes_on(self, response):
        self.block = self.receiver.take(response)
        if self.block is None:
            self.arrived.append(self.receiver.body)
        return self.block is not None

    def answer(self, incoming, message):
        response = Message(CONTENT)
        assert slice_into(response, self.body, message, self.szx, b"1")
        self.respond(incoming, response)


def test_an_upload_arrives_once_whatever_is_lost():
    """A client that was told of a failure may have been heard all the same, once."""
    outcomes = set()
    for bits in range(PATTERNS):
        transfer = Up(bits)
        name, _, told = transfer.end()[:3]
        outcomes.add(name)
        if name == "response":
            assert told.code == CHANGED and transfer.arrived == [transfer.body], f"{bits:08b}"
        else:
            assert transfer.arrived in ([], [transfer.body]), f"{bits:08b}"
    assert outcomes == {"response", "failed"}


def test_a_download_arrives_once_or_fails_once_whatever_is_lost():
    outcomes = set()
    for bits in range(PATTERNS):
        transfer = Down(bits)
        name = transfer.end()[0]
        outcomes.add(name)
        assert transfer.arrived == ([transfer.body] if name == "response" else []), f"{bits:08b}"
    assert outcomes == {"response", "failed"}
