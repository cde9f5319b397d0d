"""The link on umqtt.simple: MQTT 3.1.1, QoS 0 and 1, one publish at a time.

    open():  `umqtt_opening.py`, with one deadline over all of it
    run():   reads, and keeps the engine's time: keepalive, acknowledgements
    send():  PUBLISH, in one segment, and waits for the PUBACK that run() reads

What umqtt.simple gets wrong is met in `lib/umqtt_engine.py`, where it never sees a socket.
"""

import asyncio

from micropython import const

import tcp
from umqtt_engine import Engine, ProtocolError

from ..forget import forget
from ..log import log
from . import LinkError, Message

_QOS_RETAIN = {  # INTERFACES, "Topics"; the QoS of data is configured
    "status": (1, True),
    "responses": (1, False),
    "health": (0, True),
    "profile": (1, True),
}
_CLOSED = const("the broker closed the connection")
_BUSY_MS = const(5)
_TICK_MS = const(500)  # a deadline that begins meanwhile is found by then
_IN_BYTES = const(512)  # the longest command, its topic included
_CONNECT_BYTES = const(768)  # the longest CONNECT: id, will, username and password


class Link:
    """`options` is the config's section `umqtt`; `clock` gives `now()` and `is_set()`."""

    window = 1
    owed = ()

    def __init__(self, options, identity, clock, on_command, message_bytes=1024, resolver=None):
        self.options = options
        self._identity = identity
        self._clock = clock
        self.on_command = on_command
        self._timeout_ms = int(options["timeout_s"] * 1000)
        keepalive_ms = int(options["keepalive_s"] * 1000)
        self.resolver = resolver or tcp.Resolver()
        self._tls = None
        self._buffer = bytearray(256)
        self._view = memoryview(self._buffer)
        self._acked = asyncio.Event()
        self._flushing = False
        self._stream = self._lost = None
        self._stage = ""
        self._engine = Engine(
            identity.id.encode(),
            keepalive_ms,
            self._timeout_ms,
            (identity.topic("status"), identity.will()),
            _bytes(options["username"]),
            _bytes(options["password"]),
            max(_CONNECT_BYTES, message_bytes + 128),
            _IN_BYTES,
        )

    async def open(self):
        try:
            await asyncio.wait_for_ms(self._opened(), self._timeout_ms)
        except asyncio.TimeoutError:
            self._drop()
            raise LinkError(self._stage, "no answer within %d ms" % self._timeout_ms)
        except MemoryError:  # a handshake takes more than anything else: no reason to start again
            self._drop()
            raise LinkError(self._stage, "not enough memory")
        except BaseException:
            self._drop()
            raise
        finally:
            forget("links.umqtt_opening")

    def _opened(self):
        """The coroutine that opens; its module may find no memory either."""
        from .umqtt_opening import opened

        return opened(self)

    async def send(self, message):
        now = self._clock.now()
        identity = self._identity
        qos, retain = _QOS_RETAIN.get(message.kind) or (self.options["qos"], False)
        topic = identity.topic(message.kind)
        await self._flush()
        self._acked.clear()
        packet_id = self._engine.publish(topic, message.payload, retain, qos, now)
        await self._flush()
        if packet_id is None:
            await asyncio.sleep_ms(0)  # nothing was waited for, and others want their turn
        else:
            await self._acked.wait()

    async def run(self):
        watch = asyncio.create_task(self._watch(asyncio.current_task()))
        try:
            while True:
                await self._read()
                while self._next_event():
                    pass
                await self._flush()  # acknowledgements of commands
        except asyncio.CancelledError:
            if self._lost:
                raise self._lost
            raise
        finally:
            watch.cancel()
            self._drop()

    async def close(self, why):
        """Say goodbye within the time-out; a peer that does not listen hears it from the will."""
        try:
            await asyncio.wait_for_ms(self._say_goodbye(why), self._timeout_ms)
        except (LinkError, OSError, asyncio.TimeoutError):
            pass

    async def _say_goodbye(self, why):
        await self.send(Message("status", self._identity.farewell(why)))
        self._engine.disconnect()
        await self._flush()

    # The connection

    async def _read(self):
        try:
            n = await self._stream.read_into(self._buffer)
            if n:
                self._engine.receive(self._view[:n], self._clock.now())
                return
        except (ProtocolError, ValueError, OSError) as error:
            raise self._failure(error)
        raise self._failure(OSError(_CLOSED))

    async def _flush(self):
        """Send what the engine has; who comes second waits for the first."""
        while self._flushing:  # only while the network takes nothing
            await asyncio.sleep_ms(_BUSY_MS)
        self._flushing = True
        try:
            out = self._engine.next_out()
            while len(out):
                if self._stream is None:
                    raise LinkError("lost", "the connection is closed")
                try:
                    self._engine.sent(await self._stream.write(out))
                except (ValueError, OSError) as error:
                    raise self._failure(error)
                out = self._engine.next_out()
        finally:
            self._flushing = False

    def _failure(self, error):
        """The LinkError of what a connection raised, or of a CONNACK's return code."""
        try:
            from . import errors

            made = errors.failed(self._stage, error)
            del errors
            forget("links.errors")
            return made
        except MemoryError:
            return LinkError(self._stage, "failed; no memory is left to say why")

    async def _watch(self, reader):
        """Keep the engine's time; when it says that the connection is lost, cancel the reader
        with the reason.
        """
        while not self._lost:
            wait = self._engine.deadline() - self._clock.now()
            await asyncio.sleep_ms(max(_BUSY_MS, min(wait, _TICK_MS)))
            try:
                self._engine.on_timer(self._clock.now())
                while self._next_event():
                    pass
                # Who is at it sends ours too. Waiting for that, or without a deadline, we would
                # never find out that the peer is gone and the network's memory full.
                if not self._flushing and len(self._engine.next_out()):
                    await asyncio.wait_for_ms(self._flush(), self._timeout_ms)
            except asyncio.TimeoutError:
                why = "nothing could be sent for %d ms" % self._timeout_ms
                self._lost = LinkError("lost", why)
            except LinkError as error:
                self._lost = error
        reader.cancel()

    def _next_event(self):
        event = self._engine.next_event()
        if event:
            self._take(event)
        return event

    def _take(self, event):
        if event[0] == "puback":
            self._acked.set()
        elif event[0] == "lost":
            raise LinkError("ack" if "acknowledgement" in event[1] else "lost", event[1])
        elif event[0] == "publish":
            payload, retained, oversize = event[2:]
            problem = None
            if oversize:
                problem = "a command of %d bytes; at most %d are taken" % (oversize, _IN_BYTES)
            elif retained:
                problem = "a retained command, which would run again at every connection"
            try:
                self.on_command(None if problem else payload, problem)
            except Exception as error:  # whoever takes commands can't break the link
                log("umqtt", "a command was not taken: %r" % error)

    def _drop(self):
        if self._stream:
            self._stream.close()
        self._stream = None
        self._lost = None


def _bytes(text):
    return text.encode() if text is not None else None
