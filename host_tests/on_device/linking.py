"""Runs on the device: a link over real sockets, with what happens to it written down."""

import asyncio
import socket

import tcp
from firmware.clock import Clock
from firmware.identity import Identity
from firmware.links import LinkError, Message, module
from ticks import Uptime

from . import server

_OPTIONS = {
    "host": "127.0.0.1", "port": None, "username": None, "password": None, "keepalive_s": 30,
    "timeout_s": 10, "qos": 1, "tls": None, "insecure": False,
}
_MORE = {"hosts": [], "protocol": "3.1.1", "websocket": None, "window": 1}
_TLS = {"ca": None, "cert": None, "key": None, "psk_identity": None, "psk_key_hex": None}
_uptime = Uptime()


class _Made:
    link = None
    raises = None
    commands = []
    lookups = 0


def make(name, options, device_id, message_bytes=1024, raises=None, first_id=1, timed=True):
    """A link for `session`, by its name. `raises`: what the command callback raises; `first_id`:
    the packet id to begin with; `timed`: is the clock set?
    """
    options = dict(dict(_OPTIONS, **_MORE), **options)
    if options["tls"]:
        options["tls"] = dict(_TLS, **options["tls"])
    _Made.raises, _Made.lookups, _Made.commands = raises, 0, []
    clock = Clock(_uptime, lambda: 1_763_800_000_000 if timed else None)
    resolver = tcp.Resolver(_getaddrinfo)
    identity = Identity(device_id, 7)
    _Made.link = module(name).Link(options, identity, clock, _on_command, message_bytes, resolver)
    if name == "mqtt":
        _Made.link._client.engine.flight.next_id = first_id
    else:
        _Made.link._engine._client.pid = first_id - 1


def _getaddrinfo(*arguments):
    _Made.lookups += 1
    return socket.getaddrinfo(*arguments)


def _on_command(payload, problem):
    _Made.commands.append([None if payload is None else bytes(payload).decode(), problem])
    if _Made.raises:
        raise ValueError(_Made.raises)


def session(actions):
    """Open the link and do one action after the other: ["send", kind, payload],
    ["serve", ms] (let it run, at most so long), ["close", why]. Returns what became of it.
    """
    return asyncio.run(_session(actions))


async def _session(actions):
    told = {"error": None, "done": 0, "lasted_ms": None, "commands": _Made.commands}
    told["error"], told["lasted_ms"] = await _until_over(_Made.link.open())
    if not told["error"]:
        parts = (_Made.link.run(), _act(actions, told))
        told["error"], told["lasted_ms"] = await _until_over(*parts)
    told["lookups"] = _Made.lookups
    return told


async def _act(actions, told):
    for name, *arguments in actions:
        if name == "send":
            await _Made.link.send(Message(arguments[0], arguments[1].encode()))
        elif name == "close":
            await _Made.link.close(arguments[0])
        else:
            await asyncio.sleep_ms(arguments[0])
        told["done"] += 1


async def _until_over(*coroutines):
    """Run them until the first one ends; returns its error, or None, and after how long."""
    start = _uptime.now()
    over = asyncio.Event()
    errors = []
    tasks = [asyncio.create_task(_guard(coroutine, errors, over)) for coroutine in coroutines]
    await over.wait()
    lasted_ms = _uptime.now() - start
    for task in tasks:
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
    return errors[0] if errors else None, lasted_ms


async def _guard(coroutine, errors, over):
    try:
        await coroutine
    except LinkError as error:
        errors.append([error.stage, str(error), error.retry])
    except Exception as error:
        errors.append(["unexpected", repr(error), None])
    over.set()


server.serve(globals())
