"""QoS 2 over power cuts: does a subscriber at a real Mosquitto see each reading once, wherever in
the handshake of its message the power goes?

The place is chosen by holding a packet back; the power cut is a SIGKILL.
"""

import time

import pytest

from host_tests.e2e.proofs import SOON_S, prove_sound, quick
from host_tests.e2e.storm import CALM_LIVES
from host_tests.faults.mqtt_packets import PUBCOMP, PUBLISH, PUBREC, PUBREL
from host_tests.faults.tcp import TO_CLIENT, TO_SERVER

PLACES = {
    "PUBLISH is lost": (PUBLISH, TO_SERVER),
    "PUBREC is lost": (PUBREC, TO_CLIENT),
    "PUBREL is lost": (PUBREL, TO_SERVER),
    "PUBCOMP is lost": (PUBCOMP, TO_CLIENT),
}
BATCH, PACE_MS = 3, 20
SLOW = 25  # messages a second: a backlog lasts for a while
BEFORE = 3 * BATCH  # readings until the fault


def settings(port, durability, protocol="3.1.1", payload="json", **changes):
    return quick(
        port,
        links=["mqtt"],
        mqtt={"host": "127.0.0.1", "port": port, "timeout_s": 2, "protocol": protocol, "qos": 2},
        sensor={"speed": 5000 // PACE_MS, "loop": True},
        payload={"format": payload, "batch": BATCH, "max_age_s": 0.2},
        queue={"durability": durability, "spill_after_s": 1},
        **changes,
    )


def lose(proxy, device, place):
    """The power goes while such a packet is on its way, which it takes with it. Returns the number
    of the connection.
    """
    proxy.hold(*place)
    proxy.wait_held(2, SOON_S)
    device.kill()
    number = proxy.connections
    proxy.drop_held()
    proxy.release()
    return number


def publishes(proxy, connection):
    """{packet id: packet} of the messages with readings: the only ones of QoS 2."""
    packets = [p for p in proxy.packets(TO_SERVER, PUBLISH) if p.connection == connection]
    return {p.packet_id: p for p in packets if p.qos == 2}


def prove_once(device, receiver, lives):
    """Everything comes of so many lives, nothing twice."""
    receiver.wait_for(lambda: len(receiver.sequence_report("d1")) >= lives, SOON_S, "the lives")
    for _ in range(CALM_LIVES):
        assert device.stop() == 0
        if not [line for line in device.logs()[-3:] if "not delivered" in line]:
            break
        device.start()
    prove_sound(device)
    report = receiver.sequence_report("d1")
    assert not [(s, r.duplicates) for s, r in report.items() if r.duplicates]
    return list(report.values())


def prove_resumed(proxy, connection, place):
    """The handshakes of this connection went on, on the newest one, where they were."""
    begun, last = publishes(proxy, connection), proxy.connections
    again = [packet for packet in publishes(proxy, last).values() if packet.dup]
    for packet in again:
        assert packet.payload == begun[packet.packet_id].payload
    if place[0] in (PUBLISH, PUBREC):
        assert again
    else:
        released = [p for p in proxy.packets(TO_SERVER, PUBREL) if p.connection == last]
        assert released[0].packet_id in begun


def places(*short):
    """All of them in `make soak`, these few in `make test`."""
    return [name if name in short else pytest.param(name, marks=pytest.mark.soak)
            for name in PLACES]


@pytest.mark.parametrize("place", PLACES)
def test_a_handshake_goes_on_after_a_power_cut(proxy, receiver, device, place):
    odd = list(PLACES).index(place) % 2
    protocol, payload = [("3.1.1", "json"), ("5", "frame")][odd]
    started = device(settings(proxy.port, "always", protocol, payload))
    receiver.wait_readings("d1", BEFORE, SOON_S)
    connection = lose(proxy, started, PLACES[place])
    started.start()
    first, *_ = prove_once(started, receiver, 2)
    assert not first.missing
    prove_resumed(proxy, connection, PLACES[place])


@pytest.mark.parametrize("place", places("PUBREC is lost", "PUBCOMP is lost"))
def test_so_does_that_of_a_backlog(proxy, receiver, device, place):
    """`spill`, in which RAM alone writes nothing."""
    proxy.refuse()
    started = device(settings(proxy.port, "spill", limits={"publish_per_s": SLOW}))
    receiver.wait_for((started.state / "journal" / "lives").exists, SOON_S, "a backlog")
    time.sleep(0.2)  # until all of it is written
    proxy.accept()
    receiver.wait_readings("d1", BEFORE, SOON_S)
    connection = lose(proxy, started, PLACES[place])
    started.start()
    prove_once(started, receiver, 2)
    prove_resumed(proxy, connection, PLACES[place])


@pytest.mark.parametrize("place", places("PUBLISH is lost", "PUBREL is lost"))
def test_and_that_of_readings_which_went_from_ram_to_flash_meanwhile(
    proxy, receiver, device, place
):
    started = device(settings(proxy.port, "spill"))
    receiver.wait_readings("d1", BEFORE, SOON_S)
    assert not (started.state / "journal" / "session").exists()
    proxy.hold(*PLACES[place])
    proxy.wait_held(2, SOON_S)
    connection = proxy.connections
    proxy.black_hole()
    proxy.drop_connections()
    receiver.wait_for((started.state / "journal" / "session").exists, SOON_S, "the session")
    started.kill()
    proxy.drop_held()
    proxy.release()
    proxy.accept()
    started.start()
    prove_once(started, receiver, 2)
    prove_resumed(proxy, connection, PLACES[place])
