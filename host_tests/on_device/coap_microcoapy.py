"""Runs on the device: microCoAPy as it is, over a ReliableSocket."""
# pyright: reportMissingImports=false

import socket
import time

import microcoapy
from microcoapy.coap_packet import CoapPacket

from coap.params import Params
from coap.reliable_socket import ReliableSocket

from . import server

kept = {}


def make(ack_timeout_ms, port=0, serves=False):
    """A client, or a server with the resource `lamp` at `port`."""
    transport = None
    if port:
        transport = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        transport.setblocking(False)
        transport.bind(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    client = microcoapy.Coap()
    client.debug = False
    reliable = ReliableSocket(transport, Params(ack_timeout_ms), _failed, serves)
    client.setCustomSocket(reliable)
    client.responseCallback = _heard
    if serves:
        client.addIncomingRequestCallback("lamp", _asked)
    kept.clear()
    kept.update({"client": client, "socket": reliable, "heard": [], "failed": [], "asked": 0})


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


def state():
    reliable = kept["socket"]
    return {"rejected": reliable.engine.rejected, "unreadable": reliable.unreadable,
            "exchanges": len(reliable.engine.exchanges)}


server.serve(globals())
