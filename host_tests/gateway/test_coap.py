"""CoAP: real devices, other people's clients, commands by observation, and what is refused."""

import asyncio
import json
import socket

import aiocoap
import aiohttp
import pytest

from host_tests.coap.ports import free_port
from host_tests.e2e.proofs import quick
from host_tests.gateway.running import SOON_S, Gateway, wait_for

ROWS = 40
READING = {"s": 7, "n": 1, "ts": 1732265000, "t": 25.5, "h": 60}
CONFIG = """
[mqtt]
url = ""
[http]
listen = "127.0.0.1:0"
[coap]
listen = "127.0.0.1:{port}"
body_kb = 16
"""


class CoapGateway(Gateway):
    """Listens on the ports `http` and `coap`."""

    def __init__(self, folder):
        self.coap = free_port()
        super().__init__(folder, CONFIG.format(port=self.coap))
        self.http = self.wait_log(r"listens on \S+:(\d+)", SOON_S)[1]
        self.wait_log("listens for CoAP", SOON_S)


@pytest.fixture
def gateway(tmp_path, evidence):
    made = CoapGateway(tmp_path)
    evidence("log of the gateway", lambda: "\n".join(made.logs()))
    yield made
    made.kill()


@pytest.fixture
def start(device, tmp_path, gateway):
    """Starts a device that publishes `ROWS` rows over CoAP: start(name, section=..., ...)."""

    def run(name, flags=("--until-drained",), **sections):
        lines = ["t,v", *(f"{5 * n},{n}" for n in range(ROWS))]
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows.csv").write_text("\n".join(lines) + "\n")
        made = quick(gateway.coap, device={"id": name}, **sections)
        made["sensors"] = [{"driver": "replay", "file": "rows.csv", "every_s": 1, "speed": 50,
                            "channels": {"v": {"column": "v", "decimals": 0}}}]
        made["links"] = ["coap"]
        made["coap"] = {"port": gateway.coap}
        return device(made, name, flags=flags)

    return run


async def post(gateway, path, payload, code=aiocoap.POST, form=50):
    """The response to a request."""
    context = await aiocoap.Context.create_client_context()
    try:
        return await context.request(aiocoap.Message(
            code=code, uri=f"coap://127.0.0.1:{gateway.coap}/{path}", payload=payload,
            content_format=form,
        )).response
    finally:
        await context.shutdown()


def test_every_reading_of_devices_in_every_format(gateway, start):
    forms = ["cbor", "frame", "json", "senml-cbor"]
    devices = [start(form, payload={"format": form, "batch": 8}) for form in forms]
    assert [each.wait_exit(60) for each in devices] == [0] * len(forms)
    rows = gateway.wait_rows(ROWS * len(forms))
    assert [(name, n, values) for name, n, _, values in rows] == [
        (form, n + 1, {"v": n}) for form in forms for n in range(ROWS)
    ]


def test_what_is_acknowledged_is_on_disk(gateway):
    response = asyncio.run(post(gateway, "devices/shed/data", json.dumps(READING).encode()))
    gateway.kill()  # nothing is owed to who got his answer
    assert response.code == aiocoap.CHANGED
    gateway.start()
    assert gateway.wait_rows(1) == [("shed", 1, 1732265000, {"t": 25.5, "h": 60})]


def test_a_large_message_comes_block_wise_and_one_that_is_too_large_is_refused(gateway):
    batch = json.dumps([{**READING, "n": n} for n in range(1, 200)]).encode()
    assert len(batch) > 10_000
    assert asyncio.run(post(gateway, "devices/shed/data", batch)).code == aiocoap.CHANGED
    assert len(gateway.wait_rows(199)) == 199
    response = asyncio.run(post(gateway, "devices/shed/data", b"1" * 20_000))
    assert response.code == aiocoap.REQUEST_ENTITY_TOO_LARGE


