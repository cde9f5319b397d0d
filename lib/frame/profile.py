"""What sender and receiver know of a stream beforehand: its schema and its habits.

A profile is a string of bytes (docs/WIRE.md, "The profile"), published retained. A REF frame
names it by the lower 16 bits of its CRC-24, and all 24 go into the frame's checksum.

    encoder.use(Profile(blob))
"""
from ._plain import crc24
from .errors import ProtocolError
from .model import CRC

MAGIC = 0xE1        # 0xE0 + version
HEAD_LEN = 22


class Profile:
    """A profile whose checksum is right; `blob` is what is stored and published."""

    def __init__(self, blob):
        if len(blob) < HEAD_LEN + 3 or blob[0] != MAGIC:
            raise ProtocolError("no profile of version 1")
        if crc24(blob, len(blob), 0, CRC):
            raise ProtocolError("the profile's checksum does not match")
        self.blob = bytes(blob)
        self.crc = _int(blob, len(blob) - 3, 3)
        self.mark = self.crc & 0xFFFF
        self.revision = _int(blob, 1, 2)
        self.stream_hi = _int(blob, 3, 2)
        self.stream_lo = _int(blob, 5, 2)
        self.seq = _int(blob, 7, 4)
        self.hi = _int(blob, 11, 3)             # when reading `seq` was taken: seconds >> 16,
        self.lo = _int(blob, 14, 2)             # their lower half,
        self.ms = _int(blob, 16, 2)             # and ms
        self.count = _int(blob, 18, 2)          # readings in a usual frame
        self.columns = HEAD_LEN + _int(blob, 20, 2)
        self.fields = self.blob[HEAD_LEN:self.columns]


def _int(blob, at, length):
    value = 0
    for i in range(at, at + length):
        value = value << 8 | blob[i]
    return value
