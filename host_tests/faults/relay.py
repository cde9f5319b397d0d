"""One proxied connection: two lanes, each a reader that records and a writer that does the faults.

    source socket -> read() -> queue (delay) -> write(): frozen? held? cut? slow? -> target socket

All of it runs in the proxy's event loop, and so do the methods that change a fault.
"""

import asyncio
import collections
import dataclasses
import socket
import struct
import sys
import time

from host_tests.faults import mqtt_packets
from host_tests.faults.records import Segment

TO_SERVER, TO_CLIENT = "to_server", "to_client"

_CONNECT_S = 5
_RECEIVE_BYTES = 65536
_QUEUE_LENGTH = (
    1000  # chunks under way in a delayed lane; beyond it the source feels back pressure
)
_DATA_SEGMENTS_IN = 152  # offset of tcpi_data_segs_in in Linux's struct tcp_info

_PASS, _HOLD, _SWALLOW = range(3)  # what happens to the packet that is going through a lane


class _Over(Exception):
    """The connection was ended while a lane was sending."""


@dataclasses.dataclass
class Faults:
    """What holds for every connection of a proxy."""

    holds: set = dataclasses.field(default_factory=set)  # of (direction, packet type)
    byte_gap_s: dict = dataclasses.field(default_factory=dict)  # direction -> pause after a byte
    delay_s: dict = dataclasses.field(default_factory=dict)  # direction -> latency


@dataclasses.dataclass
class Cut:
    """End the connection as soon as `left` more bytes went through."""

    left: int
    rst: bool


class Lane:
    """One direction of one connection. `target` None makes it a black hole."""

    def __init__(self, connection, direction, source, target):
        self.connection, self.direction = connection, direction
        self.source, self.target = source, target
        self.faults, self.records = connection.faults, connection.records
        self.frozen = target is None
        self.ended = False  # the source closed
        self.cut = None
        self.held = collections.deque()
        self._urgent = collections.deque()  # (raw, Packet or None), sent at the next border
        self._at_border, self._fate = True, _PASS
        self._queue = asyncio.Queue(_QUEUE_LENGTH)
        first = mqtt_packets.CONNECT if direction == TO_SERVER else mqtt_packets.CONNACK
        self._splitter = mqtt_packets.Splitter(first)

    async def read(self):
        """Records what the source sends and queues it for the writer; ends with the source."""
        loop, data = asyncio.get_running_loop(), b"start"
        while data:
            try:
                data = await loop.sock_recv(self.source, _RECEIVE_BYTES)
            except OSError:
                data = b""
            now = time.monotonic()
            if data:
                segment = Segment(data, self.direction, now, self.connection.number)
                self.records.add(self.records.segments, segment)
            fragments = [(f, self._recorded(f, now)) for f in self._splitter.feed(data)]
            due = now + self.faults.delay_s.get(self.direction, 0)
            await self._queue.put((due, fragments if data else None))

    def _recorded(self, fragment, now):
        """The Packet that ends with this fragment, written down as arrived; None before that."""
        if fragment.whole is None:
            return None
        packet = mqtt_packets.parse(fragment.whole, self.connection.number, now)
        self.records.add(self.records.arrived, (self.direction, packet))
        return packet

    async def write(self):
        """Delivers what was read when it is due; an empty list only wakes it, None is the end."""
        while True:
            due, fragments = await self._queue.get()
            if due > time.monotonic():
                await asyncio.sleep(due - time.monotonic())
            if fragments is None:
                return self._source_ended()
            for fragment, packet in fragments:
                await self._pass(fragment, packet)
            await self._send_urgent()

    def _source_ended(self):
        self.ended = True
        if not self.frozen or all(lane.ended for lane in self.connection.lanes.values()):
            self.connection.end()

    def _holds(self, packet_type):
        return (self.direction, packet_type) in self.faults.holds

    async def _pass(self, fragment, packet):
        """One fragment; what happens to a packet is decided at its first one (freeze: at any)."""
        if self._at_border:
            await self._send_urgent()
            self._fate = _HOLD if self._holds(fragment.type) else _PASS
        if self.frozen:
            self._fate = _SWALLOW
        self._at_border = fragment.whole is not None or fragment.type is None
        if self._fate == _PASS:
            await self._send(fragment.data, packet)
        elif self._fate == _HOLD and packet:
            self.held.append(packet)
            self.records.changed()
            if not self._holds(packet.type):  # the hold ended while its last bytes were on the way
                self.release()

    async def _send_urgent(self):
        while self._urgent and self._at_border and not self.frozen:
            await self._send(*self._urgent.popleft())

    async def _send(self, data, packet):
        """Puts bytes on the wire, no more than the cut allows; `packet` is the one they end."""
        cut, gap_s = self.cut, self.faults.byte_gap_s.get(self.direction)
        allowed = data[: cut.left] if cut else data
        step = 1 if gap_s else _RECEIVE_BYTES
        for i in range(0, len(allowed), step):
            if gap_s:
                await asyncio.sleep(gap_s)
            await asyncio.get_running_loop().sock_sendall(self.target, allowed[i : i + step])
        if packet and len(allowed) == len(data):
            self.records.add(self.records.delivered, (self.direction, packet))
        if cut:
            cut.left -= len(allowed)
            if not cut.left:
                self.connection.end(cut.rst)
                raise _Over

    def slip_in(self, raw, packet=None):
        """Sends bytes at the next packet border, past every fault but freeze and cut."""
        self._urgent.append((raw, packet))
        self._wake()

    def _wake(self):
        if not self._queue.full():  # with a full queue the writer is at work anyway
            self._queue.put_nowait((0, []))

    def release(self, n=None):
        """Lets the first `n` held packets go (None: all of them); returns how many went."""
        count = len(self.held) if n is None else min(n, len(self.held))
        for _ in range(count):
            packet = self.held.popleft()
            self.slip_in(packet.raw, packet)
        self.records.released += count
        self.records.changed()
        return count

    def thaw(self):
        """Lets bytes through again; a source that closed meanwhile now ends the connection."""
        self.frozen = self.target is None
        if self.ended and not self.frozen:
            self.connection.end()
        self._wake()

    def wire_segments(self):
        """TCP segments with data from the source, counted by the kernel; None off Linux."""
        if sys.platform != "linux":
            return None
        info = self.source.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return struct.unpack_from("I", info, _DATA_SEGMENTS_IN)[0]


