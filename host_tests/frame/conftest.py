"""Finds lib/ and tools/ where the project is not installed."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for folder in ("lib", "tools", "."):
    path = str((ROOT / folder).resolve())
    if path not in sys.path:
        sys.path.insert(0, path)
