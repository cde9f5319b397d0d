"""What ended a connection of lib/mqtt, in words. Imported when one has ended, and apart from
`errors.py`, because names stay in memory for ever.
"""

import tcp

from . import LinkError
from .errors import REFUSALS

_REASONS = {  # MQTT 5.0, section 3.2.2.2
    0x84: 1, 0x85: 2, 0x88: 3, 0x89: 3, 0x86: 4, 0x87: 5,
}
_PASSING = (3, 0x80, 0x88, 0x89, 0x97, 0x9C, 0x9D, 0x9F)


def failed(error):
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
    words = REFUSALS.get(_REASONS.get(code, code)) or "reason code 0x%02x" % code
    if error.text:
        words += ' ("%s")' % error.text
    return LinkError("connack", words, retry=code in _PASSING)
