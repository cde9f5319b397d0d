"""The inner loops of the encoder in ordinary Python.

Made from `_fast.py`, where they are explained, by `tools/petrel/frame_plain.py`: change
them there.
"""


def narrow(ctl_, out_, start: int, size: int):
    """Shrink the interval to `size` from `start` on; put out the bytes that are settled."""
    ctl = ctl_
    out = out_
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


def column(ctl_, nodes_, cols_, out_):
    """Code what the values of cols[1:n] differ from their prediction by."""
    ctl = ctl_
    nodes = nodes_
    cols = cols_
    out = out_
    low = ctl[0]
    rng = ctl[1]
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
    lim = ctl[16]
    x1 = ctl[17]
    x2 = x1 + x1
    half = 0
    if shift:
        half = 1 << (shift - 1)
    d1 = 0
    d2 = 0
    d3 = 0
    e = mean
    way = 48
    last = cols[0] >> 1
    i = 1
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
                d += w5 * (cols[x1 + i] - 8192)
            if w6:
                d += w6 * (cols[x2 + i] - 8192)
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
        # The decisions of one residual are queued first, so that the coder stands here once.
        d = e - mean
        base = 16
        if d < -10:
            base = 0
        if d > 9:
            base = 32
        q = 342
        b = k
        if a >> b:
            j = 1
            while j:
                j = base + b
                if b > 15:
                    j = base + 15
                b += 1
                nodes[q] = j + j + 1
                q += 1
                j = a >> b
            j = base + b
            if b > 15:
                j = base + 15
            nodes[q] = j + j
            q += 1
        else:
            nodes[q] = (base + b) << 1
            q += 1
            while b:
                b -= 1
                j = 0
                if a >> b:
                    j = 1
                nodes[q] = ((base + b) << 1) + j
                q += 1
                if j:
                    b += 1
                    break
        e += ((b << 4) - e) >> 2
        if b:
            if v < 0:
                nodes[q] = way + way + 1
                way = 50
            else:
                nodes[q] = way + way
                way = 49
            q += 1
            m = b - 1
            if m:
                j = 51
                if b > 2:
                    j = 52
                if b > 3:
                    j = 55 + (b - 4) * 7
                    if b > 15:
                        j = 132
                t = 1
                stop = m - 3
                if stop < 0:
                    stop = 0
                while m > stop:
                    m -= 1
                    d = (a >> m) & 1
                    nodes[q] = ((j + t - 1) << 1) + d
                    q += 1
                    t = t + t + d
                while m:
                    t = m
                    if t > 8:
                        t = 8
                    m -= t
                    nodes[q] = 32768 + (t << 8) + ((a >> m) & ((1 << t) - 1))
                    q += 1
        else:
            way = 48
        t = 342
        while t < q:
            j = nodes[t]
            t += 1
            if j < 32768:
                b = j & 1
                j >>= 1
                p = nodes[j]
                m = nodes[j + 139]
                d = ((rng >> 9) * p) >> 6
                if b:
                    rng = d
                    nodes[j] = p + (((32768 - p) * nodes[m + 278]) >> 14)
                else:
                    low += d
                    rng -= d
                    nodes[j] = p - ((p * nodes[m + 278]) >> 14)
                if m < lim:
                    nodes[j + 139] = m + 1
            else:
                rng >>= (j >> 8) & 15
                low += (j & 255) * rng
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
    ctl[0] = low
    ctl[1] = rng
    ctl[2] = pos


def seed(nodes_, scale: int, median: int):
    """Set the nodes of the bit lengths to what they are in a Laplace distribution."""
    nodes = nodes_
    j = 0
    while j < 48:
        length = j & 15
        t = nodes[length + 390] - scale - (j >> 4)
        if length > median:
            t -= 2
        if t < 0:
            t = 0
        if t > 12:
            t = 12
        if length < median:
            t += 13
        nodes[j] = nodes[t + 406]
        j += 1


def load(ctl_, raw_, here_, cols_):
    """Fill cols with a channel's values less a base, or cols[to:] with their changes.

    ctl[8:15] holds: the channel's place in raw, its first value's number, 32768 if it is
    signed, part (0 whole, 1 upper half, 2 lower half, 3 what is missing), the base's upper
    half + 65536, its lower half, `to`. Leaves the sum of the changes' sizes in ctl[15], -1 if
    a value is too far from the base.
    """
    ctl = ctl_
    raw = raw_
    here = here_
    cols = cols_
    n = ctl[4]
    at = ctl[8]
    first = ctl[9]
    sign = ctl[10]
    part = ctl[11]
    hi0 = ctl[12] - 65536
    lo0 = ctl[13]
    to = ctl[14]
    total = 0
    last = 0
    far = 0
    i = 0
    while i < n:
        j = i
        if j < first:
            j = first
        j = at + j + j + at
        v = raw[j] - lo0
        there = here[at + i]
        if part != 2:
            hi = ((raw[j + 1] ^ sign) - sign) - hi0
            if part:
                v = hi
            else:
                if hi > 2047 or hi < -2047:
                    far = 1
                    hi = 0
                v += hi << 16
        if part > 2:
            v = 1 - there
            there = 1
        d = 0
        if i:
            d = v - last
        last = v
        if d > 8191:
            d = 8191
        if d < -8191:
            d = -8191
        if to:
            cols[to + i] = d + 8192
        else:
            cols[i] = ((v + 268435456) << 1) + there
        if d < 0:
            d = 0 - d
        total += d
        i += 1
    if far:
        total = -1
    ctl[15] = total


def survey(ctl_, cols_):
    """Leave in ctl[8:12] the sums of the residuals' sizes that four predictors would leave."""
    ctl = ctl_
    cols = cols_
    n = ctl[4]
    last = cols[0] >> 1
    s0 = 0
    s1 = 0
    s2 = 0
    s3 = 0
    d1 = 0
    d2 = 0
    d3 = 0
    i = 1
    while i < n:
        v = cols[i] >> 1
        d = v - last
        last = v
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


def crc24(data_, count: int, c: int) -> int:
    """CRC-24 (polynomial 0x864CFB) of the first `count` bytes, going on from `c`."""
    data = data_
    i = 0
    while i < count:
        c ^= data[i] << 16
        j = 8
        while j:
            c <<= 1
            if c > 16777215:
                c ^= 25578747
            j -= 1
        i += 1
    return c
