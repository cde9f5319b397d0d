"""Is anything lost, late or stuck when the network fails in one of its many ways?

A device samples and sends a hundred readings a second through a proxy that does the failing.
"""

import time

import pytest

from host_tests.e2e.proofs import (
    PROVEN_S,
    SOON_S,
    failures,
    prove_backoff,
    prove_recovery,
    prove_sound,
    quick,
    wait_failures,
)
from host_tests.faults.mqtt_packets import PINGREQ, PUBACK, PUBLISH
from host_tests.faults.tcp import TO_CLIENT, TO_SERVER

KEEPALIVE_S = 2


# ---- nobody there


@pytest.mark.parametrize(
    ("away", "why", "attempts"),
    [
        ("refuse", "tcp: connection refused", 12),
        ("silence", "tcp: no answer within 1000 ms", 2),
        ("black_hole", "connack: no answer within 1000 ms", 2),
    ],
)
def test_a_broker_out_of_reach(proxy, receiver, running, figure, away, why, attempts):
    mark = running.mark()
    getattr(proxy, away)()
    proxy.drop_connections()
    wait_failures(running, 1 + attempts)
    mark = running.mark()
    proxy.accept()
    failed = prove_recovery(running, proxy, receiver, figure, mark)
    assert failed[0].why == "lost: the broker closed the connection"
    assert {failure.why for failure in failed[1 : 1 + attempts]} == {why}


def test_a_broker_that_is_down_at_the_start(proxy, receiver, device, figure):
    proxy.refuse()
    started = device(quick(proxy.port))
    wait_failures(started, 5)
    mark = started.mark()
    proxy.accept()
    prove_recovery(started, proxy, receiver, figure, mark)
    assert receiver.readings("d1")[0].seq == 1


def test_the_backoff_begins_anew_only_after_a_proven_connection(proxy, receiver, device, figure):
    """Connections that end at once count like any failure, whatever was acknowledged on them."""
    first_s, max_s = 0.05, 0.8
    reconnect = {"first_s": first_s, "max_s": max_s}
    started = device(quick(proxy.port, reconnect=reconnect, sensor={"speed": 50}))
    for n in range(10):
        started.wait_log(rf"connection {n + 1}\)", SOON_S)
        proxy.wait_for(lambda: proxy.delivered(TO_CLIENT, PUBACK), SOON_S, "something acked")
        proxy.forget()
        proxy.drop_connections()
        wait_failures(started, n + 1)
    unproven = [failure.delay for failure in failures(started)[4:]]
    assert max(unproven) > 1000 * first_s * 2
    started.wait_log(r"connection 11\)", SOON_S)
    time.sleep(PROVEN_S + 0.5)
    proxy.refuse()
    proxy.drop_connections()
    wait_failures(started, 13)
    numbers = [failure.number for failure in prove_backoff(started, first_s, max_s)]
    assert numbers == [*range(1, 11), 1, 2, 3]


# ---- connections that fail


@pytest.mark.parametrize("rst", [False, True])
def test_connections_that_are_dropped_again_and_again(proxy, receiver, running, figure, rst):
    mark = 0
    for _ in range(10):
        running.wait_log("online over", SOON_S, mark)
        seen = len(receiver.readings("d1"))
        receiver.wait_readings("d1", seen + 1, SOON_S)
        mark = running.mark()
        proxy.drop_connections(rst)
    failed = prove_recovery(running, proxy, receiver, figure, mark)
    words = {"the broker closed the connection", "connection reset", "connection closed"}
    assert {failure.why for failure in failed} <= {f"lost: {word}" for word in words}


def test_a_byte_at_a_time(proxy, receiver, device, figure):
    proxy.byte_at_a_time(gap_s=0.0005)
    # On a busy machine a byte takes several times as long, and a message has 300.
    started = device(quick(proxy.port, payload={"batch": 5}, umqtt={"timeout_s": SOON_S}))
    receiver.wait_readings("d1", 25, 3 * SOON_S)
    answer = receiver.command("d1", {"cmd": "ping"}, SOON_S)
    assert answer["ok"]
    assert proxy.connections == 1
    proxy.byte_at_a_time(gap_s=0)
    prove_recovery(started, proxy, receiver, figure, 0)


# ---- half-open connections


