"""What a client raises: `client.Lost`, an OSError, for the network; Refused for the broker's
decision; ProtocolError for its faults; ValueError for the caller's.
"""

from .packet import ProtocolError

__all__ = ["ProtocolError", "Refused"]


class Refused(Exception):
    """The broker said no to `what`. `code` is its return code (3.1.1) or reason code (5.0), `text`
    its own words or "", `properties` (5.0) what came with it.
    """

    def __init__(self, what, code, properties=None):
        self.properties = properties or {}
        self.text = self.properties.get("reason_string", "")
        super().__init__("%s refused, code 0x%02x %s" % (what, code, self.text))
        self.code = code


def refused(engine, event):
    """The Refused of an engine's last event; raised at once if it ends the connection."""
    if event == "acked":
        return Refused("a publish is", engine.code, engine.properties)
    raise Refused("the connection is", engine.code, engine.properties)
