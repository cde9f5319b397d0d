"""`petrel demo`: broker, plug, virtual devices and a receiver on this machine, and a view of it.

    devices -> plug -> broker -> receiver -> fleet (the model) -> view

The main thread owns the model. The others, which read the devices' logs and the broker's
messages, only put what they got into one queue.
"""

import contextlib
import queue
import signal
import tempfile
import threading
import time

import paho.mqtt.client as mqtt
from rich.console import Console

from petrel import runtime
from petrel.broker import Amqtt, Mosquitto, find_mosquitto
from petrel.demo_device import VirtualDevice, plan
from petrel.demo_fleet import Device, Fleet
from petrel.demo_plug import Plug
from petrel.demo_view import LiveView, PlainView, Scene
from petrel.errors import Failure, complain

PROGRAM = "petrel demo"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FRAME_S = 0.1
CONNECT_S = 10
RETURN_S = 15  # devices that are not connected when the demo ends get so long to be
STOP_S = 20  # `petrel run` cuts the power after 15
ARRIVE_S = 5  # from the broker's acknowledgement to our receiver


class Receiver:
    """Subscribed at the broker itself, behind the plug; gives `got` (topic, payload)."""

    def __init__(self, host, port, got):
        self._subscribed = threading.Event()
        self._got = got
        # A session that the broker keeps, so that a reconnect of ours loses nothing either.
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id="petrel-demo", clean_session=False
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._address = host, port

    def __enter__(self):
        self._client.connect(*self._address)
        self._client.loop_start()
        if not self._subscribed.wait(CONNECT_S):
            raise Failure(f"the broker did not answer within {CONNECT_S} s")
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client, userdata, flags, code, properties):
        client.subscribe("devices/+/+", qos=1)

    def _on_message(self, client, userdata, message):
        self._got(message.topic, message.payload)


class Demo:
    """Everything that runs, and the model of it."""

    def __init__(self, broker, plug, plans, view, life_s=None):
        self.broker, self.plug, self.view = broker, plug, view
        self.inbox = queue.SimpleQueue()  # of functions that enter something into the fleet
        now = time.monotonic()
        self.fleet = Fleet([Device(plan, now) for plan in plans])
        self.life_s = life_s  # None: until asked to end
        name = broker.name if find_mosquitto() else f"{broker.name} (no Mosquitto here)"
        self.scene = Scene(self.fleet, name, born=now, life_s=life_s, plug_since=now)
        self.boards = []
        self.ended = set()  # names of devices whose end was noticed
        self.over = False  # asked to end, by `q` or a signal

    def got(self, topic, payload):
        self.inbox.put(lambda now: self.fleet.message(topic, payload, now))

    def heard(self, name, line):
        self.inbox.put(lambda now: self.fleet.line(name, line))

    def step(self):
        """Enter what has come, look after everything, draw."""
        now = time.monotonic()
        while not self.inbox.empty():
            self.inbox.get()(now)
        self.fleet.tick(now)
        self.scene.broker_runs = self.broker.running
        for board in self.boards:
            if board.status is not None and board.name not in self.ended:
                self.ended.add(board.name)
                self.fleet.devices[board.name].end(board.status, now)
        for key in self.view.typed():
            if self.scene.keys and key in "qQ":
                self.over = True
            elif self.scene.keys and key in "pP":
                self.switch(now)
        self.view.show(self.scene, now)

    def _all_ended(self):
        return len(self.ended) == len(self.boards)

    def switch(self, now):
        """Pull the plug, or put it back."""
        if self.plug.plugged:
            self.plug.pull()
        else:
            self.plug.put_back()
        self.scene.plugged, self.scene.plug_since = self.plug.plugged, now

    def during(self, phase, limit_s, done, keys=False):
        """Step until `done()`, or the limit in seconds is over (None: no limit)."""
        self.scene.phase, self.scene.keys = phase, keys
        deadline = None if limit_s is None else time.monotonic() + limit_s
        self.step()
        while not done() and (deadline is None or time.monotonic() < deadline):
            time.sleep(FRAME_S)
            self.step()

    def live(self):
        """Until its time is over, somebody wants it to end, or there is nothing left to see."""
        def over():
            return self.over or self._all_ended() or not self.broker.running

        self.during("running", self.life_s, over, keys=True)

    def drain(self):
        """Put the plug back, have every device deliver what it has and stop, collect it all."""
        if not self.plug.plugged:
            self.switch(time.monotonic())
        self.during(
            "ending: every device comes back first", RETURN_S,
            lambda: not self.broker.running or all(device.settled for device in self.fleet),
        )
        for board in self.boards:
            board.stop()
        self.during(
            "ending: devices deliver what they have", STOP_S, self._all_ended,
        )
        for board in self.boards:
            board.close()
        self.during(
            "ending: the last readings arrive", ARRIVE_S,
            lambda: self.fleet.total("received") >= self.fleet.total("acked"),
        )


def run_demo(life_s=None, count=3):
    """Run it for `life_s` seconds (None: until asked to end); returns the exit status."""
    console = Console(highlight=False)
    plans = plan(count)
    runtime.build("unix")  # once, and not by every device at the same time
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(choose_broker())
        plug = stack.enter_context(Plug(broker.port))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="petrel-demo-"))
        view = LiveView(console) if console.is_terminal and not console.is_dumb_terminal else None
        demo = Demo(broker, plug, plans, view or PlainView(), life_s)
        stack.enter_context(Receiver(broker.host, broker.port, demo.got))
        for each in plans:
            board = VirtualDevice(each, broker.host, plug.port, folder, demo.heard)
            demo.boards.append(board)
            stack.callback(board.close)
        with demo.view, polite_signals(demo):
            demo.live()
            demo.drain()
    return summary(demo)


def choose_broker():
    """Mosquitto, or else the fallback, said in one line."""
    if find_mosquitto():
        return Mosquitto()
    print(f"{PROGRAM}: no Mosquitto here, so amqtt, a broker in Python, takes its place")
    return Amqtt()


@contextlib.contextmanager
def polite_signals(demo):
    """The first of such signals ends the demo as `q` does, the next one at once."""

    def end(*_):
        if demo.over:
            raise KeyboardInterrupt
        demo.over = True

    before = {number: signal.signal(number, end) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def summary(demo):
    """Print what became of all readings; returns the exit status."""
    fleet = demo.fleet
    silent = [device.name for device in fleet if device.final is None]
    for name in silent:
        said = [line for who, line in fleet.log if who == name]
        words = "; ".join(said[-2:]) or "none"
        complain(PROGRAM, f"{name} ended without its last count; its last words: {words}")
    if not demo.scene.broker_runs:
        complain(PROGRAM, f"{demo.broker.name} ended by itself")
    sent, acked = fleet.total("sent"), fleet.total("acked")
    received, duplicates = fleet.total("received"), fleet.total("duplicates")
    lost = max(0, sent - received)
    print(
        f"sent {sent} acked {acked} received {received} lost {lost} duplicates {duplicates}",
        flush=True,
    )
    return 1 if lost or silent or not sent else 0
