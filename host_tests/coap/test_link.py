"""firmware/links/coap.py and microcoapy.py: does the device, as it runs, deliver whatever the
network does?

The peer is aiocoap; between the two is a relay that loses what it is told to.
"""

import json

import pytest

pytest.importorskip("aiocoap", reason="aiocoap is not installed; type: make setup")

from host_tests.coap.collector import Collector
from host_tests.faults.udp import TO_SERVER, UdpRelay
from host_tests.harness.config import config

ROWS = 60
DEVICE = "d1"
DRAINED_S = 60
LOSS = {"loss": 0.2, "double": 0.1, "late": 0.1}


@pytest.fixture
def collector():
    with Collector(DEVICE) as collector:
        yield collector


@pytest.fixture
def start(device, tmp_path, link):
    """Starts a device that publishes to a port: start(port, rows=..., sections as in a config)."""

    def run(port, rows=ROWS, flags=("--until-drained",), **sections):
        folder = tmp_path / DEVICE
        folder.mkdir(exist_ok=True)
        lines = ["t,v", *(f"{5 * n},{n}" for n in range(rows))]
        (folder / "rows.csv").write_text("\n".join(lines) + "\n")
        made = config(
            port,
            sensor={
                "file": "rows.csv", "every_s": 1, "speed": 50,
                "channels": {"v": {"column": "v", "decimals": 0}},
            },
            **{"reconnect": {"first_s": 0.05, "max_s": 0.2}, **sections},
        )
        made["sensors"][0]["channels"] = {"v": {"column": "v", "decimals": 0}}
        made["links"] = [link]
        options = made.pop("options", {})
        made[link] = {"port": port, "ack_timeout_s": 0.06, "timeout_s": 10, **options}
        return device(made, name=DEVICE, flags=flags)

    return run


def readings(collector):
    found = []
    for payload in collector.of("data"):
        content = json.loads(payload)
        found += content if isinstance(content, list) else [content]
    return found


def values(collector):
    return [reading["v"] for reading in readings(collector)]


@pytest.mark.parametrize("faults", [{}, LOSS], ids=["clean", "20 % lost each way"])
def test_every_row_arrives_once_and_in_order(collector, start, faults, seed, evidence):
    with UdpRelay(collector.port, seed=seed, **faults) as relay:
        evidence("relay", relay.summary)
        assert start(relay.port).wait_exit(DRAINED_S) == 0
    found = values(collector)
    assert sorted(set(found)) == list(range(ROWS)), "every row"
    if not faults:
        assert found == list(range(ROWS)), "once, in order"
    statuses = [json.loads(payload)["status"] for payload in collector.of("status")]
    assert statuses[0] == "online" and statuses[-1] == "offline"
    kinds = {(kind, method, form) for _, kind, method, form, _ in collector.taken}
    assert ("data", "POST", 50) in kinds and ("status", "PUT", 50) in kinds


@pytest.mark.parametrize("link", ["coap"], indirect=True)  # the links share what decides it
@pytest.mark.parametrize("form, number", [("cbor", 60), ("senml-cbor", 112), ("frame", 65000)])
def test_the_content_format_says_what_it_is(collector, start, form, number):
    payload = {"format": form, "batch": 30}
    assert start(collector.port, payload=payload).wait_exit(DRAINED_S) == 0
    assert {f for _, kind, _, f, _ in collector.taken if kind == "data"} == {number}


@pytest.mark.parametrize("faults", [{}, LOSS], ids=["clean", "20 % lost each way"])
@pytest.mark.parametrize("link", ["coap"], indirect=True)
def test_a_message_larger_than_a_datagram_goes_block_wise(collector, start, faults, seed):
    with UdpRelay(collector.port, seed=seed, **faults) as relay:
        sections = {"payload": {"batch": 60}, "limits": {"message_bytes": 8000}}
        assert start(relay.port, **sections).wait_exit(DRAINED_S) == 0
        longest = max(len(data) for *_, data, _ in relay.seen)
    assert values(collector) == list(range(ROWS))
    assert max(map(len, collector.of("data"))) > 1500 > longest


@pytest.mark.parametrize("faults", [{}, LOSS], ids=["clean", "20 % lost each way"])
def test_a_command_is_run_once_and_answered(collector, start, faults, seed):
    collector.command(b'{"id":"old","cmd":"ping"}')
    with UdpRelay(collector.port, seed=seed, **faults) as relay:
        running = start(relay.port, rows=3, flags=())
        collector.wait_for(lambda c: c.of("health"))
        for number in (1, 2):
            collector.command(b'{"id":"c%d","cmd":"ping"}' % number)
            collector.wait_for(lambda c, n=number: len(c.of("responses")) >= n)
        assert running.stop() == 0
    answers = [json.loads(payload)["id"] for payload in collector.of("responses")]
    assert list(dict.fromkeys(answers)) == ["c1", "c2"]
    given_up = sum("no acknowledgement" in line for line in running.logs())
    assert len(answers) - 2 <= given_up, "one whose acknowledgements are all lost is sent again"


def test_a_peer_without_commands_is_no_failure(start):
    with Collector(DEVICE, commands=False) as collector:
        running = start(collector.port)
        assert running.wait_exit(DRAINED_S) == 0
        assert values(collector) == list(range(ROWS))
    assert any("no commands to observe" in line for line in running.logs())


def test_readings_outlive_a_peer_that_is_away(collector, start):
    """Everything is lost for a while: the link gives up, the uplink tries again."""
    with UdpRelay(collector.port) as relay:
        relay.drop(TO_SERVER, *range(20, 36))
        running = start(relay.port, options={"timeout_s": 1})
        assert running.wait_exit(DRAINED_S) == 0
    assert sorted(set(values(collector))) == list(range(ROWS))
    assert any("within 1000 ms" in line or "no acknow" in line for line in running.logs())


def test_a_peer_that_refuses_is_asked_again_and_nothing_is_lost(collector, start):
    running = start(collector.port)
    collector.wait_for(lambda c: len(c.of("data")) > 5)
    collector.refuse(0xA3)
    collector.wait_for(
        lambda _: any("the peer answers 5.03 to our" in line for line in running.logs())
    )
    collector.refuse(None)
    assert running.wait_exit(DRAINED_S) == 0
    assert sorted(set(values(collector))) == list(range(ROWS))
