"""Runs on the device: TLS as a client that verifies its peer."""


def verifying(ca):
    """The context that trusts the authority of the file `ca` (DER); None for None."""
    if ca is None:
        return None
    import tls

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED
    with open(ca, "rb") as file:
        context.load_verify_locations(file.read())
    return context
