"""Runs first at every start, and returns, so that the REPL stays within reach."""

import gc
import sys

if sys.platform not in ("linux", "darwin"):  # the Unix port has no flash to take over
    exec("import switch; switch.finish()")
from firmware import board

board.this().boot()
gc.collect()
