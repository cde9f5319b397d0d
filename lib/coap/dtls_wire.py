"""What mbedTLS takes for its socket: one datagram in, datagrams out."""

import io

from .message import const

LONGEST = const(1452)  # a datagram's bytes that pass any usual network whole, also over IPv6
_CHANGE_CIPHER_SPEC = const(20)


class Wire(io.IOBase):
    """Datagrams that mbedTLS sends are in `out`. `secure` turns true when one of them is under the
    keys that were negotiated: a server sends its Finished after the peer's was right.
    """

    def __init__(self):
        self.datagram = None  # the next to be read; more than one would be read as one
        self.out = []
        self.secure = False
        self.oversize = 0  # length of one that would be cut to pieces on its way, and was not sent

    def readinto(self, buffer):
        data = self.datagram
        if data is None:
            return None
        self.datagram = None
        length = min(len(data), len(buffer))
        buffer[:length] = data if length == len(data) else data[:length]
        return length

    def write(self, data):
        if len(data) > LONGEST:
            self.oversize = len(data)
        else:
            self.out.append(bytes(data))  # mbedTLS's own buffer, good for this call alone
        if data[0] == _CHANGE_CIPHER_SPEC or data[3] or data[4]:
            self.secure = True
        return len(data)

    def too_long(self):
        """Why a handshake ends whose datagrams would not arrive."""
        return "%d bytes of handshake in a datagram; take a smaller certificate" % self.oversize

    def ioctl(self, request, argument):
        return 0


def read(tls, limit):
    """The next message, b"" if the peer has closed, None if there is nothing."""
    return getattr(tls, "recv", tls.read)(limit)  # `read` runs messages together
