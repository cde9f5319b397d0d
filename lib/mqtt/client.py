"""An MQTT client for asyncio: the edge between the engine (`session.py`) and a byte stream.

    async with Client("127.0.0.1", client_id="greenhouse") as client:
        await client.subscribe("greenhouse/+/set", qos=1)
        await client.publish("greenhouse/t", b"21.5", qos=1)
        async for message in client.messages("greenhouse/+/set"):
            print(message.topic, message.payload)

One task reads, one writes, one keeps the time. What publishers write in one turn of the loop
leaves in one segment.

A **transport** is `async connect(host, port, resolver, tls)` that returns a stream:

    await read_into(buffer)    waits for bytes, returns how many, 0 at the peer's end
    await write(view)          sends what the network takes, at least a byte; returns how many
    close()                    at once

`tcp.connect` is one, `websocket.connect` another. Errors are OSError, and ValueError for a
certificate that does not verify.
"""

import asyncio

import tcp

from . import Lost


class Client:
    """A connection to one broker, made again with the same session whenever it is lost.

    host, port      None: 1883, with `tls` 8883
    client_id       text; "" lets a 5.0 broker choose (`client.client_id` tells)
    protocol        "3.1.1" or "5"
    username, password    text or bytes
    will            (topic, payload, qos, retain), in 5.0 also a dict of properties
    tls             an `ssl.SSLContext`, which verifies the broker
    transport       how a stream is made, see above; None is `tcp.connect`
    keepalive_s     a silent connection is given up after 1.25 times as long
    timeout_s       deadline over DNS, TCP, TLS and CONNACK together, and of acknowledgements
    clean           False: the broker keeps the session while we are away
    properties      of CONNECT (5.0), a dict: {"session_expiry_interval": 3600, ...}
    window          QoS 1 and 2 publishes that may wait for their acknowledgement at once
    reconnect       (shortest, longest) delay in ms; None: whoever calls `connect` decides
    out_bytes       memory for what waits to be sent: the largest packet that can be published
    in_bytes        memory for an inbound packet: a larger publish is skipped and counted
    """

    def __init__(
        self,
        host,
        port=None,
        client_id="",
        protocol="3.1.1",
        username=None,
        password=None,
        will=None,
        tls=None,
        transport=None,
        keepalive_s=60,
        timeout_s=10,
        clean=True,
        properties=None,
        window=8,
        reconnect=(1000, 60_000),
        out_bytes=1280,
        in_bytes=1024,
    ):
        self._transport = transport or tcp.connect
        self._lost = asyncio.Event()

    async def __aenter__(self):
        """`connect`, and from then on reconnect by itself."""
        await self.connect()
        return self

    async def __aexit__(self, *_):
        """`disconnect`."""
        await self.disconnect()

    async def connect(self):
        """Make a connection; returns whether the broker had kept our session. Raises
        `tcp.ConnectError`, `Lost` (both OSError) or `Refused`.
        """
        raise Lost("closed", "not written yet")

    async def publish(self, topic, payload, qos=0, retain=False, properties=None):
        """QoS 0: returns when the message is on its way. QoS 1 and 2: when the broker has taken
        responsibility, over however many connections that takes.

        topic: text or bytes. payload: bytes, text or memoryview; it must not change meanwhile.
        An empty payload with `retain` clears a retained message. Raises ValueError for what MQTT
        does not allow or `out_bytes` can't hold, Refused (5.0) when the broker does not want it,
        Lost when there is no connection and `reconnect` is None.
        """
        raise NotImplementedError

    async def subscribe(self, topic_filter, qos=0, **options):
        """Returns the QoS that the broker grants; raises Refused. Options (5.0): no_local,
        retain_as_published, retain_handling, and `properties`. Done again by itself when the
        broker has lost the session.
        """
        raise NotImplementedError

    async def unsubscribe(self, topic_filter):
        raise NotImplementedError

    def messages(self, topic_filter="#", size=8):
        """Return an asynchronous iterator over the messages that match: each has `topic` (text),
        `payload` (bytes), `qos`, `retain`, `dup` and `properties` (5.0: a dict, else None).

        It keeps at most `size`; a QoS 0 message that finds it full is dropped and counted
        (`client.dropped`). QoS 1 and 2 messages are acknowledged when they are taken.
        """
        raise NotImplementedError

    async def disconnect(self, code=0):
        """Send what waits, say goodbye within `timeout_s`, close; the broker forgets the will."""
        raise NotImplementedError
