"""Runs first at every start, and returns, so that the REPL stays within reach."""

import gc

from firmware import board

board.this().boot()
gc.collect()
