"""The rules of a link's section `tls`, and what must go together in it."""

ROOT = {
    # Certificate of the authority that the peer must prove itself by.
    "ca": (None, "file"),
    # This device's certificate, for mutual TLS, together with `key`.
    "cert": (None, "file"),
    # Its private key.
    "key": (None, "file"),
    # In place of certificates: the name of a pre-shared key, with `psk_key_hex`.
    "psk_identity": (None, "text", 1, 128),
    # The key in hexadecimal.
    "psk_key_hex": (None, "hex", 16, 64),
}


def check(path, tls, problem):
    """Report to `problem(path, found, allowed)`."""
    for one, other in (
        ("cert", "key"),
        ("key", "cert"),
        ("psk_identity", "psk_key_hex"),
        ("psk_key_hex", "psk_identity"),
    ):
        if tls[one] is not None and tls[other] is None:
            problem(path + "." + other, "missing", "%s goes together with it" % one)
    if tls["psk_identity"] is not None and (tls["ca"] is not None or tls["cert"] is not None):
        problem(path, "certificates and a pre-shared key found", "either is allowed, not both")
    if tls["psk_identity"] is None and tls["ca"] is None and tls["psk_key_hex"] is None:
        problem(
            path + ".ca",
            "missing",
            "the peer is always verified: give its authority's certificate, or a PSK",
        )
