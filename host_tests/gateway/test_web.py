"""HTTP and WebSocket: devices that send, people who look, commands and their responses, and what
is refused.
"""

import asyncio
import json
import socket
import ssl

import aiohttp
import pytest

from host_tests.e2e.proofs import quick
from host_tests.gateway.running import SOON_S, Gateway, Hook, wait_for

READING = {"s": 7, "n": 1, "ts": 1732265000, "t": 25.5, "h": 60}
TOKEN = "0123456789abcdef"
ROW = ("shed", 1, 1732265000, {"t": 25.5, "h": 60})


class Client:
    """Asks a gateway; every method is a coroutine."""

    def __init__(self, gateway, scheme="http", **options):
        port = gateway.wait_log(r"listens on \S+:(\d+)", SOON_S, gateway.mark_of_start)[1]
        self.base = f"{scheme}://127.0.0.1:{port}"
        self._options = options

    async def __aenter__(self):
        self.session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(SOON_S), **self._options
        )
        return self

    async def __aexit__(self, *_):
        await self.session.close()

    async def ask(self, method, path, body=None, **more):
        """(status, JSON or text)."""
        if isinstance(body, dict | list):
            body = json.dumps(body)
        async with self.session.request(method, self.base + path, data=body, **more) as answer:
            text = await answer.text()
            is_json = answer.content_type == "application/json"
            return answer.status, json.loads(text) if is_json else text

    async def socket(self, query=""):
        return await self.session.ws_connect(f"{self.base}/ws{query}")


@pytest.fixture
def gateway(tmp_path, evidence):
    """Starts a gateway without a broker, unless there is one: gateway(broker, more=...)."""
    made = []

    def start(broker=None, listen="127.0.0.1:0", http="", more=""):
        url = f"mqtt://127.0.0.1:{broker.port}" if broker else ""
        made.append(Gateway(
            tmp_path, f'[mqtt]\nurl = "{url}"\n[http]\nlisten = "{listen}"\n{http}\n{more}'
        ))
        evidence("log of the gateway", lambda: "\n".join(made[0].logs()))
        if broker:
            made[0].wait_log("connected", SOON_S)
        return made[0]

    yield start
    for each in made:
        each.kill()


def test_a_reading_that_was_posted_is_on_disk(gateway):
    running = gateway()

    async def post():
        async with Client(running) as client:
            assert await client.ask("POST", "/devices/shed/data", READING) == (204, "")
            running.kill()  # nothing is owed to who got his answer

    asyncio.run(post())
    running.start()
    assert running.wait_rows(1) == [ROW]

    async def post_again():
        async with Client(running) as client:
            assert await client.ask("PUT", "/devices/shed/data", READING) == (204, "")
            _, state = await client.ask("GET", "/api/state")
            assert state["devices"]["shed"] == {
                "status": "unknown", "received": 1, "missing": 0, "duplicates": 1,
            }
            assert [sink["name"] for sink in state["sinks"]] == ["database"]

    asyncio.run(post_again())
    assert running.rows() == [ROW]


def test_devices_and_viewers_over_websocket(gateway):
    running = gateway()

    async def talk():
        async with Client(running) as client:
            everything = await client.socket()
            shed = await client.socket("?topic=devices/shed/%23")
            barn = await client.socket("?deviceId=barn")
            device = await client.socket("?deviceId=shed")
            await barn.send_json({"temperature": 25.5})
            assert await barn.receive_json() == {"ack": 1}
            await device.send_bytes(json.dumps(READING).encode())
            assert await device.receive_json() == {"ack": 1}
            seen = [await everything.receive_json() for _ in range(2)]
            assert [(each["deviceId"], each["data"]) for each in seen] == [
                ("barn", {"temperature": 25.5}), ("shed", READING),
            ]
            assert (await shed.receive_json())["data"] == READING
            asking = asyncio.create_task(
                client.ask("POST", "/api/devices/shed/commands", {"cmd": "ping", "id": 5})
            )
            command = await device.receive_json()
            assert command["cmd"] == "ping"
            await device.send_json({"id": command["id"], "ok": True, "x": 1})
            assert await asking == (200, {"id": 5, "ok": True, "x": 1})
            again = await client.socket("?deviceId=shed")
            assert (await device.receive_json()) == {"ack": 2}
            assert (await device.receive()).data == 1008, "the newer socket is the device's"
            await again.close()

    asyncio.run(talk())
    assert running.wait_rows(1) == [ROW]


