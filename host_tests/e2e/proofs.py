"""What the end-to-end tests prove again and again: values, numbers, times, delays, lateness."""

import collections
import dataclasses
import re
import time

from host_tests.faults.mqtt_packets import PUBACK, PUBLISH
from host_tests.faults.tcp import TO_CLIENT, TO_SERVER
from host_tests.harness import data
from host_tests.harness.config import config, merged
from petrel.readings import decode

SOON_S = 10  # a deadline for what happens at once, on a machine that has other things to do
PROVEN_S = 10  # a connection that lasted so long starts the backoff anew

QUICK = {
    "umqtt": {"keepalive_s": 2, "timeout_s": 1},
    "reconnect": {"first_s": 0.05, "max_s": 0.4},
    "limits": {"publish_per_s": 1000},
}
PACE_MS = 10  # of the readings in a quick config


def quick(port, **changes):
    """A config with short time-outs, a hundred readings a second."""
    sensor = merged({"every_s": 5, "speed": 5000 // PACE_MS}, changes.pop("sensor", {}))
    return config(port, **merged(QUICK, changes), sensor=sensor)


# ---- what arrived


def prove_values(readings, rows):
    """Reading n is row n, in every channel; a missing cell is a missing key."""
    for reading in readings:
        assert reading.values == rows[reading.seq - 1].values, f"reading {reading.seq}"


def prove_schedule(readings, due_ms):
    """The times fit one start: reading n was due at start + due_ms(n), in whole seconds of it."""
    earliest = max(r.ts * 1000 - due_ms(r.seq) for r in readings)
    latest = min(r.ts * 1000 + 999 - due_ms(r.seq) for r in readings)
    assert earliest <= latest, "the times drift, or a reading is not dated when it was due"


def prove_delivered(device, receiver, may_repeat=(), may_lack=(), pace_ms=PACE_MS):
    """Stops a quick() device: all it sampled arrived, in order, dated when due; returns how many.

    Only numbers in `may_repeat` came more than once, only such in `may_lack` did not come.
    """
    assert device.stop() == 0
    ended = r"sampled (\d+) acked (\d+) dropped (\d+)"
    sampled, acked, dropped = map(int, device.wait_log(ended, SOON_S).groups())
    assert (acked, dropped) == (sampled, 0)
    (report,) = receiver.wait_for(
        lambda: [r for r in receiver.sequence_report("d1").values() if r.last == sampled],
        SOON_S,
        f"reading {sampled}",
    )
    assert report.in_order
    assert set(report.missing) <= set(may_lack)
    assert set(report.duplicates) <= set(may_repeat)
    readings = receiver.readings("d1")
    prove_values(readings, data.rows(data.MOTE, data.MOTE_CHANNELS))
    prove_schedule(readings, lambda n: (n - 1) * pace_ms)
    prove_sound(device)
    return sampled


def prove_caught_up(receiver):
    """What comes is fresh, or all of the recording came: now a polite stop, which delivers for
    8 s, can deliver all.
    """
    end = len(data.rows(data.MOTE, data.MOTE_CHANNELS))

    def fresh():
        newest = receiver.readings("d1")[-1:]
        return [r for r in newest if r.ts > time.time() - 2 or r.seq == end]

    receiver.wait_for(fresh, 3 * SOON_S, "a fresh reading")


def prove_sound(device):
    """No traceback, no error that ended the app, nothing that the board had to say."""
    for line in device.logs():
        assert re.match(r"\d+\.\d{3} \w+: ", line), f"an unexpected line: {line}"
        assert "ended by an error" not in line


def unsure(proxy):
    """Numbers that may come twice: of the last message on each connection the ack can be lost."""
    last = {p.connection: p for p in proxy.packets(TO_SERVER, PUBLISH) if "/data" in p.topic}
    return {reading.seq for p in last.values() for reading in decode(p.topic, p.payload)}


def transmitted(proxy, accepted=lambda packet: True):
    """{(stream, number)} of the readings that came to the proxy in such packets."""
    packets = [p for p in proxy.packets(TO_SERVER, PUBLISH) if "/data" in p.topic and accepted(p)]
    return {(r.stream, r.seq) for p in packets for r in decode(p.topic, p.payload)}


def acknowledged(proxy):
    """{(stream, number)} of the readings whose acknowledgement went through the proxy."""
    acks = {(p.connection, p.packet_id) for p in proxy.delivered(TO_CLIENT, PUBACK)}
    return transmitted(proxy, lambda packet: (packet.connection, packet.packet_id) in acks)


def prove_recovery(device, proxy, receiver, figure, after, may_lack=()):
    """What must hold once an outage is over that began at line `after` of the log.

    The device is online again and says so; nothing was lost; only the last message of a
    connection came twice; delays followed the backoff; no reading was late. Returns the failures.
    `may_lack` as in prove_delivered().
    """
    device.wait_log("online over", SOON_S, after)
    stream = int(device.wait_log(r"stream (\d+)", SOON_S)[1])
    receiver.wait_for(
        lambda: [s.get("s") for s in receiver.statuses("d1")][-1:] == [stream],
        SOON_S,
        "online as the last word",
    )
    after = device.mark()
    proxy.drop_connections()  # the next birth tells how late readings were since the last one
    device.wait_log("online over", SOON_S, after)
    prove_delivered(device, receiver, unsure(proxy), may_lack)
    figure("latest reading", prove_schedule_kept(receiver), "ms")
    return prove_backoff(device)


# ---- the backoff


@dataclasses.dataclass(frozen=True)
class Failure:
    """A line of the log: `at` and `delay` in ms, `number` in a row, from 1."""

    at: int
    why: str
    delay: int
    number: int


def failures(device):
    """The failures of the uplink in a device's one life."""
    found, online, number = [], None, 0
    for at, text in _uplink_lines(device):
        if text.startswith("online"):
            online = at
            continue
        failed = re.fullmatch(r"(.*); next try in (\d+)\.(\d{3}) s", text)
        if not failed:
            continue
        proven = online is not None and at - online >= PROVEN_S * 1000
        number, online = 1 if proven else number + 1, None
        found.append(Failure(at, failed[1], int(failed[2]) * 1000 + int(failed[3]), number))
    return found


def wait_failures(device, n):
    """Waits until the uplink has failed `n` times."""
    ends = time.monotonic() + 3 * SOON_S
    while len(failures(device)) < n:
        assert time.monotonic() < ends, f"no {n} failures: {failures(device)}"
        time.sleep(0.01)


def prove_backoff(device, first_s=0.05, max_s=0.4, attempt_s=1):
    """Every delay is within the backoff's bounds, was kept, and is no other's copy.

    An attempt to connect takes no longer than `attempt_s`. Returns the failures.
    """
    found = failures(device)
    assert found, "nothing failed"
    for failure in found:
        cap = min(max_s, first_s * 2**failure.number) * 1000
        assert first_s * 1000 <= failure.delay <= cap, failure
    lines = [at for at, _ in _uplink_lines(device)]
    for failure in found:
        later = [at for at in lines if at > failure.at]
        if later:
            waited = later[0] - failure.at
            assert failure.delay <= waited <= failure.delay + attempt_s * 1000 + 500, failure
    commonest = collections.Counter(failure.delay for failure in found).most_common(1)[0][1]
    assert commonest <= max(2, len(found) // 4), "no jitter"
    return found


def _uplink_lines(device):
    """(uptime in ms, text) of what the uplink logged."""
    matches = [re.match(r"(\d+)\.(\d{3}) uplink: (.*)", line) for line in device.logs()]
    return [(int(m[1]) * 1000 + int(m[2]), m[3]) for m in matches if m]


# ---- sampling


def prove_schedule_kept(receiver, timeout_s=1, name="d1"):
    """No reading was skipped or later than `timeout_s`; returns the latest, in ms.

    Each birth brings a health with what was since the one before.
    """
    healths = [m.json() for m in receiver.messages(name, "health")]
    assert [h["skipped"] for h in healths] == [0] * len(healths)
    late_ms = max(h["late_ms"] for h in healths)
    assert late_ms <= timeout_s * 1000
    return late_ms


def health_of(receiver, connection):
    """The health that came with the birth on the device's `connection`th connection."""
    healths = [message.json() for message in receiver.messages("d1", "health")]
    return next((health for health in healths if health["connects"] == connection), None)