def test_commands_to_a_device_that_observes_them(gateway, start):
    running = start("shed", flags=())

    async def talk():
        base = f"http://127.0.0.1:{gateway.http}/api/devices/shed/commands"
        async with aiohttp.ClientSession() as session:
            async def ask(**command):
                async with session.post(base, json=command) as answer:
                    return answer.status, await answer.json()

            for _ in range(200):
                if (await ask(cmd="ping"))[0] == 200:
                    break
                await asyncio.sleep(0.05)
            answers = await asyncio.gather(*(ask(cmd="ping", id=n) for n in range(10)))
            assert answers == [(200, {"ok": True, "id": n}) for n in range(10)], "each its own"
            assert (await ask(cmd="nonsense"))[1]["ok"] is False
            assert running.stop() == 0
            answer = None
            for _ in range(200):
                status, answer = await ask(cmd="ping")
                if status == 409:
                    break
            assert answer == {"error": "shed is offline: it stopped"}

    asyncio.run(talk())


REFUSED = [
    ("devices/shed/data", aiocoap.POST, 41, "4.15"),
    ("devices/shed/data", aiocoap.GET, None, "4.05"),
    ("devices/shed/data", aiocoap.DELETE, None, "4.05"),
    ("devices/shed/commands", aiocoap.POST, 50, "4.05"),
    ("devices/shed/nonsense", aiocoap.POST, 50, "4.04"),
    ("devices/shed/data/x", aiocoap.POST, 50, "4.04"),
    ("devices", aiocoap.POST, 50, "4.04"),
    ("etc/passwd", aiocoap.GET, None, "4.04"),
    ("devices/a%2Fb/data", aiocoap.POST, 50, "4.00"),
    ("devices/%23/data", aiocoap.POST, 50, "4.00"),
    ("devices/a%0Ab/data", aiocoap.POST, 50, "4.00"),
    ("devices/" + 65 * "x" + "/data", aiocoap.POST, 50, "4.00"),
]


def test_what_is_not_there_is_refused(gateway):
    for path, code, form, wanted in REFUSED:
        response = asyncio.run(post(gateway, path, b"1" if form else b"", code, form))
        assert response.code.dotted == wanted, path


def test_hostile_datagrams_harm_nobody(gateway):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hostile:
        hostile.connect(("127.0.0.1", gateway.coap))
        for datagram in HOSTILE:
            hostile.send(datagram)
    response = asyncio.run(post(gateway, "devices/shed/data", b"23.5"))
    assert response.code == aiocoap.CHANGED
    assert gateway.running
    assert not any("Traceback" in line for line in gateway.logs()), gateway.logs()


HOSTILE = [
    b"", b"\x40", b"\x00" * 4, b"\xff" * 200, b"\x49\x02\0\1",
    bytes.fromhex("53691234746f6b656e"),
    b"\x40\x02\0\1\xff",  # a payload marker without payload
    b"\x40\x02\0\2\xbddevices\xff",
    b"\x40\x02\0\3\xb2\xff\xfe",  # a path that is no UTF-8
    b"\x40\x02\0\4\xb7devices\x04shed\x04data\xd1\x0e\x08\xff1",  # block 0 of nothing known
    b"\x40\x02\0\5\xb7devices\x04shed\x04data\xd1\x02\x18\xff1",  # block 1 without block 0
    b"\x40\x02\0\6\xb7devices\x04shed\x04data\xd1\x02\x0f\xff1",  # block size 7
    b"\x40\x02\0\7\xb7devices\x04shed\x04data\xf0\xff1",  # an option that overflows
    b"\x60\x44\0\1\xff1", b"\x70\x00\0\1x",
    *(bytes([0x40, code, 1, code]) for code in range(256)),
]


def test_an_address_that_is_taken_is_one_line(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        config = CONFIG.format(port=taken.getsockname()[1])
        running = Gateway(tmp_path, config)
        assert running.wait_exit(SOON_S) == 1
    assert wait_for(lambda: [line for line in running.logs() if "coap.listen" in line],
                    SOON_S, running.logs)
