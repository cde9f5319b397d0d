"""What went wrong on the network, in words. Imported when something has."""

import errno

_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.EBADF: "connection refused",  # lwIP of RP2, asked how a connect ended (extmod/modlwip.c)
    errno.ENOTCONN: "connection refused",  # and that of ESP32
    errno.ECONNRESET: "connection reset",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENOMEM: "out of memory",
    101: "network unreachable",  # ENETUNREACH and EPIPE, which the errno module does not name
    32: "connection closed",
    0x7280: "connection closed",  # mbedTLS: without a word of TLS
}


def reason(error):
    """An OSError in words. The ssl module's errors carry negated numbers."""
    number = error.errno if isinstance(error.errno, int) else 0
    return _WORDS.get(abs(number)) or str(error)
