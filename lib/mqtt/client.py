"""An MQTT client for asyncio: the edge between the engine (`session.py`) and a byte stream.

    async with Client("127.0.0.1", client_id="greenhouse") as client:
        await client.subscribe("greenhouse/+/set", qos=1)
        await client.publish("greenhouse/t", b"21.5", qos=1)
        async for message in client.messages("greenhouse/+/set"):
            print(message.topic, message.payload)

One task reads, one writes, one keeps the time. What publishers write in one turn of the loop
leaves in one segment.

    CLOSED -- connect() --> OPENING ---> OPEN -- disconnect(), a failure --> CLOSED
                                                 (in `async with`: connected again, `again.py`)

A **transport** is `async connect(host, port, resolver, tls)` that returns a stream:

    await read_into(buffer)    waits for bytes, returns how many, 0 at the peer's end
    await write(view)          sends what the network takes, at least a byte; returns how many
    close()                    at once

`tcp.connect` is one, `websocket.connect` another. Errors are OSError, and ValueError for a
certificate that does not verify.
"""

import asyncio

import tcp
from ticks import Uptime

from .packet import ProtocolError, const

Lost = tcp.ConnectError
"""There is no connection, or none any more. `stage`: dns, tcp, tls, connack or lost."""

_TICK_MS = const(500)  # a deadline that begins meanwhile is found by then
_LEAST_MS = const(5)
_CHUNK = const(256)  # bytes read at once


class Refused(Exception):
    """The broker said no. `code` is its return code (3.1.1) or reason code (5.0), `text` its own
    words or "", `properties` (5.0) what came with it.
    """

    def __init__(self, what, code, text="", properties=None):
        super().__init__("%s refused, code 0x%02x %s" % (what, code, text))
        self.code = code
        self.text = text
        self.properties = properties


