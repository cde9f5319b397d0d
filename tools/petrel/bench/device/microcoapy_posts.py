"""Posts with microCoAPy as it is, one under way to each peer; prints JSON: {"delivered",
"mean_us"}. KIND: `plain`, over a UDP socket as its authors do it, or `reliable`.
"""
# pyright: reportMissingImports=false

import json
import os
import socket
import time

import microcoapy

from coap.params import Params
from coap.reliable_socket import ReliableSocket

ACK_MS = int(os.getenv("ACK_MS"))
under_way = {}  # message id -> (port, when it was sent)
times = []


def heard(packet, address):
    sent = under_way.pop(packet.messageid, None)
    if sent:
        times.append(time.ticks_diff(time.ticks_us(), sent[1]))
        free.append(sent[0])


def failed(message_id, reason):
    sent = under_way.pop(message_id, None)
    if sent:
        free.append(sent[0])


def give_up_what_is_late():
    """Nobody tells the plain one: it is not sent again, so a moment is long enough."""
    for message_id in list(under_way):
        sent = under_way[message_id][1]
        if time.ticks_diff(time.ticks_us(), sent) > 3000 * ACK_MS:
            failed(message_id, "late")


def plain():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    # It makes its sockets block, and would wait here for ever.
    return NeverBlocking(sock)


class NeverBlocking:
    def __init__(self, sock):
        self.sendto, self.recvfrom = sock.sendto, sock.recvfrom

    def setblocking(self, flag):
        pass

    def close(self):
        pass


free = [int(port) for port in os.getenv("PORTS").split()]
left = int(os.getenv("COUNT"))
is_plain = os.getenv("KIND") == "plain"
client = microcoapy.Coap()
client.debug = False
client.responseCallback = heard
client.setCustomSocket(plain() if is_plain else ReliableSocket(None, Params(ACK_MS), failed))
while left or under_way:
    while left and free:
        port = free.pop(0)
        message_id = client.post("127.0.0.1", port, "d", b"%d" % left)
        under_way[message_id] = port, time.ticks_us()
        left -= 1
    if not client.loop(False):
        time.sleep_ms(1)
    if is_plain:
        give_up_what_is_late()
print(json.dumps({"delivered": len(times), "mean_us": sum(times) // max(1, len(times))}))
