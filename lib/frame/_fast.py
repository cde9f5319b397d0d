"""The inner loops of the encoder, as machine code (viper).

`_plain.py` is this text as ordinary Python, written by `tools/petrel/frame_plain.py`; a
test keeps the two alike. Both must give the same bytes, so the text keeps to what viper
and Python agree on:

- every number in memory is >= 0 (viper's ptr32 does not extend the sign on a 64-bit
  machine): a signed one carries a bias;
- every intermediate fits 31 bits signed; no division, no call, no allocation.

`ctl`, `nodes` and `cols` are laid out in model.py; docs/WIRE.md defines the arithmetic.
"""
# viper knows ptr8, ptr16 and ptr32; one loop in one place is what makes it fast.
# ruff: noqa: C901, F821, SIM102
# pyright: reportUndefinedVariable=false, reportPossiblyUnboundVariable=false
import micropython


@micropython.viper
def narrow(ctl_, out_, start: int, size: int):
    """Shrink the interval to `size` from `start` on; put out the bytes that are settled."""
    ctl = ptr32(ctl_)
    out = ptr8(out_)
    low = ctl[0] + start
    pos = ctl[2]
    end = ctl[3]
    while not size >> 16:
        if low >> 24:
            if pos <= end:
                j = pos - 1
                while out[j] == 255:
                    out[j] = 0
                    j -= 1
                out[j] = out[j] + 1
        if pos < end:
            out[pos] = low >> 16 & 255
        pos += 1
        low = (low & 65535) << 8
        size <<= 8
    ctl[0] = low
    ctl[1] = size
    ctl[2] = pos


@micropython.viper
def column(ctl_, nodes_, cols_, out_):
    """Code what the values of a column, but for the first, differ from their prediction by."""
    ctl = ptr32(ctl_)
    nodes = ptr32(nodes_)
    cols = ptr32(cols_)
    out = ptr8(out_)
    low = ctl[0]
    rng = ctl[1]
    # The busiest variables first: bytecode reaches the first 16 faster, and in one byte.
    x = p = j = d = a = b = rest = bit = todo = v = 0
    pos = ctl[2]
    end = ctl[3]
    k = ctl[5] + 1
    mean = ctl[6]
    shift = ctl[7]
    w1 = ctl[8] - 16384
    w2 = ctl[9] - 16384
    w3 = ctl[10] - 16384
    w4 = ctl[11] - 16384
    w5 = ctl[12] - 16384
    w6 = ctl[13] - 16384
    level = ctl[14]
    i = ctl[15]
    n = ctl[4] + i
    x1 = ctl[16] - i
    x2 = ctl[17] - i
    half = 1 << shift >> 1
    d1 = d2 = d3 = e = t = stop = 0
    way = 48
    last = cols[i] >> 1
    i += 1
    while i < n:
        v = cols[i]
        p = last
        last = v >> 1
        if shift:
            d = w1 * d1 + w2 * d2 + w3 * d3 + half
            if w4:
                x = level - p
                if x > 8191:
                    x = 8191
                if x < -8191:
                    x = -8191
                d += w4 * x
            if w5:
                x = (cols[x1 + i] >> 1) - (cols[x1 + i - 1] >> 1)
                if x > 8191:
                    x = 8191
                if x < -8191:
                    x = -8191
                d += w5 * x
            if w6:
                x = (cols[x2 + i] >> 1) - (cols[x2 + i - 1] >> 1)
                if x > 8191:
                    x = 8191
                if x < -8191:
                    x = -8191
                d += w6 * x
            d3 = d2
            d2 = d1
            d1 = last - p
            if d1 > 8191:
                d1 = 8191
            if d1 < -8191:
                d1 = -8191
            p += d >> shift
        i += 1
        if not v & 1:
            continue
        v = last - p
        a = v
        if v < 0:
            a = 0 - v
        a += a + 1
        base = 15
        if e < -12:
            base = 0 - 1
        if e > 12:
            base = 31
        # The decisions of a residual. A node j is asked whether the length is b or more (a has
        # a 1 below its bits, so that b ends at 0), then sign and upper mantissa bits.
        # todo: 0 it is not, 1 one decision a turn: `bit` at node j, 2 raw bits.
        b = k
        j = base + b
        todo = rest = 0
        bit = 1
        while True:
            while not rng >> 16:
                if low >> 24:
                    if pos <= end:
                        x = pos - 1
                        while out[x] == 255:
                            out[x] = 0
                            x -= 1
                        out[x] = out[x] + 1
                if pos < end:
                    out[pos] = low >> 16 & 255
                pos += 1
                low = (low & 65535) << 8
                rng <<= 8
            if todo != 1:
                if todo:
                    x = rest - 1
                    if x > 8:
                        x = 8
                    rest -= x
                    rng >>= x
                    low += ((a >> rest) & ((1 << x) - 1)) * rng
                    if rest > 1:
                        continue
                    break
                while not a >> b:
                    x = nodes[j]
                    p = x >> 8
                    d = ((rng >> 9) * p) >> 6
                    low += d
                    rng -= d
                    if x & 255 < 179:
                        nodes[j] = x + 1 - (((p * nodes[x & 255]) >> 14) << 8)
                    else:
                        nodes[j] = x - (((p * nodes[179]) >> 14) << 8)
                    b -= 1
                    j -= 1
                    if not rng >> 16:
                        break
                if not rng >> 16:
                    continue
                if b == 0:
                    e += (0 - mean - e) >> 2
                    way = 48
                    break
                todo = 1
            x = nodes[j]
            p = x >> 8
            d = ((rng >> 9) * p) >> 6
            if bit:
                rng = d
                d = ((32768 - p) * nodes[x & 255]) >> 14
            else:
                low += d
                rng -= d
                d = 0 - ((p * nodes[x & 255]) >> 14)
            if x & 255 < 179:
                x += 1
            nodes[j] = x + (d << 8)
            if rest:
                if rest > stop:
                    j = t + (a >> rest)
                    rest -= 1
                    bit = (a >> rest) & 1
                    continue
                if rest == 1:
                    break
                todo = 2
                continue
            if bit:
                if b >= k:
                    b += 1
                    if b < 17:
                        j += 1
                    if not a >> b:
                        bit = 0
                    continue
            else:
                b -= 1
            # The bit length is b.
            e += ((b << 4) - mean - e) >> 2
            j = way
            way = 49
            bit = 0
            if v < 0:
                way = 50
                bit = 1
            rest = b
            stop = 1
            t = 48 + b
            if b > 3:
                stop = b - 3
                t = 26 + 7 * b
                if b > 15:
                    t = 131
    ctl[0] = low
    ctl[2] = pos
    narrow(ctl_, out_, 0, rng)


