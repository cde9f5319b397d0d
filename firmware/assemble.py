"""Puts the application together from a config. Forgotten once that is done.

The order is the heap's: first the config is checked, and what checked it forgotten; then the queue
is made, while there is one piece to make it of; only then the application is imported.
"""

import gc
import json
import os
import sys

from micropython import const

from ring import RingQueue

from .forget import forget
from .log import log, uptime

_APP_BYTES = const(50_000)  # what the application takes beside the queue, in words of 32 bits
_FRAME_BYTES = const(30_000)  # for frames, the learning of profiles included; or a CoAP server
_FLASH_BYTES = const(32_000)  # what it takes more when the queue is in flash too
_CACHE_BYTES = const(4096)  # RAM for readings that are in flash anyway
_LEAST_QUEUE = const(2048)  # bytes that the queue gets in any case
_BUFFER_BYTES = const(1536)  # what the buffers take beside two messages

_made = []  # the parts whose class has no other object


def assemble(board):
    """Return the App, every part made and its memory allocated, or None if the config is refused;
    then the reasons are on the console.
    """
    global _config, _queue
    config = _config(board)
    if config is None:
        return None
    sleeper = None
    if config["sleep"] and config["sleep"]["deep"]:
        sleeper = __import__("firmware.assemble_sleep", None, None, ("wake",)).wake(board, config)
        if sleeper is None:
            return None
    queue = _queue(config)
    queue.next += sleeper.nap.n if sleeper else 0
    del _config, _queue  # the heap is short of the few hundred bytes that they take
    # The buffers are made last, when the heap is in pieces: keep a whole one for them.
    message_bytes = min(config["limits"]["message_bytes"], 128 * config["payload"]["batch"])
    reserve = [bytearray(2 * message_bytes + _BUFFER_BYTES)]
    return _parts(board, config, queue, reserve, sleeper)


def _config(board):
    from .config import ConfigError, load

    try:
        config = load(board.config_path, board.parts)
        if config["coap"]:
            config["coap"]["format"] = config["payload"]["format"]
        return config
    except ConfigError as error:
        for line in error.problems:
            log("config", line)
        return None
    finally:
        forget("config", "sensors", "payloads")


def _queue(config):
    """The readings' memory: what the config asks for, or what the heap can spare."""
    options = config["queue"]
    app_bytes = _APP_BYTES + (_FRAME_BYTES if config["payload"]["format"] == "frame" else 0)
    asked = options["limit_kb"] * 1024
    if options["durability"] != "ram":
        app_bytes += _FLASH_BYTES
    if config["serve"]:
        app_bytes += _FRAME_BYTES
    if options["durability"] == "always":
        asked = min(asked, _CACHE_BYTES)
    if sys.maxsize > 0x7FFFFFFF:
        app_bytes *= 2
    limit = max(_LEAST_QUEUE, min(asked, gc.mem_free() - app_bytes))
    if limit < asked and options["durability"] == "ram":
        log("app", "%d bytes for the queue; queue.limit_kb is more than is free" % limit)
    return RingQueue(limit)


def _parts(board, config, queue, reserve, sleeper):
    """Make every part and join them; `reserve` is let go of when the buffers are made."""
    from . import payloads
    from .app import App
    from .commands import Commands
    from .health import Health

    name, payload = config["links"][0], config["payload"]
    link, encoder = _link(name), payloads.module(payload["format"])
    parts = sleeper.parts if sleeper else begin(board, config)
    if link is None or parts is None:
        return None
    sensors, channels, clock, vitals, identity, flash = parts
    largest = payload["batch"] * (encoder.most_bytes(channels) + 1) + 1
    message_bytes = min(largest, config["limits"]["message_bytes"])
    message_bytes = flash.most_bytes(message_bytes) if flash else message_bytes
    longest = max(message_bytes, 256 + 48 * len(channels))  # the second: the response to `info`
    _forget_checks(encoder)
    reserve.clear()
    commands = Commands(board, identity, clock, vitals, channels)
    link = link.Link(config[name], identity, clock, commands.receive, longest)
    intervals = [interval_ms(entry) for entry in config["sensors"]]
    more = identity.id, min(intervals), payload["batch"]
    encoder = encoder.Encoder(channels, identity.stream, *more)
    parts = queue, encoder, len(channels), clock, message_bytes, link.window
    outbox = flash.outbox(parts, more) if flash else _outbox(config, parts)
    sampler = sleeper.sampler if sleeper else _sampler(config, sensors, outbox, clock, vitals)
    health = Health(identity, clock, vitals, sampler, outbox)
    health.network = board.network(config, clock, sampler)
    uplink = _uplink(config, link, outbox, clock, vitals, health)
    commands.uplink, commands.sampler = uplink, sampler
    make = sleeper.app if sleeper else App
    commands.app = make(board, identity, vitals, sampler, outbox, uplink, commands, health)
    _attend(encoder, board, identity.stream, vitals, uplink, health, longest)
    if config["serve"]:
        module = __import__("firmware.serve", None, None, ("serve",))
        module.serve(config["serve"], identity, clock, sensors, intervals, outbox, commands)
    _made.extend((commands, link, outbox, sampler, health, uplink, clock, vitals, identity, queue))
    return commands.app


