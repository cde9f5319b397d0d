"""HTTP -> gateway -> RabbitMQ: is everything in its queue, whatever becomes of the broker, and do
other sinks notice?
"""

import asyncio
import collections
import contextlib
import functools
import json
import re
import threading

import aio_pika
import pytest

from host_tests.faults.tcp import TO_CLIENT, FaultProxy
from host_tests.gateway.running import SOON_S, Gateway, Hook, wait_for
from host_tests.gateway.test_web import Client
from petrel.setup.services import find_rabbitmq

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not find_rabbitmq(), reason="no rabbitmq-server; try: make setup-services"),
]
CONFIG = """
[mqtt]
url = ""
[http]
listen = "127.0.0.1:0"
[[webhook]]
name = "hook"
url = "{hook}"
batch = 50
[[amqp]]
name = "rabbit"
url = "{url}"
batch = 20
timeout_s = 2
retry_max_s = 1
{more}
"""


@pytest.fixture
def proxy(rabbitmq):
    with FaultProxy(rabbitmq.port) as proxy:
        yield proxy


@pytest.fixture
def gateway(tmp_path, evidence, rabbitmq, proxy):
    """Starts a gateway that reaches RabbitMQ through the proxy; what it made there is deleted."""
    with Hook() as hook:
        url = rabbitmq.url.replace(str(rabbitmq.port), str(proxy.port))
        made = []

        def start(more=""):
            config = CONFIG.format(hook=hook.url, url=url, more=more)
            made.append(Gateway(tmp_path, config))
            made[0].hook = hook
            evidence("log of the gateway", lambda: "\n".join(made[0].logs()))
            return made[0]

        yield start
        for each in made:
            each.kill()
        asyncio.run(clear(rabbitmq))


async def clear(rabbitmq):
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        for queue in ("sensor-data", "whole", "safe"):
            await channel.queue_delete(queue)
        await channel.exchange_delete("iot")


class Queues:
    """Consumes queues in a thread, again and again if it must; messages: {queue: [message]}."""

    def __init__(self, rabbitmq, *names):
        self._rabbitmq, self._names = rabbitmq, names
        self.messages = collections.defaultdict(list)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(SOON_S)

    async def _run(self):
        while not self._ended.is_set():
            with contextlib.suppress(aio_pika.exceptions.AMQPError, OSError):
                async with await aio_pika.connect(self._rabbitmq.url) as connection:
                    channel = await connection.channel()
                    for name in self._names:
                        queue = await channel.get_queue(name)
                        await queue.consume(functools.partial(self._keep, name), no_ack=True)
                    while not (self._ended.is_set() or channel.is_closed):
                        await asyncio.sleep(0.02)
            await asyncio.sleep(0.1)

    async def _keep(self, name, message):
        self.messages[name].append(message)

    def values(self, name="sensor-data"):
        """{id of a value: value}."""
        return {m.message_id: json.loads(m.body)["data"] for m in list(self.messages[name])}


def post(gateway, numbers, device="shed", **reading):
    """Readings of these numbers, `{"t": number}` each."""
    async def run():
        async with Client(gateway) as client:
            for n in numbers:
                body = {"s": 7, "n": n, "t": n, **reading}
                assert (await client.ask("POST", f"/devices/{device}/data", body))[0] == 204

    asyncio.run(run())


def wanted(*ranges):
    return {f"shed/7/{n}/t": n for numbers in ranges for n in numbers}


def prove(gateway, queues, count):
    """All values are in the queue, in order but for repetitions, and the webhook has them too."""
    wait_for(lambda: len(queues.values()) >= count, SOON_S,
             lambda: f"{len(queues.values())} of {count}; {gateway.logs()[-5:]}")
    assert queues.values() == wanted(range(1, count + 1))
    assert list(queues.values().values()) == [*range(1, count + 1)], "order, by the first copies"
    prove_hook(gateway, count)


def prove_hook(gateway, count):
    wait_for(lambda: len(gateway.hook.readings()) >= count, SOON_S,
             lambda: f"{len(gateway.hook.readings())} of {count} at the webhook")
    assert [reading["n"] for _, reading in gateway.hook.readings()] == [*range(1, count + 1)]


def bind(rabbitmq, name, pattern):
    """Whoever wants other messages binds a queue of his own."""
    async def run():
        async with await aio_pika.connect(rabbitmq.url) as connection:
            channel = await connection.channel()
            exchange = await channel.declare_exchange("iot", "topic", durable=True)
            queue = await channel.declare_queue(name, durable=True)
            await queue.bind(exchange, pattern)

    asyncio.run(run())


