"""Runs after boot.py: the application on this board."""

from firmware import board, start

start.run(board.this())
