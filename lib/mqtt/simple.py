"""umqtt.simple's interface on this client. Nothing happens between two calls: check often."""

import asyncio

from .client import Client
from .errors import Refused as MQTTException  # noqa: F401 (as umqtt.simple calls it)

_run = asyncio.get_event_loop().run_until_complete


class MQTTClient:
    def __init__(self, client_id, server, port=0, user=None, password=None, keepalive=0, ssl=None):
        self._options = {"host": server, "port": port or None, "client_id": client_id, "tls": ssl,
                         "username": user, "password": password, "keepalive_s": keepalive}

    def set_callback(self, f):
        self.cb = f

    def set_last_will(self, topic, msg, retain=False, qos=0):
        self._options["will"] = (topic, msg, qos, retain)

    def connect(self, clean_session=True, timeout=None):
        self._boxes = []
        self._client = Client(clean=clean_session, timeout_s=timeout or 10, reconnect=None,
                              **self._options)
        return _run(self._client.connect())

    def disconnect(self):
        _run(self._client.disconnect())

    def publish(self, topic, msg, retain=False, qos=0):
        _run(self._client.publish(topic, msg, qos, retain))
        _run(self._turns())  # one of QoS 0 leaves now

    def subscribe(self, topic, qos=0):
        self._boxes.append(self._client.messages(topic))
        _run(self._client.subscribe(topic, qos))

    def check_msg(self):
        """Give a message that has arrived to the callback; returns True if there was one."""
        _run(self._turns())
        for box in self._boxes:
            if box.messages:
                message = _run(box.__anext__())
                for other in self._boxes:  # it may match several filters
                    if message in other.messages:
                        other.messages.remove(message)
                self.cb(message.topic.encode(), message.payload)
                return True

    ping = check_msg  # the client pings by itself, when it has its turn

    def wait_msg(self):
        while not self.check_msg():
            _run(self._client.movement())

    async def _turns(self):
        for _ in range(3):  # for the tasks that read, write and acknowledge
            await asyncio.sleep_ms(0)
