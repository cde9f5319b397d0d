"""Runs on the device: microCoAPy as it is, over a ReliableSocket."""
# pyright: reportMissingImports=false

import socket
import sys
import time
from binascii import unhexlify

import microcoapy
from microcoapy.coap_packet import CoapPacket

from coap.params import Params
from coap.reliable_socket import ReliableSocket
from udp import resolve

from . import server

kept = {}


def make(ack_timeout_ms, port=0, serves=False):
    """A client, or a server with the resource `lamp` at `port`."""
    transport = None
    if port:
        transport = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        transport.setblocking(False)
        transport.bind(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    _make(transport, ack_timeout_ms, serves)


def make_secure(ack_timeout_ms, port, identity, key_hex, silent_ms=20_000, handshake_ms=60_000):
    """A client over DTLS, with a key."""
    from coap.dtls_contexts import client_context
    from coap.dtls_socket import Socket

    context = client_context(psk=(identity.encode(), unhexlify(key_hex)))
    transport = Socket(
        context, resolve("127.0.0.1", port), None, silent_ms, handshake_ms, _ended
    )
    _make(transport, ack_timeout_ms, False)


def _make(transport, ack_timeout_ms, serves):
    client = microcoapy.Coap()
    client.debug = False
    reliable = ReliableSocket(transport, Params(ack_timeout_ms), _failed, serves)
    client.setCustomSocket(reliable)
    client.responseCallback = _heard
    if serves:
        client.addIncomingRequestCallback("lamp", _asked)
    kept.clear()
    kept.update({"client": client, "socket": reliable, "heard": [], "failed": [], "asked": 0})
    kept["ended"] = []


def _ended(reason):
    kept["ended"].append(reason)


def _heard(packet, address):
    payload = bytes(packet.payload or b"").decode()
    kept["heard"].append([packet.messageid, packet.method, payload, list(address)])


def _failed(message_id, reason):
    kept["failed"].append([message_id, reason])


def _asked(packet, host, port):
    kept["asked"] += 1
    kept["client"].sendResponse(host, port, packet.messageid, "on", 0x45, 0, packet.token)


def post(port, path, payload="x"):
    return kept["client"].post("127.0.0.1", port, path, payload)


def get(port, path, token="", observe=None):
    """`observe` as microCoAPy can send it: not empty."""
    packet = CoapPacket()
    packet.token = bytearray(token.encode())
    if observe is not None:
        packet.addOption(6, bytes((observe,)))
    return kept["client"].sendEx("127.0.0.1", port, path, packet)


def turn(ms):
    """Let microCoAPy look for so long; returns what it heard and what failed since `make`."""
    end = time.ticks_add(time.ticks_ms(), ms)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        kept["client"].loop(False)
        time.sleep_ms(2)
    return kept["heard"], kept["failed"], kept["asked"]


def block():
    """loop(True) until it says that nothing can come any more."""
    while kept["client"].loop(True):
        pass
    return kept["heard"], kept["failed"], kept["asked"]


def until(count, ms):
    """As `turn`, but no longer than until so many requests have come to an end, or a session."""
    end = time.ticks_add(time.ticks_ms(), ms)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        turn(20)
        if len(kept["heard"]) + len(kept["failed"]) >= count or kept["ended"]:
            break
    return kept["heard"], kept["failed"], kept["ended"]


def post_all(port, path, count, ms):
    """So many posts, one after the other; returns what was heard, what failed and what ended."""
    for number in range(1, count + 1):
        post(port, path, str(number))
        until(number, ms)
    return kept["heard"], kept["failed"], kept["ended"]


def close():
    kept["socket"].close()


def loaded():
    return sorted(name for name in sys.modules if name.startswith("coap."))


def state():
    reliable = kept["socket"]
    return {"rejected": reliable.engine.rejected, "unreadable": reliable.unreadable,
            "exchanges": len(reliable.engine.exchanges)}


server.serve(globals())
