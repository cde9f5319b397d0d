"""/.well-known/core: what a server has, in link format (RFC 6690)."""

from .message import const

_URI_QUERY = const(15)
_LINK_FORMAT = const(40)
_ATTRIBUTES = ("rt", "if", "sz", "ct", "title")


class Core:
    """The resource; queries filter it (section 4.1): `rt=temp`, `rt=temp*`, `href=/sensors*`."""

    def __init__(self, resources):
        self._resources = resources

    async def get(self, request):
        return self.links(request), _LINK_FORMAT

    def links(self, request):
        """The links that a request asks for, as bytes."""
        filters = []
        for query in request.all(_URI_QUERY):
            name, _, wanted = query.decode().partition("=")
            filters.append((name, wanted))
        links = []
        for path in sorted(self._resources):
            resource = self._resources[path]
            if all(_matches("/" + path, resource, *one) for one in filters):
                links.append(_link("/" + path, resource))
        return ",".join(links).encode()


def _attribute(resource, name):
    value = getattr(resource, "if_" if name == "if" else name, None)
    return None if value is None else str(value)


def _matches(path, resource, name, wanted):
    if name == "href":
        values = [path]
    elif name == "obs":
        return bool(getattr(resource, "observable", False))
    else:
        value = _attribute(resource, name)
        if value is None or name not in _ATTRIBUTES:
            return False
        values = [value] if name == "title" else value.split(" ")
    if wanted.endswith("*"):
        return any(value.startswith(wanted[:-1]) for value in values)
    return wanted in values


def _link(path, resource):
    text = "<%s>" % path
    for name in _ATTRIBUTES:
        value = _attribute(resource, name)
        if value is not None:
            quoted = value if name in ("sz", "ct") and value.isdigit() else '"%s"' % value
            text += ";%s=%s" % (name, quoted)
    return text + ";obs" if getattr(resource, "observable", False) else text
