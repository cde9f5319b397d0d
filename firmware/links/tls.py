"""TLS contexts from a config's `tls` section. Verification is always on."""

import os
from binascii import a2b_base64, unhexlify

import tls
from micropython import const

from . import LinkError

_LARGEST = const(16_384)  # bytes of a file; a board has no memory for more


def der(path):
    """The first certificate or key of a file, PEM or DER, as DER: not every port reads PEM."""
    if os.stat(path)[6] > _LARGEST:
        raise ValueError("more than %d bytes" % _LARGEST)
    with open(path, "rb") as file:
        data = file.read()
    if b"-----BEGIN" not in data:
        return data
    lines = data.split(b"\n")
    starts = [
        i
        for i, line in enumerate(lines)
        if line.startswith(b"-----BEGIN") and b"PARAMETERS" not in line
    ]
    body = b""
    for line in lines[starts[0] + 1 :]:
        if line.startswith(b"-----END"):
            break
        body += line.strip()
    return a2b_base64(body)


def ready(made, options, clock, make=None):
    """`made`, or where that is None what `make` or `context` makes of `options`. Raises LinkError
    if there is none to be had, or no certificate can be verified because the clock is not set.
    """
    if made is None:
        try:
            made = (make or context)(options)
        except ValueError as error:
            raise LinkError("tls", str(error), retry=False)
    if options["ca"] and not clock.is_set():
        raise LinkError(
            "clock",
            "the clock is not set, so no certificate can be verified; waiting for the time",
        )
    return made


def context(options):
    """Return an SSLContext for `{"ca", "cert", "key", "psk_identity", "psk_key_hex"}`.

    Raises ValueError for a file that can't be read or used, with the reason.
    """
    ctx = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    if options["psk_identity"]:
        if not hasattr(ctx, "psk_key"):
            raise ValueError("this MicroPython has no TLS-PSK (1.29 has it); use certificates")
        ctx.verify_mode = tls.CERT_NONE  # both sides prove that they know the key
        ctx.psk_identity = options["psk_identity"].encode()
        ctx.psk_key = unhexlify(options["psk_key_hex"])
        return ctx
    ctx.verify_mode = tls.CERT_REQUIRED
    _load(ctx.load_verify_locations, options["ca"])
    if options["cert"]:
        _load(ctx.load_cert_chain, options["cert"], options["key"])
    return ctx


def _load(load, *paths):
    try:
        load(*[der(path) for path in paths])
    except (OSError, ValueError, IndexError) as error:
        raise ValueError("can't use %s (%s)" % (" with ".join(paths), error))
