"""A device whose power fails again and again, while its broker and the network fail too.

What happens when is drawn from the test's seed; each fault is a context that is in force within.
"""

import contextlib
import math
import random
import re
import shlex
import time

from host_tests.e2e.proofs import SOON_S, quick
from host_tests.faults.mqtt_packets import PUBACK, PUBCOMP, PUBREC
from petrel import ROOT, runtime
from petrel.ledger import Ledger
from petrel.readings import decode

BATCH = 10  # readings a message
LONG_S = 60  # for what may take its time on a busy machine
CALM_LIVES = 5  # in which everything is delivered; a polite stop goes on delivering for 8 s


def settings(port, qos=1, **queue):
    """A config with such a queue; what waits in it is many times what is lost with a message. QoS
    2 goes over the link `mqtt`.
    """
    mqtt = {"host": "127.0.0.1", "port": port, "timeout_s": 1, "keepalive_s": 2, "qos": 2}
    return quick(
        port,
        **({"links": ["mqtt"], "mqtt": mqtt} if qos == 2 else {}),
        payload={"batch": BATCH, "max_age_s": 0.1},
        queue={"limit_kb": 512, **queue},
    )


WITNESS = """#!/bin/sh
case "$4" in
*"import main"*)
    exec {micropython} "$1" "$2" "$3" "import sys; sys.path.append('{root}')
import host_tests.on_device.witness
$4" ;;
esac
exec {micropython} "$@"
"""


def witnessed(folder):
    """A runtime for `petrel run` whose device says which readings its queue has taken."""
    path = folder / "witness"
    path.write_text(WITNESS.format(micropython=shlex.join(runtime.find_runtime()), root=ROOT))
    path.chmod(0o755)
    return str(path)


class Storm:
    """taken: {stream: [when each reading was due, in ms of uptime]} of those that the queue had
    taken when the life ended. backend: the readings that the ledger let through; `survivors` of
    them came after their life had ended.

    stretch: how much longer everything lasts than a second or two.
    """

    def __init__(self, mosquitto, proxy, receiver, device, stretch=1, qos=1):
        self.broker, self.proxy, self.receiver, self.device = mosquitto, proxy, receiver, device
        self.stretch, self.qos = stretch, qos
        self.taken = {}
        self.survivors = 0
        self._over = {}  # {stream: the moment at which its life was over}
        self.ledger, self.backend = Ledger(), []
        self._entered = self._mark = 0

    # ---- faults

    @contextlib.contextmanager
    def peace(self):
        yield

    @contextlib.contextmanager
    def restart(self):
        """The broker ends politely and keeps what it has not delivered."""
        self.broker.stop()
        yield
        self.broker.start()

    @contextlib.contextmanager
    def stall(self):
        self.broker.pause()
        yield
        self.broker.resume()

    @contextlib.contextmanager
    def black_hole(self):
        """Connections are lost; new ones lead nowhere."""
        self.proxy.black_hole()
        self.proxy.drop_connections()
        yield
        self.proxy.accept()
        self.proxy.drop_connections()

    @contextlib.contextmanager
    def freeze(self):
        """Half-open connections."""
        self.proxy.freeze()
        yield
        self.proxy.drop_connections()

    @contextlib.contextmanager
    def no_acks(self):
        """The broker has the readings, the device does not hear of it."""
        self.proxy.hold(random.choice([PUBREC, PUBCOMP]) if self.qos == 2 else PUBACK)
        yield
        self.proxy.drop_held()
        self.proxy.release()

    @contextlib.contextmanager
    def crash(self):
        """The broker is killed: what it had acknowledged and not delivered, and its sessions, are
        gone. The device is let in again once the receiver is.
        """
        subscriptions = self.receiver.subscriptions
        self.proxy.refuse()
        self.broker.kill()
        self.proxy.drop_connections()
        yield
        self.broker.start()
        self.receiver.wait_subscribed(subscriptions + 1, SOON_S)
        self.proxy.accept()

    # ---- lives

    def blow(self, kills, faults):
        """Cut the power so many times, each time in another of the `faults`, in random order."""
        drawn = []
        for _ in range(kills):
            drawn = drawn or random.sample(faults, len(faults))
            self.life(drawn.pop())

    def life(self, fault):
        """One life, from its start to its power cut, with a fault from the start or on the way."""
        if random.random() < 0.3:
            with fault():
                self.begin()
                self.wait(1.5)
                self.cut()
            return
        self.begin()
        self.device.wait_log("online over", LONG_S, self._mark)
        self.wait(0.6)
        with fault():
            self.wait(0.8)
            if random.random() < 0.5:
                self.cut()
        if self.device.running:
            self.wait(0.8)
            self.cut()

    def wait(self, most_s):
        time.sleep(random.uniform(0, most_s * self.stretch))

    def begin(self):
        self._mark = self.device.mark()
        self.device.start()

    def cut(self):
        self.device.kill()
        self._witness()

    def _witness(self):
        """Note what the life that has ended said it took."""
        text = "\n".join(self.device.logs()[self._mark :])
        stream = re.search(r"stream (\d+)$", text, re.MULTILINE)
        if stream:  # else it was too short to say so
            assert int(stream[1]) not in self.taken, "a stream came twice"
            taken = re.findall(r"^took (\d+) (\d+)$", text, re.MULTILINE)
            assert [int(number) for number, _ in taken] == list(range(1, len(taken) + 1))
            self.taken[int(stream[1])] = [int(due) for _, due in taken]
            self._over[int(stream[1])] = time.monotonic()

    def calm(self):
        """Power and network are there: live until nothing waits in the flash, and once more, so
        that a birth says how that life ended.
        """
        for _ in range(CALM_LIVES):
            if not self.quiet_life():
                break
        assert not self.quiet_life()

    def quiet_life(self):
        """One that ends politely. Returns whether the flash still keeps readings."""
        self.begin()
        self.device.wait_log("online over", LONG_S, self._mark)
        assert self.device.stop() == 0
        self._witness()
        return any("flash keeps them" in line for line in self.device.logs()[self._mark :])

    # ---- what arrived

    def told(self):
        """The ledger of all that has come so far."""
        for message in self.receiver.messages("d1")[self._entered :]:
            self._entered += 1
            kind = message.topic.rpartition("/")[2]
            if kind == "data":
                for reading in decode(message.topic, message.payload):
                    if self.ledger.add("d1", reading.stream, reading.seq):
                        self.backend.append(reading)
                        self.survivors += message.time > self._over.get(reading.stream, math.inf)
            elif kind == "status":
                self.ledger.status("d1", message.json())
            elif kind == "health":
                self.ledger.health("d1", message.json())
        return self.ledger