def test_commands_to_a_real_device(mosquitto, receiver, device, gateway):
    running = gateway(mosquitto)
    started = device(quick(mosquitto.port, device={"id": "shed"}))
    receiver.wait_status("shed", "online", SOON_S)
    path = "/api/devices/shed/commands"

    async def talk():
        async with Client(running) as client:
            for _ in range(100):  # until the gateway has heard of it too
                if (await client.ask("POST", path, {"cmd": "ping"}))[0] != 404:
                    break
                await asyncio.sleep(0.05)
            answers = await asyncio.gather(*(
                client.ask("POST", path, {"cmd": cmd, "id": 1})
                for cmd in ("ping", "info", "nonsense")
            ))
            assert answers[0] == (200, {"id": 1, "ok": True})
            assert answers[1][1]["version"] and not answers[2][1]["ok"]
            started.pause()
            status, answer = await client.ask("POST", path + "?timeout_s=0.5", {"cmd": "ping"})
            assert (status, "no response within 0.5 s" in answer["error"]) == (504, True)
            started.resume()
            assert started.stop() == 0
            receiver.wait_status("shed", "offline", SOON_S)
            for _ in range(100):
                status, answer = await client.ask("POST", path, {"cmd": "ping"})
                if status == 409:
                    break
                await asyncio.sleep(0.05)
            assert answer == {"error": "shed is offline: it stopped"}
            nobody = path.replace("shed", "nobody")
            assert (await client.ask("POST", nobody, {"cmd": "ping"}))[0] == 404
            for wrong in (b"", b"[]", b'{"cmd":1}', b"\xff"):
                assert (await client.ask("POST", path, wrong))[0] == 400
            assert (await client.ask("POST", path + "?timeout_s=1e9", {"cmd": "x"}))[0] == 400

    asyncio.run(talk())


def test_dead_letters_are_replayed(gateway):
    refusing = [True]
    with Hook(lambda number, items: 422 if refusing[0] else 200) as hook:
        running = gateway(more=f'[[webhook]]\nname = "hook"\nurl = "{hook.url}"\nbatch = 9')

        async def talk():
            async with Client(running) as client:
                for n in (1, 2):
                    await client.ask("POST", "/devices/shed/data", {**READING, "n": n})
                running.wait_log("(?s)refuses a message.*422", SOON_S)
                while len((await client.ask("GET", "/api/sinks/hook/dead"))[1]) < 2:
                    await asyncio.sleep(0.05)
                _, letters = await client.ask("GET", "/api/sinks/hook/dead")
                assert [letter["data"]["n"] for letter in letters] == [1, 2]
                assert {letter["reason"] for letter in letters} == {"status 422"}
                refusing[0] = False
                assert await client.ask("POST", "/api/sinks/hook/replay") == (
                    200, {"replaying": 2}
                )
                while (await client.ask("GET", "/api/sinks/hook/dead"))[1]:
                    await asyncio.sleep(0.05)
                assert (await client.ask("GET", "/api/sinks/no/dead"))[0] == 404
                _, text = await client.ask("GET", "/metrics")
                assert "petrel_readings_total 2.0" in text
                assert 'petrel_sink_set_aside_total{sink="hook"} 2.0' in text
                assert 'petrel_sink_delivered_total{sink="hook"} 2.0' in text

        asyncio.run(talk())
        assert [reading["n"] for _, reading in hook.readings()] == [1, 2]


# ---- what is refused


