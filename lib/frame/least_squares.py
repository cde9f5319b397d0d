"""Least squares by elimination, for the handful of features of a predictor."""


def solve(h, features):
    """Least squares over some features: (energy that is left, weights or None)."""
    n = len(features)
    m = [[h.squares[i][j] for j in features] + [h.products[i]] for i in features]
    for i in range(n):
        m[i][i] = m[i][i] * 1.0001 + 1e-3
    for i in range(n):
        p = max(range(i, n), key=lambda r: abs(m[r][i]))
        if abs(m[p][i]) < 1e-9:
            return h.energy, None
        m[i], m[p] = m[p], m[i]
        for r in range(n):
            if r != i:
                f = m[r][i] / m[i][i]
                for k in range(i, n + 1):
                    m[r][k] -= f * m[i][k]
    weights = [m[i][n] / m[i][i] for i in range(n)]
    return h.energy - sum(w * h.products[f] for w, f in zip(weights, features)), weights
