"""microCoAPy over a plain UDP socket and over `coap.reliable_socket`, through loss, each way by
the same seed.
"""

import json

from petrel import runtime
from petrel.bench.coap import ACK_MS, LOSSES, Responder, theory

POSTS = 500
PEERS = 10


def measure(bench):
    if runtime.microcoapy_folder() is None:
        print("microcoapy: passed over, it is not here (make setup)")
        return None

    def run(code, **more):
        return bench.chip(code, **more).stdout

    return [row(run, loss) for loss in LOSSES]


def row(run, loss):
    plain, reliable = (posts(run, kind, loss, POSTS) for kind in ("plain", "reliable"))
    once, five_times = (POSTS * share for share in expected(loss))
    print(f"{POSTS} confirmable posts of microCoAPy, {loss:2} % lost each way: acknowledged plain "
          f"{plain['delivered']} (expected {once:.0f}), over a ReliableSocket "
          f"{reliable['delivered']} ({five_times:.0f}); {plain['mean_us'] / 1000:.1f} and "
          f"{reliable['mean_us'] / 1000:.1f} ms each")
    return {"loss": loss, "plain": plain, "reliable": reliable}


def expected(loss):
    """The shares of posts whose acknowledgement comes: sent once, and up to five times."""
    return (1 - loss / 100) ** 2, theory(loss)


def posts(run, kind, loss, count):
    """`run(code, **environment)` runs code on the Unix port and returns what it prints."""
    from petrel.bench.chip import DEVICE

    code = (DEVICE / "microcoapy_posts.py").read_text()
    with Responder(loss, loss) as responder:
        ports = " ".join(map(str, responder.ports[:PEERS]))
        told = run(code, KIND=kind, PORTS=ports, COUNT=str(count), ACK_MS=str(ACK_MS))
    return json.loads(told)
