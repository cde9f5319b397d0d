"""Links carry messages to a peer, one protocol a file. What they share is here.

A link is a class `Link` in the module of its name, made with (options, identity, clock,
on_command):

    window             how many `send` may run at once
    owed               (first, last) of messages of readings that the peer may have already, and
                       whose `send` goes on where it was if they are made of the same readings
    await open()       connected, announced and subscribed when it returns
    await send(m)      the peer has taken responsibility for `m` when it returns
    await run()        serves the open connection; never returns, raises LinkError when it is lost
    await close(why)   a polite end, said to the peer

It owns no queue, no backoff and no policy. `open` and `send` raise LinkError too; after any
LinkError, and after `close`, the connection is gone and `open` may be called again. Every wait in
a link has a deadline. A command that arrives is handed to `on_command(payload, problem)`: bytes
and None, or None and why the command can't be had.
"""


class LinkError(Exception):
    """The link failed at `stage`: wifi, dns, tcp, tls, clock, connack, ack, lost or protocol.

    `retry` False: trying again soon can't help, something must be changed first.
    """

    def __init__(self, stage, text, retry=True):
        super().__init__(stage + ": " + text)
        self.stage = stage
        self.retry = retry


class Message:
    """What goes to the peer: `kind` is the last part of its topic, `payload` bytes or a
    memoryview.

    A message of readings also carries their numbers, `first` to `last`.
    """

    def __init__(self, kind, payload, first=0, last=0):
        self.kind = kind
        self.payload = payload
        self.first = first
        self.last = last


def module(name):
    """The module of the link `name`."""
    return __import__("firmware.links." + name, None, None, ("Link",))
