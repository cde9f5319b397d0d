"""lib/websocket on MicroPython: its frames without an allocation, its edge against real peers."""

import contextlib
import queue
import random
import socket
import ssl
import subprocess
import threading

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from host_tests.chip import WORDS, Chip, environment
from host_tests.websocket.test_engine import answer
from host_tests.websocket.wire import CLOSE, KEY, TEXT, close_payload, frame, parse
from petrel import ROOT, runtime
from websocket.handshake import accept

HOST = "127.0.0.1"
EXAMPLES = sorted((ROOT / "lib" / "websocket" / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def chips():
    """A Chip for each word size, started when it is asked for."""
    with contextlib.ExitStack() as stack:
        made = {}

        def get(words="64-bit"):
            if words not in made:
                made[words] = stack.enter_context(Chip("websockets", words, heap="4M"))
            return made[words]

        yield get


@pytest.fixture
def peer():
    """Starts a server of the package `websockets`: peer(handler) -> port."""
    with contextlib.ExitStack() as stack:

        def start(handler, **options):
            server = stack.enter_context(serve(handler, HOST, 0, close_timeout=1, **options))
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(server.shutdown)
            return server.socket.getsockname()[1]

        yield start


@contextlib.contextmanager
def crude_peer(conversation):
    """A server that does what no library does: conversation(socket), after a good handshake if
    that begins with `shake`. Yields its port.
    """
    with socket.create_server((HOST, 0)) as listener:

        def run():
            with contextlib.suppress(OSError):
                client, _ = listener.accept()
                client.settimeout(10)
                with client:
                    conversation(client)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.close()
        thread.join(10)
        assert not thread.is_alive()


def shake(client, protocol="mqtt", more=b""):
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += client.recv(1)
    key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    accepted = accept(key).decode()
    good = answer(Sec_WebSocket_Accept=accepted, Sec_WebSocket_Protocol=protocol)
    client.sendall(good + more)


def heard(client):
    """All that comes until the end."""
    client.settimeout(10)
    data = b""
    with contextlib.suppress(OSError):
        while part := client.recv(65536):
            data += part
    return data


def echo(connection):
    for message in connection:
        connection.send(message)


# ---- frames


def test_the_image_has_machine_code_for_the_64_bit_port(chips):
    assert chips().call("loops") == "_fast"


def test_both_loops_do_the_same(chips, seed):
    random_ = random.Random(seed)
    for _ in range(200):
        data = random_.randbytes(random_.randrange(1, 300))
        start = random_.randrange(len(data))
        length = random_.randrange(len(data) - start + 1)
        assert chips().call("same", data.hex(), start, length, random_.randrange(4))


@WORDS
@pytest.mark.parametrize("size", [0, 64, 126, 1000, 65536])
def test_frames_allocate_nothing(chips, words, size):
    assert chips(words).call("frames_without_allocating", size, 20) == 20


# ---- messages


@WORDS
def test_messages_of_every_size_there_and_back(chips, words, peer):
    sizes = (0, 1, 125, 126, 127, 1000, 1001, 65535, 65536)
    sent = ["", "hällo €", *({"hex": bytes(size).hex()} for size in sizes)]
    url = f"ws://{HOST}:{peer(echo)}/a/path?x=1"
    got, closed = chips(words).call("messages", url, sent, 65536)
    assert got == sent
    assert closed == [1000, "enough"]


def test_fragments_pings_and_a_close_of_the_peer(chips, peer):
    ponged = []

    def handler(connection):
        connection.send(iter(["in ", "three ", "fragments"]))
        ponged.append(connection.ping(b"there?").wait(5))
        connection.send(b"x" * 300)
        connection.close(4001, "das wär's")

    got, closed = chips().call("listen", f"ws://{HOST}:{peer(handler)}")
    assert got == ["in three fragments", 300]
    assert closed == [4001, "das wär's"]
    assert ponged == [True]


def test_our_close_reaches_the_peer(chips, peer):
    ended = queue.Queue()

    def handler(connection):
        connection.send("one")
        with contextlib.suppress(ConnectionClosed):
            connection.recv(timeout=5)
        ended.put((connection.close_code, connection.close_reason))

    got, closed = chips().call("listen", f"ws://{HOST}:{peer(handler)}", 1)
    assert (got, closed) == (["one"], [1000, ""])
    assert ended.get(timeout=5) == (1000, "")


def test_several_writers_and_a_reader(chips, peer):
    got = chips().call("both_ways", f"ws://{HOST}:{peer(echo)}/", 20)
    assert got == sorted(f"{name}{i}" for name in "ab" for i in range(20))


def test_a_message_that_is_too_large_ends_with_1009(chips, peer):
    ended = queue.Queue()

    def handler(connection):
        connection.ping().wait(5)  # what comes with the handshake's answer fails the handshake
        connection.send(b"x" * 1025)
        with contextlib.suppress(ConnectionClosed):
            connection.recv(timeout=5)
        ended.put(connection.close_code)

    got, closed = chips().call("listen", f"ws://{HOST}:{peer(handler)}")
    assert got == []
    assert closed == [1006, "a message of more than 1024 bytes"]
    assert ended.get(timeout=5) == 1009


def test_a_peer_that_falls_silent_is_found(chips):
    asked = []

    def conversation(client):
        shake(client, None)
        client.sendall(frame(TEXT, b"hello"))
        asked.append(heard(client))

    with crude_peer(conversation) as port:
        options = {"ping_ms": 200, "timeout_ms": 300}
        got, (code, why) = chips().call("listen", f"ws://{HOST}:{port}", 100, options)
    assert (got, code) == (["hello"], 1006)
    assert why.startswith("silent for ")
    assert parse(asked[0]) == [(9, True, b"")]


def test_a_close_that_is_not_answered_is_not_waited_for_for_ever(chips):
    def conversation(client):
        shake(client, None)
        client.sendall(frame(TEXT, b"hello"))
        heard(client)

    with crude_peer(conversation) as port:
        url = f"ws://{HOST}:{port}"
        got, closed = chips().call("listen", url, 1, {"timeout_ms": 300})
    assert got == ["hello"]
    assert closed == [1006, "no answer to Close within 300 ms"]


@pytest.mark.parametrize("url", ["http://a/", "ws://", "ws://a:b/", "ws:///x", "wss://a", "ws://a#b"])
def test_urls_that_are_none(chips, url):
    with pytest.raises(Exception, match="ValueError"):
        chips().call("listen", url)


# ---- streams


@WORDS
@pytest.mark.parametrize("buffer_bytes", [1, 100, 4000])
def test_bytes_there_and_back(chips, words, peer, buffer_bytes):
    """As much as the network's buffers do not hold, so that both sides wait for each other."""
    length = 2000 if buffer_bytes == 1 else 100_000
    port = peer(echo, subprotocols=["mqtt"])
    assert chips(words).call("echo_stream", port, length, buffer_bytes)


def test_bytes_over_tls(chips, peer, certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.cert, certificates.server.key)
    port = peer(echo, subprotocols=["mqtt"], ssl=context)
    assert chips().call("echo_stream", port, 30_000, 500, str(certificates.ca.cert_der))
    kind, words = chips().call("failure", port, "/", 5000, str(certificates.wrong_ca.cert_der))
    assert kind == "ConnectError"
    assert "cert" in words.lower()


def test_bytes_that_come_with_the_answer(chips):
    """In one segment, as often as not."""

    def conversation(client):
        shake(client, more=frame(2, b"early"))
        heard(client)

    with crude_peer(conversation) as port:
        assert chips().call("failure", port, "/", 2000, None, "read") == ["returned", 5]


FAILURES = {
    "a wrong path": (
        lambda client: (client.recv(1000), client.sendall(answer("HTTP/1.1 404 Not Found"))),
        "ConnectError", "404 Not Found",
    ),
    "garbage": (
        lambda client: (client.recv(1000), client.sendall(b"\x20\x02\x00\x00\n")),
        "ConnectError", "HTTP",
    ),
    "the end at once": (lambda client: None, "ConnectError", "closed|reset"),
    "the end in the answer": (
        lambda client: (client.recv(1000), client.sendall(answer()[:40])),
        "ConnectError", "closed",
    ),
    "no answer": (heard, "TimeoutError", ""),
    "another protocol": (lambda client: shake(client, "chat"), "ConnectError", "chat"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_handshake_that_fails(chips, case):
    conversation, kind, words = FAILURES[case]
    with crude_peer(conversation) as port:
        got, said = chips().call("failure", port, "/", 400 if case == "no answer" else 5000)
    assert got == kind
    assert any(word in said for word in words.split("|")), said


ENDS = {
    "a masked frame": (frame(2, b"x", key=KEY), ["OSError", "a masked frame"], 1002),
    "text": (frame(TEXT, b"x"), ["OSError", "text, where bytes are expected"], 1003),
    "a close": (frame(CLOSE, close_payload(1001)), ["returned", 0], 1001),
    "half a frame": (frame(2, b"xy")[:2], ["returned", 0], None),
}


@pytest.mark.parametrize("case", ENDS)
def test_a_stream_that_ends(chips, case):
    data, outcome, code = ENDS[case]
    said = []

    def conversation(client):
        shake(client)
        client.recv(100)
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        said.append(heard(client))

    with crude_peer(conversation) as port:
        assert chips().call("failure", port, "/", 5000, None, "ask") == outcome
    if code:
        assert parse(said[0])[0][2][:2] == close_payload(code)


def test_a_peer_that_reads_nothing_does_not_hold_the_loop(chips):
    done = threading.Event()

    def conversation(client):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        shake(client)
        done.wait(10)

    with crude_peer(conversation) as port:
        outcome = chips().call("failure", port, "/", 1500, None, "write")
        done.set()
    assert outcome[0] == "TimeoutError"


# ---- the examples


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples(example, peer):
    url = f"ws://{HOST}:{peer(echo, subprotocols=['mqtt'], select_subprotocol=any_or_none)}/"
    image = runtime.build()
    done = subprocess.run(
        [*runtime.find_runtime(), str(example), url], env=environment(image), cwd=image,
        capture_output=True, text=True, timeout=20, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "hello" in done.stdout


def any_or_none(_, offered):
    return offered[0] if offered else None
