"""libcoap's coap-client and coap-server, which the CoAP library is tested against: found, else
installed like Mosquitto.
"""

import shutil

from petrel.setup import PassedOver, mosquitto

TITLE = "libcoap"
_NAMES = ("coap-server", "coap-server-openssl", "coap-server-notls")


def provide():
    if find() is None:
        for command in mosquitto.installers("libcoap3-bin", "libcoap"):
            if not mosquitto.succeeds(command):
                break
    found = find()
    if found is None:
        raise PassedOver("not installed, so some tests of CoAP are skipped; Debian has it "
                         "in libcoap3-bin, Homebrew in libcoap")
    return found


def find():
    """The path of its server, or None."""
    return next(filter(None, map(shutil.which, _NAMES)), None)
