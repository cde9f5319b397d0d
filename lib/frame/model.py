"""The statistical model: what encoder, decoder and trainer must agree on.

A residual is coded by binary decisions: its bit length, sought upwards or downwards from the
median in one of three contexts (is the channel calmer, as usual, livelier?), its sign, its
upper mantissa bits; the rest is raw. A decision is a *node*: the probability of a 1 (15 bits)
and how often it was seen (up to a limit), from which follows how fast it learns.

`nodes`, an array of signed 32-bit numbers; a node is its probability << 8 | 139 + how often it
was seen, so that its lower byte is where the array says how much it learns:
    0..47     bit length: context x 16 + length
    48..50    sign: after a zero, after a positive, after a negative residual
    51..138   upper mantissa bits: 1 for length 2, 3 for length 3, 7 for each of 4..15
    139..179  how much a node learns that was seen 0, 1, 2 ... times, in 1/16384
    180..221  tables of seed(): 16 boundaries, 13 nodes, 13 for searching down

`ctl`, an array of signed 32-bit numbers: the range coder's state and a column's parameters:
    0 low, 1 range, 2 position, 3 end of the buffer, 4 number of readings, 5 median bit length,
    6 16 x mean bit length, 7 shift of the weights, 8..13 weights + 16384 of the last three
    changes, the distance from the level, and the changes of two other channels,
    14 level, 15 where in `cols` the column is, 16 and 17 where the two others are

A scale, 0 to 31, names a Laplace distribution: two steps double its width.
"""
from array import array

# Weights in quarters, + 4, of the predictors that need no training. The last is for masks.
PRESETS = b"\4\4\4\4\x08\4\4\4\1\2\3\4\6\5\5\4\4\4\4\x08"


def median_of(scale):
    """The bit length that the search for a residual's bit length starts from."""
    return (scale - 5) >> 1 if scale > 10 else (scale + 1) // 3 - 1 if scale > 1 else 0


def mean_of(scale):
    """16 x the mean bit length of residuals of this scale."""
    return 8 * scale - 46 if scale > 13 else (scale * (scale + 4) >> 2) + 1


def scale_of(size):
    """The scale of residuals of this mean size (in sixteenths)."""
    scale = 0
    while scale < 31 and size > (19 + 8 * (scale & 1) << (scale >> 1)) >> 3:
        scale += 1
    return scale


# What follows runs once, so that a board does not keep it.

_nodes = array("i", bytes(888))
for j in range(139):
    p = 2048 if j < 48 else 16384 if j < 51 else 15700
    _nodes[j] = p << 8 | (141 if 50 < j < 62 else 144)
for j in b"\x33\x34\x37\x3e\x45\x4c\x53\x5a\x61\x68\x6f\x76\x7d\x84":
    _nodes[j] -= 1200 << 8      # the first bit below the top one is seldom a 1
for j in range(41):
    _nodes[139 + j] = 32768 // (2 * j + 3)
for j in range(16):
    _nodes[180 + j] = 13 + b"\0\3\6\x08\x0a\x0c\x0e\x10\x12\x14\x16\x18\x1a\x1c\x1e\x20"[j]
for j in range(13):
    # By half octaves between a boundary and the scale: P(|residual| is beyond it) / 256.
    p = b"\xf0\xef\xe8\xde\xd2\xc1\xac\x92\x74\x53\x34\x1b\x10"[j]
    _nodes[196 + j] = p << 15 | 144
    _nodes[209 + j] = (p << 15) // (256 + p) << 8 | 144
FRESH = bytes(_nodes)       # nodes to start from: every decision even
del _nodes

CRC = array("i", bytes(64))     # the CRC-24 of each half byte
for j in range(16):
    c = j << 20
    for _ in range(4):
        c <<= 1
        if c > 0xFFFFFF:
            c ^= 0x1864CFB
    CRC[j] = c
