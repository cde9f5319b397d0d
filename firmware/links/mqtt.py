"""The link on lib/mqtt: MQTT 3.1.1 and 5.0, QoS 0, 1 and 2, several publishes at once.

    open():  host by host: resolve, connect, CONNECT with the will, SUBSCRIBE to the commands,
             publish the birth; one deadline over all of it
    run():   waits for the end of the connection, which the client serves
    send():  PUBLISH, and its last answer: PUBACK, or at QoS 2 PUBCOMP

At QoS 0 and 1 sessions are clean. At QoS 2 the broker keeps the session, and `owed` names the
messages that it may have already: the outbox makes each of them again from the same readings, and
`send` goes on with it where its handshake was; over a reset too (`firmware/once.py`). Commands are
then subscribed to at QoS 0, so that none waits at the broker for a device that is away.
"""

import asyncio
from binascii import crc32

from micropython import const

from mqtt.client import Client, Lost
from mqtt.packet import ProtocolError

from ..log import log
from . import LinkError, Message

_QOS_RETAIN = {  # INTERFACES, "Topics"; the QoS of data is configured
    "status": (1, True),
    "profile": (1, True),
    "responses": (1, False),
    "health": (0, True),
}
_IN_BYTES = const(512)  # the longest command, its topic included
_CONNECT_BYTES = const(768)  # the longest CONNECT: id, will, username and password
_COUNT_BITS = const(10)  # of a tag: how many readings; the rest is the first one's number


