"""A TCP proxy whose faults are commanded by the test, one by one, instead of happening at a time.

    with FaultProxy(broker.port) as proxy:
        ...point the client at proxy.port...
        proxy.hold(mqtt_packets.PUBACK)
        proxy.wait_held(1, deadline_s=5)
        proxy.drop_connections()

The proxy lives in a thread of its own; every command returns once it has taken effect. Directions
are TO_SERVER and TO_CLIENT. Faults of existing connections (freeze, cut, drop, inject) leave
later ones alone, so that a client's reconnect can be watched without a further command.
"""

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from host_tests.faults.entrance import HOST, Entrance
from host_tests.faults.records import Records
from host_tests.faults.relay import TO_CLIENT, TO_SERVER, Connection, Cut, Faults

__all__ = ["TO_CLIENT", "TO_SERVER", "FaultProxy"]

_COMMAND_S = 5
_BOTH = (TO_SERVER, TO_CLIENT)


_P = ParamSpec("_P")
_R = TypeVar("_R")


def _command(
    method: Callable[Concatenate["FaultProxy", _P], Coroutine[Any, Any, _R]],
) -> Callable[Concatenate["FaultProxy", _P], _R]:
    """Runs a coroutine method in the proxy's thread, where alone its state may change."""

    @functools.wraps(method)
    def call(self: "FaultProxy", *args: _P.args, **kwargs: _P.kwargs) -> _R:
        running = asyncio.run_coroutine_threadsafe(method(self, *args, **kwargs), self._loop)
        return running.result(_COMMAND_S)

    return call


