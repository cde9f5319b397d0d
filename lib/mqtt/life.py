"""How a client's connection begins and ends. Imported for either, and forgotten after."""

import asyncio
import sys

import tcp

from .packet import ProtocolError


async def connect(client, clean):
    drop(client, tcp.ConnectError("lost", "a new connection is made"))
    stages = ["tcp"]
    try:
        await asyncio.wait_for_ms(_open(client, clean, stages), client.timeout_ms)
    except asyncio.TimeoutError:
        _close(client)
        raise tcp.ConnectError(stages[-1], "no answer within %d ms" % client.timeout_ms)
    except BaseException as error:
        _close(client)
        raise _worded(error, stages[-1])
    client.connections += 1
    parts = (client.read(), client.write(), client.keep_time())
    client.tasks = [asyncio.create_task(client.guard(part)) for part in parts]
    client.moved.set()
    present = client.engine.session_present
    if client.inboxes and not present:
        client.inboxes.lost(True)
    for name in ("opening", "life"):
        _forget(name)
    return present


async def _open(client, clean, stages):
    engine = client.engine
    port = client.port or (8883 if client.tls else 1883)
    client.stream = await client.transport(client.host, port, client.resolver, client.tls)
    engine.connect(client.now(), clean)
    stages.append("tls" if client.tls else "connack")
    while len(engine.next_out()):
        await client.send()
    while not engine.unread():
        await client.receive()
        if engine.next_event() == "connack":
            break
    if engine.code:
        from .errors import refused

        refused(engine, "connack")


def _worded(error, stage):
    """What is raised for an error of the network."""
    if isinstance(error, ValueError) and stage != "tcp":  # a certificate, told in several lines
        return tcp.ConnectError("tls", " ".join(str(error).split()))
    if isinstance(error, OSError) and not isinstance(error, tcp.ConnectError):
        return tcp.ConnectError(stage, tcp.reason(error))
    return error


def _forget(name):
    """Let go of a module of this package: its code is not needed while a connection is open."""
    package = sys.modules["mqtt"]
    sys.modules.pop("mqtt." + name, None)
    if hasattr(package, name):
        delattr(package, name)


async def disconnect(client, code):
    if client.again:
        client.again.end()
        client.again = None
    try:
        if client.tasks:
            await asyncio.wait_for_ms(_say_goodbye(client, code), client.timeout_ms)
    except (OSError, ValueError, ProtocolError, asyncio.TimeoutError):
        pass  # a broker that does not listen hears it from the will
    drop(client, tcp.ConnectError("lost", "disconnected"))


async def _say_goodbye(client, code):
    engine = client.engine
    while client.tasks and len(engine.next_out()):
        client.work.set()
        await client.movement()
    if client.tasks:
        client.tasks[1].cancel()  # the writer, which has nothing to do
        engine.disconnect(code)
        while len(engine.next_out()):
            await client.send()


def drop(client, error):
    """The connection is over; who waits for an answer waits on if it will be made again."""
    if not client.tasks:
        return
    current = asyncio.current_task()
    for task in client.tasks:
        if task is not current:
            task.cancel()
    client.tasks = ()
    _close(client)
    client.error = error = _worded(error, "lost")
    client.moved.set()
    if client.inboxes:
        client.inboxes.lost()
    for packet_id in list(client.waiting):
        if not client.again or not client.engine.flight.find(packet_id):
            client.answered(packet_id, error)


def _close(client):
    if client.stream:
        client.stream.close()
    client.stream = None
    client.engine.lost()