@pytest.mark.parametrize("direction", [None, TO_SERVER, TO_CLIENT])
def test_a_half_open_connection_that_is_idle(proxy, receiver, device, figure, direction):
    """Found within one and a half keepalives of the moment at which it froze."""
    started = device(quick(proxy.port, sensor={"every_s": 60, "speed": 1}))
    receiver.wait_readings("d1", 1, SOON_S)
    proxy.wait_for(lambda: proxy.packets(TO_SERVER, PINGREQ), SOON_S, "a ping")
    mark = started.mark()
    frozen = time.monotonic()
    proxy.freeze(direction)
    started.wait_log("lost: the broker has been silent", 2 * KEEPALIVE_S, mark)
    found_s = started.timed_logs()[mark][0] - frozen
    figure("half-open found after", f"{found_s:.2f}", f"s, keepalive {KEEPALIVE_S} s")
    assert found_s <= 1.5 * KEEPALIVE_S
    started.wait_log("online over", SOON_S, mark)
    prove_sound(started)


@pytest.mark.parametrize("direction", [None, TO_SERVER, TO_CLIENT])
def test_a_half_open_connection_in_use(proxy, receiver, running, figure, direction):
    mark = running.mark()
    frozen = time.monotonic()
    proxy.freeze(direction)
    running.wait_log("ack: no acknowledgement within 1000 ms", 1.5 * KEEPALIVE_S, mark)
    figure("half-open found after", f"{running.timed_logs()[mark][0] - frozen:.2f}", "s")
    prove_recovery(running, proxy, receiver, figure, mark)


# ---- acknowledgements


def test_an_acknowledgement_that_never_comes(proxy, receiver, running, figure):
    mark = running.mark()
    proxy.hold(PUBACK)
    (held, *_) = proxy.wait_held(1, SOON_S)
    running.wait_log("ack: no acknowledgement within 1000 ms; next try", SOON_S, mark)
    running.wait_log("ack: no answer within 1000 ms; next try", SOON_S, mark)  # the birth's
    proxy.release()
    prove_recovery(running, proxy, receiver, figure, mark)
    assert held.packet_id


def test_an_acknowledgement_that_comes_late_but_in_time(proxy, receiver, running, figure):
    mark = running.mark()
    proxy.hold(PUBACK)
    (held, *_) = proxy.wait_held(1, SOON_S)
    proxy.wait_for(lambda: time.monotonic() > held.time + 0.6, SOON_S)
    assert len(proxy.held) == 1  # nothing else is sent before it
    proxy.release()
    receiver.wait_readings("d1", len(receiver.readings("d1")) + 100, SOON_S)
    assert (running.mark(), proxy.connections) == (mark, 1)
    assert receiver.sequence_report("d1").popitem()[1].duplicates == []
    prove_recovery(running, proxy, receiver, figure, 0)


def test_answers_to_nothing(proxy, receiver, running, figure):
    """Acknowledgements of what was never sent, once too often, or of other kinds."""
    for packet in ("40020001", "4002ffff", "40020000", "9003000101", "20020000", "d000"):
        proxy.inject(bytes.fromhex(packet), TO_CLIENT)
        receiver.wait_readings("d1", len(receiver.readings("d1")) + 5, SOON_S)
    assert proxy.connections == 1
    prove_recovery(running, proxy, receiver, figure, 0)


def test_an_acknowledgement_of_something_else(proxy, receiver, running, figure):
    """The one that is due is held back: nothing in its place is taken for it."""
    proxy.hold(PUBACK)
    (held, *_) = proxy.wait_held(1, SOON_S)
    mark, sent = running.mark(), len(proxy.packets(TO_SERVER, PUBLISH))
    for packet_id in (held.packet_id - 1, held.packet_id + 1, 0xFFFF):
        proxy.inject(b"\x40\x02" + packet_id.to_bytes(2, "big"), TO_CLIENT)
    proxy.inject(b"\x90\x03" + held.packet_id.to_bytes(2, "big") + b"\1", TO_CLIENT)
    running.wait_log("ack: no acknowledgement within 1000 ms; next try", SOON_S, mark)
    assert len([p for p in proxy.packets(TO_SERVER, PUBLISH) if p.connection == 1]) == sent
    proxy.release()
    prove_recovery(running, proxy, receiver, figure, mark)


NO_MQTT = ("4003000100", "8203000100", "0000", "ffffffffff", "340800036162630001", "3003000561")


@pytest.mark.parametrize("packet", NO_MQTT)
def test_what_is_no_mqtt_ends_the_connection(proxy, receiver, running, figure, packet):
    mark = running.mark()
    proxy.inject(bytes.fromhex(packet), TO_CLIENT)
    running.wait_log("protocol: ", SOON_S, mark)
    prove_recovery(running, proxy, receiver, figure, mark)
