"""Runs the set-up's steps in order, a line each with its seconds."""

import sys
import time

from petrel.setup import PassedOver, SetupError

STEPS = ()


def main():
    for step in STEPS:
        began = time.monotonic()
        try:
            line = step.provide()
        except PassedOver as reason:
            line = f"passed over: {reason}"
        except SetupError as error:
            print(f"set-up: {step.TITLE}: {error}", file=sys.stderr)
            return 1
        taken = time.monotonic() - began
        print(f"set-up: {step.TITLE}: {line} ({taken:.1f} s)", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