class FaultProxy:
    """Relays between a free port of the loopback interface (`port`) and `upstream_port`."""

    host = HOST

    def __init__(self, upstream_port, upstream_host=HOST):
        self._upstream = (upstream_host, upstream_port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="fault proxy", daemon=True
        )
        self._records, self._faults = Records(), Faults()
        self._live = {}  # Connection -> its task, oldest first
        self._cuts = {}  # direction -> Cut for the next connection
        self._black_hole = False
        self._entrance = Entrance(self._loop, self._on_client)
        self.port = self._entrance.port

    def start(self):
        self._thread.start()
        self.accept()
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends everything; raises the proxy's own defect if it had one.

        No test is to trust a broken injector.
        """
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            self._shut()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_COMMAND_S)
            if self._thread.is_alive():
                raise RuntimeError("the fault proxy's thread did not end")
        self._entrance.close()
        self._loop.close()
        if self._records.failures:
            raise self._records.failures[0]

    # ---- who gets a connection

    @_command
    async def accept(self):
        """Back to normal for new connections."""
        self._black_hole = False
        self._entrance.open()

    @_command
    async def black_hole(self):
        """New connections are accepted, but nothing is ever relayed or answered on them."""
        self._black_hole = True
        self._entrance.open()

    @_command
    async def refuse(self):
        """The port is closed: connection refused. Existing connections live on."""
        self._entrance.refuse()

    @_command
    async def silence(self):
        """An attempt to connect gets no answer at all, as from a machine that is off."""
        self._entrance.silence()

    # ---- faults of existing connections

    @_command
    async def freeze(self, direction=None):
        """Half-open: existing connections stay up, all bytes and closes are swallowed.

        None is both directions.
        """
        for lane in self._lanes(direction):
            lane.frozen = True

    @_command
    async def thaw(self, direction=None):
        """Ends freeze(); what was swallowed is lost."""
        for lane in self._lanes(direction):
            lane.thaw()

    @_command
    async def drop_connections(self, rst=False):
        """Closes every existing connection on both sides, with FIN or RST."""
        await self._end_all(rst)

    @_command
    async def cut_after(self, n_bytes, direction, rst=False, next_connection=False):
        """Relays exactly `n_bytes` more in `direction` on the current connection, then closes it.

        With `next_connection`, or where none is up, the next one is cut, counted from its start.
        """
        _checked(direction)
        if self._live and not next_connection:
            self._newest().cut(direction, Cut(n_bytes, rst))
        else:
            self._cuts[direction] = Cut(n_bytes, rst)

    @_command
    async def inject(self, data, direction):
        """Sends the test's own bytes at the next packet border of the current connection."""
        _checked(direction)
        if not self._live:
            raise ValueError("there is no connection to inject into")
        self._newest().lanes[direction].slip_in(bytes(data))

    # ---- faults of every connection, also later ones

    @_command
    async def byte_at_a_time(self, direction=None, gap_s=0.001):
        """Each byte leaves as a segment of its own, `gap_s` apart; 0 ends it."""
        self._faults.byte_gap_s.update(dict.fromkeys(_directions(direction), gap_s))

    @_command
    async def delay(self, ms, direction=None):
        """Every byte arrives `ms` milliseconds later; order and throughput stay."""
        self._faults.delay_s.update(dict.fromkeys(_directions(direction), ms / 1000))

    @_command
    async def hold(self, packet_type, direction=TO_CLIENT):
        """Keeps back the MQTT packets of one type (mqtt_packets.PUBACK...); all else flows."""
        self._faults.holds.add((_checked(direction), packet_type))

    @_command
    async def release(self, n=None):
        """Lets the first `n` held packets go, in order, and goes on holding the rest.

        None lets all go and ends every hold. Returns how many went.
        """
        if n is None:
            self._faults.holds.clear()
        gone = 0
        for lane in self._lanes():
            gone += lane.release(None if n is None else n - gone)
        return gone

    @_command
    async def drop_held(self):
        """Throws away what is held now and goes on holding; returns how many packets it was."""
        dropped = 0
        for lane in self._lanes():
            dropped += len(lane.held)
            lane.held.clear()
        return dropped

    # ---- observation

    @property
    def connections(self):
        """How many connections were accepted so far."""
        return len(self._records.connect_times)

    @property
    def connect_times(self):
        """The monotonic time of each accepted connection, in seconds."""
        return list(self._records.connect_times)

    @property
    def live(self):
        """How many connections are up now, frozen ones and black holes included."""
        return len(self._live)

    @property
    def released(self):
        """How many held packets were let go so far."""
        return self._records.released

    @property
    def held(self):
        """The Packets held now, those of the oldest connection first."""
        return [packet for lane in self._lanes() for packet in list(lane.held)]

    def segments(self, direction=TO_SERVER):
        """What each recv() from that direction's sender gave, as Segments."""
        return [s for s in list(self._records.segments) if s.direction == direction]

    def packets(self, direction=TO_SERVER, packet_type=None):
        """The Packets that came from their sender, delivered or not."""
        return _chosen(self._records.arrived, direction, packet_type)

    def delivered(self, direction=TO_CLIENT, packet_type=None):
        """The Packets that went through to their receiver, each when its last byte did."""
        self._settle()
        return _chosen(self._records.delivered, direction, packet_type)

    @_command
    async def wire_segments(self, direction=TO_SERVER):
        """TCP segments with data from the current connection's sender, counted by the kernel.

        segments() can show two that arrived together as one; this cannot. None off Linux and
        without a connection.
        """
        return self._newest().lanes[direction].wire_segments() if self._live else None

    def summary(self):
        """What was seen so far, in one line."""
        return self._records.summary()

    def forget(self):
        """Empties the record of segments and packets."""
        self._records.forget()

    def wait_for(self, predicate, deadline_s, what="the condition"):
        """The first true answer of `predicate()`; TimeoutError says what was seen instead."""
        return self._records.wait_for(predicate, deadline_s, what)

    def wait_held(self, n, deadline_s):
        """Waits until at least `n` packets are held; returns them."""
        self.wait_for(lambda: len(self.held) >= n, deadline_s, f"{n} held packets")
        return self.held

    def _settle(self):
        """Lets the proxy write down what it has just sent: the receiver may be the faster one."""
        if self._thread.is_alive():
            self._nothing()

    # ---- inside the proxy's thread

    @_command
    async def _nothing(self):
        pass

    def _on_client(self, client):
        upstream = None if self._black_hole else self._upstream
        number = self.connections + 1
        connection = Connection(client, upstream, number, self._faults, self._records)
        for direction, cut in self._cuts.items():
            connection.cut(direction, cut)
        self._cuts = {}
        self._live[connection] = task = self._loop.create_task(connection.run())
        task.add_done_callback(functools.partial(self._gone, connection))
        self._records.add(self._records.connect_times, time.monotonic())

    def _gone(self, connection, task):
        del self._live[connection]
        if task.exception():
            self._records.failures.append(task.exception())
        self._records.changed()

    def _newest(self):
        return next(reversed(self._live))

    def _lanes(self, direction=None):
        wanted = _directions(direction)
        return [c.lanes[d] for c in list(self._live) for d in wanted if d in c.lanes]

    async def _end_all(self, rst=False):
        tasks = list(self._live.values())
        for connection in self._live:
            connection.end(rst)
        if tasks:
            await asyncio.wait(tasks, timeout=_COMMAND_S)

    @_command
    async def _shut(self):
        self._entrance.refuse()
        await self._end_all()


def _checked(direction):
    if direction not in _BOTH:
        raise ValueError(f"direction is {direction!r}, must be one of {_BOTH}")
    return direction


def _directions(direction):
    return _BOTH if direction is None else (_checked(direction),)


def _chosen(records, direction, packet_type):
    return [p for d, p in list(records) if d == direction and packet_type in (None, p.type)]
