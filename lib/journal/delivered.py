"""Which records of a journal are delivered, when they are not delivered in order.

A journal can only be told that everything up to a number is. What is beyond is remembered here, in
RAM, until the numbers before it have come: after a crash it may be sent twice.
"""

_MOST = 32  # spans that are remembered


class Delivered:
    """Everything up to `floor`, and `spans` [[first, last]] above it, in order and apart."""

    def __init__(self, floor=0):
        self.floor = floor
        self.spans = []

    def __len__(self):
        """How many above the floor."""
        return sum([last - first + 1 for first, last in self.spans])

    def add(self, first, last):
        """The records from `first` to `last` are delivered, or were never there."""
        first = max(first, self.floor + 1)
        if first > last:
            return
        apart = []
        for span in self.spans:
            if span[1] < first - 1 or span[0] > last + 1:
                apart.append(span)
            else:
                first = min(first, span[0])
                last = max(last, span[1])
        apart.append([first, last])
        apart.sort()
        if len(apart) > _MOST:  # as few as possible are sent again
            apart.remove(min(apart, key=lambda span: span[1] - span[0]))
        self.spans = apart
        self.raise_floor(self.floor)

    def raise_floor(self, floor):
        """Everything up to `floor` is delivered, or gone."""
        floor = max(floor, self.floor)
        while self.spans and self.spans[0][0] <= floor + 1:
            floor = max(floor, self.spans.pop(0)[1])
        self.floor = floor

    def next(self, after):
        """The lowest number above `after` that is not delivered."""
        number = max(after, self.floor) + 1
        for first, last in self.spans:
            if first <= number <= last:
                number = last + 1
        return number