def test_values_and_messages_have_their_keys(gateway, rabbitmq):
    bind(rabbitmq, "whole", "devices.#")
    running = gateway()
    running.wait_log("listens on", SOON_S)
    with Queues(rabbitmq, "sensor-data", "whole") as queues:
        post(running, [1], h=60.5)
        wait_for(lambda: len(queues.messages["sensor-data"]) == 2 and queues.messages["whole"],
                 SOON_S, lambda: str(queues.messages))
    t, h = queues.messages["sensor-data"]
    assert [t.routing_key, h.routing_key] == ["sensors.temperature", "sensors.humidity"]
    assert [t.message_id, h.message_id] == ["shed/7/1/t", "shed/7/1/h"]
    assert json.loads(h.body).items() >= {
        "deviceId": "shed", "quantity": "humidity", "data": 60.5, "unit": "%RH"}.items()
    (whole,) = queues.messages["whole"]
    assert whole.routing_key == "devices.shed.data"
    assert json.loads(whole.body)["data"] == {"s": 7, "n": 1, "t": 1, "h": 60.5}
    for message in (t, h, whole):
        assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        assert message.content_type == "application/json"
    assert running.stop() == 0


def test_a_plain_client_finds_a_classic_queue_and_a_config_makes_it_quorum(gateway, rabbitmq):
    running = gateway('[[amqp]]\nname = "safe"\nqueue = "safe"\nqueue_type = "quorum"\n'
                      f'bindings = ["sensors.temperature"]\nurl = "{rabbitmq.url}"')
    running.wait_log("listens on", SOON_S)
    with Queues(rabbitmq, "sensor-data", "safe") as queues:
        post(running, range(1, 4), h=1)
        wait_for(lambda: len(queues.values("safe")) == 3 and len(queues.values()) == 6, SOON_S,
                 lambda: str(queues.messages))
    assert queues.values("safe") == wanted(range(1, 4))

    async def assert_queue():
        async with await aio_pika.connect(rabbitmq.url) as connection:
            channel = await connection.channel()
            await channel.declare_queue("sensor-data", durable=True)  # as assertQueue does
            await channel.declare_queue("safe", durable=True, arguments={"x-queue-type": "quorum"})

    asyncio.run(assert_queue())


def test_the_connection_is_cut_and_the_broker_freezes(gateway, rabbitmq, proxy):
    running = gateway()
    running.wait_log("listens on", SOON_S)
    with Queues(rabbitmq, "sensor-data") as queues:
        post(running, range(1, 41))
        proxy.cut_after(30, TO_CLIENT)  # within the confirmations
        post(running, range(41, 81))
        running.wait_log("rabbit: .*; next try in", SOON_S)
        prove(running, queues, 80)
        proxy.freeze()  # no close, no answer
        post(running, range(81, 121))
        running.wait_log("rabbit: no confirmation within 2 s; next try in", SOON_S)
        prove(running, queues, 120)


def test_a_queue_that_somebody_deletes_is_made_again(gateway, rabbitmq):
    running = gateway()
    running.wait_log("listens on", SOON_S)
    with Queues(rabbitmq, "sensor-data") as queues:
        post(running, range(1, 21))
        prove(running, queues, 20)

    async def delete():
        async with await aio_pika.connect(rabbitmq.url) as connection:
            await (await connection.channel()).queue_delete("sensor-data")

    asyncio.run(delete())
    with Queues(rabbitmq, "sensor-data") as more:
        post(running, range(21, 41))
        running.wait_log("rabbit: the queue sensor-data is gone; it is made again", SOON_S)
        wait_for(lambda: len(more.values()) >= 20, SOON_S, lambda: str(more.values()))
        assert more.values() == wanted(range(21, 41))

    async def unrouted():
        async with Client(running) as client:
            return (await client.ask("GET", "/metrics"))[1]

    # The whole messages, which no queue wants.
    counted = re.compile(r'petrel_sink_unrouted_total\{sink="rabbit"\} [1-9]')
    wait_for(lambda: counted.search(asyncio.run(unrouted())), SOON_S, lambda: "none is counted")


def test_rabbitmq_is_killed_and_the_webhook_does_not_wait(gateway, rabbitmq):
    running = gateway()
    running.wait_log("listens on", SOON_S)
    bind(rabbitmq, "whole", "devices.#")
    sender = threading.Thread(target=lambda: post(running, range(1, 301)))
    sender.start()
    wait_for(lambda: len(running.hook.readings()) > 100, SOON_S, lambda: "nothing comes")
    rabbitmq.kill()
    try:
        sender.join(SOON_S)
        assert not sender.is_alive(), "devices are held up"
        prove_hook(running, 300)
        running.wait_log("rabbit: .*; next try in", SOON_S)
        running.kill()
        running.start()
    finally:
        rabbitmq.start()  # other tests have the same one
    with Queues(rabbitmq, "sensor-data", "whole") as queues:
        prove(running, queues, 300)
        whole = queues.messages["whole"]
        wait_for(lambda: len({m.message_id for m in whole}) >= 300, SOON_S,
                 lambda: f"{len(whole)} whole messages")