@micropython.viper
def seed(nodes_, scale: int, median: int):
    """Set the nodes of the bit lengths to what they are in a Laplace distribution."""
    nodes = ptr32(nodes_)
    j = 0
    while j < 48:
        length = j & 15
        t = nodes[length + 180] - scale - (j >> 4)
        if length > median:
            t -= 2
        if t < 0:
            t = 0
        if t > 12:
            t = 12
        if length < median:
            t += 13
        nodes[j] = nodes[t + 196]
        j += 1


@micropython.viper
def recall(nodes_, blob_, at: int, longest: int):
    """Set the nodes of residuals up to `longest` bits to what a profile says from `at` on."""
    nodes = ptr32(nodes_)
    blob = ptr8(blob_)
    end = 51
    if longest > 1:
        end = 52
    if longest > 2:
        end = 34 + 7 * longest
    j = 0
    while j < end:
        nodes[j] = (blob[at] << 15) + 16553
        at += 1
        j += 1
        if j < 48:
            if (j & 15) > longest:
                j = (j | 15) + 1


@micropython.viper
def survey(ctl_, cols_):
    """Leave in ctl[8:12] the sums of the residuals' sizes that four predictors would leave."""
    ctl = ptr32(ctl_)
    cols = ptr32(cols_)
    i = ctl[15] + 1
    n = ctl[4] + i - 1
    last = cols[i - 1] >> 1
    s0 = s1 = s2 = s3 = 0
    d1 = d2 = d3 = 0
    while i < n:
        d = (cols[i] >> 1) - last
        last += d
        if d > 8191:
            d = 8191
        if d < -8191:
            d = -8191
        p = d
        if p < 0:
            p = 0 - p
        s0 += p
        p = d - d1
        if p < 0:
            p = 0 - p
        s1 += p
        p = d + ((3 * d1 + d2 + d2 + d3) >> 2)
        if p < 0:
            p = 0 - p
        s2 += p
        p = d - ((d1 + d1 + d2 + d3) >> 2)
        if p < 0:
            p = 0 - p
        s3 += p
        d3 = d2
        d2 = d1
        d1 = d
        i += 1
    ctl[8] = s0
    ctl[9] = s1
    ctl[10] = s2
    ctl[11] = s3


@micropython.viper
def crc24(data_, count: int, c: int, table_) -> int:
    """CRC-24 (polynomial 0x864CFB) of the first `count` bytes, going on from `c`."""
    data = ptr8(data_)
    table = ptr32(table_)
    i = 0
    while i < count:
        b = data[i]
        i += 1
        c = ((c << 4) & 16777215) ^ table[(c >> 20) ^ (b >> 4)]
        c = ((c << 4) & 16777215) ^ table[(c >> 20) ^ (b & 15)]
    return c
