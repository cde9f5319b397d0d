"""The uplink keeps a link open and moves messages from the outbox to it; retrying and pacing are
decided here.

                delay over
    WAITING ------------------> OPENING <--- start
       ^                        |     |
       |   open() failed        |     | open() returned
       +------------------------+     v
       |                            ONLINE
       |   run() or send() failed     |
       +------------------------------+
                                      | stop(): what is queued is sent first
                                      v
                                   CLOSING ---> STOPPED   (WAITING: STOPPED at once)

The delay grows with every failure, whatever failed, with jitter (`lib/backoff.py`). It starts
again at the bottom only after a connection has proven itself: something of ours was acknowledged,
and it lasted `proven_ms`. A failure that only a change can mend (refused credentials, a
certificate that does not verify) waits the longest delay.
"""

import asyncio

from micropython import const

from .links import LinkError, Message
from .log import log

_WAITING = const(0)
_OPENING = const(1)
_ONLINE = const(2)
_CLOSING = const(3)
_STOPPED = const(4)

_POSTS = const(8)
_IDLE_MS = const(20_000)  # the longest wait without a word to the vitals
_OPEN_MS = const(90_000)  # the longest `timeout_s`, and a round of WiFi


class Uplink:
    """`rate` is a RateLimit over all publishes; `on_online()` is called at every birth, and may
    post.
    """

    on_posted = None  # called with each message that was posted and is acknowledged

    def __init__(
        self, name, link, outbox, clock, vitals, backoff, rate, on_online, proven_ms=10_000
    ):
        self.name = name
        self._link = link
        self._outbox = outbox
        self._clock = clock
        self._vitals = vitals
        self._backoff = backoff
        self.rate = rate
        self.on_online = on_online
        self.proven_ms = proven_ms
        self._posts = []
        self._ended = asyncio.Event()
        self._error = None
        self._tasks = []
        self._under_way = 0  # sends
        self.state = _OPENING
        self.connects = 0
        self.acks = 0  # messages that the peer has taken responsibility for
        self.posts_dropped = 0

    def post(self, kind, payload):
        """Send `payload` ahead of the readings, if there is a connection soon; a newer health
        replaces an older, and so does a profile.
        """
        if kind != "responses":
            self._posts = [post for post in self._posts if post.kind != kind]
        if len(self._posts) == _POSTS:
            self._posts.pop(0)
            self.posts_dropped += 1
        self._posts.append(Message(kind, payload))
        self._outbox.changed.set()

    async def run(self):
        """Returns after `stop`."""
        while self.state != _STOPPED:
            self._set_state(_OPENING, _OPEN_MS)
            acks = self.acks
            opened = 0
            try:
                await self._link.open()
                if self.state == _STOPPED:
                    return await self._link.close("stopped")
                opened = self._clock.now()
                await self._serve()
            except LinkError as error:
                acknowledged = self.acks > acks
                if acknowledged and self._clock.now() - opened >= self.proven_ms:
                    self._backoff.reset()
                await self._wait(error)

    async def stop(self, why, max_ms):
        """End politely: deliver what is queued for at most `max_ms`, say `why`, close. A
        connection that is being made may still be made in that time; a new one is not begun.
        """
        self._outbox.flush = True
        self._outbox.changed.set()  # whoever waits for a batch to fill
        end = self._clock.now() + max_ms
        while self._clock.now() < end and self._may_deliver():
            await self._outbox.changed.wait_ms(50)
        if self.state == _ONLINE:
            self._set_state(_CLOSING, _OPEN_MS)
            for task in self._tasks[1:]:  # all but the link's own run()
                task.cancel()
            await self._link.close(why)
        self._set_state(_STOPPED, 0)
        self._vitals.done("uplink")
        self._ended.set()

    def _may_deliver(self):
        if self.state == _ONLINE:
            return self._posts or self._under_way or len(self._outbox)
        return self.state == _OPENING

    def _set_state(self, state, ms):
        self.state = state
        self._vitals.within("uplink", ms)

    async def _wait(self, error):
        if self.state == _STOPPED:
            return
        delay = self._backoff.next_ms() if error.retry else self._backoff.max_ms
        log("uplink", "%s; next try in %d.%03d s" % (error, delay // 1000, delay % 1000))
        self._set_state(_WAITING, delay)
        await asyncio.sleep_ms(delay)

    async def _serve(self):
        """Move messages until the connection fails or `stop` has closed it."""
        self.connects += 1
        self._error = None
        self._ended.clear()
        self._outbox.rewind(self._link.owed)
        self._set_state(_ONLINE, _IDLE_MS)
        log("uplink", "online over %s (connection %d)" % (self.name, self.connects))
        self.on_online()
        self._tasks = [asyncio.create_task(self._guard(self._link.run()))]
        for _ in range(self._link.window):
            self._tasks.append(asyncio.create_task(self._guard(self._send())))
        await self._ended.wait()
        for task in self._tasks:
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
        self._outbox.rewind()
        if self._error:
            raise self._error

    async def _guard(self, part):
        """Run a part of an open connection; the first that fails ends them all."""
        try:
            await part
        except Exception as error:  # what nobody expected ends the app, when `_serve` raises it
            self._error = self._error or error
            self._ended.set()

    async def _send(self):
        while True:
            self._vitals.within("uplink", _IDLE_MS)
            due = 0 if self._posts else self._outbox.due_in()
            if due != 0:
                await self._outbox.changed.wait_ms(_IDLE_MS if due is None else min(due, _IDLE_MS))
                continue
            pause = self.rate.wait_ms(self._clock.now())
            if pause:
                await asyncio.sleep_ms(pause)
                continue
            self.rate.take()
            self._vitals.within("uplink", _OPEN_MS)
            self._under_way += 1
            try:
                await self._send_next()
            finally:
                self._under_way -= 1

    async def _send_next(self):
        if self._posts:
            message = self._posts.pop(0)
            try:
                await self._link.send(message)
            except ValueError as error:
                self.posts_dropped += 1
                log("uplink", "a message of kind %s can't be sent: %s" % (message.kind, error))
                return
            except BaseException:
                self._posts.insert(0, message)
                raise
            if self.on_posted:
                self.on_posted(message)
        else:
            message = self._outbox.take()
            await self._link.send(message)
            self._outbox.done(message)
        self.acks += 1
