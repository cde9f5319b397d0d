"""What programs ask the gateway: commands, its state, dead letters, metrics."""

import asyncio
import contextlib
import json

from aiohttp import web

from petrel.gateway.commands import DEFAULT_S, MOST_S, Unreachable
from petrel.gateway.fleet.account import account
from petrel.gateway.sources.http import check_device
from petrel.gateway.spool import Reader

_WANTED = 'a JSON object is wanted, like {"cmd":"ping"}, and ?timeout_s= as a number'
_MOST_LETTERS = 1000  # an answer


class Api:
    """service: a Service, of which it uses commands, feeds, writer and spool."""

    def __init__(self, service, metrics):
        self._service, self._metrics = service, metrics

    def routes(self):
        return [
            web.post("/api/devices/{device}/commands", self._command),
            web.get("/api/state", self._state),
            web.get("/api/sinks/{sink}/dead", self._dead),
            web.post("/api/sinks/{sink}/replay", self._replay),
            web.get("/metrics", self._count),
        ]

    async def _command(self, request):
        device = request.match_info["device"]
        check_device(device)
        try:
            command = json.loads(await request.read())
            wait_s = float(request.query.get("timeout_s", DEFAULT_S))
        except (ValueError, RecursionError) as error:
            raise web.HTTPBadRequest(reason=_WANTED) from error
        if not isinstance(command, dict) or not isinstance(command.get("cmd"), str):
            raise web.HTTPBadRequest(reason=_WANTED)
        if not 0 < wait_s <= MOST_S:
            raise web.HTTPBadRequest(reason=f"timeout_s is from 0 to {MOST_S}")
        try:
            return web.json_response(await self._service.commands.ask(device, command, wait_s))
        except Unreachable as why:
            return web.json_response({"error": str(why)}, status=why.status)

    async def _state(self, request):
        """Sources, sinks and devices; a device's counts are the ledger's."""
        service = self._service
        lost, devices = await self._do(lambda spool: (spool.lost, _devices(spool.intake)))
        sinks = [
            {"name": feed.sink.name, "state": feed.state, "delivered": feed.delivered,
             "set_aside": feed.aside, "behind": service.behind(feed),
             "lost": lost.get(feed.sink.name, 0)}
            for feed in service.feeds
        ]
        return web.json_response({
            "mqtt": service.mqtt.state if service.mqtt else None,
            "spool": service.writer.problem or "is written",
            "sinks": sinks, "devices": devices,
        })

    async def _dead(self, request):
        sink = self._sink(request)
        letters = await asyncio.to_thread(self._letters, sink.name)
        return web.json_response([
            {"id": f"{self._service.spool.name}-{m.id}", "reason": reason, "topic": m.topic,
             "data": json.loads(m.data)} for _, reason, m in letters
        ])

    def _letters(self, name):
        with contextlib.closing(Reader(self._service.spool.path)) as reader:
            return reader.dead(name, _MOST_LETTERS)

    async def _replay(self, request):
        sink = self._sink(request)
        count = await self._do(lambda spool: spool.replay(sink.name))
        self._service.wake()
        return web.json_response({"replaying": count})

    async def _count(self, request):
        return web.Response(body=self._metrics.text(), content_type="text/plain")

    def _sink(self, request):
        for sink in self._service.sinks:
            if sink.name == request.match_info["sink"]:
                return sink
        names = ", ".join(sink.name for sink in self._service.sinks)
        raise web.HTTPNotFound(reason=f"no such sink; there is: {names}")

    async def _do(self, work):
        """The answer of work(spool), which the writer's thread gives."""
        try:
            async with asyncio.timeout(DEFAULT_S):
                return await asyncio.wrap_future(self._service.writer.do(work))
        except TimeoutError as error:
            raise web.HTTPServiceUnavailable(reason="the spool can't be written") from error


def _devices(intake):
    """{device: what the ledger and its own words tell}; in the writer's thread."""
    found = {}
    for device in intake.ledger.devices:
        status, told = intake.status(device) or {}, account(intake, device)
        found[device] = {
            "status": status.get("status", "unknown"), "received": told.received,
            "missing": told.lost + told.awaited, "duplicates": told.duplicates,
        }
    return found
