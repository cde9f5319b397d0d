"""Runs on the device: lib/mqtt's client over real sockets, told what to do action by action."""

import asyncio
import os

from mqtt import life, resume
from mqtt.client import Client

from . import held, server

_FIRST = 10  # ms, the shortest delay before connecting again


def context(ca, cert=None, key=None, psk=None):
    import tls

    made = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    if psk:
        made.verify_mode = tls.CERT_NONE
        made.psk_identity, made.psk_key = psk[0].encode(), bytes.fromhex(psk[1])
        return made
    from firmware.links.tls import context

    names = ("ca", "cert", "key", "psk_identity", "psk_key_hex")
    return context(dict(zip(names, (ca, cert, key, None, None))))


def make(port, tls, options):
    if tls:
        tls = context(*tls)
    options = dict({"client_id": "c1", "timeout_s": 5, "reconnect": (_FIRST, 50)}, **options)
    return Client("127.0.0.1", port, tls=tls, **options)


def session(port, tls, options, actions):
    """Connect, act, disconnect; returns what each action told, and the loop's longest hold."""
    return asyncio.run(_session(make(port, tls, options), actions))


async def _session(client, actions):
    held.watch(client)
    told = []
    try:
        async with client:
            for name, *arguments in actions:
                told.append(await globals()["_" + name](client, *arguments))
    except Exception as error:
        stage = getattr(error, "stage", "")
        told.append([type(error).__name__, stage, str(error), getattr(error, "code", None)])
    return {"told": told, "held_us": held.longest_us(),
            "handshake_us": held.longest_of_handshake_us(),
            "connections": client.connections, "dropped": client.dropped}


async def _publish(client, topic, first, count, qos, window=1, size=0, retain=False):
    """Publish numbers; returns how many were refused."""
    numbers = iter(range(first, first + count))
    refused = [0]

    async def some():
        for n in numbers:
            try:
                await client.publish(topic, b"%d" % n + b" " * size, qos, retain)
            except Exception as error:
                if not hasattr(error, "code"):
                    raise
                refused[0] += 1

    await asyncio.gather(*[some() for _ in range(window)])
    return refused[0]


async def _subscribe(client, topic_filter, qos, size=8, properties=None):
    client.messages(topic_filter, size)
    return await client.subscribe(topic_filter, qos, properties)


async def _take(client, topic_filter, count):
    """The next messages: [topic, payload, qos, retain, properties]."""
    taken = []
    async for message in client.messages(topic_filter):
        properties = message.properties
        if properties:
            properties = {name: str(properties[name]) for name in properties}
        taken.append([message.topic, message.payload.decode(), message.qos, message.retain,
                      properties])
        if len(taken) == count:
            return taken


async def _swallow(client, topic_filter, total):
    """Take messages until so many bytes have come."""
    came = 0
    async for message in client.messages(topic_filter):
        came += len(message.payload)
        if came >= total:
            return came


async def _wait(client, ms):
    await asyncio.sleep_ms(ms)


async def _again(client):
    """Lose the connection, connect again; returns whether the session was present."""
    life.drop(client, OSError("dropped"))
    count = client.connections
    while client.connections == count:
        await asyncio.sleep_ms(5)
    return client.engine.session_present


# ---- exactly once, over lost connections and power cuts


class Journal:
    """Numbers 1 to `count` wait; what is released stays released, through a power cut."""

    def __init__(self, folder, count):
        self._path = folder + "/released"
        try:
            with open(self._path) as file:
                released = {int(line) for line in file.read().split()}
        except OSError:
            released = set()
        self.pending = [n for n in range(1, count + 1) if n not in released]
        self._file = open(self._path, "a")

    def release(self, number):
        if number in self.pending:
            self.pending.remove(number)
            self._file.write("%d\n" % number)
            self._file.flush()


def deliver(port, folder, count, window, protocol):
    """Publish what the journal holds at QoS 2 until it is empty; returns what it still holds, and
    the loop's longest hold.
    """
    asyncio.run(_deliver(make(port, None, {
        "window": window, "clean": False, "protocol": protocol, "timeout_s": 2,
    }), folder, count, window))
    return len(Journal(folder, count).pending), held.longest_us()


async def _deliver(client, folder, count, window):
    journal = Journal(folder, count)
    path = folder + "/session"

    def save(engine):
        with open(path + ".new", "wb") as file:
            file.write(resume.save(engine))
        os.rename(path + ".new", path)

    try:
        with open(path, "rb") as file:
            known = resume.restore(client.engine, file.read())
    except OSError:
        known = False
    client.save, client.on_acked = save, journal.release
    while not known:
        try:
            await client.connect(True)
            await client.disconnect()
            known = True
        except OSError:
            await asyncio.sleep_ms(20)
    begun = [entry.tag for entry in client.engine.flight.entries]
    for tag in resume.owed(client.engine):
        resume.supply(client.engine, tag, "once", b"%d" % tag)
    numbers = iter([n for n in journal.pending if n not in begun])

    async def some():
        for n in numbers:
            await client.publish("once", b"%d" % n, 2, tag=n)

    async with client:
        await asyncio.gather(*[some() for _ in range(window)])
        while journal.pending:
            await asyncio.sleep_ms(5)


server.serve(globals())
