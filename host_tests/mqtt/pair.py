"""An engine and the broker of `broker.py` back to back, on a wire that can be cut anywhere."""

from typing import Any

from host_tests.mqtt.broker import Broker
from mqtt.five import Five
from mqtt.session import Engine

JUST_BELOW = (1 << 30) - 50


def engine(level=4, **options) -> Any:
    options.setdefault("clean", False)
    if level == 5:
        options["five"] = Five(options.pop("properties", None))
    return Engine("client", **options)


class Pair:
    """`budget`: bytes in both directions until the connection is cut; None: never."""

    def __init__(self, level=4, broker=None, now=JUST_BELOW, **options):
        self.engine: Any = engine(level, **options)
        self.broker = broker or Broker()
        self.now, self.budget, self.carried = now, None, 0
        self.connection = None
        self.events = []  # (name, packet id, code)
        self.messages = []  # (topic, payload, qos)
        self.unaccepted = []

    def connect(self, clean=None):
        self.connection = self.broker.connect()
        self.engine.connect(self.now, clean)
        return self.run()

    def run(self):
        """Carry bytes until both are silent; False if the wire was cut."""
        while True:
            out = bytes(self.engine.next_out())
            if not out:
                return True
            sent = self._allowed(out)
            self.engine.sent(len(sent), self.now)
            if not self._to_client(self.connection.receive(sent)) or len(sent) < len(out):
                return self.cut()

    def from_broker(self, topic, payload, qos):
        return (self._to_client(self.connection.publish(topic, payload, qos)) and self.run()) or (
            self.cut()
        )

    def cut(self):
        self.engine.lost()
        self.connection = self.budget = None
        return False

    def _allowed(self, data):
        allowed = data if self.budget is None else data[: self.budget]
        if self.budget is not None:
            self.budget -= len(allowed)
        self.carried += len(allowed)
        return allowed

    def _to_client(self, data):
        allowed = self._allowed(data)
        self.now += 1
        self.engine.receive(allowed, self.now)
        self.drain()
        return len(allowed) == len(data)

    def drain(self):
        engine = self.engine
        while event := engine.next_event():
            self.events.append((event, getattr(engine, "packet_id", 0), engine.code))
            if event == "publish":
                self.messages.append((engine.topic, bytes(engine.payload), engine.qos))
                if engine.qos:
                    engine.accept(engine.packet_id)

    def acked(self):
        return [packet_id for name, packet_id, _ in self.events if name == "acked"]