class Connection:
    """A client, its connection to the server (none in a black hole), and the lanes between them.

    `upstream` is (host, port), None for a black hole; `number` counts from 1.
    """

    def __init__(self, client, upstream, number, faults, records):
        self.number, self.faults, self.records = number, faults, records
        self._client, self._server, self._upstream = client, None, upstream
        self._over, self._rst = asyncio.Event(), False
        if upstream:
            self._server = socket.socket()
            self._server.setblocking(False)
            self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lanes = {TO_SERVER: Lane(self, TO_SERVER, client, self._server)}
        if upstream:
            self.lanes[TO_CLIENT] = Lane(self, TO_CLIENT, self._server, client)

    async def run(self):
        """Relays until somebody ends it."""
        tasks = []
        try:
            if self._upstream:
                connect = asyncio.get_running_loop().sock_connect(self._server, self._upstream)
                await asyncio.wait_for(connect, _CONNECT_S)
            for lane in self.lanes.values():
                tasks += [asyncio.create_task(lane.read()), asyncio.create_task(lane.write())]
            for task in tasks:
                task.add_done_callback(self._half_done)
            await self._over.wait()
        except OSError:
            pass  # the server refused: the client sees its connection closed
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._close_sockets()

    def _half_done(self, task):
        """Half a lane failed: a closed socket is an end like any, a defect is for the test."""
        failure = None if task.cancelled() else task.exception()
        if failure:
            if not isinstance(failure, (OSError, _Over)):
                self.records.add(self.records.failures, failure)
            self.end()

    def cut(self, direction, cut):
        """Arms a cut; one of 0 bytes ends the connection at once."""
        if not cut.left:
            self.end(cut.rst)
        elif direction in self.lanes:
            self.lanes[direction].cut = cut

    def end(self, rst=False):
        """Closes both sides soon: with a FIN, or with a RST."""
        self._rst = self._rst or rst
        self._over.set()

    def _close_sockets(self):
        for sock in filter(None, (self._client, self._server)):
            if self._rst:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                _finish(sock)
            sock.close()


def _finish(sock):
    """Says FIN before the close, because a close with unread bytes would say RST."""
    try:
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(_RECEIVE_BYTES):
            pass
    except OSError:
        pass  # nothing left to read, or the other side was faster
