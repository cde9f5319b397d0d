"""What MQTT 5.0 adds to a session.

Events carry `properties` where the packet had some, a dict, else None; "connack", "acked" and
"disconnect" a reason code in `code` and the broker's words in `reason()`. After "connack" the
engine keeps to what the broker asked for: Receive Maximum, Maximum Packet Size, Maximum QoS,
Retain Available, Server Keep Alive, Assigned Client Identifier.

Topics are sent as a Topic Alias, as many as the broker takes; aliases that we allow
(`topic_alias_maximum` in `connect_properties`) are resolved. Enhanced authentication is refused.
"""

from . import packet, properties
from .packet import ProtocolError, const
from .session import Engine

_CONNECT = const(1)
_CONNACK = const(2)
_PUBLISH = const(3)
_PUBREL = const(6)
_DISCONNECT = const(14)
_AUTH = const(15)
_PINGRESP = const(13)
_CLOSED = const(0)
_OPEN = const(2)

_KEPT_S = const(604_800)  # how long a session is kept if nothing else is said
_CONNACK_CODES = (
    b"\0\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8c\x90\x95\x97\x99\x9a\x9b\x9c\x9d\x9f"
)
_ACK_CODES = b"\0\x10\x80\x83\x87\x90\x91\x97\x99"
_DISCONNECT_CODES = (
    b"\0\x80\x81\x82\x83\x87\x89\x8b\x8d\x8e\x8f\x90\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d"
    b"\x9e\x9f\xa0\xa1\xa2"
)