class Client:
    """A connection to one broker; the session outlives it.

    host, port      port None: 1883, with `tls` 8883. Both may be changed between connections
    protocol        "3.1.1" or "5"
    tls             an `ssl.SSLContext`, which verifies the broker
    transport       how a stream is made, see above; None is `tcp.connect`
    timeout_s       deadline over DNS, TCP, TLS and CONNACK together, and of every answer
    reconnect       (shortest, longest) delay in ms, within `async with`; None: it ends when lost

    The rest are the engine's (`session.Engine`, for 5.0 `session5.Engine5`):

    client_id       text; "" lets a 5.0 broker choose
    username, password, will    text or bytes; will: (topic, payload, qos, retain)
    keepalive_s     a silent connection is given up after 1.25 times as long
    clean           False: the broker keeps the session while we are away
    window          QoS 1 and 2 publishes that may wait for their acknowledgement at once
    out_bytes       memory for what waits to be sent: the largest packet that can be published
    in_bytes        memory for an inbound packet: a larger publish is skipped and counted
    connect_properties    of CONNECT (5.0), a dict: {"session_expiry_interval": 3600, ...}
    """

    def __init__(
        self, host, port=None, client_id="", protocol="3.1.1", tls=None, transport=None,
        timeout_s=10, reconnect=(1000, 60_000), resolver=None, **options
    ):
        if protocol == "5":
            from .session5 import Engine5 as Engine
        else:
            from .session import Engine
        self.host = host
        self.port = port
        self.tls = tls
        self._transport = transport or tcp.connect
        self.resolver = resolver or tcp.Resolver()
        self.reconnect = reconnect
        self.timeout_ms = timeout_s * 1000
        self.engine = Engine(client_id, ack_ms=self.timeout_ms, **options)
        self.save = None  # is called with the engine before its changed session shows outside
        self.connections = 0
        self.dropped = 0  # inbound messages that found no room or nobody who wanted them
        self.error = None  # why there is no connection
        self.inboxes = None  # `inbox.Inboxes`, with the first subscription
        self.now = Uptime().now
        self._chunk = bytearray(_CHUNK)
        self._view = memoryview(self._chunk)
        self._stream = None
        self._tasks = ()
        self._again = None
        self._waiting = {}  # packet id -> Event
        self._spare = []  # Events
        self._work = asyncio.Event()  # there is something to send
        self._moved = asyncio.Event()  # something was sent or answered, or the connection changed

    async def __aenter__(self):
        """Connect, trying again as `reconnect` says; what trying again can't help is raised."""
        if self.reconnect:
            from .again import Again

            self._again = Again(self)
            await self._again.begin()
        else:
            await self.connect()
        return self

    async def __aexit__(self, *_):
        await self.disconnect()

    def connected(self):
        return len(self._tasks) > 0

    async def closed(self):
        """Wait until there is no connection."""
        while self._tasks:
            self._moved.clear()
            await self._moved.wait()

    async def opened(self):
        """Wait until there is one. Raises Lost if none will be made."""
        while not self._tasks:
            await self._movement()

    def reconnects(self):
        return self._again is not None

    async def connect(self, clean=None):
        """Make a connection; returns whether the broker had kept our session. `clean` overrides
        the engine's for this one. Raises Lost (an OSError), ProtocolError or Refused.
        """
        self._drop(None)
        self._stage = "tcp"
        try:
            await asyncio.wait_for_ms(self._open(clean), self.timeout_ms)
        except asyncio.TimeoutError:
            self._close()
            raise Lost(self._stage, "no answer within %d ms" % self.timeout_ms)
        except BaseException as error:
            self._close()
            raise self._lost(error)
        self.connections += 1
        parts = (self._read(), self._write(), self._keep_time())
        self._tasks = [asyncio.create_task(self._guard(part)) for part in parts]
        self._moved.set()
        present = self.engine.session_present
        if self.inboxes and not present:
            self.inboxes.lost(True)
        return present

    async def _open(self, clean):
        port = self.port or (8883 if self.tls else 1883)
        self._stream = await self._transport(self.host, port, self.resolver, self.tls)
        engine = self.engine
        engine.connect(self.now(), clean)
        self._stage = "tls" if self.tls else "connack"
        while len(engine.next_out()):
            await self._send()
        event = None
        while event != "connack":
            if not engine.unread():
                await self._receive()
            event = engine.next_event()
        if engine.code:
            raise self._refused("the connection")
        self._stage = "lost"

    def _refused(self, what):
        engine = self.engine
        properties = engine.properties or {}
        return Refused(what, engine.code, properties.get("reason_string", ""), properties)

    def _lost(self, error):
        """What is raised for an error of the network."""
        if isinstance(error, ValueError) and self._stage != "tcp":  # a certificate, in lines
            return Lost("tls", " ".join(str(error).split()))
        if isinstance(error, OSError) and not isinstance(error, Lost):
            return Lost(self._stage, tcp.reason(error))
        return error

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
            await self._movement()
            packet_id = engine.publish(topic, payload, qos, retain, properties)
        self._work.set()
        if packet_id:
            engine.flight.entries[-1].tag = tag
            await self.answer(packet_id)

    async def answer(self, packet_id):
        """Wait for the last answer to a packet of ours; returns the codes in it."""
        event = self._waiting[packet_id] = self._spare.pop() if self._spare else asyncio.Event()
        event.answer = None
        try:
            await event.wait()
        finally:
            del self._waiting[packet_id]
            event.clear()
            self._spare.append(event)
        if isinstance(event.answer, Exception):
            raise event.answer
        return event.answer

    async def _movement(self):
        if not self._tasks and not self._again:
            raise self.error or Lost("lost", "not connected")
        self._moved.clear()
        await self._moved.wait()

    async def subscribe(self, topic_filter, qos=0, properties=None):
        """Returns the QoS that the broker grants; raises Refused. In 5.0 `qos` may carry the
        options of `inbox.py`. Asked for again by itself when the broker has lost the session.
        """
        return await self._subscriptions().subscribe(topic_filter, qos, properties)

    async def unsubscribe(self, topic_filter):
        await self._subscriptions().unsubscribe(topic_filter)

    def messages(self, topic_filter="#", size=8):
        """Return an asynchronous iterator over the messages that match; each has `topic` (text),
        `payload` (bytes), `qos`, `retain`, `dup` and `properties` (5.0: a dict, else None).

        It keeps at most `size`; a message that finds it full is dropped and counted in `dropped`:
        one of QoS 1 or 2 comes again with the next connection. These are acknowledged when they
        are taken.
        """
        return self._subscriptions().messages(topic_filter, size)

    def _subscriptions(self):
        if not self.inboxes:
            from .inbox import Inboxes

            self.inboxes = Inboxes(self)
        return self.inboxes

    async def disconnect(self, code=0):
        """Send what waits, say goodbye within `timeout_s`, close; the broker forgets the will."""
        if self._again:
            self._again.end()
            self._again = None
        engine = self.engine
        try:
            if self._tasks:
                await asyncio.wait_for_ms(self._drained(), self.timeout_ms)
                self._tasks[1].cancel()
                engine.disconnect(code)
                while len(engine.next_out()):
                    await asyncio.wait_for_ms(self._send(), self.timeout_ms)
        except (OSError, ValueError, asyncio.TimeoutError):
            pass  # a broker that does not listen hears it from the will
        self._drop(Lost("lost", "disconnected"))

    def accept(self, message):
        """Acknowledge a message that was taken."""
        if message.packet_id:
            self.engine.accept(message.packet_id)
            message.packet_id = 0
            self._work.set()

    def work(self):
        """There is something to send."""
        self._work.set()

    async def _drained(self):
        while self._tasks and len(self.engine.next_out()):
            self._work.set()
            await self._movement()

    # The connection

    async def _send(self):
        if self.engine.changed and self.save:
            self.save(self.engine)
            self.engine.changed = False
        self.engine.sent(await self._stream.write(self.engine.next_out()), self.now())

    async def _receive(self):
        n = await self._stream.read_into(self._chunk)
        if not n:
            raise Lost(self._stage, "the broker closed the connection")
        self.engine.receive(self._view[:n], self.now())

    async def _guard(self, part):
        try:
            await part
        except Exception as error:
            self._drop(error)
            if not isinstance(error, (OSError, ValueError, ProtocolError)):
                raise  # a defect

    async def _read(self):
        engine = self.engine
        while True:
            await self._receive()
            self._events()
            while engine.unread():  # until our answers have left
                await self._movement()
                self._events()

    async def _write(self):
        while True:
            while len(self.engine.next_out()):
                await self._send()
                self._moved.set()
            self._work.clear()
            await self._work.wait()

    async def _keep_time(self):
        engine, now = self.engine, self.now
        while True:
            due = engine.deadline()
            wait = _TICK_MS if due is None else min(due - now(), _TICK_MS)
            await asyncio.sleep_ms(max(_LEAST_MS, wait))
            engine.on_timer(now())
            self._events()

    def _events(self):
        engine = self.engine
        event = engine.next_event()
        while event:
            if event == "acked":
                refused = self._refused("a publish") if engine.code >= 0x80 else None
                self._answered(engine.packet_id, refused)
            elif event == "publish":
                self._subscriptions().take(engine)
            elif event == "lost":
                raise Lost("lost", engine.text)
            elif event == "disconnect":
                raise self._refused("the connection")
            else:
                self._answered(engine.packet_id, bytes(engine.codes))
            event = engine.next_event()
        self._work.set()
        self._moved.set()

    def _answered(self, packet_id, answer):
        event = self._waiting.get(packet_id)
        if event:
            event.answer = answer
            event.set()

    def _close(self):
        """Close at once."""
        if self._stream:
            self._stream.close()
        self._stream = None
        self.engine.lost()

    def _drop(self, error):
        """The connection is over; who waits for an answer waits on only if it is made again."""
        if not self._tasks:
            return
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        self._tasks = ()
        self._close()
        self.error = error = self._lost(error)
        self._moved.set()
        if self.inboxes:
            self.inboxes.lost()
        for packet_id in list(self._waiting):
            if not self._again or not self.engine.flight.find(packet_id):
                self._answered(packet_id, error)
