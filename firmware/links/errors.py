"""What ended a connection, in words. Imported when one has ended and forgotten after that."""

from micropython import const

import tcp

from . import LinkError

_ALERT = const(0x7780)  # MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE
_BUSY_CODE = const(3)
_REFUSALS = {  # MQTT 3.1.1, section 3.2.2.3
    1: "the broker does not speak MQTT 3.1.1",
    2: "the broker does not accept this device id",
    3: "the broker is not available",
    4: "wrong username or password",
    5: "not authorised; check username, password and the broker's access rules",
}


_REASONS = {  # MQTT 5.0, section 3.2.2.2
    0x84: 1, 0x85: 2, 0x88: 3, 0x89: 3, 0x86: 4, 0x87: 5,
}
_PASSING = const((3, 0x80, 0x88, 0x89, 0x97, 0x9C, 0x9D, 0x9F))


def of_mqtt(error):
    """The LinkError of whatever lib/mqtt raised."""
    code = getattr(error, "code", None)
    if isinstance(error, OSError):
        stage = getattr(error, "stage", "lost")
        text = getattr(error, "text", None) or tcp.reason(error)
        if "acknowledgement" in text:
            stage = "ack"
        return LinkError(stage, text, retry=stage != "tls")
    if code is None or not hasattr(error, "properties"):
        return LinkError("protocol", str(error))
    words = _REFUSALS.get(_REASONS.get(code, code)) or "reason code 0x%02x" % code
    if error.text:
        words += ' ("%s")' % error.text
    return LinkError("connack", words, retry=code in _PASSING)


def failed(stage, error):
    """The LinkError of whatever was raised at `stage`, or of a CONNACK's return code."""
    if type(error) is int:
        words = _REFUSALS.get(error) or "return code %d" % error
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
