"""The gateway's HTTP server: who may come in, how much at a time, and what is where.

    POST|PUT  /devices/{id}/data|status|health|profile|responses     a device sends
    GET       /ws?deviceId=ID                                        a device, over WebSocket
    GET       /ws[?topic=FILTER]                                     somebody who looks
    POST      /api/devices/{id}/commands                             a command and its response
    GET       /api/state
    GET, POST /api/sinks/{name}/dead, /api/sinks/{name}/replay
    GET       /metrics
    GET       /, /page/{file}, /ws/fleet                             the fleet page
"""

import base64
import hmac
import ssl

from aiohttp import web
from yarl import URL

from petrel.errors import Failure
from petrel.gateway.config import is_loopback

_KEEPALIVE_S = 30
_ENDING_S = 2


class Web:
    """settings: a config.Http. parts: objects with `routes()` -> [aiohttp route definitions]."""

    def __init__(self, settings, parts):
        self.settings = settings
        self.refused = 0  # requests of those who may not, or were too many
        self._app = web.Application(
            middlewares=[self._guard], client_max_size=settings.body_kb << 10
        )
        for part in parts:
            self._app.add_routes(part.routes())
        self._runner = web.AppRunner(
            self._app, access_log=None, keepalive_timeout=_KEEPALIVE_S, shutdown_timeout=_ENDING_S
        )

    async def start(self):
        """Listen; raises Failure if that can't be."""
        host, port = self.settings.address
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=self._tls()).start()
        except OSError as error:
            raise Failure(f"http.listen = \"{self.settings.listen}\": {error}") from error

    async def stop(self):
        await self._runner.cleanup()

    @property
    def port(self):
        return self._runner.addresses[0][1]

    def _tls(self):
        if not self.settings.cert:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.settings.cert, self.settings.key)
        return context

    @web.middleware
    async def _guard(self, request, handler):
        """Every request comes past here; errors leave as `{"error": ...}`."""
        try:
            if len(self._runner.server.connections) > self.settings.connections:
                raise web.HTTPServiceUnavailable(reason="too many connections")
            self._admit(request)
            return await handler(request)
        except web.HTTPException as error:
            self.refused += error.status in (401, 403, 503)
            headers = {k: v for k, v in error.headers.items() if k not in ("Content-Type",)}
            return web.json_response({"error": error.reason}, status=error.status,
                                     headers=headers)

    def _admit(self, request):
        """Raises 401 or 403. A page of somebody else, opened on this machine, may not use us: its
        Origin is another, or, with a name of its own that it made mean this machine, its Host.
        """
        origin = request.headers.get("Origin")
        if origin and URL(origin).authority != request.host:
            raise web.HTTPForbidden(reason="a page from elsewhere may not use this gateway")
        token = self.settings.token
        if not token:
            if not is_loopback(URL(f"//{request.host}").host or ""):
                raise web.HTTPForbidden(reason="call this gateway 127.0.0.1 or localhost")
            return
        if not hmac.compare_digest(_given(request).encode(), token.encode()):
            browser = "text/html" in request.headers.get("Accept", "")
            asked = 'Basic realm="Petrel", charset="UTF-8"' if browser else "Bearer"
            raise web.HTTPUnauthorized(reason="a header is wanted: Authorization: Bearer TOKEN",
                                       headers={"WWW-Authenticate": asked})


def _given(request):
    """The token of a request: as `Bearer`, or as the password of `Basic`, for which browsers ask.
    """
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return given if scheme == "Bearer" else ""
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
