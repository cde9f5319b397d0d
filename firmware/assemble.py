"""Puts the application together from a config. Forgotten once that is done."""

import json
import os

from backoff import Backoff
from rate import RateLimit

from . import VERSION, links, payloads, sensors
from .app import App
from .clock import Clock
from .commands import Commands
from .health import Health
from .identity import Identity, remember
from .log import uptime
from .outbox import Outbox
from .sampler import Sampler
from .uplink import Uplink
from .vitals import Vitals


def assemble(board, config, reserve):
    """Return the App with every part but the queue, which gets what is left when we are gone.

    `reserve` is a list that holds memory in one piece, for the buffers that are made here.
    """
    name = config["links"][0]
    link = links.module(name)
    payload, limits, reconnect = config["payload"], config["limits"], config["reconnect"]
    encoder = payloads.module(payload["format"])
    drivers = [sensors.module(entry["driver"]) for entry in config["sensors"]]
    devices = [d.Sensor(entry, board) for d, entry in zip(drivers, config["sensors"])]
    channels = [channel for sensor in devices for channel in sensor.channels]
    clock = Clock(uptime, board.wall_ms)
    vitals = Vitals(clock)
    identity = _identity(board, config)
    commands = Commands(board, identity, clock, vitals, channels)
    largest = payload["batch"] * (encoder.most_bytes(channels) + 1) + 1
    message_bytes = min(largest, limits["message_bytes"])
    for module in [encoder] + drivers:
        _forget_checks(module)
    reserve.pop()
    longest = max(message_bytes, 256 + 48 * len(channels))  # the second: the response to `info`
    link = link.Link(config[name], identity, clock, commands.receive, longest)
    encoder = encoder.Encoder(channels, identity.stream)
    outbox = Outbox(encoder, len(channels), clock, message_bytes, link.window)
    outbox.batch = payload["batch"]
    outbox.max_age_ms = _ms(payload["max_age_s"])
    sampler = Sampler(outbox, clock, vitals)
    for sensor, entry in zip(devices, config["sensors"]):
        sampler.add(sensor, entry["driver"], _ms(entry["every_s"]), entry.get("speed", 1))
    health = Health(identity, clock, vitals, sampler, outbox)
    backoff = Backoff(_ms(reconnect["first_s"]), _ms(reconnect["max_s"]))
    rate = RateLimit(limits["publish_per_s"], clock.now())
    uplink = Uplink(name, link, outbox, clock, vitals, backoff, rate, health.publish)
    health.uplink = commands.uplink = uplink
    commands.sampler = sampler
    app = App(board, identity, vitals, sampler, outbox, uplink, commands, health, config["wifi"])
    commands.app = app
    return app


def _forget_checks(module):
    """Drop the functions that are only for the checking of a config."""
    for name in ("rules", "check", "most_bytes"):
        if hasattr(module, name):
            delattr(module, name)


def _ms(seconds):
    """A configured number of seconds as integer milliseconds."""
    return int(seconds * 1000 + 0.5)


def _identity(board, config):
    """Who we are in this life: a new stream, and what is known of the last one."""
    try:
        before = json.loads(board.load("stream") or b"null")
    except ValueError:
        before = None
    stream = 0
    while not stream:
        stream = int.from_bytes(os.urandom(4), "big") & 0x7FFFFFFF
    remember(board, stream, 0)
    about = {"v": VERSION, "boot": board.reset_cause}
    for name in config["links"]:
        if config[name]["insecure"] and not config[name]["tls"]:
            about["insecure"] = True
    return Identity(config["device"]["id"] or board.unique_id(), stream, before, about)
