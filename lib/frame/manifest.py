"""Freezes frame into an image of MicroPython. Made by petrel.packages."""
metadata(description="Frames: batches of readings packed close to the entropy of the data.", version="0.1.0")
package("frame", base_path="..", files=(
    "__init__.py",
    "_fast.py",
    "_plain.py",
    "decoder.py",
    "describe.py",
    "encoder.py",
    "errors.py",
    "habits.py",
    "least_squares.py",
    "loops.py",
    "model.py",
    "profile.py",
    "rangecoder.py",
    "readings.py",
    "reference.py",
    "renew.py",
    "schema.py",
    "train.py",
))