class Link:
    """`options` is the config's section `mqtt`; `clock` gives `now()` and `is_set()`."""

    def __init__(self, options, identity, clock, on_command, message_bytes=1024, resolver=None):
        self.options = options
        self.window = options["window"]
        self.refused = 0  # messages that the broker will never take
        self._identity = identity
        self._clock = clock
        self.on_command = on_command
        self._timeout_ms = int(options["timeout_s"] * 1000)
        self._hosts = [options["host"]] + options["hosts"]
        self._host = 0
        self._session_at = None  # the host that keeps our session
        self.settled = []  # tags of messages that are acknowledged, even if nobody waits
        self._tls = None
        self._topics = {}
        self._over = asyncio.Event()
        self._closing = False
        self._stage = ""
        self._client = Client(
            None,
            client_id=identity.id,
            protocol=options["protocol"],
            transport=_transport(options["websocket"]),
            timeout_s=options["timeout_s"],
            reconnect=None,
            resolver=resolver,
            username=options["username"],
            password=options["password"],
            will=(identity.topic("status"), identity.will(), 1, True),
            keepalive_s=options["keepalive_s"],
            clean=options["qos"] < 2,
            window=self.window + 1,  # and the farewell
            out_bytes=max(_CONNECT_BYTES, message_bytes + 192),
            in_bytes=_IN_BYTES,
        )
        self._client.inboxes = self  # `take` and `lost` are called by it
        self._client.on_acked = self.settled.append
        self.engine = self._client.engine

    # A session of QoS 2

    def has(self, first, last):
        """Does the outbox still have any of these readings? Set by `firmware/once.py`."""
        return False

    @property
    def owed(self):
        """(first, last) of the messages whose handshake has begun and which the outbox may still
        have, rising. Those that are settled must be made as they were too, to be known.
        """
        tags = [entry.tag for entry in self.engine.flight.entries if entry.tag]
        return sorted([self.numbers(tag) for tag in tags + self.settled])

    @staticmethod
    def tag(first, last):
        return first << _COUNT_BITS | last - first + 1

    @staticmethod
    def numbers(tag):
        first = tag >> _COUNT_BITS
        return first, first + (tag & (1 << _COUNT_BITS) - 1) - 1

    def keep(self, save):
        """`save(engine)` is called before a changed session shows outside."""
        self._client.save = save

    def state(self, tag_of):
        """The session as bytes."""
        from mqtt.resume import save

        return save(self.engine, self._whose(self._session_at), tag_of)

    def restore(self, data):
        """Go on with a session from before a reset; False if it is not at one of our brokers."""
        from mqtt.resume import restore

        for number, host in enumerate(self._hosts):
            if restore(self.engine, data, self._whose(host)):
                self._host = number
                self._session_at = host
                return True
        return False

    def _whose(self, host):
        return crc32(("%s %s" % (host, self._identity.id)).encode())

    # The connection

    async def open(self):
        try:
            await asyncio.wait_for_ms(self._open(), self._timeout_ms)
        except asyncio.TimeoutError:
            raise self._failed(Lost(self._stage, "no answer within %d ms" % self._timeout_ms))
        except MemoryError:  # a handshake takes more than anything else: no reason to start again
            raise self._failed(Lost(self._stage, "not enough memory"))
        except BaseException as error:
            raise self._failed(error)

    async def _open(self):
        client, identity = self._client, self._identity
        self._over.clear()
        self._closing = False
        self._stage = "tcp"
        host, port = _parts(self._hosts[self._host])
        client.host = host
        client.port = port or self.options["port"] or self._usual_port()
        client.tls = self._context() if self.options["tls"] else None
        known = await self._connect(host)
        self._stage = "ack"
        if not known:
            qos = 0 if self.options["qos"] == 2 else 1
            granted = await self._subscribe(identity.topic("commands"), qos)
            if granted > 2:
                raise LinkError(
                    "connack",
                    "the broker's access rules don't allow this device its commands",
                    False,
                )
        await client.publish(identity.topic("status"), identity.birth(), 1, True)
        self._stage = "lost"

    async def _connect(self, host):
        """Connect; a session that is not ours, or of whose past we know nothing, is ended first.
        Returns whether it is the one that we had.
        """
        client = self._client
        if client.engine.clean or host == self._session_at:
            return await client.connect()
        await client.connect(True)
        if not client.engine.five:
            self._closing = True  # and opening: this end is ours
            await client.disconnect()
            self._closing = False
            await client.connect()
        self._session_at = host
        return False

    async def _subscribe(self, topic, qos):
        client = self._client
        packet_id = client.engine.subscribe([topic, qos])
        client.work.set()
        return (await client.answer(packet_id))[0]

    def _usual_port(self):
        if self.options["websocket"]:
            return 443 if self.options["tls"] else 80
        return 8883 if self.options["tls"] else 1883

    def _context(self):
        from .tls import ready

        self._tls = ready(self._tls, self.options["tls"], self._clock)
        return self._tls

    async def send(self, message):
        kind = message.kind
        qos, retain = _QOS_RETAIN.get(kind) or (self.options["qos"], False)
        topic = self._topics.get(kind)
        if topic is None:
            topic = self._topics[kind] = self._identity.topic(kind)
        try:
            if qos == 2:
                await self._send_once(topic, message)
            else:
                await self._client.publish(topic, message.payload, qos, retain)
        except Exception as error:
            self._refuse(error, message)
        if not qos:
            await asyncio.sleep_ms(0)  # nothing was waited for, and others want their turn

    async def _send_once(self, topic, message):
        """QoS 2: go on with the message's handshake if it has begun. What is left of one that
        can't be made whole any more goes under its packet id: the broker takes either, once.
        """
        client = self._client
        tag = self.tag(message.first, message.last)
        known = tag in self.settled
        self.settled[:] = [t for t in self.settled if t != tag and self.has(*self.numbers(t))]
        if known:
            return
        from mqtt.resume import abandon, is_owed, supply

        for entry in self.engine.flight.entries:
            first, last = self.numbers(entry.tag)
            if first <= message.first and message.last <= last:
                if supply(self.engine, entry.tag, topic, message.payload):
                    entry.tag = tag
                    client.work.set()
                if entry.tag == tag:
                    await client.answer(entry.packet_id)
                return  # else all of it is the broker's
            if entry.tag and is_owed(entry) and not self.has(first, last):
                abandon(entry)
                entry.tag = 0
        await client.publish(topic, message.payload, 2, tag=tag)

    def _refuse(self, error, message):
        """Decide what becomes of a message that was not taken. Readings that the broker will never
        take are set aside; of any other refusal they wait for the end. What else it refuses is the
        uplink's to drop and to count, so that it holds up no reading.
        """
        if isinstance(error, ProtocolError) or not (
            isinstance(error, ValueError) or hasattr(error, "code")
        ):
            raise self._failed(error)
        if message.kind != "data":
            raise ValueError(str(error))
        # Its topic, size or form, or too large for us to send: no trying again will help.
        if isinstance(error, ValueError) or error.code in b"\x90\x95\x99":
            self.refused += 1
            log("mqtt", "set aside, %d so far: %s" % (self.refused, error))
        else:
            raise LinkError("ack", str(error), retry=False)

    async def run(self):
        try:
            await self._over.wait()
            raise self._failed(self._client.error)
        finally:
            self._drop()

    async def close(self, why):
        """Say goodbye within the time-out; a peer that does not listen hears it from the will."""
        self._closing = True
        try:
            farewell = Message("status", self._identity.farewell(why))
            await asyncio.wait_for_ms(self.send(farewell), self._timeout_ms)
        except (LinkError, ValueError, asyncio.TimeoutError):
            pass
        await self._client.disconnect()

    # What the client tells

    def take(self, engine):
        """A command came."""
        problem = None
        if engine.skipped:
            problem = "a command of %d bytes; at most %d are taken" % (engine.skipped, _IN_BYTES)
        elif engine.retain:
            problem = "a retained command, which would run again at every connection"
        if engine.qos:
            engine.accept(engine.packet_id)
        try:
            self.on_command(None if problem else bytes(engine.payload), problem)
        except Exception as error:  # whoever takes commands can't break the link
            log("mqtt", "a command was not taken: %r" % error)

    def lost(self, new_session=False):
        """The payloads are in buffers that the outbox uses again from now on."""
        if not new_session:
            from mqtt.resume import detach

            detach(self._client.engine)
            if not self._closing:
                self._over.set()

    def _failed(self, error):
        """The LinkError of what a connection raised; the next one is made with the next host."""
        self._drop()
        if not isinstance(error, Exception) or isinstance(error, LinkError):
            made = error
        else:
            from . import errors_mqtt

            made = errors_mqtt.failed(error)
        if isinstance(made, LinkError) and made.stage != "lost":
            self._host = (self._host + 1) % len(self._hosts)
            server = getattr(error, "properties", {}).get("server_reference", "")
            if server and error.code in (0x9C, 0x9D):
                self._hosts[:0] = [server.split(" ")[0]]
                self._host = 0
        return made

    def _drop(self):
        from mqtt.life import drop

        drop(self._client, Lost("lost", "the connection is given up"))


def _transport(path):
    """MQTT over WebSocket if there is a path for it, else None: over TCP."""
    if path is None:
        return None
    from websocket.stream import transport

    return transport(path, "mqtt")


def _parts(host):
    """A host and a port, or None, of "host" or "host:port"; an IPv6 address has several colons."""
    name, colon, port = host.rpartition(":")
    if colon and ":" not in name and port.isdigit():
        return name, int(port)
    return host, None
