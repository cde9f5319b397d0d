"""The transport of `firmware/serve.py` where the config has `serve.tls`."""

from micropython import const

from coap.dtls_server import ServerSocket

from .links.dtls import server
from .links.tls import ready
from .log import log

_QUIET_MS = const(10_000)  # who knocks often does not fill the console


def transport(options, port, clock):
    """A DTLS server's socket. Raises OSError if the port can't be had, LinkError if no context
    can, or none yet because the clock is not set.
    """
    context = ready(None, options["tls"], clock, server)
    made = ServerSocket(context, port, options["host"], clock.now)
    made.on_event = _Teller(clock).tell
    return made


class _Teller:
    def __init__(self, clock):
        self._clock = clock
        self._due_ms = 0

    def tell(self, event):
        now = self._clock.now()
        if event[0] == "closed" and now >= self._due_ms:
            self._due_ms = now + _QUIET_MS
            log("serve", "a session ended: %s" % event[2])
