"""coap:// URIs, taken apart (RFC 7252, section 6.4)."""


def split(uri):
    """Return (host, port, path segments, queries). Raises ValueError."""
    scheme, mark, rest = uri.partition("://")
    if not mark or scheme not in ("coap", "coaps") or "#" in rest:
        raise ValueError("%s is no coap://host/path" % uri)
    at = len(rest)
    for sign in "/?":
        found = rest.find(sign)
        if 0 <= found < at:
            at = found
    host, port = _authority(rest[:at], 5684 if scheme == "coaps" else 5683)
    path, _, query = rest[at:].partition("?")
    segments = [_decoded(part) for part in path[1:].split("/")] if len(path) > 1 else []
    return host, port, segments, [_decoded(part) for part in query.split("&")] if query else []


def _authority(text, port):
    host, mark, number = text.rpartition(":")
    if text.startswith("["):  # an IPv6 address
        host, _, number = text[1:].partition("]")
        mark, number = number[:1], number[1:]
    elif not mark:
        host, number = text, ""
    if number:
        try:
            port = int(number)
        except ValueError:
            port = 0
    if not host or not 0 < port < 65536:
        raise ValueError("no host and port in %s" % text)
    return host, port


def _decoded(text):
    """Text as bytes, with what is percent-encoded in it."""
    parts = text.split("%")
    data = parts[0].encode()
    for part in parts[1:]:
        data += bytes((int(part[:2], 16),)) + part[2:].encode()
    return data
