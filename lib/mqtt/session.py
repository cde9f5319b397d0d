"""An MQTT client's session, without I/O: bytes and milliseconds in, bytes and events out.

            connect()             CONNACK, code 0
    CLOSED ----------> CONNECTING ---------------> OPEN
      ^                    |                         |
      +--------------------+-------------------------+
        lost(); a refusal; "lost"; "disconnect"

One engine serves one connection after the other. What was published at QoS 1 or 2 and is not
acknowledged outlives a connection and is sent again on the next, in its order, with its packet id:

    QoS 1    PUBLISH --> PUBACK                              "acked"
    QoS 2    PUBLISH --> PUBREC --> PUBREL --> PUBCOMP       "acked"
    inbound  "publish", accept() --> PUBACK, or PUBREC; PUBREL --> PUBCOMP

If the broker has lost the session, publishes begin anew and the rest is forgotten.

After `receive` and `on_timer`, call `next_event` until it returns None. An event is a name; what
belongs to it stands in attributes of the engine until the next call:

    "connack"     code, session_present; with a code other than 0 the connection is over
    "publish"     topic (bytes), payload (a memoryview), qos, retain, dup, packet_id for `accept`;
                  skipped: size of a packet too large for `in_bytes`, whose payload was not kept
                  and which is acknowledged already, else 0
    "acked"       packet_id, code: 0x80 and more is a refusal (5.0)
    "suback"      packet_id, codes (a memoryview), one a filter: granted QoS, or 0x80 and more
    "unsuback"    packet_id, codes
    "disconnect"  code (5.0): the broker ends the connection
    "lost"        text: nothing can be expected of this connection any more

What 5.0 has more is in `five.py`: Engine(..., five=Five()).
"""

from . import packet
from .flight import Flight
from .packet import ProtocolError, const

_CONNACK = const(2)
_PUBLISH = const(3)
_PUBACK = const(4)
_PUBREC = const(5)
_PUBREL = const(6)
_SUBACK = const(9)
_UNSUBACK = const(11)
_PINGRESP = const(13)

_CLOSED = const(0)
_CONNECTING = const(1)
_OPEN = const(2)

_MOST_OWED = const(32)  # answers that wait to be sent; more input is not looked at before

