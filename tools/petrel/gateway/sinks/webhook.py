"""Messages POSTed to an address, one or a batch a request.

    {"id": "9f2c...-12", "topic": "devices/shed/data", "data": {"s": 7, "n": 1, "t": 25.5},
     "timestamp": "2026-11-25T13:20:00.123Z"}                         or an array of such objects

`timestamp` is when the gateway took the message, `data` its payload as JSON. Header
`Idempotency-Key` names the request: it is the same when the same messages are sent again, so a
server that remembers keys, or the ids, has each message once.

| answer | the messages |
|---|---|
| 2xx | are delivered |
| 408, 425, 429, 3xx, 5xx, none in time | are sent again; `Retry-After` is heeded |
| another 4xx | are refused |
"""

import asyncio
import contextlib
import email.utils
import time

import httpx

from petrel.gateway.message import envelope
from petrel.gateway.pace import Refused, Retry

_AGAIN = (408, 425, 429)
_MOST_READ = 65536  # bytes of an answer; more costs the connection


class Webhook:
    """settings: a config.Webhook."""

    keyed = True

    def __init__(self, settings):
        self.name, self.topics, self.most = settings.name, settings.topics, settings.batch
        self.retry_max_s = settings.retry_max_s
        self._settings = settings
        self._client = None

    async def open(self, spool_name):
        self._spool_name = spool_name
        self._client = httpx.AsyncClient(timeout=self._settings.timeout_s)

    async def close(self):
        if self._client:
            await self._client.aclose()

    async def deliver(self, messages, key):
        bodies = [envelope(message, self._spool_name) for message in messages]
        text = f"[{','.join(bodies)}]" if self.most > 1 else bodies[0]
        headers = {**self._settings.headers, "Content-Type": "application/json",
                   "Idempotency-Key": key}
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                response = await self._post(text.encode(), headers)
        except TimeoutError as error:
            raise Retry(f"no answer within {self._settings.timeout_s} s") from error
        except (httpx.TransportError, OSError) as error:
            raise Retry(f"no answer: {str(error) or type(error).__name__}") from error
        judge(response.status_code, response.headers, time.time())

    async def _post(self, content, headers):
        url = self._settings.url
        async with self._client.stream("POST", url, content=content, headers=headers) as response:
            length = 0
            async for chunk in response.aiter_raw():
                length += len(chunk)
                if length > _MOST_READ:
                    break
        return response


def judge(status, headers, now):
    """Raises Retry or Refused unless the status says that the messages have arrived.

    now: Unix seconds, for a Retry-After that is a date.
    """
    if 200 <= status < 300:
        return
    if 400 <= status < 500 and status not in _AGAIN:
        raise Refused(f"status {status}")
    if 300 <= status < 400:
        where = headers.get("Location", "elsewhere")
        raise Retry(f"it redirects to {where}; the config must name that address")
    raise Retry(f"status {status}", retry_after(headers.get("Retry-After"), now))


def retry_after(text, now):
    """Seconds that a Retry-After asks for (RFC 9110, section 10.2.3), None for none."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return min(int(text.strip()[:9]), 86400)
    with contextlib.suppress(ValueError, TypeError):
        return max(0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    return None
