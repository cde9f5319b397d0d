"""The statistical model: what encoder, decoder and trainer must agree on.

A residual is coded by binary decisions: its bit length, sought upwards or downwards from
`k` in one of three contexts (is the channel calm, as usual, lively?), its sign, its upper
mantissa bits; the rest is raw. A decision is a *node*: the probability of a 1 (15 bits) and
the number of times it was seen (up to a limit), from which follows how fast it learns.

`nodes`, an array of unsigned 16-bit numbers:
    0..47     bit length: context x 16 + length
    48..50    sign: after a zero, after a positive, after a negative residual
    51..138   upper mantissa bits: 1 for length 2, 3 for length 3, 7 for each of 4..15
    139..277  how often each node was seen
    278..341  how much a node learns when it was seen 0, 1, 2 ... times, in 1/16384
    342..     the decisions of the residual that is being coded

`ctl`, an array of signed 32-bit numbers >= 0: the state of the range coder and the
parameters of the column that is being coded; the names are below.
"""
try:
    from micropython import const
except ImportError:
    def const(value):
        return value

VERSION = const(1)
SELF = const(0xE2)          # first byte: 0xE0 + 2 x version + mode
REF = const(0xE3)
MAX_CHANNELS = const(32)
MAX_READINGS = const(4096)

NODES = const(139)
RATES = const(278)
QUEUE = const(342)
NODES_LEN = const(390)

LOW = const(0)
RANGE = const(1)
POS = const(2)
END = const(3)
COUNT = const(4)
MEDIAN = const(5)
MEAN = const(6)
SHIFT = const(7)
WEIGHTS = const(8)          # d1, d2, d3, level, x1, x2; each + WEIGHT_BIAS
LEVEL = const(14)
DRY = const(15)             # in: only measure; out: the sum of the bit lengths
LIMIT = const(16)
STRIDE = const(17)          # length of a region of `cols`
CTL_LEN = const(20)

WEIGHT_BIAS = const(16384)
DELTA_BIAS = const(8192)
VALUE_BIAS = const(0x10000000)
SEEN_FRESH = const(60)      # where a node stops counting
SEEN_TRAINED = const(30)    # a trained node starts here

# Predictors that need no training, as weights of d1, d2, d3 and level in quarters.
# 0 stands for a column that never changes.
PRESETS = (b"\4\4\4\4", b"\4\4\4\4", b"\x08\4\4\4", b"\6\4\4\4", b"\1\2\3\4", b"\2\3\4\4",
           b"\6\5\5\4", b"\4\4\4\x08")
CONSTANT = const(0)
PLAIN = const(1)
ABSOLUTE = const(7)

# 256 x P(|residual| >= boundary), a half octave a step, of a Laplace distribution.
_SURVIVAL = b"\xff\xff\xfe\xfe\xfd\xfc\xfa\xf7\xf4\xef\xe8\xde\xd2\xc1\xac\x92\x74\x53\x34\x1b\x0b\x03\x01"
_MEANS = b"\1\2\4\6\x09\x0d\x11\x15\x1a\x20\x26\x2c\x33\x3a"


def mean_of(scale):
    """16 x the mean bit length of residuals of this scale (0..31)."""
    return _MEANS[scale] if scale < 14 else 8 * scale - 46


def scale_of(mean):
    """The scale whose mean bit length is nearest to `mean` (in sixteenths)."""
    if mean >= 66:
        return min((mean + 50) >> 3, 31)
    scale = 0
    while scale < 14 and mean_of(scale) + mean_of(scale + 1) <= 2 * mean:
        scale += 1
    return scale


def median_of(scale):
    """The bit length that the search for a residual's bit length starts from."""
    if scale < 11:
        return (0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2)[scale]
    return (scale - 5) >> 1


def _survival(length, scale):
    """256 x P(bit length > `length`) for residuals of this scale."""
    at = (2 * length if length > 3 else (-2, 1, 4, 6)[length]) - scale + 22
    if at < 0:
        return 255
    return _SURVIVAL[at] if at < 23 else 1


def seed(nodes, scale, median):
    """Give every node the probability that it has in a Laplace distribution."""
    for context in range(3):
        s = scale + 2 * context - 2
        base = 16 * context
        for length in range(16):
            above = _survival(length, s)
            if length < median:
                p = ((above - _survival(length + 1, s)) << 15) // (256 - _survival(length + 1, s))
            elif length == median:
                p = above << 7
            else:
                p = (above << 15) // _survival(length - 1, s)
            nodes[base + length] = min(max(p, 1024), 31744)
    for j in range(48, NODES):
        nodes[j] = 16384
    for j in range(NODES):
        nodes[NODES + j] = 0


def rates(nodes):
    """Fill the table of learning rates: 1 / (seen + 1.5)."""
    for seen in range(64):
        nodes[RATES + seen] = 32768 // (2 * seen + 3)


def mantissa_at(length):
    """The first node of the upper mantissa bits of residuals of this bit length (to 16)."""
    if length < 4:
        return (51, 51, 51, 52)[length]
    return 55 + 7 * (length - 4)
