"""Numbers above the floor that have no record where there should be one: it is damaged."""

_MOST = 32  # that are remembered one by one


class Holes:
    """`damaged` counts the records that were missed since the start, each once."""

    def __init__(self):
        self.damaged = 0
        self._spans = []  # [(first, last)]
        self._counted = 0  # up to this number they are counted

    def __len__(self):
        return sum([last - first + 1 for first, last in self._spans])

    def add(self, first, last, floor):
        """There are no records from `first` to `last`."""
        first = max(first, floor + 1, self._counted + 1)
        if first <= last:
            self.damaged += last - first + 1
            self._counted = last
            if len(self._spans) < _MOST:
                self._spans.append((first, last))

    def raised(self, floor):
        """The floor, moved over the holes that begin at it."""
        for first, last in self._spans:
            if first <= floor + 1:
                floor = max(floor, last)
        self._spans = [(max(a, floor + 1), b) for a, b in self._spans if b > floor]
        return floor
