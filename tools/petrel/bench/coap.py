"""lib/coap beside aiocoap: delivery and time through loss, requests a second, heap.

The network is inside of the responder: it loses what it was asked and what it answers by a seed,
so that both clients meet the same. ACK_TIMEOUT is 50 ms for both, else RFC 7252's parameters.
"""

import asyncio
import contextlib
import json
import math
import random
import socket
import subprocess
import sys
import threading
import time

from petrel import runtime
from petrel.bench.memory import SPARE_NAMES
from petrel.errors import Failure

POSTS, PEERS = 5000, 25
ACK_MS = 50
LOSSES = (0, 10, 20, 30)
REQUESTS, WINDOW = 4000, 8
TRIES = 5  # MAX_RETRANSMIT + 1
_LIMIT_S = 120


def measure(bench):
    try:
        import aiocoap  # pyright: ignore[reportMissingImports] # noqa: F401
    except ImportError:
        print("coap: passed over, aiocoap is not installed (make setup)")
        return None
    posts = [delivery(bench, loss) for loss in LOSSES]
    figures = {"delivery": posts, "asking": asking(posts[0]), "serving": serving(bench)}
    figures["heap"] = heap(bench)
    return figures


# ---- delivery


class Responder:
    """Answers confirmable posts on many ports, each a peer of its own; `heard` are the bodies."""

    def __init__(self, loss, seed):
        self._loss, self._random = loss / 100, random.Random(seed)
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(PEERS)]
        for sock in self._sockets:
            sock.bind(("127.0.0.1", 0))
        self.ports = [sock.getsockname()[1] for sock in self._sockets]
        self.heard = set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._over = False

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        self._thread.join(5)
        for sock in self._sockets:
            sock.close()

    def _run(self):
        import selectors

        with selectors.DefaultSelector() as selector:
            for sock in self._sockets:
                selector.register(sock, selectors.EVENT_READ)
            while not self._over:
                for key, _ in selector.select(0.1):
                    self._answer(key.fileobj)

    def _answer(self, sock):
        with contextlib.suppress(OSError):
            data, peer = sock.recvfrom(2000)
            if self._random.random() < self._loss or data[0] >> 4 != 4:
                return
            self.heard.add((peer, data[2:4]))
            if self._random.random() >= self._loss:
                token = data[4 : 4 + (data[0] & 15)]
                sock.sendto(bytes((0x60 | len(token), 0x44)) + data[2:4] + token, peer)


def theory(loss):
    """The share of posts whose acknowledgement comes, with all transmissions."""
    return 1 - (1 - (1 - loss / 100) ** 2) ** TRIES


def delivery(bench, loss):
    with Responder(loss, loss) as responder:
        more = {"PORTS": " ".join(map(str, responder.ports)), "COUNT": str(POSTS),
                "ACK_MS": str(ACK_MS)}
        ours = json.loads(bench.chip(bench.script("coap_posts"), **more).stdout)
    with Responder(loss, loss) as responder:
        theirs = asyncio.run(their_posts(responder.ports))
    wanted = theory(loss) * POSTS
    sigma = math.sqrt(max(1.0, wanted * (1 - theory(loss))))
    ratio = ours["mean_us"] / theirs["mean_us"]
    print(f"{POSTS} confirmable posts, {loss:2} % lost each way: ours {ours['delivered']} "
          f"acknowledged, {ours['mean_us'] / 1000:.1f} ms each; aiocoap {theirs['delivered']}, "
          f"{theirs['mean_us'] / 1000:.1f} ms; expected {wanted:.0f} "
          f"+- {3 * sigma:.0f}; time {ratio:.2f} x")
    return {"loss": loss, "ours": ours, "aiocoap": theirs, "expected": wanted, "ratio": ratio}


