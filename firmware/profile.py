"""The life of the frame profile: what the device's readings are like, learnt from its own frames
and told to the receivers, so that frames need not say it again (docs/WIRE.md, "The profile").

    NONE                        frames describe themselves
      | learnt, or kept from an earlier life
      v
    KNOWN <---------------+     they still do: it is published, retained
      | acknowledged      |
      v                   | a new connection, or another that saves more than it costs
    IN_USE ---------------+     frames are by reference

A new connection may be to another broker, or to one that has forgotten what it retained.

The device learns (`firmware/learning.py`) from the first frames and again after a rest. What it
has learnt is kept over a reset.
"""

import asyncio
import gc
import sys

from micropython import const

import frame

from .forget import forget
from .log import log

_NONE = const(0)
_KNOWN = const(1)
_IN_USE = const(2)

_REST = const(300)  # frames until the device learns again
_ROOM = const(15_000)  # bytes that must be free to learn, in words of 32 bits, ...
_ROOM_CHANNEL = const(1_100)  # for each channel, and ...
_ROOM_OTHERS = const(8_000)  # for all else meanwhile: an outage, a backlog in flash, commands
_IDLE_MS = const(20_000)


class Profile:
    """`encoder` is that of payloads/frame.py, `stream` this life's, `post` and `on_birth` the
    uplink's; `most_bytes` is the longest message that the link sends.
    """

    def __init__(self, board, encoder, stream, vitals, post, on_birth, most_bytes):
        self._board = board
        self._encoder = encoder
        self._stream = stream
        self._vitals = vitals
        self._post = post
        self._on_birth = on_birth
        self._most_bytes = most_bytes
        self._due = None  # (number, time in ms) of the reading after the last frame of this life
        self._task = None
        self._state = _NONE
        self._blob = board.load("profile")
        if self._blob:
            try:
                encoder.frame.use(self._blob)
                self._set_state(_KNOWN)
            except ValueError:  # of other channels, or damaged
                self._blob = None

    def revision(self):
        """Of the profile in use, 0 while there is none."""
        return self._number() if self._state == _IN_USE else 0

    def _number(self):
        return self._blob[1] << 8 | self._blob[2] if self._blob else 0

    def on_online(self):
        """A connection was made."""
        self._on_birth()
        if self._state != _NONE:
            self._set_state(_KNOWN)
            if self._due:  # else at the first frame
                self._offer(self._blob)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def on_posted(self, message):
        """The peer has taken responsibility for a message that was posted."""
        if message.payload is self._blob:
            self._set_state(_IN_USE)

    def _offer(self, blob):
        """Publish a profile, counting from where the readings are now."""
        from frame.renew import renewed

        self._blob = renewed(blob, self._stream, *self._due)
        frame.forget("renew")
        self._set_state(_KNOWN)
        self._post("profile", self._blob)

    def _set_state(self, state):
        self._state = state
        self._encoder.frame.use(self._blob if state == _IN_USE else None)

    async def _run(self):
        rest = 0
        if self._state != _NONE:
            rest = _REST
            await self._next_frame()
            self._offer(self._blob)
        while True:
            for _ in range(rest):
                await self._next_frame()
            rest = _REST
            gc.collect()
            need = _ROOM + _ROOM_OTHERS + _ROOM_CHANNEL * self._encoder.frame.width
            if gc.mem_free() < (need if sys.maxsize <= 0x7FFFFFFF else 2 * need):
                log("profile", "too little memory is free to learn from the readings")
                continue
            try:
                await self._learn()
            except MemoryError:
                log("profile", "the memory did not suffice to learn from the readings")
            forget("learning")
            frame.forget("train", "habits", "least_squares", "describe", "renew")

    async def _learn(self):
        from .learning import learn

        blob = await learn(self._encoder, self._next_frame, self._number() + 1, self._most_bytes)
        if blob:
            self._board.save("profile", blob)
            self._offer(blob)

    async def _next_frame(self):
        """Wait for a frame of this life that was not there before."""
        encoder = self._encoder
        while True:
            self._vitals.within("profile", _IDLE_MS)
            await encoder.made.wait_ms(_IDLE_MS)
            end = encoder.first + encoder.count
            if encoder.frame.stream == self._stream and end > (self._due or (0,))[0]:
                break
        self._due = end, encoder.frame.next_due(encoder.count)
