"""What the commands do. Imported when a command arrives and forgotten after it.

Command `x` is the coroutine function `do_x(commands, command)`; it returns what the response adds
to `id` and `ok`, or raises CommandError.
"""

import gc

from scaled import text

from . import VERSION
from .commands import CommandError


async def act(commands, command):
    action = globals().get("do_" + command["cmd"])
    if action is None:
        names = sorted(name[3:] for name in globals() if name.startswith("do_"))
        raise CommandError('unknown "cmd"; there is: ' + ", ".join(names))
    return await action(commands, command)


async def do_ping(commands, command):
    return {}


async def do_info(commands, command):
    """What the device is, and every channel's unit and decimals."""
    return {
        "version": VERSION,
        "boot": commands.board.reset_cause,
        "s": commands.identity.stream,
        "up": commands.clock.now() // 1000,
        "free": gc.mem_free(),
        "channels": {c.key: [c.unit, c.decimals] for c in commands.channels},
    }


async def do_read(commands, command):
    """Take a reading now; it also goes the way of all readings."""
    number = await commands.sampler.sample_now()
    if number is None:
        raise CommandError("no sensor could be read")
    values = zip(commands.channels, commands.sampler.values)
    pairs = ['"%s":%s' % (c.key, text(v, c.decimals)) for c, v in values if v is not None]
    return {"n": number, "values": ("{" + ",".join(pairs) + "}").encode()}


async def do_reboot(commands, command):
    commands.app.reboot = True
    commands.app.end("reboot")
    return {}
