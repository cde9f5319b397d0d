"""The gateway's side: a paho client that records all that arrives, and proves what is missing."""

import collections
import contextlib
import dataclasses
import itertools
import json
import threading
import time

import paho.mqtt.client as paho

from petrel.profiles import Decoder, Waiting

_READY_S = 5
_ASK_AGAIN_S = 0.1

DATA, STATUS, COMMANDS, RESPONSES = "data", "status", "commands", "responses"


@dataclasses.dataclass(frozen=True)
class Message:
    """One message as it came; `time` is monotonic, in seconds, `packet_id` the broker's."""

    topic: str
    payload: bytes
    retained: bool
    qos: int
    packet_id: int
    time: float

    def json(self):
        return json.loads(self.payload)


@dataclasses.dataclass(frozen=True)
class Sequence:
    """What arrived of one stream: `missing` between 1 and `last`, `duplicates`, each number once.

    `in_order` is about the order of arrival, duplicates left aside.
    """

    count: int
    last: int
    missing: list
    duplicates: list
    in_order: bool

    @property
    def perfect(self):
        """Every number from 1 to the last once, in order."""
        return not self.missing and not self.duplicates and self.in_order


class Receiver:
    """Subscribed to `topic` when the constructor returns; survives the broker's restarts.

    Its session is a persistent one, so a restarted broker hands over what came in between, and
    once more what we had acknowledged too late (DUP, same packet id). That is between the broker
    and us: such repetitions are counted in `redelivered`, and only a device's own are messages.
    """

    def __init__(self, port, topic="devices/#", username=None, password=None, host="127.0.0.1"):
        self._topic = topic
        self._messages, self._changed = [], threading.Condition()
        self._decoded = {}  # device -> [its Decoder, how many messages it has seen, readings]
        self.redelivered = 0
        self.subscriptions, self._refused = 0, None
        self._ids = itertools.count(1)
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=f"receiver-{time.monotonic_ns():x}",
            clean_session=False,
        )
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.reconnect_delay_set(0.1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect(host, port, keepalive=60)
        self._client.loop_start()
        try:
            self.wait_subscribed(1, _READY_S)
        except TimeoutError:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic, payload, qos=1, retain=False, deadline_s=_READY_S):
        """Publishes bytes or text and waits for the broker's acknowledgement."""
        sent = self._client.publish(topic, payload, qos, retain)
        sent.wait_for_publish(deadline_s)
        if not sent.is_published():
            raise TimeoutError(f"no acknowledgement for {topic} within {deadline_s} s")

    def wait_subscribed(self, n, deadline_s):
        """Waits for its `n`th subscription, which `subscriptions` counts: one a connection.

        A broker that was killed forgot the session: what it gets before that is lost to us.
        """
        ready = self.wait_for(
            lambda: self._refused or self.subscriptions >= n, deadline_s, f"subscription {n}"
        )
        if self._refused:
            raise TimeoutError(f"the receiver was refused: {self._refused}")
        return ready

    # ---- everything that came

    def messages(self, device=None, part=None):
        """The Messages so far, in order of arrival; `part` is DATA, STATUS, RESPONSES..."""
        with self._changed:
            chosen = list(self._messages)
        if device is not None:
            topic = f"devices/{device}/"
            chosen = [m for m in chosen if m.topic.startswith(topic)]
            chosen = [m for m in chosen if part in (None, m.topic[len(topic) :])]
        return chosen

    def wait_for(self, predicate, deadline_s, what="the condition"):
        """The first true answer of `predicate()`, asked at each message and now and then."""
        ends = time.monotonic() + deadline_s
        while True:
            with self._changed:
                count = len(self._messages)
            answer = predicate()
            if answer:
                return answer
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{what}: not within {deadline_s} s; {self.summary()}")
            with self._changed:
                if len(self._messages) == count:
                    self._changed.wait(min(left, _ASK_AGAIN_S))

    def summary(self):
        """One line for a failing test."""
        topics = collections.Counter(message.topic for message in self.messages())
        seen = ", ".join(f"{n} on {topic}" for topic, n in sorted(topics.items()))
        return f"the receiver got {seen or 'nothing'}"

    # ---- readings

    def readings(self, device):
        """Its readings in order of arrival, as petrel.readings.Reading.

        Those in frames whose profile has not come are not among them.
        """
        known = self._decoded.setdefault(device, [Decoder(), 0, []])
        decoder, seen, found = known
        with self._changed:
            fresh = self._messages[seen:]
        known[1] += len(fresh)
        for message in fresh:
            if message.topic == f"devices/{device}/profile":
                found += decoder.learn(message.topic, message.payload)
            elif message.topic == f"devices/{device}/data":
                with contextlib.suppress(Waiting):
                    found += decoder.decode(message.topic, message.payload)
        return list(found)

    def wait_readings(self, device, n, deadline_s):
        """Waits until at least `n` readings (duplicates counted) came; returns all."""
        what = f"{n} readings of {device}"
        self.wait_for(lambda: len(self.readings(device)) >= n, deadline_s, what)
        return self.readings(device)

    def sequence_report(self, device):
        """stream -> Sequence, the streams in order of their first arrival."""
        streams = {}
        for reading in self.readings(device):
            streams.setdefault(reading.stream, []).append(reading.seq)
        return {stream: sequence(numbers) for stream, numbers in streams.items()}

    # ---- status

    def statuses(self, device):
        """The decoded status messages, in order of arrival."""
        return [message.json() for message in self.messages(device, STATUS)]

    def wait_status(self, device, status, deadline_s, after=0):
        """The first decoded message with that `status`, from the `after`th status message on."""

        def found():
            return [s for s in self.statuses(device)[after:] if s.get("status") == status]

        return self.wait_for(found, deadline_s, f"status {status} of {device}")[0]

    # ---- commands

    def command(self, device, command, deadline_s=5):
        """Sends a command (a dictionary, `id` is added if missing); returns the response."""
        command = {"id": f"c{next(self._ids)}", **command}
        before = len(self.messages(device, RESPONSES))
        self.publish(f"devices/{device}/{COMMANDS}", json.dumps(command))

        def answered():
            answers = [m.json() for m in self.messages(device, RESPONSES)[before:]]
            return [answer for answer in answers if answer.get("id") == command["id"]]

        return self.wait_for(answered, deadline_s, f"a response to {command}")[0]

    # ---- paho's thread

    def _on_connect(self, client, _userdata, _flags, reason, _properties):
        if reason.is_failure:
            self._refused = str(reason)
        else:
            client.subscribe(self._topic, qos=1)

    def _on_subscribe(self, *_):
        with self._changed:
            self.subscriptions += 1
            self._changed.notify_all()

    def _on_message(self, _client, _userdata, came):
        now, payload = time.monotonic(), bytes(came.payload)
        message = Message(came.topic, payload, came.retain, came.qos, came.mid, now)
        with self._changed:
            if came.dup and any(_same(message, earlier) for earlier in self._messages):
                self.redelivered += 1
            else:
                self._messages.append(message)
            self._changed.notify_all()


def _same(one, other):
    return dataclasses.replace(one, time=other.time) == other


def sequence(numbers):
    """The Sequence of numbers in their order of arrival."""
    counts = collections.Counter(numbers)
    first_arrivals = list(counts)  # a Counter keeps the order in which its keys came
    last = max(counts, default=0)
    return Sequence(
        count=len(numbers),
        last=last,
        missing=[n for n in range(1, last + 1) if n not in counts],
        duplicates=sorted(n for n, times in counts.items() if times > 1),
        in_order=first_arrivals == sorted(first_arrivals),
    )
