"""How a connection of the link on umqtt.simple begins. A part of its class `Link` that is in
memory only meanwhile.
"""

import tcp

from . import LinkError


async def opened(link):
    """Resolve, connect, CONNECT with the will, SUBSCRIBE to the commands, publish the birth.
    `link._stage` names the step for the error that a time-out becomes.
    """
    options = link.options
    secure = options["tls"]
    link._stage = "tcp"
    try:
        context = _context(link) if secure else None
        link._stream = await tcp.connect(
            options["host"],
            options["port"] or (8883 if secure else 1883),
            link.resolver,
            context,
        )
    except tcp.ConnectError as error:
        raise LinkError(error.stage, error.text)
    engine, identity, clock = link._engine, link._identity, link._clock
    link._stage = "tls" if secure else "connack"
    engine.connect(clock.now())
    code = await _answer(link, "connack")
    if code:
        raise link._failure(code)
    link._stage = "ack"
    engine.subscribe(identity.topic("commands"), clock.now())
    if await _answer(link, "suback") > 2:
        raise LinkError(
            "connack", "the broker's access rules don't allow this device its commands", False
        )
    engine.publish(identity.topic("status"), identity.birth(), True, 1, clock.now())
    await _answer(link, "puback")


def _context(link):
    from .tls import ready

    link._tls = ready(link._tls, link.options["tls"], link._clock)
    return link._tls


async def _answer(link, name):
    """Read until the engine reports `name` and return what came with it."""
    await link._flush()
    while True:
        await link._read()
        event = link._engine.next_event()
        while event:
            if event[0] == name:
                return event[1]
            link._take(event)
            event = link._engine.next_event()