def forget_making():
    """Drop the functions that made the parts, 1 KB: in this run of the program there will be no
    others.
    """
    for part in _made:
        type(part).__init__ = None


def begin(board, config, nap=None):
    """(sensors, channels, clock, vitals, identity, flash): what a reading takes; None if there is
    no such sensor. `nap`: what a life took through a deep sleep.
    """
    from .clock import Clock
    from .vitals import Vitals

    sensors = _sensors(board, config)
    if sensors is None:
        return None
    channels = [channel for sensor in sensors for channel in sensor.channels]
    clock = Clock(uptime, board.wall_ms)
    identity = _identity(board, config, nap)
    flash = _open(board, config, identity, channels, clock, nap)
    return sensors, channels, clock, Vitals(clock), identity, flash


def _outbox(config, parts):
    if config["queue"]["when_full"] == "drop_newest":
        return __import__("firmware.refusing", None, None, ("Outbox",)).Outbox(*parts)
    return __import__("firmware.outbox", None, None, ("Outbox",)).Outbox(*parts)


def _open(board, config, *parts):
    """The rest of the queue, None where it is in RAM alone."""
    if config["queue"]["durability"] == "ram":
        return None
    module = __import__("firmware.assemble_flash", None, None, ("open",))
    return module.open(board, config, *parts)


def _link(name):
    """The link's module, or None if it stands on something that this board has not: said, too."""
    from . import links

    try:
        return links.module(name)
    except ImportError as error:
        log("config", "links[0]: %s can't be used on this board: %s" % (name, error))
        return None


def _sensors(board, config):
    """Every driver's Sensor, or None if this board can't have one: then the reason is said."""
    from . import sensors

    made = []
    for entry in config["sensors"]:
        driver = sensors.module(entry["driver"])
        try:
            made.append(driver.Sensor(entry, board))
        except (ImportError, OSError, ValueError) as error:  # no such pin, or no such hardware
            what = (len(made), entry["driver"], error)
            log("config", "sensors[%d]: %s can't be used on this board: %s" % what)
            return None
        _forget_checks(driver)
    return made


def _sampler(config, sensors, outbox, clock, vitals):
    from .sampler import Sampler

    sampler = Sampler(outbox, clock, vitals)
    watched = []
    for sensor, entry in zip(sensors, config["sensors"]):
        every_ms = _ms(entry["every_s"])
        slot = sampler.add(sensor, entry["driver"], every_ms, entry.get("speed", 1))
        if getattr(sensor, "edges", False):
            watched.append(slot)
    if watched:
        from .edges import Edges

        sampler.edges = Edges(watched, len(sampler.values), outbox, clock, vitals)
    return sampler


def _uplink(config, link, outbox, clock, vitals, health):
    from backoff import Backoff
    from rate import RateLimit

    from .uplink import Uplink

    payload = config["payload"]
    outbox.batch, outbox.max_age_ms = payload["batch"], _ms(payload["max_age_s"])
    reconnect = config["reconnect"]
    backoff = Backoff(_ms(reconnect["first_s"]), _ms(reconnect["max_s"]))
    rate = RateLimit(config["limits"]["publish_per_s"], clock.now())
    name = config["links"][0]
    if config[name].get("qos") == 2:
        module = __import__("firmware.once", None, None, ("begin",))
        module.begin(link, outbox)
    if health.network:
        from .links import wifi

        link = wifi.Link(link, health.network)
    uplink = Uplink(name, link, outbox, clock, vitals, backoff, rate, health.publish)
    health.uplink = uplink
    if outbox.flash:
        outbox.flash.uplink = uplink
    return uplink


def _attend(encoder, *parts):
    """Let a format that has something to say for itself, say it."""
    if hasattr(encoder, "attend"):
        encoder.attend(*parts)


def _forget_checks(module):
    """Drop the functions that are only for the checking of a config."""
    for name in ("rules", "check", "most_bytes"):
        if hasattr(module, name):
            delattr(module, name)


def interval_ms(entry):
    """How often a reading of a configured sensor is due."""
    return _ms(entry["every_s"]) // entry.get("speed", 1)


def _ms(seconds):
    """A configured number of seconds as integer milliseconds."""
    return int(seconds * 1000 + 0.5)


def _identity(board, config, nap):
    """Who we are in this life: a new stream, and what is known of the last one; or who we were
    before the nap.
    """
    from . import VERSION
    from .identity import Identity

    try:
        before = json.loads(board.load("stream") or b"null")
    except ValueError:
        before = None
    stream = 0
    while not stream:
        stream = int.from_bytes(os.urandom(4), "big") & 0x7FFFFFFF
    slept = nap and nap.stream
    if slept:
        stream, before = slept, nap.before
    about = {"v": VERSION, "boot": board.reset_cause}
    about.update(board.birth())
    for name in config["links"]:
        if config[name]["insecure"] and not config[name].get("tls"):
            about["insecure"] = True
    identity = Identity(config["device"]["id"] or board.unique_id(), stream, before, about)
    if not slept:
        identity.remember(board, 0)
    return identity
