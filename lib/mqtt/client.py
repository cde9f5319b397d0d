"""An MQTT client for asyncio: the edge between the engine (`session.py`) and a byte stream.

    async with Client("127.0.0.1", client_id="greenhouse") as client:
        await client.subscribe("greenhouse/+/set", qos=1)
        await client.publish("greenhouse/t", b"21.5", qos=1)
        async for message in client.messages("greenhouse/+/set"):
            print(message.topic, message.payload)

One task reads, one writes, one keeps the time. What publishers write in one turn of the loop
leaves in one segment.

    connect() ------> connected ------> disconnect(), or a failure
                          ^                |  in `async with`: after a delay (`again.py`)
                          +----------------+

A **transport** is `async connect(host, port, resolver, tls)` that returns a stream:

    await read_into(buffer)    waits for bytes, returns how many, 0 at the peer's end
    await write(view)          sends what the network takes, at least a byte; returns how many
    close()                    at once

`tcp.connect` is one, `websocket.connect` another. Errors are OSError, and ValueError for a
certificate that does not verify.
"""

import asyncio
from asyncio import core

import tcp
from ticks import Uptime

from .packet import ProtocolError, const

Lost = tcp.ConnectError
"""There is no connection, or none any more. `stage`: dns, tcp, tls, connack or lost."""

_TICK_MS = const(500)  # a deadline that begins meanwhile is found by then
_LEAST_MS = const(50)
_CHUNK = const(128)  # bytes read at once


