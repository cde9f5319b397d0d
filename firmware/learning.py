"""Learning a frame profile from the frames that the device makes. Imported for that, and forgotten
when it is done.

The trainer (lib/frame/train.py) is fed each new frame, a few milliseconds at a time. What it has
found must then prove itself on frames that it has not seen.
"""

import asyncio

from micropython import const

import frame
from frame.train import Trainer

from .log import log

_READINGS = (120, 480, 240, 600)  # that each of the trainer's passes takes in
_TRIALS = const(3)  # frames on which a profile must prove what it saves
_SERVES = const(100)  # frames over which it must save its own length


async def learn(encoder, next_frame, revision, most_bytes):
    """Return a profile that saves more than it costs, or None.

    `encoder` is that of payloads/frame.py; `await next_frame()` returns when it has made another.
    """
    trainer = Trainer(encoder.frame)
    for wanted in _READINGS:
        while wanted > 0:
            await next_frame()
            wanted -= encoder.count
            turn = encoder.turn
            for _ in trainer.feed(encoder.first):
                await asyncio.sleep_ms(0)
                if encoder.turn != turn:
                    break  # the next frame has taken its place
        for _ in trainer.next_pass():
            await asyncio.sleep_ms(0)
    blob = trainer.blob(revision & 0xFFFF)
    del trainer
    return await _proven(blob, encoder, next_frame, most_bytes)


async def _proven(blob, encoder, next_frame, most_bytes):
    from frame.renew import saved

    frame.forget("train", "habits", "least_squares", "describe")
    gain = 0
    for _ in range(_TRIALS):
        await next_frame()
        gain += saved(encoder.frame, blob, encoder.first)
    pays = gain * _SERVES > len(blob) * _TRIALS and len(blob) <= most_bytes
    words = "learnt a profile of %d bytes, which saves %d bytes in %d frames: %s"
    use = "in use once it is delivered" if pays else "not used"
    log("profile", words % (len(blob), gain, _TRIALS, use))
    return blob if pays else None
