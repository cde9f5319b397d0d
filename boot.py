"""Runs first at every start, and returns, so that the REPL stays within reach."""

import gc
import sys

if sys.platform in ("esp32", "rp2"):  # the Unix port has no flash to take over
    __import__("switch").finish()
from firmware import board

board.this().boot()
gc.collect()
