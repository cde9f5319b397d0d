"""Runs the set-up's steps in order, a line each with its seconds."""

import sys
import time

from petrel.setup import (
    PassedOver,
    SetupError,
    libcoap,
    microcoapy,
    mosquitto,
    port,
    port32,
    typings,
    umqtt,
    umqtt_current,
    uplot,
)

STEPS = (port, umqtt, umqtt_current, typings, port32, mosquitto, libcoap, microcoapy, uplot)


def main():
    for step in STEPS:
        say(f"set-up: {step.TITLE} ... ", end="")
        began = time.monotonic()
        try:
            line = step.provide()
        except PassedOver as reason:
            line = f"passed over: {reason}"
        except SetupError as error:
            say(f"failed\nset-up: {step.TITLE}: {error}")
            return 1
        say(f"{line} ({time.monotonic() - began:.1f} s)")
    return 0


def say(text, end="\n"):
    print(text, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
