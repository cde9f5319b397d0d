"""Runs on the device: lib/umqtt_engine.py, step by step or through whole tables of bad packets."""

from binascii import hexlify, unhexlify

from umqtt_engine import Engine, ProtocolError

from . import server

_PINGRESP = b"\xd0\x00"
_made = []


def make(client_id, keepalive_ms, ack_ms, will, user, password, out_bytes, in_bytes):
    """A new engine for `play`; the texts are bytes in hexadecimal or None."""
    will = will and (unhexlify(will[0]), unhexlify(will[1]))
    engine = Engine(
        unhexlify(client_id), keepalive_ms, ack_ms, will,
        _bytes(user), _bytes(password), out_bytes, in_bytes,
    )
    _made[:] = [engine]


def _bytes(text):
    return None if text is None else unhexlify(text)


def play(steps):
    """Call the engine's methods one by one; a step is [method, arguments ...]. Returns for each
    {"returned", "raised", "events", "out"}. What is to be sent counts as sent, but for a method
    with a "+" behind it.
    """
    answers = []
    for step in steps:
        name, arguments = step[0], step[1:]
        answer = {"returned": None, "raised": None}
        try:
            answer["returned"] = _call(_made[0], name.rstrip("+"), arguments)
        except Exception as error:
            answer["raised"] = [type(error).__name__, str(error)]
        answer["events"] = _events(_made[0])
        answer["out"] = "" if name[-1] == "+" else _sent(_made[0])
        answers.append(answer)
    return answers


def _call(engine, name, arguments):
    if name == "publish":
        topic, payload, retain, qos, now = arguments
        return engine.publish(unhexlify(topic), unhexlify(payload), retain, qos, now)
    if name == "subscribe":
        return engine.subscribe(unhexlify(arguments[0]), arguments[1])
    if name == "receive":
        return engine.receive(unhexlify(arguments[0]), arguments[1])
    if name == "trickle":  # a byte at a time
        for byte in unhexlify(arguments[0]):
            engine.receive(bytes((byte,)), arguments[1])
        return None
    if name == "next_id":
        engine._client.pid = arguments[0] - 1
        return None
    return getattr(engine, name)(*arguments)


def _events(engine):
    events = []
    event = engine.next_event()
    while event:
        if event[0] == "publish":
            event = ("publish", _hex(event[1]), _hex(event[2])) + tuple(event[3:])
        events.append(event)
        event = engine.next_event()
    return events


def _sent(engine):
    out = b""
    while len(engine.next_out()):
        out += bytes(engine.next_out())
        engine.sent(len(engine.next_out()))
    return _hex(out)


def _hex(data):
    return hexlify(data).decode()


def spoil(packet, how):
    """Feed `packet` to engines that wait for everything, with every bit flipped in turn ("flip"),
    or cut at every byte and followed by a whole packet ("cut"). Returns what went wrong: nothing,
    as whatever comes is an event, a ProtocolError or nothing yet.
    """
    packet = unhexlify(packet)
    wrong = []
    for place in range(len(packet) * 8 if how == "flip" else len(packet)):
        if how == "flip":
            bad = bytearray(packet)
            bad[place >> 3] ^= 1 << (place & 7)
        else:
            bad = packet[:place]
        for waits_for in ("connack", "suback", "puback"):
            try:
                _feed(_waiting(waits_for), bytes(bad) + _PINGRESP + packet)
            except ProtocolError:
                pass
            except Exception as error:
                wrong.append("%s at %d, waiting for %s: %s" % (how, place, waits_for, repr(error)))
    return wrong


def _waiting(waits_for):
    """An engine that has asked for an acknowledgement, the one for packet id 1."""
    engine = Engine(b"d1", 30_000, 10_000, None, None, None, 300, 64)
    engine.connect(0)
    if waits_for == "suback":
        engine.subscribe(b"c", 0)
    elif waits_for == "puback":
        engine.publish(b"t", b"payload", False, 1, 0)
    return engine


def _feed(engine, data):
    for start in range(0, len(data), 7):
        engine.receive(data[start : start + 7], 1000)
        for event in _events(engine):
            if event[0] not in ("connack", "suback", "puback", "publish"):
                raise ValueError(event[0])
        _sent(engine)
        engine.on_timer(1000)


def rubbish(data):
    """Feed bytes that may be anything; returns the name of the error that is none of ours."""
    try:
        _feed(_waiting("puback"), unhexlify(data))
    except ProtocolError:
        pass
    except Exception as error:
        return repr(error)
    return None


def many_publishes(count, first_id):
    """Publish and acknowledge so often; returns the ids at the ends and at the wrap."""
    engine = _made[0]
    engine._client.pid = first_id - 1
    seen = []
    acknowledgement = bytearray(b"\x40\x02\0\0")
    last = first_id - 1
    for n in range(count):
        packet_id = engine.publish(b"t", b"x", False, 1, n)
        out = engine.next_out()
        # 1 type, 1 length, 2 + 1 topic: the id is bytes 5 and 6
        if len(out) != 8 or out[5] << 8 | out[6] != packet_id:
            return ["a wrong packet", n, packet_id, _hex(bytes(out))]
        engine.sent(len(out))
        if packet_id != last + 1:
            seen.append([last, packet_id])
        last = packet_id
        acknowledgement[2] = packet_id >> 8
        acknowledgement[3] = packet_id & 0xFF
        engine.receive(acknowledgement, n)
        if engine.next_event() != ("puback", packet_id) or engine.next_event():
            return ["not acknowledged", n, packet_id]
    return seen + [last]


def swallow(total, chunk):
    """Receive one publish of `total` bytes of payload in chunks; returns the events."""
    engine = _made[0]
    length = total + 2 + 1 + 2
    header = bytearray(b"\x32")
    while length > 0x7F:
        header.append(length & 0x7F | 0x80)
        length >>= 7
    header.append(length)
    engine.receive(bytes(header) + b"\0\x01c\0\x07", 0)
    data = bytes(chunk)
    for start in range(0, total, chunk):
        engine.receive(data if total - start >= chunk else data[: total - start], 0)
    return [_events(engine), _sent(engine)]


server.serve(globals())
