"""The broker's plug: a relay before it that can be pulled out and put back.

Why not stop the broker itself: Mosquitto acknowledges a message before it has stored it, and the
fallback broker stores nothing, so that what is lost would be the broker's own fault, and could
not be told from a fault of the devices. A pulled plug is what a device really meets: the
connection breaks wherever it is, perhaps inside a message, perhaps between a message and its
acknowledgement; new connections are refused; the broker sends the wills. A message whose
acknowledgement was cut off arrives a second time: the duplicates of the summary.
"""

import asyncio
import threading

from petrel.broker import HOST, free_port

START_S = 5


class Plug:
    """Relays connections from `port` to the broker's `target` port, in a thread of its own.

    Every byte takes `delay_s` longer, each way.
    """

    def __init__(self, target, delay_s=0):
        self.target, self._delay_s = target, delay_s
        self.port = free_port()
        self.plugged = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="plug", daemon=True)
        self._server = None
        self._relays = set()  # the tasks of open connections

    def __enter__(self):
        self._thread.start()
        self.put_back()
        return self

    def __exit__(self, *_):
        self.pull()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_S)
        self._loop.close()

    def put_back(self):
        """Accept connections again; returns when that is so."""
        self._do(self._open())
        self.plugged = True

    def pull(self):
        """Cut every connection and refuse new ones; returns when that is so."""
        self._do(self._cut())
        self.plugged = False

    def _do(self, work):
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_S)

    async def _open(self):
        if self._server is None:
            self._server = await asyncio.start_server(self._relay, HOST, self.port)

    async def _cut(self):
        if self._server is not None:
            self._server.close()
            self._server = None
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _relay(self, reader, writer):
        """One connection, until either side ends it or the plug is pulled."""
        self._relays.add(asyncio.current_task())
        writers = [writer]
        try:
            upstream, upstream_writer = await asyncio.open_connection(HOST, self.target)
            writers.append(upstream_writer)
            ways = ((reader, upstream_writer), (upstream, writer))
            pumps = [asyncio.create_task(_pump(way_in, way_out, self._delay_s))
                     for way_in, way_out in ways]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
        except (OSError, asyncio.CancelledError):
            pass  # no broker, or pulled: the client sees a cut connection, as it should
        finally:
            self._relays.discard(asyncio.current_task())
            for each in writers:
                each.transport.abort()


async def _pump(reader, writer, delay_s):
    loop = asyncio.get_running_loop()
    try:
        while data := await reader.read(65536):
            if delay_s:
                loop.call_later(delay_s, _late, writer, data)
            else:
                writer.write(data)
                await writer.drain()
    except OSError:
        pass


def _late(writer, data):
    if not writer.is_closing():
        writer.write(data)
