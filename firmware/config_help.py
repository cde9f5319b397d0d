"""What an unknown key of a config may have meant. Imported with the first one."""


def suggest(key, rules):
    best = min(rules, key=lambda known: (_distance(key, known), known))
    if _distance(key, best) <= max(1, len(best) // 3):
        return 'did you mean "%s"?' % best
    return "known here: " + ", ".join(sorted(rules))


def _distance(a, b):
    """How many letters must be changed, added or left out to make `b` of `a`."""
    row = list(range(len(b) + 1))
    for i in range(len(a)):
        last, row[0] = row[0], i + 1
        for j in range(len(b)):
            step = min(row[j] + 1, row[j + 1] + 1, last + (a[i] != b[j]))
            last, row[j + 1] = row[j + 1], step
    return row[-1]