class Engine5(Engine):
    """One session with one broker, MQTT 5.0; arguments as for `Engine`, and

    connect_properties: a dict for CONNECT. Maximum Packet Size is set here, and for a session that
    is kept a Session Expiry Interval of a week if none is given. `will` may have a dict behind it.
    """

    level = 5
    unknown_id = 0x92

    def __init__(self, client_id, connect_properties=None, in_bytes=1024, **options):
        super().__init__(client_id, in_bytes=in_bytes, **options)
        asked = self.asked = dict(connect_properties or {})
        if "authentication_method" in asked:
            raise ValueError("enhanced authentication is not supported")
        asked["maximum_packet_size"] = in_bytes
        if not self.clean:
            asked.setdefault("session_expiry_interval", _KEPT_S)
        self.granted = {}  # the properties of CONNACK
        self._keepalive_ms = self.keepalive_ms
        self._aliases = {}  # topic -> its alias, as the one property
        self._aliases_in = {}
        self._most_aliases = 0

    def reason(self):
        """The broker's words about the last event, or ""."""
        return (self.properties or {}).get("reason_string", "")

    def _connect(self):
        from .opening import connect

        self.keepalive_ms = self._keepalive_ms
        self._aliases.clear()
        self._aliases_in.clear()
        self._most_aliases = 0
        self._largest = len(self._out)
        self.most = self.window
        wills = b""
        if self.will:
            wills = properties.encode(properties.WILL, self.will[4] if self.will[4:] else None)
        return connect(self, self._out, properties.encode(_CONNECT, self.asked), wills)

    def publish(self, topic, payload, qos=0, retain=False, properties=None):
        if topic is not self._topic:
            self._name = packet.topic_name(topic)
            self._topic = topic
        name = self._name
        encoded = self.encoded(_PUBLISH, properties)
        length = 13 + len(name) + len(encoded) + len(payload)
        self.check_size(length)
        if qos > self.granted.get("maximum_qos", 2):
            raise ValueError("this broker takes QoS %d at most" % self.granted["maximum_qos"])
        if retain and not self.granted.get("retain_available", 1):
            raise ValueError("this broker retains nothing")
        if qos:
            return self._depart(name, payload, qos, retain, encoded)
        if self.state != _OPEN or self._end + length > len(self._out):
            return None
        if self._most_aliases:
            name, encoded = self.alias(name, encoded)
        self._end = packet.publish(
            self._out, self._end, 0x31 if retain else 0x30, name, 0, payload, encoded
        )
        return 0

    def alias(self, name, encoded):
        """What stands for a topic on the wire: (topic or b"", properties) (section 3.3.2.3.4)."""
        alias = self._aliases.get(name)
        if alias is None:
            number = len(self._aliases) + 1
            if number > self._most_aliases or len(name) < 4:
                return name, encoded
            alias = self._aliases[name] = b"#" + number.to_bytes(2, "big")
        else:
            name = b""
        if len(encoded) == 1:
            return name, b"\x03" + alias
        at = 1
        while encoded[at - 1] > 0x7F:
            at += 1
        return name, properties.variable(len(encoded) - at + 3) + alias + encoded[at:]

    def encoded(self, kind, given):
        return properties.encode(kind, given) if given else b"\0"

    def next_event(self):
        self.properties = None
        try:
            return super().next_event()
        except ProtocolError as error:
            if self.state == _OPEN:  # say why [MQTT-4.13.1-1]
                self.disconnect(error.code)
            raise

    def _disconnect(self, code):
        if not code:
            return super()._disconnect(code)
        at = packet.head(self._out, self._end, 0xE0, 1)
        self._out[at] = code
        return at + 1

    def end_of_properties(self, kind, body, at):
        self.properties, at = properties.decode(kind, body, at)
        return at

    def topic_in(self, topic):
        alias = self.properties.pop("topic_alias", 0)
        if alias > self.asked.get("topic_alias_maximum", 0):  # [MQTT-3.3.2-9]
            raise ProtocolError("topic alias %d" % alias, 0x94)
        if alias and topic:
            self._aliases_in[alias] = topic
        elif alias:
            topic = self._aliases_in.get(alias)
        if not topic:
            raise ProtocolError("a publish without a topic", 0x82)
        return topic

    def _reason(self, kind, body):
        if len(body) < 3:
            return 0
        code = body[2]
        if code not in (_ACK_CODES if kind < _PUBREL else b"\0\x92"):
            raise ProtocolError("reason code 0x%02x of packet type %d" % (code, kind), 0x82)
        if len(body) > 3 and self.end_of_properties(kind, body, 3) < len(body):
            raise ProtocolError("a packet of type %d with too much" % kind)
        return code

    def _connack(self, body):
        """Section 3.2."""
        if len(body) < 3 or self.end_of_properties(_CONNACK, body, 2) != len(body):
            raise ProtocolError("a CONNACK of %d bytes" % len(body))
        granted = self.properties
        if body[1] not in _CONNACK_CODES or "authentication_method" in granted:
            raise ProtocolError("CONNACK with code 0x%02x" % body[1], 0x82)
        event = self._connected(body[0], body[1])
        if not self.code:
            self.granted = granted
            if "server_keep_alive" in granted:
                self.keepalive_ms = 1000 * granted["server_keep_alive"]  # [MQTT-3.1.2-21]
            if not self.client_id:
                self.client_id = granted.get("assigned_client_identifier", "")
            self.most = min(self.window, granted.get("receive_maximum", 65535))
            self._most_aliases = granted.get("topic_alias_maximum", 0)
            self.flight.alias = self.alias if self._most_aliases else None
            self._largest = min(self._largest, granted.get("maximum_packet_size", self._largest))
            for entry in self.flight.entries:
                if entry.length > self._largest and entry not in self._over:
                    entry.code = 0x95  # it can't be sent to this broker any more
                    self._over.append(entry)
        return event

    def _control(self, kind, body):
        if kind == _PINGRESP:
            return super()._control(kind, body)
        if kind == _AUTH:
            raise ProtocolError("enhanced authentication is not supported", 0x8C)
        self.code = body[0] if len(body) else 0
        good = self.code in _DISCONNECT_CODES
        if len(body) > 1 and self.end_of_properties(_DISCONNECT, body, 1) < len(body):
            good = False
        if not good:
            raise ProtocolError("a DISCONNECT that can't be")
        self.state = _CLOSED
        return "disconnect"
