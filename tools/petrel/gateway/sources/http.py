"""Messages of devices that POST them, and of those that keep a WebSocket open.

An answer, 204 or `{"ack": n}` with the number of messages taken on that socket, means that the
message is on disk. Over a WebSocket the device gets its commands as text, and its responses are
told from readings by their "ok".
"""

import asyncio
import time

from aiohttp import WSMsgType, web

from petrel.errors import Misuse, one_line
from petrel.gateway.intake import parsed
from petrel.gateway.message import KINDS, Arrival, is_device_id
from petrel.gateway.sinks.hub import Viewer
from petrel.listen import check_filter

DISK_S = 10  # a message that is not on disk by then is refused: send it again
_HEARTBEAT_S = 30


class HttpSource:
    """take(arrival): returns once it is on disk; raises TimeoutError. most: bytes of a message."""

    def __init__(self, take, hub, most):
        self._take, self._hub, self._most = take, hub, most
        self.sockets = {}  # device -> its WebSocket
        self.taken = 0

    def routes(self):
        path = "/devices/{device}/{kind}"
        return [web.post(path, self._message), web.put(path, self._message),
                web.get("/ws", self._socket)]

    async def close(self):
        for socket in [*self.sockets.values()]:
            await socket.close(code=1001, message=b"the gateway ends")

    def send(self, device, text):
        """Send a command over the device's WebSocket; False if it has none."""
        socket = self.sockets.get(device)
        if socket is None or socket.closed:
            return False
        self._sending = asyncio.create_task(socket.send_str(text))
        return True

    async def _message(self, request):
        device, kind = request.match_info["device"], request.match_info["kind"]
        check_device(device)
        if kind not in KINDS or kind == "commands":
            raise web.HTTPNotFound(reason="there is /devices/{id}/data and a few more")
        await self._spool(f"devices/{device}/{kind}", await request.read(), "HTTP")
        return web.Response(status=204)

    async def _spool(self, topic, payload, via):
        now_ms = time.time_ns() // 1_000_000
        try:
            await self._take(Arrival(topic, payload, now_ms, via=via))
        except TimeoutError as error:
            raise web.HTTPServiceUnavailable(
                reason="the message could not be written to disk; send it again",
                headers={"Retry-After": "5"},
            ) from error
        self.taken += 1

    async def _socket(self, request):
        device, topics = request.query.get("deviceId"), request.query.getall("topic", ["#"])
        try:
            for topic in topics:
                check_filter(topic)
        except Misuse as error:
            raise web.HTTPBadRequest(reason=one_line(error)) from error
        if device is not None:
            check_device(device)
        socket = web.WebSocketResponse(max_msg_size=self._most, heartbeat=_HEARTBEAT_S)
        await socket.prepare(request)
        if device is None:
            await self._view(socket, Viewer(socket, topics, request.transport.abort))
        else:
            await self._serve(socket, device)
        return socket

    async def _view(self, socket, viewer):
        """A viewer says nothing; what it says is read all the same, for its pings and its end."""
        showing = asyncio.create_task(self._hub.serve(viewer))
        try:
            async for _ in socket:
                pass
        finally:
            showing.cancel()

    async def _serve(self, socket, device):
        """A device's socket; a newer one of the same device takes its place."""
        former = self.sockets.get(device)
        self.sockets[device] = socket
        if former is not None:
            await former.close(code=1008, message=b"this device has connected again")
        count = 0
        try:
            async for message in socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                payload = message.data
                payload = payload.encode() if isinstance(payload, str) else bytes(payload)
                kind = "responses" if "ok" in parsed(payload) else "data"
                await self._spool(f"devices/{device}/{kind}", payload, "WebSocket")
                count += 1
                await socket.send_json({"ack": count})
        except web.HTTPServiceUnavailable:
            await socket.close(code=1013, message=b"not written; send it again")
        except ConnectionError:
            pass
        finally:
            if self.sockets.get(device) is socket:
                del self.sockets[device]


def check_device(device):
    """Raises 400 for an id that can't stand in a topic (docs/WIRE.md)."""
    if not is_device_id(device):
        raise web.HTTPBadRequest(
            reason="a device's id has 1 to 64 bytes, printable and without /, + and #"
        )
