"""Predictors by least squares, out of the sums that a trainer keeps (Habits of habits.py)."""
from .habits import OWN, Candidate


def propose(h):
    """Add the predictors that the sums speak for to the candidates; a generator."""
    own = list(range(OWN))
    energy, weights = solve(h, own)
    yield
    if weights:
        _add(h, own, weights)
    chosen = []
    for _ in range(2):
        best = None
        for f in range(OWN, OWN + len(h.others)):
            if f not in chosen:
                found = solve(h, own + chosen + [f])
                yield
                if found[1] and found[0] < 0.995 * energy and (not best or found[0] < best[0]):
                    best = (found[0], f, found[1])
        if not best:
            break
        energy = best[0]
        chosen.append(best[1])
        weights = best[2]
    if chosen:
        _add(h, own + chosen, weights)
        _, weights = solve(h, chosen)
        yield
        if weights:
            _add(h, chosen, weights)


def solve(h, features):
    """Least squares over some features by elimination: (energy left, weights or None)."""
    last = len(h.shifts) - 1
    energy = _sum(h, last, last)
    n = len(features)
    m = [[float(_sum(h, i, j)) for j in features] + [float(_sum(h, last, i))] for i in features]
    right = [row[n] for row in m]
    for i in range(n):
        m[i][i] = m[i][i] * 1.0001 + 1e-3
    weights = eliminate(m)
    if weights:
        energy -= sum([w * x for w, x in zip(weights, right)])
    return energy, weights


def eliminate(m):
    """Solve n equations, each a list of n factors and the right side; None if they depend."""
    n = len(m)
    for i in range(n):
        p = max(range(i, n), key=lambda r: abs(m[r][i]))
        if abs(m[p][i]) < 1e-9:
            return None
        m[i], m[p] = m[p], m[i]
        for r in range(n):
            if r != i:
                f = m[r][i] / m[i][i]
                for k in range(i, n + 1):
                    m[r][k] -= f * m[i][k]
    return [m[i][n] / m[i][i] for i in range(n)]


def _sum(h, i, j):
    if i < j:
        i, j = j, i
    return h.sums[i * (i + 1) // 2 + j]


def _add(h, features, weights):
    """Add a candidate: its weights as integers, the scales of the sums taken out of them."""
    six = [0.0] * 6
    others = bytearray()
    for f, w in zip(features, weights):
        w = w * (1 << h.shifts[-1]) / (1 << h.shifts[f])
        if f < OWN:
            six[f] = w
        else:
            six[OWN + len(others)] = w
            others.append(h.others[f - OWN])
    top = max([abs(w) for w in six])
    shift = 12
    while shift and top * (1 << shift) > 16000:
        shift -= 1
    if shift > 1:
        six = [round(w * (1 << shift)) for w in six]
        if any(six):
            h.candidates.append(Candidate(shift, six, bytes(others)))
