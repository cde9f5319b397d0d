"""How small could a batch of readings be? BOUND, the yardstick for frames.

    32 bits for the first time, the entropy of each channel's values for the first reading, and for
    every further one the entropy of what the best of some predictors leaves: the last value, a
    straight line, three damped ones, least squares over the last 2, 3 and 4 changes. Missing
    values cost the entropy of the mask, knowing whether the one before is missing.

No header, no names, no checksum. The entropies are those of the whole series, so a coder that
learns from one batch comes close and not below; one that knows the series beforehand may.
"""

import collections
import itertools
import math

from frame.least_squares import eliminate

LEAST_FOR_SQUARES = 200  # values


def entropy(symbols):
    """Order-0 entropy in bits a symbol."""
    counts = collections.Counter(symbols)
    total = sum(counts.values())
    return -sum(n / total * math.log2(n / total) for n in counts.values())


def changes(values):
    return [b - a for a, b in itertools.pairwise(values)]


def leftovers(values):
    """Yield what each predictor leaves of a column, from its fourth value on."""
    yield changes(values)[2:]
    for weight in (1, 0.25, 0.5, 0.75):
        yield [c - round(b + weight * (b - a))
               for a, b, c in zip(values[1:], values[2:], values[3:], strict=False)]
    if len(values) < LEAST_FOR_SQUARES:
        return
    steps = changes(values)
    for order in (2, 3, 4):
        rows = [steps[i - order:i][::-1] for i in range(order, len(steps))]
        targets = steps[order:]
        equations = [
            [sum(row[i] * row[j] for row in rows) for j in range(order)]
            + [sum(row[i] * target for row, target in zip(rows, targets, strict=True))]
            for i in range(order)
        ]
        weights = eliminate(equations)
        if weights:
            yield [target - round(sum(w * x for w, x in zip(weights, row, strict=True)))
                   for row, target in zip(rows, targets, strict=True)]


def bound(schema, times, rows):
    """(bits of a first reading, bits of every further one)."""
    gaps = changes([time_ms // 1000 for time_ms in times])
    first, further = 32.0, min(entropy(gaps), entropy(changes(gaps)))
    for channel, column in zip(schema.channels, zip(*rows, strict=True), strict=True):
        there = [value for value in column if value is not None]
        missing = [value is None for value in column]
        mask = 0.0
        if any(missing):
            mask = entropy(itertools.pairwise(missing)) - entropy(missing)
        value = entropy(there)
        first += min(value, 16.0) if channel.unit == "count" else value
        further += min(map(entropy, leftovers(there))) * len(there) / len(column) + mask
    return first, further


def bytes_a_reading(bits, size):
    first, further = bits
    return (first + (size - 1) * further) / 8 / size
