"""What can go wrong with a WebSocket through the peer's fault."""


class ProtocolError(Exception):
    """The peer sent what RFC 6455 forbids. `code` is the close code that tells it so (7.4.1)."""

    foreseen = True

    def __init__(self, text, code=1002):
        super().__init__(text)
        self.code = code


class HandshakeError(ProtocolError):
    """The server did not open a WebSocket. `status` is its HTTP status, or None."""

    def __init__(self, text, status=None):
        super().__init__(text)
        self.status = status