class Client:
    """A connection to one broker; the session outlives it.

    host, port      port None: 1883, with `tls` 8883. Both may be changed between connections
    protocol        "3.1.1" or "5"
    tls             an `ssl.SSLContext`, which verifies the broker
    transport       how a stream is made, see above; None is `tcp.connect`
    timeout_s       deadline over DNS, TCP, TLS and CONNACK together, and of every answer
    reconnect       (shortest, longest) delay in ms, within `async with`; None: it ends when lost
    properties      of CONNECT (5.0), a dict: {"session_expiry_interval": 3600, ...}

    The rest are the engine's (`session.Engine`):

    client_id       text; "" lets a 5.0 broker choose
    username, password, will    text or bytes; will: (topic, payload, qos, retain)
    keepalive_s     a silent connection is given up after 1.25 times as long
    clean           False: the broker keeps the session while we are away
    window          QoS 1 and 2 publishes that may wait for their acknowledgement at once
    out_bytes       memory for what waits to be sent: the largest packet that can be published
    in_bytes        memory for an inbound packet: a larger publish is skipped and counted
    """

    _asleep = core.TaskQueue()  # tasks that wait for an answer, as in asyncio's own Event

    def __init__(
        self, host, port=None, client_id="", protocol="3.1.1", tls=None, transport=None,
        timeout_s=10, reconnect=(1000, 60_000), resolver=None, properties=None, **options
    ):
        from .session import Engine

        self.host = host
        self.port = port
        self.tls = tls
        self.transport = transport or tcp.connect
        self.resolver = resolver or tcp.Resolver()
        self.reconnect = reconnect
        self.timeout_ms = int(timeout_s * 1000)
        if protocol == "5":
            from .five import Five

            options["five"] = Five(properties)
        elif protocol != "3.1.1" or properties:
            raise ValueError('protocol is "3.1.1", or "5" with properties')
        self.engine = Engine(client_id, ack_ms=self.timeout_ms, **options)
        self.save = None  # is called with the engine before its changed session shows outside
        self.on_acked = None  # is called with the tag of a publish that was taken, before `save`
        self.connections = 0
        self.dropped = 0  # inbound messages that found no room, or nobody who wanted them
        self.error = None  # why there is no connection
        self.inboxes = None  # `inbox.Inboxes`, with the first subscription
        self.full = False  # more messages should better wait at the broker
        self.again = None  # `again.Again`, in `async with`
        self.stream = None
        self.tasks = ()  # of an open connection: reader, writer, time-keeper
        self.waiting = {}  # packet id -> the Task that waits for its answer, then the answer
        self.work = asyncio.Event()  # there is something to send
        self.moved = asyncio.Event()  # something was sent or answered, or the connection changed
        self.now = Uptime().now
        self._chunk = memoryview(bytearray(_CHUNK))

    async def __aenter__(self):
        """Connect, trying again as `reconnect` says; what trying again can't help is raised."""
        if self.reconnect:
            from .again import Again

            self.again = Again(self)
            await self.again.begin()
        else:
            await self.connect()
        return self

    async def __aexit__(self, *_):
        await self.disconnect()

    def connect(self, clean=None):
        """Make a connection; returns whether the broker had kept our session. `clean` overrides
        the engine's for this one. Raises what `errors.py` lists.
        """
        from .life import connect

        return connect(self, clean)  # a coroutine, as are the next

    def disconnect(self, code=0):
        """Send what waits, say goodbye within `timeout_s`, close; the broker forgets the will."""
        from .life import disconnect

        return disconnect(self, code)

    async def publish(self, topic, payload, qos=0, retain=False, properties=None, tag=0):
        """QoS 0: returns when the message is on its way. QoS 1 and 2: when the broker has taken
        responsibility, over however many connections that takes.

        topic: text or bytes. payload: bytes, text or memoryview; it must not change meanwhile.
        An empty payload with `retain` clears a retained message. tag: an integer of at most 40
        bits that names the message in a saved session (`resume.py`). Raises ValueError for what
        MQTT does not allow or `out_bytes` can't hold, Refused (5.0) when the broker does not want
        it, Lost when there is no connection and none will be made.
        """
        if isinstance(payload, str):
            payload = payload.encode()
        engine = self.engine
        packet_id = engine.publish(topic, payload, qos, retain, properties)
        while packet_id is None:
            await self.movement()
            packet_id = engine.publish(topic, payload, qos, retain, properties)
        self.work.set()
        if packet_id:
            engine.flight.entries[-1].tag = tag
            await self.answer(packet_id)

    # async, see tcp.py
    def answer(self, packet_id):
        """Wait for the last answer to a packet of ours; returns the codes in it."""
        task = self.waiting[packet_id] = core.cur_task
        self._asleep.push(task)
        task.data = self._asleep  # whoever cancels the task takes it from there
        try:
            yield
        finally:
            answer = self.waiting.pop(packet_id)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def movement(self):
        """Wait until something was sent or answered, or the connection changed."""
        if not self.tasks and not self.again:
            raise self.error or OSError("not connected")
        self.moved.clear()
        await self.moved.wait()

    def subscribe(self, topic_filter, qos=0, properties=None):
        """Returns the QoS that the broker grants; raises Refused. In 5.0 `qos` may carry the
        options of `inbox.py`. Asked for again by itself when the broker has lost the session.
        """
        return self.subscriptions().subscribe(topic_filter, qos, properties)

    def unsubscribe(self, topic_filter):
        return self.subscriptions().unsubscribe(topic_filter)

    def messages(self, topic_filter="#", size=None):
        """Return an asynchronous iterator over the messages that match; each has `topic` (text),
        `payload` (bytes), `qos`, `retain`, `dup` and `properties` (5.0: a dict, else None).

        It keeps at most `size`, 8 if nobody says otherwise. A message of QoS 0 that finds it full
        is dropped and counted in `dropped`; those of QoS 1 and 2 are acknowledged when they are
        taken, and if too many wait nothing more is read.
        """
        return self.subscriptions().messages(topic_filter, size)

    def subscriptions(self):
        if not self.inboxes:
            from .inbox import Inboxes

            self.inboxes = Inboxes(self)
        return self.inboxes

    # The connection (made and ended in `life.py`)

    async def send(self):
        engine = self.engine
        if engine.changed and self.save:
            self.save(engine)
            engine.changed = False
        engine.sent(await self.stream.write(engine.next_out()), self.now())
        self.moved.set()

    async def receive(self):
        n = await self.stream.read_into(self._chunk)
        if not n:
            raise OSError("the broker closed the connection")
        self.engine.receive(self._chunk[:n], self.now())

    async def guard(self, part):
        try:
            await part
        except Exception as error:
            if isinstance(error, ProtocolError):
                self.work.set()
                await asyncio.sleep_ms(0)  # the writer says why (5.0)
            from .life import drop

            drop(self, error)

    async def read(self):
        engine = self.engine
        while True:
            self.events()  # at first those that came with CONNACK
            while engine.unread():  # until our answers have left
                await self.movement()
                self.events()
            while self.full and not self.waiting:
                engine.receive(b"", self.now())  # it is we who are silent, not the broker
                await self.movement()
            await self.receive()

    async def write(self):
        while True:
            while len(self.engine.next_out()):
                await self.send()
            self.work.clear()
            await self.work.wait()

    async def keep_time(self):
        engine, now = self.engine, self.now
        while True:
            due = engine.deadline()
            wait = _TICK_MS if due is None else min(due - now(), _TICK_MS)
            await asyncio.sleep_ms(max(_LEAST_MS, wait))
            engine.on_timer(now())
            self.events()

    def events(self):
        engine = self.engine
        event = engine.next_event()
        while event:
            if event == "acked" and engine.code < 0x80:
                if self.on_acked and engine.tag:
                    self.on_acked(engine.tag)
                self.answered(engine.packet_id, None)
            elif event == "publish":
                self.subscriptions().take(engine)
            elif event == "lost":
                raise OSError(engine.text)
            elif event == "acked" or event == "disconnect":
                from .errors import refused

                error = refused(engine, event)
                self.answered(engine.packet_id, error)
            else:
                self.answered(engine.packet_id, bytes(engine.codes))
            event = engine.next_event()
        self.work.set()
        self.moved.set()

    def answered(self, packet_id, answer):
        task = self.waiting.get(packet_id)
        # The first answer counts: a loss may follow at once, and the task may be cancelled.
        if getattr(task, "data", None) is self._asleep:
            self.waiting[packet_id] = answer
            self._asleep.remove(task)
            core._task_queue.push(task)
