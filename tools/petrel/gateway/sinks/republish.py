"""Messages to another MQTT broker, under the topics they came by, or a prefix and those.

    devices/shed/data        {"s":7,"n":1,"t":25.5}     JSON, whatever format it came in
    devices/shed/status      {"status":"online"}        retained, as from the device
    sensors/roof             23.5                       what is no reading: as it came

A batch is published at QoS 1, and delivered when the broker has acknowledged all of it. After a
failure the connection is given up and the batch repeated on another: the peer may get a message
twice, and order is kept.
"""

import asyncio
import base64
import binascii
import json
import zlib

import paho.mqtt.client as mqtt

from petrel.errors import one_line
from petrel.gateway.pace import Refused, Retry
from petrel.gateway.sources.mqtt import CONNECT_S, KEEPALIVE_S
from petrel.listen import introduce, trust

_RETAINED = ("status", "health")
_CLOSE_S = 2
_NEVER = ("Not authorized", "Topic Name invalid", "Packet too large", "Payload format invalid")
"""Reasons of MQTT 5 (section 3.4.2.1) for which a message will not be taken later either."""


class Republish:
    """settings: a config_sinks.Republish."""

    keyed = False

    def __init__(self, settings):
        self.name, self.topics, self.most = settings.name, settings.topics, settings.batch
        self.retry_max_s = settings.retry_max_s
        self._settings, self._link = settings, None
        self._tls = None
        if settings.target.secure:
            self._tls = trust(settings.ca, settings.cert, settings.key)

    async def open(self, spool_name):
        own = f"petrel-{spool_name}-{zlib.crc32(self.name.encode()):08x}"
        self._client_id = self._settings.client_id or own

    async def close(self):
        link, self._link = self._link, None
        if link:
            await link.close()

    async def deliver(self, messages, key):
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                if self._link is None or self._link.lost:
                    await self.close()
                    self._link = _Link(self._settings, self._client_id, self._tls)
                    await self._link.connected
                judge(await self._link.publish(
                    [(self._settings.prefix + m.topic, payload_of(m), m.kind in _RETAINED)
                     for m in messages]))
        except Refused:
            raise
        except BaseException as error:
            await self.close()
            if isinstance(error, TimeoutError):
                raise Retry(f"no acknowledgement within {self._settings.timeout_s} s") from error
            if isinstance(error, OSError):
                raise Retry(one_line(error)) from error
            if isinstance(error, ValueError):  # paho's, for a topic or a size that can't be
                raise Refused(one_line(error)) from error
            raise


def payload_of(message):
    """The bytes of a message: what is no JSON is stored as a string, or as base64."""
    text = message.data
    if message.kind == "other" and text.startswith(('"', '{"base64"')):
        found = json.loads(text)
        if isinstance(found, str):
            return found.encode(errors="replace")
        if found.keys() == {"base64"} and isinstance(found["base64"], str):
            try:
                return base64.b64decode(found["base64"], validate=True)
            except binascii.Error:
                pass
    return text.encode(errors="replace")


def judge(answers):
    """Raises Retry, Refused or a ConnectionError unless the broker took all of a batch.

    answers: reason codes, or the error of the connection where none came. Mosquitto 2.0.11 says
    why it refuses a message and hangs up: then the message is meant, not the connection.
    """
    lost = [answer for answer in answers if isinstance(answer, ConnectionError)]
    failed = [str(answer) for answer in answers if answer not in lost and answer.is_failure]
    if failed:
        raise (Refused if all(reason in _NEVER for reason in failed) else Retry)(failed[0].lower())
    if lost:
        raise lost[0]


class _Link:
    """One connection. connected: a future. lost: why it is no longer one."""

    def __init__(self, settings, client_id, tls):
        self._loop = asyncio.get_running_loop()
        self.connected, self._waiting, self.lost = self._loop.create_future(), {}, None
        target = settings.target
        self._place = target.place
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id, reconnect_on_failure=False,
            protocol=mqtt.MQTTv5 if settings.protocol == "5" else mqtt.MQTTv311)
        self._client.connect_timeout = CONNECT_S
        self._client.max_inflight_messages_set(settings.batch)
        introduce(self._client, target, tls)
        self._client.on_connect = lambda _c, _u, _f, code, _p: self._hear(self._connected, code)
        self._client.on_connect_fail = lambda *_: self._hear(self._fail, "does not answer")
        self._client.on_disconnect = lambda _c, _u, _f, code, _p: self._hear(
            self._fail, f"connection lost: {code}".lower())
        self._client.on_publish = lambda _c, _u, mid, code, _p: self._hear(self._taken, mid, code)
        self._client.connect_async(target.host, target.port, KEEPALIVE_S)
        self._client.loop_start()

    async def publish(self, items):
        """The broker's reasons for (topic, payload, retained) each, in order, or an error."""
        if self.lost:
            raise self.lost
        futures = []
        for topic, payload, retained in items:
            mid = self._client.publish(topic, payload, qos=1, retain=retained).mid
            futures.append(self._loop.create_future())
            self._waiting[mid] = futures[-1]
        return await asyncio.gather(*futures, return_exceptions=True)

    async def close(self):
        """Give it up; what is under way on it does not arrive later."""
        self._client.disconnect()
        ending = asyncio.create_task(asyncio.to_thread(self._client.loop_stop))
        await asyncio.wait([ending], timeout=_CLOSE_S)

    # ---- paho's thread hands everything over to the loop's

    def _hear(self, work, *arguments):
        self._loop.call_soon_threadsafe(work, *arguments)

    def _connected(self, code):
        if code.is_failure:
            self._fail(f"refuses the connection: {code}".lower())
        elif not self.connected.done():
            self.connected.set_result(None)

    def _taken(self, mid, code):
        future = self._waiting.pop(mid, None)
        if future and not future.done():
            future.set_result(code)

    def _fail(self, why):
        self.lost = ConnectionError(f"{self._place} {why}")
        for future in (self.connected, *self._waiting.values()):
            if not future.done():
                future.set_exception(self.lost)
