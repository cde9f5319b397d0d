"""DTLS contexts from a config's `tls` section. Verification is always on."""

from binascii import unhexlify

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


def _psk(options):
    return options["psk_identity"].encode(), unhexlify(options["psk_key_hex"])


def _made(make, options, *names):
    paths = [options[name] for name in names]
    try:
        return make(*[path and der(path) for path in paths])
    except (OSError, IndexError) as error:
        raise ValueError("can't use %s (%s)" % (", ".join(filter(None, paths)), error))
