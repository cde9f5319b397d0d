"""Messages of an MQTT broker, acknowledged when they are on disk.

The session is a long one under a name that never changes: what comes while the gateway is away
waits at the broker. paho's own thread reads the connection and hands each message to the writer,
whose thread acknowledges it. How many may be under way unacknowledged is the receive maximum of
MQTT 5; with 3.1.1 the broker's own limit holds (Mosquitto: 20), and throughput with it.
"""

import functools
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from petrel.errors import one_line
from petrel.gateway.message import Arrival
from petrel.listen import introduce, trust

KEEPALIVE_S = 30
CONNECT_S = 10
RECONNECT_S = (1, 30)
UNSHARED = ("devices/+/profile", "devices/+/responses")
"""What each of several gateways needs for itself: to read frames, and answers to commands."""


class MqttSource:
    """settings: a config.Mqtt. arrived(arrival, done): takes each message, from paho's thread.

    state: what a person is told. connects, unwanted: connections; QoS 0 messages that found the
    writer too far behind.
    """

    def __init__(self, settings, client_id, arrived, say):
        self.settings, self._arrived, self._say = settings, arrived, say
        self.target = settings.target
        self.state, self.connects, self.unwanted = "connecting", 0, 0
        self._connection, self._lock = 0, threading.RLock()
        self._pending = 0
        five = settings.protocol == "5"
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id, manual_ack=True,
            protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
            **({} if five else {"clean_session": False}),
        )
        self._client.connect_timeout = CONNECT_S
        self._client.reconnect_delay_set(*RECONNECT_S)
        for name in ("connect", "connect_fail", "disconnect", "subscribe", "message"):
            setattr(self._client, f"on_{name}", getattr(self, f"_on_{name}"))
        tls = trust(settings.ca, settings.cert, settings.key) if self.target.secure else None
        introduce(self._client, self.target, tls)

    def start(self):
        """Connect, and again whenever that is needed."""
        more = {}
        if self.settings.protocol == "5":
            session = Properties(PacketTypes.CONNECT)
            session.SessionExpiryInterval = self.settings.session_s
            session.ReceiveMaximum = self.settings.receive_maximum
            more = {"clean_start": False, "properties": session}
        self._client.connect_async(self.target.host, self.target.port, KEEPALIVE_S, **more)
        self._client.loop_start()

    def stop(self):
        """Say goodbye; the session stays."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic, payload):
        """Send at QoS 1; raises ConnectionError while there is no connection."""
        if not self._client.is_connected():
            raise ConnectionError(f"{self.target.place} is not connected")
        self._client.publish(topic, payload, qos=1)

    # ---- paho's thread

    def _on_connect(self, client, _userdata, flags, code, _properties):
        if code.is_failure:
            self._tell(f"refuses the connection: {code}".lower())
            return
        self.connects += 1
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        if self.settings.protocol == "5":
            client.subscribe([(topic, options) for topic in self._topics()])
        elif not flags.session_present:
            client.subscribe([(topic, 1) for topic in self._topics()])
        else:
            self._tell("connected")

    def _on_connect_fail(self, *_):
        self._tell(f"does not answer; trying again every {RECONNECT_S[1]} s at the latest")

    def _on_disconnect(self, _client, _userdata, _flags, code, _properties):
        with self._lock:  # acknowledgements of what came until now would mean other messages
            self._connection += 1
        if code.is_failure and self.state == "connected":
            self._tell(f"connection lost: {code}".lower())

    def _on_subscribe(self, _client, _userdata, _mid, codes, _properties):
        refused = [topic for topic, code in zip(self._topics(), codes, strict=False)
                   if code.is_failure]
        self._tell(f"refuses the subscription to {', '.join(refused)}" if refused else "connected")

    def _on_message(self, _client, _userdata, message):
        arrival = Arrival(
            message.topic, message.payload, time.time_ns() // 1_000_000, message.retain,
            "MQTT",
        )
        if message.qos == 0 and self._pending >= self.settings.receive_maximum:
            self.unwanted += 1
            return
        with self._lock:
            self._pending += 1
        self._arrived(arrival, functools.partial(
            self._acknowledge, self._connection, message.mid, message.qos
        ))

    def _topics(self):
        share = self.settings.share
        if not share:
            return [*self.settings.topics]
        return [*(f"$share/{share}/{topic}" for topic in self.settings.topics), *UNSHARED]

    def _tell(self, state):
        if state != self.state:
            self.state = state
            self._say(f"{self.target.place} {one_line(state)}")

    # ---- the writer's thread

    def _acknowledge(self, connection, mid, qos):
        """The message is on disk. After a reconnection the broker sends it again, to be
        acknowledged then.
        """
        with self._lock:
            self._pending -= 1
            if qos and connection == self._connection:
                self._client.ack(mid, qos)