async def their_posts(ports):
    import aiocoap  # pyright: ignore[reportMissingImports]
    from aiocoap.error import Error  # pyright: ignore[reportMissingImports]
    from aiocoap.numbers.constants import (  # pyright: ignore[reportMissingImports]
        TransportTuning,
    )

    class Fast(TransportTuning):
        ACK_TIMEOUT = ACK_MS / 1000

    context = await aiocoap.Context.create_client_context()
    times = []

    async def post(port, count):
        for number in range(count):
            start = time.perf_counter()
            message = aiocoap.Message(
                code=aiocoap.POST, uri=f"coap://127.0.0.1:{port}/d", payload=b"%d" % number,
                transport_tuning=Fast(),
            )
            with contextlib.suppress(Error):
                await context.request(message).response
                times.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(post(port, POSTS // len(ports)) for port in ports))
    wall = time.perf_counter() - start
    await context.shutdown()
    mean = sum(times) / max(1, len(times))
    return {"delivered": len(times), "mean_us": int(mean * 1e6), "wall_us": int(wall * 1e6)}


# ---- requests a second


def asking(posts):
    """The posts through the network without loss, by the second."""
    rates = [POSTS / posts[who]["wall_us"] * 1e6 for who in ("ours", "aiocoap")]
    ratio = rates[0] / rates[1]
    print(f"requests a second as a client: ours {rates[0]:.0f}, aiocoap on CPython {rates[1]:.0f}"
          f"   {ratio:.2f} x")
    return {"ours": rates[0], "aiocoap": rates[1], "ratio": ratio}

_THEIR_SERVER = """
import asyncio, sys, aiocoap
from aiocoap import resource
class Small(resource.Resource):
    async def render_get(self, request):
        return aiocoap.Message(payload=b"22.3 C", content_format=0)
async def main(port):
    site = resource.Site()
    site.add_resource(["d"], Small())
    await aiocoap.Context.create_server_context(site, bind=("127.0.0.1", port))
    print("ready", flush=True)
    await asyncio.get_running_loop().create_future()
asyncio.run(main(int(sys.argv[1])))
"""


def serving(bench):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    ours = [*runtime.find_runtime(), "-X", "heapsize=2M", "-c", bench.script("coap_serve")]
    theirs = [sys.executable, "-c", _THEIR_SERVER, str(port)]
    rates = [rate(bench, argv, port) for argv in (ours, theirs)]
    ratio = rates[0] / rates[1]
    print(f"requests a second as a server: ours {rates[0]:.0f}, aiocoap on CPython {rates[1]:.0f}"
          f"   {ratio:.2f} x")
    return {"ours": rates[0], "aiocoap": rates[1], "ratio": ratio}


def rate(bench, argv, port):
    """Gets a second that a server answers, `WINDOW` under way at once."""
    env = bench.environment("serve", PORT=str(port))
    with subprocess.Popen(
        argv, cwd=bench.image, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            if "ready" not in server.stdout.readline():
                raise Failure("a CoAP server did not start")
            ask(port, 200)
            return ask(port, REQUESTS)
        finally:
            server.kill()


def ask(port, count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(5)
        base = random.getrandbits(16)
        start = time.perf_counter()
        for number in range(count + WINDOW):
            if number >= WINDOW:
                sock.recv(2000)
            if number < count:
                mid = (base + number) & 0xFFFF
                sock.send(b"\x42\x01" + mid.to_bytes(2, "big") * 2 + b"\xb1d")
        return count / (time.perf_counter() - start)


# ---- heap

_WHOLE = ("client", "server", "observe and block-wise")


def heap(bench):
    argv = runtime.runtime32()
    if argv is None:
        print("coap: no heap figures, there is no 32-bit MicroPython here (make setup)")
        return None
    tables = [heap_once(bench, argv, SPARE_NAMES + 10 * number) for number in range(5)]
    table = min(tables, key=lambda table: sum(table[name] for name in _WHOLE))
    print("lib/coap: heap on the 32-bit port, bytes, each beside what stands above it")
    for name, size in table.items():
        print(f"  {name:45} {size:>6}")
    print(f"  {'client, server, observe and block-wise':45} {sum(table[n] for n in _WHOLE):>6}")
    return table


def heap_once(bench, argv, spare_names):
    """A number that looks like an address keeps garbage alive: one run may be out by that."""
    done = bench.chip(bench.script("coap_heap"), argv=argv, SPARE_NAMES=str(spare_names))
    lines = [line.rpartition(" ") for line in done.stdout.splitlines()]
    return {name: int(size) for name, _, size in lines}
