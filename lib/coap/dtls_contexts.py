"""SSLContexts for DTLS. Certificates and keys are DER, which every port reads.

A port that lacks what is asked for raises ValueError, with the version of MicroPython that has it.
"""

try:
    import tls
except ImportError:
    tls = None

from .dtls_wire import Wire


def client_context(ca=None, cert=None, key=None, psk=None):
    """For a client: `ca` is the authority that servers prove themselves by, `cert` and `key` are
    its own if they ask for one; or `psk` is (identity, key), bytes both.
    """
    context = _context("PROTOCOL_DTLS_CLIENT", psk)
    if psk:
        context.verify_mode = tls.CERT_NONE  # both sides prove that they know the key
        context.psk_identity, context.psk_key = psk
        return context
    context.verify_mode = tls.CERT_REQUIRED
    context.load_verify_locations(ca)
    if cert:
        context.load_cert_chain(cert, key)
    return context


def server_context(cert=None, key=None, ca=None, psks=None):
    """For a server: `cert` and `key` are its own; clients must prove themselves by a certificate
    of `ca` if there is one. Or `psks` is {identity: key}, bytes both.
    """
    context = _context("PROTOCOL_DTLS_SERVER", psks)
    try:
        context.wrap_socket(
            Wire(), server_side=True, do_handshake_on_connect=False, client_id=b"-"
        ).close()
    except TypeError:
        raise ValueError("this MicroPython's DTLS server sends no cookies; 1.26 does")
    if psks:
        context.server_psk_keys = psks
        return context
    context.load_cert_chain(cert, key)
    if ca:
        context.verify_mode = tls.CERT_REQUIRED
        context.load_verify_locations(ca)
    return context


def _context(protocol, psk):
    if not hasattr(tls, protocol):
        raise ValueError("this MicroPython has no DTLS; 1.25 has it")
    context = tls.SSLContext(getattr(tls, protocol))
    if psk and not hasattr(context, "psk_key"):
        raise ValueError("this MicroPython has no pre-shared keys in DTLS; 1.29 has them")
    return context
