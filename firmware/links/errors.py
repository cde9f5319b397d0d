"""What ended a connection, in words. Imported when one has ended and forgotten after that."""

from micropython import const

import tcp

from . import LinkError

_ALERT = const(0x7780)  # MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE
_BUSY_CODE = const(3)
REFUSALS = {  # MQTT 3.1.1, section 3.2.2.3
    1: "the broker does not speak MQTT 3.1.1",
    2: "the broker does not accept this device id",
    3: "the broker is not available",
    4: "wrong username or password",
    5: "not authorised; check username, password and the broker's access rules",
}


def failed(stage, error):
    """The LinkError of whatever was raised at `stage`, or of a CONNACK's return code."""
    if type(error) is int:
        words = REFUSALS.get(error) or "return code %d" % error
        return LinkError("connack", words, retry=error == _BUSY_CODE)
    if isinstance(error, ValueError):  # a certificate does not verify: told in several lines
        return LinkError("tls", " ".join(str(error).split()), retry=False)
    if not isinstance(error, OSError):
        return LinkError("protocol", str(error))
    if stage == "tls" and isinstance(error.errno, int) and abs(error.errno) == _ALERT:
        return LinkError("tls", "the broker refuses us; check our certificate or key", retry=False)
    if stage == "tls":
        hint = "%s in the handshake; check the port, and our certificate or key"
    elif stage == "connack":
        hint = "%s in place of an answer; is it a port for plain MQTT?"
    else:
        stage, hint = "lost", "%s"
    return LinkError(stage, hint % tcp.reason(error))
