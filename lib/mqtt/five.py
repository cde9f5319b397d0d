"""What MQTT 5.0 adds to a session: Engine(..., five=Five({"receive_maximum": 20})).

Events carry `properties` where the packet had some, a dict, else None; "connack", "acked" and
"disconnect" have a reason code in `code`. After "connack" the engine keeps to what the broker
asked for: Receive Maximum, Maximum Packet Size, Maximum QoS, Retain Available, Server Keep Alive,
Assigned Client Identifier.

Topics are sent as a Topic Alias, as many as the broker takes; aliases that we allow
(`topic_alias_maximum`) are resolved. Enhanced authentication is refused.
"""

from . import properties
from .packet import ProtocolError, const

_CONNECT = const(1)
_CONNACK = const(2)
_PUBLISH = const(3)
_PUBREL = const(6)
_PUBCOMP = const(7)
_DISCONNECT = const(14)
_CLOSED = const(0)

_KEPT_S = const(604_800)  # how long a session is kept if nothing else is said
_CONNACK_CODES = (
    b"\0\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8c\x90\x95\x97\x99\x9a\x9b\x9c\x9d\x9f"
)
_ACK_CODES = b"\0\x10\x80\x83\x87\x90\x91\x97\x99"
_DISCONNECT_CODES = (
    b"\0\x80\x81\x82\x83\x87\x89\x8b\x8d\x8e\x8f\x90\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d"
    b"\x9e\x9f\xa0\xa1\xa2"
)


class Five:
    """`asked`: a dict of properties for CONNECT. For a kept session a Session Expiry Interval of a
    week is added if none is given; the engine adds Maximum Packet Size.
    """

    def __init__(self, asked=None):
        self.asked = dict(asked or {})
        if "authentication_method" in self.asked:
            raise ValueError("enhanced authentication is not supported")
        self.granted = {}  # the properties of CONNACK
        self._keepalive_ms = None  # what was configured
        self._aliases = {}  # topic -> its alias as a property
        self._aliases_in = {}
        self._most_aliases = 0

    # Out

    def begin(self, engine):
        """A connection begins; returns the properties of CONNECT and of the will."""
        if self._keepalive_ms is None:
            self._keepalive_ms = engine.keepalive_ms
        engine.keepalive_ms = self._keepalive_ms
        self._aliases.clear()
        self._aliases_in.clear()
        self._most_aliases = 0
        if not engine.clean:
            self.asked.setdefault("session_expiry_interval", _KEPT_S)
        will = b""
        if engine.will:
            more = engine.will[4] if len(engine.will) > 4 else None
            will = properties.encode(properties.WILL, more)
        return properties.encode(_CONNECT, self.asked), will

    def check(self, qos, retain, given):
        """The properties of a PUBLISH, encoded. Raises ValueError if this broker does not take
        such a publish.
        """
        granted = self.granted
        if qos > granted.get("maximum_qos", 2) or (
            retain and not granted.get("retain_available", 1)
        ):
            raise ValueError("this broker takes no retained message, or not this QoS")
        for name in given or ():  # not a client's, or ours to choose [MQTT-3.3.4-6] (5)
            if name in ("subscription_identifier", "topic_alias"):
                raise ValueError("no property here: %s" % name)
        return self.encoded(_PUBLISH, given)

    def encoded(self, kind, given):
        return properties.encode(kind, given) if given else b"\0"

    def alias(self, name, encoded):
        """What stands for a topic on the wire: (topic or b"", properties) (section 3.3.2.3.4)."""
        alias = self._aliases.get(name)
        if alias is None:
            number = len(self._aliases) + 1
            if number > self._most_aliases or len(name) < 4:
                return name, encoded
            alias = self._aliases[name] = b"\x03#" + number.to_bytes(2, "big")
        else:
            name = b""
        if len(encoded) == 1:
            return name, alias
        at = 1
        while encoded[at - 1] > 0x7F:
            at += 1
        return name, properties.variable(len(encoded) - at + 3) + alias[1:] + encoded[at:]

    # In

    def read(self, engine, kind, body, at):
        """Read the properties at `at`; returns where they end."""
        engine.properties, at = properties.decode(kind, body, at)
        return at

    def topic(self, engine, topic):
        """The topic of an inbound publish."""
        alias = engine.properties.pop("topic_alias", 0)
        if alias > self.asked.get("topic_alias_maximum", 0):
            raise ProtocolError("3.3.2-9 (5)", 0x94)
        if alias and topic:
            self._aliases_in[alias] = topic
        elif alias:
            topic = self._aliases_in.get(alias)
        if not topic:
            raise ProtocolError("3.3.2-8 (5)", 0x82)
        return topic

    def reason(self, engine, kind, body):
        """The reason code behind a packet id."""
        code = body[2]
        if code not in (_ACK_CODES if kind < _PUBREL else b"\0\x92"):
            raise ProtocolError("3.4.2-1 (5)", 0x82)
        if len(body) > 3 and self.read(engine, kind, body, 3) < len(body):
            raise ProtocolError("3.4.2 (5)")
        return code

    def connack(self, engine, body):
        """Section 3.2."""
        if len(body) < 3 or self.read(engine, _CONNACK, body, 2) != len(body):
            raise ProtocolError("3.2.2 (5)")
        if body[1] not in _CONNACK_CODES or "authentication_method" in engine.properties:
            raise ProtocolError("3.2.2-8 (5)", 0x82)

    def connected(self, engine):
        """Keep to what the broker asks for."""
        granted = self.granted = engine.properties
        if "server_keep_alive" in granted:  # [MQTT-3.1.2-21]
            engine.keepalive_ms = 1000 * granted["server_keep_alive"]
        if not engine.client_id:
            engine.client_id = granted.get("assigned_client_identifier", "")
        engine.most = min(engine.window, granted.get("receive_maximum", 65535))
        self._most_aliases = granted.get("topic_alias_maximum", 0)
        out_bytes = len(engine.out)
        engine.largest = min(out_bytes, granted.get("maximum_packet_size", out_bytes))
        for entry in engine.flight.entries:
            if entry.length > engine.largest and entry.awaits != _PUBCOMP:
                engine.over.append((entry, 0x95))  # this broker does not take it any more

    def control(self, engine, kind, body):
        """DISCONNECT and AUTH."""
        if kind != _DISCONNECT:
            raise ProtocolError("4.12.0-6 (5)", 0x8C)
        engine.code = body[0] if len(body) else 0
        good = engine.code in _DISCONNECT_CODES
        if len(body) > 1 and self.read(engine, _DISCONNECT, body, 1) < len(body):
            good = False
        if not good:
            raise ProtocolError("3.14.2-1 (5)")
        engine.state = _CLOSED
        return "disconnect"
