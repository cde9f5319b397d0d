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
    while size < 65536:
        if low > 16777215:
            low -= 16777216
            if pos <= end:
                j = pos - 1
                while out[j] == 255:
                    out[j] = 0
                    j -= 1
                out[j] = out[j] + 1
        if pos < end:
            out[pos] = low >> 16
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
    nodes = ptr16(nodes_)
    cols = ptr32(cols_)
    out = ptr8(out_)
    low = ctl[0]
    rng = ctl[1]
    # The busiest variables first: bytecode reaches the first 16 faster, and in one byte.
    j = bit = todo = p = m = d = b = a = i = v = 0
    pos = ctl[2]
    end = ctl[3]
    n = ctl[4]
    k = ctl[5]
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
    x1 = ctl[16] - i
    x2 = ctl[17] - i
    half = 0
    if shift:
        half = 1 << (shift - 1)
    d1 = d2 = d3 = 0
    e = mean
    way = 48
    last = cols[i] >> 1
    n += i
    i += 1
    while i < n:
        v = cols[i]
        here = v & 1
        v >>= 1
        p = last
        if shift:
            d = level - last
            if d > 8191:
                d = 8191
            if d < -8191:
                d = -8191
            d = w1 * d1 + w2 * d2 + w3 * d3 + w4 * d + half
            if w5:
                t = (cols[x1 + i] >> 1) - (cols[x1 + i - 1] >> 1)
                if t > 8191:
                    t = 8191
                if t < -8191:
                    t = -8191
                d += w5 * t
            if w6:
                t = (cols[x2 + i] >> 1) - (cols[x2 + i - 1] >> 1)
                if t > 8191:
                    t = 8191
                if t < -8191:
                    t = -8191
                d += w6 * t
            p += d >> shift
        d3 = d2
        d2 = d1
        d1 = v - last
        if d1 > 8191:
            d1 = 8191
        if d1 < -8191:
            d1 = -8191
        last = v
        i += 1
        if here == 0:
            continue
        v -= p
        a = v
        if v < 0:
            a = 0 - v
        base = 16
        d = e - mean
        if d < -12:
            base = 0
        if d > 12:
            base = 32
        # The decisions of a residual, one a turn, so that the coder stands here but once.
        # todo: 0 is it longer than the median, 1 is it longer still, 2 is it not shorter still,
        # 3 the sign, 4 upper mantissa bits, 5 raw bits.
        todo = 0
        b = k
        j = base + b
        bit = 0
        if a >> b:
            bit = 1
        while True:
            if todo < 5:
                p = nodes[j]
                m = nodes[j + 139]
                d = ((rng >> 9) * p) >> 6
                if bit:
                    rng = d
                    nodes[j] = p + (((32768 - p) * nodes[m + 278]) >> 14)
                else:
                    low += d
                    rng -= d
                    nodes[j] = p - ((p * nodes[m + 278]) >> 14)
                if m < 40:
                    nodes[j + 139] = m + 1
            while rng < 65536:
                if low > 16777215:
                    low -= 16777216
                    if pos <= end:
                        j = pos - 1
                        while out[j] == 255:
                            out[j] = 0
                            j -= 1
                        out[j] = out[j] + 1
                if pos < end:
                    out[pos] = low >> 16
                pos += 1
                low = (low & 65535) << 8
                rng <<= 8
            if todo < 3:
                if bit:
                    b += 1
                    if todo < 2:
                        todo = 1
                        j = base + b
                        if b > 15:
                            j = base + 15
                        if a >> b == 0:
                            bit = 0
                        continue
                elif todo != 1:
                    if b:
                        todo = 2
                        b -= 1
                        j = base + b
                        if a >> b:
                            bit = 1
                        continue
                # The bit length is b.
                e += ((b << 4) - e) >> 2
                if b == 0:
                    way = 48
                    break
                todo = 3
                j = way
                way = 49
                bit = 0
                if v < 0:
                    way = 50
                    bit = 1
                continue
            if todo == 3:
                todo = 4
                rest = b - 1
                stop = b - 4
                if stop < 0:
                    stop = 0
                t = 51
                if b > 2:
                    t = 52
                if b > 3:
                    t = 27 + 7 * b
                    if b > 15:
                        t = 132
                tree = 0
            else:
                tree = tree + tree + 1 + bit
            if rest > stop:
                rest -= 1
                bit = (a >> rest) & 1
                j = t + tree
                continue
            if rest == 0:
                break
            todo = 5
            m = rest
            if m > 8:
                m = 8
            rest -= m
            rng >>= m
            low += ((a >> rest) & ((1 << m) - 1)) * rng
            stop = rest
    ctl[0] = low
    ctl[1] = rng
    ctl[2] = pos


@micropython.viper
def seed(nodes_, scale: int, median: int):
    """Set the nodes of the bit lengths to what they are in a Laplace distribution."""
    nodes = ptr16(nodes_)
    j = 0
    while j < 48:
        length = j & 15
        t = nodes[length + 342] - scale - (j >> 4)
        if length > median:
            t -= 2
        if t < 0:
            t = 0
        if t > 12:
            t = 12
        if length < median:
            t += 13
        nodes[j] = nodes[t + 358]
        j += 1


@micropython.viper
def recall(nodes_, blob_, at: int, longest: int):
    """Set the nodes of residuals up to `longest` bits to what a profile says from `at` on."""
    nodes = ptr16(nodes_)
    blob = ptr8(blob_)
    end = 51
    if longest > 1:
        end = 52
    if longest > 2:
        end = 34 + 7 * longest
    j = 0
    while j < end:
        nodes[j] = (blob[at] << 7) + 64
        nodes[j + 139] = 30
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