def test_hostile_requests_get_an_answer_and_harm_nobody(gateway):
    running = gateway(http="body_kb = 16\nconnections = 20")

    async def talk():
        async with Client(running) as client:
            ask = client.ask
            assert (await ask("POST", "/devices/shed/data", b"x" * 20_000))[0] == 413
            assert (await ask("POST", "/devices/shed/commands", b"{}"))[0] == 404
            for name in ("a%2Fb", "a%2B", "%23", "a%0Ab", "x" * 65):
                assert (await ask("POST", f"/devices/{name}/data", b"1"))[0] in (400, 404), name
            assert (await ask("POST", "/devices/shed/a%0Ab", b"1"))[0] == 404
            assert (await ask("GET", "/../../etc/passwd"))[0] == 404
            assert (await ask("GET", "/ws?topic=a%23"))[0] == 400
            for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"},
                            {"Host": "evil.example", "Origin": "http://evil.example"}):
                status, answer = await ask("GET", "/api/state", headers=headers)
                assert status == 403 and answer["error"], headers
            big = await client.socket("?deviceId=shed")
            await big.send_str("x" * 20_000)
            assert (await big.receive()).data == 1009
            idle = [socket.create_connection(client.base[7:].split(":")) for _ in range(25)]
            await asyncio.sleep(0.2)
            assert (await ask("GET", "/api/state"))[0] == 503
            for each in idle:
                each.close()
            await asyncio.sleep(0.2)
            assert (await ask("GET", "/api/state"))[0] == 200

    asyncio.run(talk())
    assert running.running


def test_a_viewer_who_does_not_read_holds_nobody_up(gateway):
    running = gateway()

    async def talk():
        async with Client(running) as client:
            host, port = client.base[7:].split(":")
            with socket.socket() as narrow:  # what the system keeps for it is little
                narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                narrow.connect((host, int(port)))
                reader, writer = await asyncio.open_connection(sock=narrow.dup(), limit=1024)
            writer.write(b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                         b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            device = await client.socket("?deviceId=shed")
            for _ in range(60):  # 12 MB
                await device.send_str("x" * 200_000)
                await device.receive_json()
            pages = []
            for _ in range(200):
                pages.append((await client.ask("GET", "/metrics"))[1])
                if "petrel_viewers 0.0" in pages[-1]:
                    break
                await asyncio.sleep(0.1)
            assert "petrel_viewers_too_slow_total 1.0" in pages[-1]
            writer.close()

    asyncio.run(talk())


def test_with_tls_and_a_token(gateway, certificates):
    running = gateway(
        listen="0.0.0.0:0",
        http=f'token = "{TOKEN}"\ncert = "{certificates.server.cert}"\n'
             f'key = "{certificates.server.key}"',
    )
    trust = ssl.create_default_context(cafile=str(certificates.ca.cert))

    async def talk():
        connector = aiohttp.TCPConnector(ssl=trust)
        async with Client(running, "https", connector=connector) as client:
            for header in (None, "Bearer", "Bearer wrong", f"Bearer {TOKEN}x"):
                headers = {"Authorization": header} if header else {}
                assert (await client.ask("GET", "/api/state", headers=headers))[0] == 401
            headers = {"Authorization": f"Bearer {TOKEN}"}
            assert (await client.ask("GET", "/api/state", headers=headers))[0] == 200

    asyncio.run(talk())
    assert not any(TOKEN in line for line in running.logs())


def test_to_other_machines_it_does_not_open_without_them(gateway):
    running = gateway(listen="0.0.0.0:0")
    assert running.wait_exit(SOON_S) == 2
    (line,) = running.logs()
    assert "needs http.cert and http.key for TLS, and an http.token" in line


def test_an_address_that_is_taken_is_one_line(gateway):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = gateway(listen=f"127.0.0.1:{taken.getsockname()[1]}")
        assert running.wait_exit(SOON_S) == 1
    assert wait_for(lambda: [line for line in running.logs() if "address already in use" in line],
                    SOON_S, running.logs)
