"""Freezes journal into an image of MicroPython. Made by petrel.packages."""
metadata(description="A queue of records that survives power cuts, in a directory of the board's file system.", version="0.1.0")
package("journal", base_path="..", files=(
    "__init__.py",
    "delivered.py",
    "disk.py",
    "entry.py",
    "errors.py",
    "holes.py",
    "marks.py",
    "segments.py",
    "slots.py",
))
