"""DTLS contexts from a config's `tls` section. Verification is always on."""

from binascii import unhexlify

import tcp
from coap import dtls_contexts

from .tls import der


def client(options):
    """An SSLContext for who asks. Raises ValueError with the reason if there is none to be had."""
    if options["psk_identity"]:
        return dtls_contexts.client_context(psk=_psk(options))
    return _made(dtls_contexts.client_context, options, "ca", "cert", "key")


def server(options):
    """For who serves: its peers have the key, or a certificate of `ca`. Raises ValueError."""
    if options["psk_identity"]:
        return dtls_contexts.server_context(psks=dict((_psk(options),)))
    return _made(dtls_contexts.server_context, options, "cert", "key", "ca")


def words(connection, otherwise):
    """What ended its last handshake, in one line."""
    failure = connection.failure or otherwise
    if isinstance(failure, ValueError):  # a certificate does not verify: several lines
        return " ".join(str(failure).split())
    return tcp.reason(failure) if isinstance(failure, OSError) else str(failure)


def _psk(options):
    return options["psk_identity"].encode(), unhexlify(options["psk_key_hex"])


def _made(make, options, *names):
    paths = [options[name] for name in names]
    try:
        return make(*[path and der(path) for path in paths])
    except (OSError, IndexError) as error:
        raise ValueError("can't use %s (%s)" % (", ".join(filter(None, paths)), error))
