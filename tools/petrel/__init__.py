"""The host side of Petrel: what runs on your computer, on CPython."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository: the layout of a board's file system, and the tools beside it."""

BUILD = ROOT / "build"
"""Everything made here; safe to delete."""
