"""How a profile describes a column: docs/WIRE.md, "The profile"."""


def mantissa_at(length):
    """The first node of the upper mantissa bits of residuals of this bit length, to 16."""
    return 55 + 7 * (length - 4) if length > 3 else 52 if length == 3 else 51


def record(h, best):
    """Return the bytes that describe a column: its Habits, its best Candidate (train.py)."""
    out = bytearray()
    if h.index >= 0:
        varint(out, h.ref << 1 if h.ref >= 0 else (-h.ref << 1) - 1)
        varint(out, h.step)
        varint(out, min((16 * h.sum // max(h.count, 1) + 10) >> 4, 28))
        varint(out, 16 * h.changes // max(h.count, 1))
    out.append(best.median)
    out.append(best.mean)
    out.append(best.shift)
    out.append(sum(1 << i for i in range(6) if best.weights[i]))
    for i in (4, 5):
        if best.weights[i]:
            out.append(best.others[i - 4])
    for weight in best.weights:
        if weight:
            out.append(weight + 16384 >> 8)
            out.append(weight + 16384 & 255)
    longest = max(i for i, n in enumerate(best.lengths) if n or not i)
    longest = min(longest, 15)
    out.append(longest)
    for base in (0, 16, 32):
        for j in range(longest + 1):
            out.append(best.sums[base + j] // best.frames >> 7)
    for j in range(48, mantissa_at(longest + 1)):
        out.append(best.sums[j] // best.frames >> 7)
    return out


def varint(out, value):
    """Append a number, 7 bits a byte, low ones first."""
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
