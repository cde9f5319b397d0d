"""Frames: batches of readings packed close to the entropy of the data.

    from frame.schema import Channel, Schema
    from frame.encoder import Encoder      # on the device
    from frame.decoder import decode       # on the host; never imported by the encoder

The bytes are defined in docs/WIRE.md. This file imports nothing, so that a board that only
encodes never loads the rest.
"""


def forget(*names):
    """Drop modules of this package that have done their work: "schema", "train" ..."""
    import gc
    import sys

    for name in names:
        if sys.modules.pop("frame." + name, None):
            globals().pop(name, None)
    gc.collect()
