"""How a profile describes a column: docs/WIRE.md, "The profile"."""


def mantissa_at(length):
    """The first node of the upper mantissa bits of residuals of this bit length, to 16."""
    return 55 + 7 * (length - 4) if length > 3 else 52 if length == 3 else 51


def record(h, best):
    """Return the bytes that describe a column: its Habits, its best Candidate (habits.py)."""
    out = bytearray()
    if h.index >= 0:
        varint(out, h.ref << 1 if h.ref >= 0 else (-h.ref << 1) - 1)
        varint(out, h.step)
        varint(out, min((16 * h.bits // h.firsts + 10) >> 4, 28))
        varint(out, 16 * h.changes // h.count)
    out.append(best.median)
    out.append(best.mean)
    out.append(best.shift)
    which = 0
    for i in range(6):
        which |= (best.weights[i] != 0) << i
    out.append(which)
    for i in (4, 5):
        if best.weights[i]:
            out.append(best.others[i - 4])
    for weight in best.weights:
        if weight:
            out.append(weight + 16384 >> 8)
            out.append(weight + 16384 & 255)
    out.append(best.longest)
    for j in range(len(h.nodes)):
        if j > 47 or j & 15 <= best.longest:
            out.append(h.mean_nodes[j] >> 7)
    return out


def varint(out, value):
    """Append a number, 7 bits a byte, low ones first."""
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
