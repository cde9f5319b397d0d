"""The gateway from an MQTT broker to database and webhook, beside two peers in the same run: a
paho subscriber that does nothing, and a forwarder of one request a message as one writes it first.

Each drains the same stream, which waits for it in its session at the broker, so that publishing
costs none of them anything.
"""

import asyncio
import contextlib
import json
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from aiohttp import ClientSession, web
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from petrel.broker import Mosquitto, free_port

COUNT, FORWARDED = 10_000, 1000
WINDOW = 1000
_DEADLINE_S = 120
LATENCY_S = 10
LOAD = 0.15  # of what the bare subscriber takes: half of the least that the gateway should
_FORWARDER = Path(__file__).with_name("gateway_forwarder.py")


def measure(_bench):
    with Mosquitto() as broker, Hook() as hook:
        bare = drained_by_paho(broker.port)
        with tempfile.TemporaryDirectory() as folder, Running(folder, broker.port, hook) as own:
            rate, memory = drained_by_gateway(own, broker.port, hook)
            load = bare * LOAD
            p50, p99 = asyncio.run(latency(own.http_port, broker.port, load))
        simple = drained_by_forwarder(broker.port, hook)
    print("QoS 1 messages a second from Mosquitto")
    print(f"  a paho subscriber that does nothing         {bare:6.0f}")
    print(f"  the gateway, to spool, database, webhook    {rate:6.0f}   {rate / bare:.2f} x")
    print(f"  a forwarder, one request a message          {simple:6.0f}   "
          f"the gateway: {rate / simple:.0f} x")
    print(f"device to viewer at {load:.0f} messages a second: median {p50:.0f} ms, 99 % within "
          f"{p99:.0f} ms; memory after {COUNT} messages: {memory:.0f} MB")
    return {"bare": bare, "gateway": rate, "forwarder": simple, "p50_ms": p50, "p99_ms": p99,
            "memory_mb": memory}


def publish(port, count, rate=None, stream=7):
    """Publish readings, `rate` a second or as fast as the broker takes them."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    window = threading.BoundedSemaphore(WINDOW)
    client.on_publish = lambda *_: window.release()
    client.max_inflight_messages_set(WINDOW)
    client.connect("127.0.0.1", port)
    client.loop_start()
    began = time.monotonic()
    for number in range(count):
        if rate:
            time.sleep(max(0, began + number / rate - time.monotonic()))
        window.acquire(timeout=_DEADLINE_S)
        reading = {"s": stream, "n": number // 10 + 1, "ts": 1795354689, "t": 25.5,
                   "sent": time.time()}
        client.publish(f"devices/d{number % 10}/data", json.dumps(reading), qos=1)
    for _ in range(WINDOW):
        window.acquire(timeout=_DEADLINE_S)
    client.disconnect()
    client.loop_stop()


def drained_by_paho(port):
    """Messages a second that a subscriber takes who does nothing with them."""
    times, ready = [], threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "bare", protocol=mqtt.MQTTv5)
    client.on_message = lambda *_: times.append(time.perf_counter())
    client.on_subscribe = lambda *_: ready.set()
    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval, session.ReceiveMaximum = 600, WINDOW
    for waiting in (False, True):
        client.connect("127.0.0.1", port, clean_start=False, properties=session)
        client.loop_start()
        if not waiting:
            client.subscribe("devices/#", 1)
            ready.wait(_DEADLINE_S)
        else:
            until(lambda: len(times) >= COUNT)
            client.unsubscribe("devices/#")
        client.disconnect()
        client.loop_stop()
        if not waiting:
            publish(port, COUNT)
    return (COUNT - 1) / (times[COUNT - 1] - times[0])


def drained_by_gateway(running, port, hook):
    """(messages a second into database and webhook, MB of memory after that)."""
    running.start()
    running.stop()  # its session is there now
    publish(port, COUNT)
    hook.count = 0
    running.start()
    first = until(running.rows)
    began = time.perf_counter()
    until(lambda: running.rows() >= COUNT and hook.count >= COUNT)
    rate = (COUNT - first) / (time.perf_counter() - began)
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return rate, int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def drained_by_forwarder(port, hook):
    """Messages a second of a script that POSTs each message as it comes."""
    hook.count = 0
    command = [sys.executable, str(_FORWARDER), str(port), hook.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()  # it is subscribed
        began = time.perf_counter()
        publish(port, FORWARDED, stream=8)
        until(lambda: hook.count >= FORWARDED)
        rate = FORWARDED / (time.perf_counter() - began)
        process.terminate()
    return rate


async def latency(http_port, port, rate):
    """(median, 99th percentile) in ms from publishing to a viewer, at `rate` a second."""
    took, count = [], int(rate * LATENCY_S)
    url = f"http://127.0.0.1:{http_port}/ws"
    async with ClientSession() as session, session.ws_connect(url) as viewer:
        sending = asyncio.create_task(asyncio.to_thread(publish, port, count, rate, 9))
        while len(took) < count:
            came = await viewer.receive_json(timeout=_DEADLINE_S)
            took.append((time.time() - came["data"]["sent"]) * 1000)
        await sending
    cuts = statistics.quantiles(took, n=100)
    return cuts[49], cuts[98]


def until(predicate):
    """The first true answer, asked a hundred times a second."""
    ends = time.monotonic() + _DEADLINE_S
    while not (answer := predicate()):
        if time.monotonic() > ends:
            raise TimeoutError("the gateway's measurement did not come to its end")
        time.sleep(0.01)
    return answer


class Running:
    """A gateway as a process, with its database and one webhook."""

    def __init__(self, folder, port, hook):
        self.http_port, self.process = free_port(), None
        self._config = Path(folder) / "gateway.toml"
        self._database = Path(folder) / "gateway-data" / "readings.db"
        self._config.write_text(
            f'[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n[http]\n'
            f'listen = "127.0.0.1:{self.http_port}"\n'
            f'[[webhook]]\nurl = "{hook.url}"\nbatch = 500\n'
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        command = [sys.executable, "-m", "petrel.cli", "gateway", "--config", self._config]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        until(lambda: "connected" in self.process.stderr.readline())

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.communicate(timeout=_DEADLINE_S)
        self.process = None

    def rows(self):
        with contextlib.suppress(sqlite3.OperationalError):
            path = f"file:{self._database}?mode=ro"
            with contextlib.closing(sqlite3.connect(path, uri=True)) as database:
                query = "SELECT count(*) FROM readings WHERE channel = 't'"
                return database.execute(query).fetchone()[0]
        return 0


class Hook:
    """A web server that takes every POST; count: the messages in them."""

    def __enter__(self):
        self.count, self._loop = 0, asyncio.new_event_loop()
        port, ready = free_port(), threading.Event()
        self.url = f"http://127.0.0.1:{port}/"
        self._thread = threading.Thread(target=self._run, args=(port, ready), daemon=True)
        self._thread.start()
        ready.wait(_DEADLINE_S)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, port, ready):
        app = web.Application(client_max_size=1 << 24)
        app.add_routes([web.post("/", self._take)])
        runner = web.AppRunner(app, access_log=None)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", port).start())
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    async def _take(self, request):
        self.count += len(re.findall(rb'"topic":', await request.read()))
        return web.Response()
