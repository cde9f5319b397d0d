"""A simulated device at a broker: our own MQTT engine over asyncio.

            due          CONNACK         fault, or lost
    AWAY ---------> OPENING ------> OPEN ------------> AWAY
     ^                                |  has slept
     '-------- sleeping, stopped -----'

One timer a device; whatever happens, `step` looks at all that may be due.
"""

import asyncio
import functools
import random
import typing

from mqtt.packet import ProtocolError
from mqtt.session import Engine
from petrel.simulate.faults import DROP, GAP, OUTAGE

AWAY, OPENING, OPEN = 0, 1, 2
KEEPALIVE_S, ACK_MS, CONNECT_MS = 30, 10_000, 10_000
HEALTH_MS, RETRY_MS, AWAKE_MS = 180_000, (1000, 5000), 1000
_HEALTH_AGAIN_MS = 2000  # after a birth: when the backlog is gone


class Connection:
    """target: a petrel.listen.Target. clock(): uptime in ms. sleep_ms: it sleeps so long after
    each time it was awake; None for never. counts: {name: number} of all devices, to be added to.
    """

    def __init__(self, device, faults, target, tls, clock, counts, start_ms, sleep_ms=None):
        self.device, self._faults, self._target, self._tls = device, faults, target, tls
        self._clock, self._counts, self._sleep_ms = clock, counts, sleep_ms
        self._loop = asyncio.get_running_loop()
        self._random = random.Random(device.id)
        self.state, self._due_ms = AWAY, start_ms
        self._sample_ms = start_ms + self._random.randrange(device.every_ms)
        self._health_ms = self._awake_ms = 0
        self._engine: typing.Any = None  # whose events bring attributes of their own
        self._transport = self._timer = self._opening = None
        self._data_id = None  # packet id of the message under way
        self._ended = False
        self.failure = None  # the last OSError of connecting
        self.step()

    def stop(self):
        """Say farewell, if there is anybody to hear it."""
        self._ended = True
        if self._timer:
            self._timer.cancel()
        if self.state == OPEN:
            self._say("status", self.device.farewell(), retain=True)
            self._leave()
        else:
            self._away(0)

    # ---- the timer

    def step(self):
        """Do whatever is due, and come back when something is."""
        if self._ended:
            return
        now = self._clock()
        if now >= self._sample_ms:
            self.device.sample(now)
            self._sample_ms = max(self._sample_ms + self.device.every_ms, now)
        fault = self._faults.take(now)
        if fault:
            self._suffer(*fault)
        if self.state == AWAY and now >= self._due_ms:
            self._open(now)
        elif self.state != AWAY:
            self._engine.on_timer(now)
            self._events()
        if self.state == OPEN:
            self._serve(now)
        self._again()

    def _again(self):
        moments = [self._sample_ms, self._faults.due_ms]
        moments.append(self._due_ms if self.state == AWAY else self._engine.deadline())
        if self.state == OPEN:
            moments += [self._health_ms, self._awake_ms]
        wait_ms = min(moment for moment in moments if moment) - self._clock()
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(max(1, wait_ms) / 1000, self.step)

    def _suffer(self, kind, much):
        self._counts[kind] += 1
        if kind == GAP:
            self.device.skip(much)
        elif kind in (DROP, OUTAGE):
            self._away(much)

    def _serve(self, now):
        """Whatever an open connection is for."""
        if now >= self._health_ms:
            self._say("health", self.device.health(now), qos=0, retain=True)
            self._health_ms = now + HEALTH_MS
        if self._data_id is None and self.device.has_something:
            self._data_id = self._say("data", self.device.payload())
            if self._data_id is None:  # too much is under way: with a later step
                self.device.lost()
            else:
                self._counts["messages"] += 1
        elif self._awake_ms and now >= self._awake_ms and self._data_id is None:
            self._say("status", self.device.goodnight(self._sleep_ms), retain=True)
            self._leave()
        self._flush()

    def _leave(self):
        """A polite end, once what was said is on its way."""
        self._flush()
        self._engine.disconnect()
        self._flush()
        if self._transport:
            self._transport.close()
            self._transport = None
        self._away(self._sleep_ms or 0)

    # ---- the connection

    def _open(self, now):
        device, target = self.device, self._target
        self.state = OPENING
        self._engine = Engine(
            device.id, KEEPALIVE_S, ACK_MS, will=(device.topic["status"], device.will(), 1, True),
            username=target.username, password=target.password, out_bytes=2048, in_bytes=512,
        )
        self._engine.connect(now)
        self._opening = self._loop.create_task(self._connect())

    async def _connect(self):
        try:
            async with asyncio.timeout(CONNECT_MS / 1000):
                await self._loop.create_connection(
                    functools.partial(_Wire, self, self._engine), self._target.host,
                    self._target.port, ssl=self._tls)
        except OSError as error:
            self._counts["refused"] += 1
            self.failure = error
            self._away(self._random.randrange(*RETRY_MS))
            self.step()

    def _away(self, ms):
        """There is no connection, and none is made for so long."""
        if self._opening:
            self._opening.cancel()
            self._opening = None
        if self._transport:
            self._transport.abort()
            self._transport = None
        self.state, self._due_ms, self._data_id = AWAY, self._clock() + ms, None
        self._engine = None
        self.device.lost()

    def connected(self, transport, engine):
        if engine is not self._engine:
            transport.abort()
            return
        self._opening, self._transport = None, transport
        self._flush()

    def received(self, data, engine):
        if engine is not self._engine:
            return
        try:
            engine.receive(data, self._clock())
            self._events()
        except ProtocolError:
            self._away(self._random.randrange(*RETRY_MS))
        self.step()

    def closed(self, engine):
        if engine is self._engine and not self._ended:
            self._away(self._random.randrange(*RETRY_MS))
            self.step()

    def _events(self):
        engine = self._engine
        while engine is self._engine and (event := engine.next_event()):
            if event == "connack":
                self._born(engine)
            elif event == "acked" and engine.packet_id == self._data_id:
                self.device.delivered()
                self._data_id = None
            elif event == "publish":
                answer = self.device.answer(bytes(engine.payload), self._clock())
                engine.accept(engine.packet_id)
                self._counts["commands"] += 1
                self._say("responses", answer)
            elif event == "lost":
                self._away(self._random.randrange(*RETRY_MS))

    def _born(self, engine):
        now = self._clock()
        if engine.code:
            self._counts["refused"] += 1
            self._away(self._random.randrange(*RETRY_MS))
            return
        self.state = OPEN
        self._counts["connects"] += 1
        engine.subscribe([self.device.topic["commands"], 1])
        self._say("status", self.device.birth(), retain=True)
        self._say("health", self.device.health(now), qos=0, retain=True)
        late = len(self.device.queue) > 1
        self._health_ms = now + (_HEALTH_AGAIN_MS if late else HEALTH_MS)
        self._awake_ms = now + AWAKE_MS if self._sleep_ms else 0

    def _say(self, kind, payload, qos=1, retain=False):
        return self._engine.publish(self.device.topic[kind], payload, qos, retain)

    def _flush(self):
        engine = self._engine
        while engine and self._transport and len(out := engine.next_out()):
            self._transport.write(bytes(out))
            engine.sent(len(out), self._clock())


class _Wire(asyncio.Protocol):
    """One transport; what comes late, of a connection that was given up, is nobody's."""

    def __init__(self, owner, engine):
        self._owner, self._engine = owner, engine

    def connection_made(self, transport):
        self._owner.connected(transport, self._engine)

    def data_received(self, data):
        self._owner.received(data, self._engine)

    def connection_lost(self, exc):
        self._owner.closed(self._engine)
