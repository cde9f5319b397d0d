"""MQTT 3.1.1 and 5.0 for MicroPython: a client that neither hangs nor loses.

    from mqtt.client import Client     the asyncio client
    from mqtt.session import Engine    the protocol without I/O, for another edge

Errors: ProtocolError is the peer's fault, Refused its decision, Lost the network's, ValueError the
caller's.
"""


class ProtocolError(Exception):
    """The broker sent what MQTT does not allow. `code` is the reason code that says so to it."""

    def __init__(self, text, code=0x81):
        super().__init__(text)
        self.code = code


class Refused(Exception):
    """The broker said no. `code` is its return code (3.1.1) or reason code (5.0), `text` its own
    words or "".
    """

    def __init__(self, what, code, text=""):
        super().__init__("%s: code 0x%02x %s" % (what, code, text))
        self.code = code
        self.text = text


class Lost(OSError):
    """There is no connection, or none any more. `stage`: tls, connack, ack, lost or closed."""

    def __init__(self, stage, text):
        super().__init__(text)
        self.stage = stage
        self.text = text
