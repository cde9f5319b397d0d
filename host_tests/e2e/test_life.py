"""What does the world hear when a device starts, stops, dies, or meets its double?"""

import os
import signal

from host_tests.e2e.proofs import SOON_S, prove_delivered, prove_sound, quick
from host_tests.faults.mqtt_packets import DISCONNECT
from host_tests.faults.tcp import TO_SERVER
from host_tests.harness.receiver import Receiver

SLOW = {"sensor": {"every_s": 60, "speed": 1}}  # a device with next to nothing to say


def retained_status(port):
    """The status that the broker hands to a newcomer, None if there is none."""
    with Receiver(port) as newcomer:
        newcomer.wait_for(lambda: newcomer.messages("d1", "health"), SOON_S, "what is retained")
        found = newcomer.statuses("d1")
    return found[-1] if found else None


def streams(receiver):
    """The streams that births named, in order."""
    return [s["s"] for s in receiver.statuses("d1") if s["status"] == "online"]


# ---- the end


def test_a_power_cut_is_told_by_the_will(mosquitto, receiver, device):
    started = device(quick(mosquitto.port))
    receiver.wait_readings("d1", 10, SOON_S)
    started.kill()
    receiver.wait_status("d1", "offline", SOON_S)
    assert receiver.statuses("d1")[1:] == [{"status": "offline"}]
    assert retained_status(mosquitto.port) == {"status": "offline"}


def test_a_chip_that_dies_is_told_by_the_will_and_by_its_board(mosquitto, receiver, device):
    started = device(quick(mosquitto.port))
    receiver.wait_readings("d1", 10, SOON_S)
    os.kill(started.chip_pid, signal.SIGKILL)
    assert started.wait_exit(SOON_S) == 1
    assert started.logs()[-1] == "petrel run: the device was killed by SIGKILL"
    receiver.wait_status("d1", "offline", SOON_S)
    assert receiver.statuses("d1")[1:] == [{"status": "offline"}]


def test_a_polite_stop_delivers_what_is_queued_and_fires_no_will(
    mosquitto, proxy, receiver, device
):
    """A batch that is far from full, and far from old, goes out all the same."""
    started = device(quick(proxy.port, payload={"batch": 1000, "max_age_s": 3600}))
    receiver.wait_status("d1", "online", SOON_S)
    assert receiver.command("d1", {"cmd": "ping"})["ok"]
    assert receiver.readings("d1") == []
    assert prove_delivered(started, receiver) > 0
    offline = {"status": "offline", "reason": "stopped"}
    receiver.wait_status("d1", "offline", SOON_S)
    assert proxy.packets(TO_SERVER)[-1].type == DISCONNECT
    proxy.wait_for(lambda: not proxy.live, SOON_S, "the end of the connection")
    assert retained_status(mosquitto.port) == offline
    assert receiver.statuses("d1")[1:] == [offline]


def test_a_device_that_samples_faster_than_it_sends_can_be_stopped(mosquitto, receiver, device):
    """A thousand readings a second, half as many messages: it drains, as it samples no more."""
    settings = quick(mosquitto.port, sensor={"speed": 5000}, limits={"publish_per_s": 500})
    started = device(settings)
    receiver.wait_readings("d1", 100, SOON_S)
    assert prove_delivered(started, receiver, pace_ms=1) > 100


def test_a_stop_without_a_connection_is_quick_and_says_what_goes_lost(proxy, device):
    proxy.refuse()
    started = device(quick(proxy.port, queue={"durability": "ram"}))
    started.wait_log("connection refused", SOON_S)
    assert started.stop(deadline_s=3) == 0
    lost = started.wait_log(r"(\d+) readings were not delivered", SOON_S)[1]
    assert started.logs()[-1].endswith(f"stopped; sampled {lost} acked 0 dropped 0")


# ---- one life after the other


def test_each_life_has_a_stream_of_its_own_and_names_the_one_before(mosquitto, receiver, device):
    started = device(quick(mosquitto.port))
    receiver.wait_readings("d1", 10, SOON_S)
    started.stop()
    acked = int(started.wait_log(r"acked (\d+)", SOON_S)[1])
    for life in (2, 3):
        online = len(streams(receiver))
        started.start()
        receiver.wait_for(lambda n=online: len(streams(receiver)) > n, SOON_S, f"birth {life}")
        receiver.wait_for(lambda n=life: len(receiver.sequence_report("d1")) == n, SOON_S)
        started.kill()
    births = [s for s in receiver.statuses("d1") if s["status"] == "online"]
    first, second, third = (birth["s"] for birth in births)
    assert len({first, second, third}) == 3
    assert "before" not in births[0]
    assert births[1]["before"] == {"s": first, "n": acked, "end": True}
    assert births[2]["before"] == {"s": second, "n": 0}  # nothing of it was made durable
    assert [birth["boot"] for birth in births] == ["power"] * 3
    assert list(receiver.sequence_report("d1")) == [first, second, third]
    prove_sound(started)


def test_a_device_that_is_back_at_once_is_online(mosquitto, receiver, device):
    started = device(quick(mosquitto.port, **SLOW))
    for life in range(1, 6):
        receiver.wait_for(lambda n=life: len(streams(receiver)) == n, SOON_S, f"birth {life}")
        assert receiver.command("d1", {"cmd": "ping"})["ok"]
        started.kill()
        started.start()
    receiver.wait_for(lambda: len(streams(receiver)) == 6, SOON_S, "the last birth")
    assert receiver.command("d1", {"cmd": "ping"})["ok"]
    assert retained_status(mosquitto.port)["s"] == streams(receiver)[-1]
    assert [s["status"] for s in receiver.statuses("d1")] == ["online", "offline"] * 5 + ["online"]


def test_a_device_that_is_back_before_the_broker_missed_it_is_online(
    mosquitto, proxy, receiver, device
):
    """The old connection is half-open at the broker, and its will fires at the takeover."""
    started = device(quick(proxy.port, **SLOW, umqtt={"keepalive_s": 600}))
    receiver.wait_status("d1", "online", SOON_S)
    proxy.freeze()
    started.kill()
    assert len(receiver.statuses("d1")) == 1
    started.start()
    receiver.wait_for(lambda: len(streams(receiver)) == 2, SOON_S, "the second birth")
    assert receiver.command("d1", {"cmd": "ping"})["ok"]
    assert [s["status"] for s in receiver.statuses("d1")] == ["online", "offline", "online"]
    assert retained_status(mosquitto.port)["s"] == streams(receiver)[-1]


def test_the_survivor_of_two_doubles_is_online(mosquitto, receiver, device):
    """Two devices of one name take the session from each other until one of them dies."""
    settings = quick(mosquitto.port, **SLOW)
    survivor = device(settings, name="double-0")
    survivor.wait_log("online", SOON_S)
    for n in range(1, 21):
        fallen, survivor = survivor, device(settings, name=f"double-{n}")
        survivor.wait_log("online", SOON_S)
        stream = int(survivor.wait_log(r"stream (\d+)", SOON_S)[1])
        fallen.kill()
        receiver.wait_for(
            lambda s=stream: receiver.statuses("d1")[-1].get("s") == s, SOON_S, f"birth of {n}"
        )
        answer = receiver.command("d1", {"cmd": "info"}, SOON_S)
        assert answer["s"] == stream
        assert retained_status(mosquitto.port)["s"] == stream
    prove_sound(survivor)