class Engine:
    """One session with one broker.

    client_id, username, password: text or bytes. will: (topic, payload, qos, retain), in 5.0 with
    a dict of properties behind it. keepalive_s: 0 to 65535, 0: none. ack_ms: the longest wait
    without any answer that is owed to us. clean: a session ends with its connection. window: QoS 1
    and 2 publishes under way at once. five: a `five.Five` makes it MQTT 5.0, None is 3.1.1.
    Memory: out_bytes + in_bytes, and 80 bytes a publish under way (5.0: 96); its payload is the
    caller's and must not change until it is "acked".
    """

    code = tag = 0  # of the event
    properties = None  # of the event, a dict (5.0)

    def __init__(
        self, client_id, keepalive_s=60, ack_ms=10_000, clean=True, will=None, username=None,
        password=None, window=8, out_bytes=512, in_bytes=512, five=None
    ):
        if not five and ((not clean and not client_id) or (password and username is None)):
            raise ValueError("client id or username missing")  # [MQTT-3.1.3-7] [MQTT-3.1.2-22]
        self.client_id = client_id
        self.keepalive_ms = int(keepalive_s * 1000)
        self.ack_ms = ack_ms
        self.clean = clean
        self.will = will
        self.username = username
        self.password = password
        self.five = five
        self.window = self.most = window  # `most`: what the broker allows too (5.0)
        self.largest = out_bytes  # packet that may be sent
        self.state = _CLOSED
        self.changed = False  # what `resume.py` saves has changed; whoever saves it clears this
        self.flight = Flight()
        self.inbound = None  # made with the first inbound publish
        self.over = ()  # (publish, code) of those that need no answer any more
        self.out = bytearray(out_bytes)
        self._view = memoryview(self.out)
        self._start = self._end = 0  # what is to be sent
        self._owed = []  # answers to be sent: type << 24 | packet id << 8 | reason code
        if five:
            five.asked["maximum_packet_size"] = in_bytes
        self._split = packet.Splitter(in_bytes, five is not None)
        self._data = b""
        self._at = 0
        self._name = self._topic = None  # the last topic as bytes, and as it was given
        self._now = self._received_ms = self._said_ms = 0
        self._due_ms = 0  # deadline of the next answer to us, 0: the wait begins with `on_timer`
        self._pinged = False

    # What the caller says

    def connect(self, now, clean=None):
        """Begin a connection: write CONNECT; `clean` overrides the engine's for this one. Raises
        ValueError if it can't be written.
        """
        from .opening import connect

        self._now = self._received_ms = self._said_ms = now
        self._due_ms = now + self.ack_ms
        self._pinged = False
        self.clean_now = self.clean if clean is None else clean
        self._end = connect(self, self.out)
        self.state = _CONNECTING

    def publish(self, topic, payload, qos=0, retain=False, properties=None):
        """Publish, and return the packet id: 0 at QoS 0. Returns None, and does nothing, while
        there is no room: at QoS 0 among the bytes that wait to be sent, else in the window.

        topic: text or bytes; giving the same object again is fastest. payload: bytes or a
        memoryview. Raises ValueError.
        """
        if topic is not self._topic:
            self._name = packet.encoded(topic, b"+#")
            self._topic = topic
        name, five = self._name, self.five
        if five:
            encoded = five.check(qos, retain, properties)
        elif properties:
            raise ValueError("3.1.1 has no properties")
        else:
            encoded = b""
        length = 13 + len(name) + len(encoded) + len(payload)
        if length > self.largest or qos > 2:
            raise ValueError("QoS %d, %d bytes; at most %d" % (qos, length, self.largest))
        if self.state != _OPEN or (qos and len(self.flight.entries) >= self.window):
            return None
        if qos:
            if qos == 2:
                self.changed = True
            first = 0x30 | qos << 1 | retain
            awaits = _PUBACK if qos == 1 else _PUBREC
            return self.flight.depart(awaits, first, name, payload, encoded).packet_id
        if self._end + length > len(self.out):
            return None
        if five:
            name, encoded = five.alias(name, encoded)
        first = 0x31 if retain else 0x30
        self._end = packet.publish(self.out, self._end, first, name, 0, payload, encoded)
        return 0

    def subscribe(self, topics, properties=None):
        """Ask for `topics`, a list of filter (text or bytes) and options in turn: the QoS, in 5.0
        with more bits. For `unsubscribe`: filters alone. Returns the packet id of the "suback" or
        "unsuback". Raises ValueError.
        """
        from .filters import ask

        return ask(self, topics, properties)

    unsubscribe = subscribe

    def accept(self, packet_id):
        """Take responsibility for an inbound publish of QoS 1 or 2: it is acknowledged now."""
        if self.inbound:
            self.inbound.accept(self, packet_id)

    def disconnect(self, code=0):
        """Write DISCONNECT, the polite end: the broker forgets the will. What waits is sent before
        it, as far as there is room.
        """
        from .opening import disconnect

        self.next_out()
        self._end = disconnect(self, self.out, self._end, code)
        self.state = _CLOSED  # and nothing is written behind it [MQTT-3.14.4-2]

    def lost(self):
        """The connection is gone. What must be sent again will be, on the next one."""
        from .opening import lost

        self._start = self._end = self._at = 0
        self._data = b""
        self._owed.clear()
        lost(self, self._split)

    # Time

    def on_timer(self, now):
        """Do what the time asks for; `next_event` tells of it."""
        self._now = now
        if not self._due_ms and self._awaits():
            self._due_ms = now + self.ack_ms

    def deadline(self):
        """When `on_timer` has something to do if nothing else happens: 0 is now, None never."""
        if self.state == _CLOSED:
            return None
        due = self._due_ms if self._awaits() else None
        if self.keepalive_ms:
            ping = self._ping_ms()
            due = ping if due is None else min(due, ping)
        return due

    def _awaits(self):
        """Whether the broker owes us an answer, or the network a way for our bytes."""
        flight = self.flight
        return self._end or self.state == _CONNECTING or len(flight.entries) > flight.unsent

    def _ping_ms(self):
        """When to ping, or then to give up. Neither side may be silent: the broker ends a
        connection on which we say nothing, even if it keeps sending (section 3.1.2.10), and we
        want to hear from it.
        """
        keepalive = self.keepalive_ms
        if self._pinged:
            return self._received_ms + keepalive * 5 // 4
        return min(self._received_ms + keepalive // 2, self._said_ms + keepalive * 3 // 4)

    def _overdue(self):
        """Ping, or say that the connection is lost."""
        now = self._now
        if self.state == _CLOSED:
            return None
        if self._due_ms and now >= self._due_ms and self._awaits():
            self.text = "no acknowledgement within %d ms" % self.ack_ms
        elif not self.keepalive_ms or now < self._ping_ms():
            return None
        elif self._pinged or self.state != _OPEN:
            self.text = "the broker has been silent for %d ms" % (now - self._received_ms)
        else:
            self._pinged = True
            if self._end + 2 <= len(self.out):  # else what waits is a sign of life
                self._end = packet.head(self.out, self._end, 0xC0, 0)
            return None
        self.state = _CLOSED
        return "lost"

    # Bytes out

    def next_out(self):
        """What is to be sent, a memoryview; it stays where it is until `sent` has been told of
        all of it.
        """
        out = self.out
        if self.state == _OPEN:
            while self._owed and self._end + 5 <= len(out):
                owed = self._owed.pop(0)
                self._end = packet.ack(
                    out, self._end, owed >> 24, owed >> 8 & 0xFFFF, owed & 0xFF
                )
            if self.flight.unsent:
                self._end = self.flight.write(out, self._end, self.most, self.five)
        return self._view[self._start : self._end]

    def sent(self, length, now):
        """So many bytes of `next_out` were taken by the network."""
        self._now = self._said_ms = now
        self._start += length
        if self._start == self._end:
            self._start = self._end = 0
        if self._end or not self._awaits():  # progress, or nothing to wait for
            self._due_ms = 0

    def owe(self, kind, packet_id, code=0):
        self._owed.append(kind << 24 | packet_id << 8 | code)

    # Bytes in

    def receive(self, data, now):
        """Take bytes from the broker, in any portions. `data` must stay as it is until
        `next_event` has returned None and `unread()` is false.
        """
        self._now = self._received_ms = now
        self._pinged = False
        self._data = data
        self._at = 0

    def unread(self):
        """There are bytes that `next_event` has not looked at: send what there is to send, then
        call it again.
        """
        return self._at < len(self._data)

    def next_event(self):
        """The next event, or None. Raises ProtocolError: send what there is to send, and close."""
        if self.over:
            return self.flight.acked(self, *self.over.pop(0))
        data, split = self._data, self._split
        try:
            while self._at < len(data) and self.state != _CLOSED and len(self._owed) < _MOST_OWED:
                self._at = split.take(data, self._at)
                event = self._packet(split.first, split.body) if split.first else None
                if event:
                    return event
        except ProtocolError as error:
            if self.five and self.state == _OPEN:  # say why [MQTT-4.13.1-1] (5)
                self.disconnect(error.code)
            raise
        return self._overdue()

    def _packet(self, first, body):
        """Take a whole packet; returns its event, or None."""
        kind, skipped = first >> 4, self._split.skipped
        self.properties = None
        if self.state != (_CONNECTING if kind == _CONNACK else _OPEN):
            raise ProtocolError("3.2.0-1", 0x82)
        if skipped and (kind != _PUBLISH or self.five):
            raise ProtocolError("3.1.2-24 (5)", 0x95)
        if kind == _CONNACK:
            from .opening import connack

            self._due_ms = 0
            return connack(self, body)
        if kind in (_PUBLISH, _PUBREL) and not self.inbound:
            from .inbound import Inbound

            self.inbound = Inbound()
        if kind == _PUBLISH:
            return self.inbound.publish(self, first, body, skipped)
        if kind > _UNSUBACK:
            if kind != _PINGRESP and self.five:
                return self.five.control(self, kind, body)
            if kind != _PINGRESP or len(body):
                raise ProtocolError("2.2.1", 0x82)
            return None
        return self._answered(kind, body)

    def _answered(self, kind, body):
        """A packet that begins with a packet id."""
        packet_id = body[0] << 8 | body[1] if len(body) > 1 else 0
        if not packet_id:
            raise ProtocolError("2.3.1-1")
        if kind >= _SUBACK:
            from .filters import granted

            self._due_ms = 0
            return granted(self, kind, packet_id, body)
        code = 0
        if len(body) > 2:
            if not self.five:
                raise ProtocolError("3.4.2")
            code = self.five.reason(self, kind, body)
        if kind == _PUBREL:
            return self.inbound.release(self, packet_id)
        self._due_ms = 0
        return self.flight.answered(self, kind, packet_id, code)
