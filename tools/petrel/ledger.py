"""What arrived of every device's readings: each once, and exactly what is missing.

A reading is named by its device, stream and number (docs/WIRE.md). Numbers start at 1 and rise by
one, so whatever lies between those that came is missing; a birth names the stream before and the
last number of it that was durable, so its end can be told too:

    1 ........ highest ........ known ........ ?
    |  came, or is a gap  |  missing  |  whether there was any cannot be known

No file, socket or clock in here: `petrel.ledger_file` keeps a ledger on disk.
"""

import bisect

MOST_SPANS = 4096  # of one stream; then the oldest gaps are counted but no longer placed
MOST_STREAMS = 1024  # of one device; then the oldest are counted together


class Stream:
    """One life of a device's queue.

    spans: [[first, last], ...] of the numbers that came, ascending, never touching. known: every
    number up to it was given to a reading, by what the device said. over: a later life has begun.
    """

    def __init__(self):
        self.spans = []
        self.known = 0
        self.over = self.always = self.whole = False
        self.duplicates = 0
        self.unsure = 0  # came for a place whose gaps are forgotten: taken for new
        self._horizon = 0  # up to here gaps are no longer placed
        self._forgotten = 0  # numbers in such gaps

    def add(self, number):
        """Enter a number; False if it had come before."""
        spans = self.spans
        at = bisect.bisect_right(spans, number, key=_first) - 1  # the span that may hold it
        if at >= 0 and number <= spans[at][1]:
            if number > self._horizon or not self._forgotten:
                self.duplicates += 1
                return False
            self.unsure += 1
            self._forgotten -= 1
            return True
        joins_left = at >= 0 and spans[at][1] == number - 1
        joins_right = at + 1 < len(spans) and spans[at + 1][0] == number + 1
        if joins_left and joins_right:
            spans[at][1] = spans.pop(at + 1)[1]
        elif joins_left:
            spans[at][1] = number
        elif joins_right:
            spans[at + 1][0] = number
        else:
            spans.insert(at + 1, [number, number])
            self._bound()
        return True

    def _bound(self):
        """Forget where the oldest gap is when there are too many."""
        if len(self.spans) > MOST_SPANS:
            (first, end), (start, last) = self.spans[:2]
            self._forgotten += first - 1 + start - end - 1
            self._horizon = last
            self.spans[:2] = [[1, last]]

    @property
    def highest(self):
        """The highest number that came."""
        return self.spans[-1][1] if self.spans else 0

    @property
    def end(self):
        """The highest number that certainly was a reading's."""
        return max(self.known, self.highest)

    @property
    def received(self):
        """How many different numbers came."""
        return sum(last - first + 1 for first, last in self.spans) - self._forgotten

    @property
    def missing(self):
        """How many up to `end` did not come."""
        return self.end - self.received

    def gaps(self):
        """[(first, last), ...] of the numbers up to `end` that did not come; see MOST_SPANS."""
        edges = [0, *(edge for span in self.spans for edge in span), self.end + 1]
        pairs = zip(edges[::2], edges[1::2], strict=True)
        return [(last + 1, first - 1) for last, first in pairs if first - last > 1]

    def dump(self):
        return vars(self)

    @classmethod
    def load(cls, dumped):
        stream = cls()
        if dumped.keys() != vars(stream).keys():
            raise ValueError("this is no stream")
        vars(stream).update(dumped)
        return stream


def _first(span):
    return span[0]


def _is_count(value):
    return type(value) is int and 0 <= value < 2**32


def _is_stream(value):
    return _is_count(value) and value > 0


class Ledger:
    """The streams of all devices, in bounded memory for each device.

    devices: {device: {stream id: Stream}}, the streams in the order in which they were heard of.
    """

    def __init__(self):
        self.devices = {}
        self.closed = {}  # device -> [streams, received, missing, duplicates] of those let go

    def add(self, device, stream, number):
        """Enter a reading; True if it is new, False for a duplicate."""
        return self._stream(device, stream).add(number)

    def birth(self, device, stream, before=None, whole=False):
        """A life has begun; `before` is (stream, last number known to be durable) of the life
        before it, if the device knows. `whole`: that was the last of all.
        """
        if before and before[0] != stream:
            self.sampled(device, *before)
            former = self._stream(device, before[0])
            former.whole = whole or former.always
        self._stream(device, stream)
        for number, other in self.devices[device].items():
            other.over = number != stream

    def status(self, device, message):
        """Enter what a status message says, a JSON value (docs/WIRE.md); nonsense is left out."""
        if not isinstance(message, dict) or not _is_stream(message.get("s")):
            return
        before = message.get("before")
        pair = None
        if isinstance(before, dict) and _is_stream(before.get("s")) and _is_count(before.get("n")):
            pair = before["s"], before["n"]
        self.birth(device, message["s"], pair, pair is not None and before.get("end") is True)
        self._stream(device, message["s"]).always = message.get("durability") == "always"

    def health(self, device, message):
        """Enter what a health message says, as `status`."""
        message = message if isinstance(message, dict) else {}
        if _is_stream(message.get("s")) and _is_count(message.get("n")):
            self.sampled(device, message["s"], message["n"])

    def sampled(self, device, stream, number):
        """The device says that all up to `number` were given to readings."""
        account = self._stream(device, stream)
        account.known = max(account.known, number)

    def streams(self, device):
        """{stream id: Stream} of a device."""
        return self.devices.get(device, {})

    def gaps(self, device, stream):
        """[(first, last), ...] of what is missing of a stream."""
        account = self.streams(device).get(stream)
        return account.gaps() if account else []

    def total(self, what):
        """The sum of `received`, `missing` or `duplicates` over everything."""
        place = ("streams", "received", "missing", "duplicates").index(what)
        kept = sum(getattr(each, what) for own in self.devices.values() for each in own.values())
        return kept + sum(counts[place] for counts in self.closed.values())

    def _stream(self, device, stream):
        own = self.devices.setdefault(device, {})
        if stream not in own:
            own[stream] = Stream()
            if len(own) > MOST_STREAMS:
                self._close(device, own.pop(next(iter(own))))
        return own[stream]

    def _close(self, device, stream):
        counts = (1, stream.received, stream.missing, stream.duplicates)
        before = self.closed.get(device, (0, 0, 0, 0))
        self.closed[device] = [a + b for a, b in zip(before, counts, strict=True)]

    # ---- in words

    def lines(self):
        """What is known, a line or more a stream."""
        for device in sorted(self.devices):
            if device in self.closed:
                count, received, missing, duplicates = self.closed[device]
                yield (f"{device}: {count} older streams: {received} arrived, {missing} missing, "
                       f"{duplicates} duplicates removed")
            for number, stream in self.devices[device].items():
                yield from (f"{device}: stream {number}{line}" for line in described(stream))
        yield (f"all: {self.total('received')} arrived, {self.total('missing')} missing, "
               f"{self.total('duplicates')} duplicates removed")

    # ---- to be kept

    def dump(self):
        """All of it as plain data, for JSON."""
        streams = [
            [device, number, stream.dump()]
            for device, own in self.devices.items()
            for number, stream in own.items()
        ]
        return {"streams": streams, "closed": self.closed}

    @classmethod
    def load(cls, dumped):
        """The ledger that was dumped; raises ValueError, TypeError or KeyError if it is none."""
        ledger = cls()
        for device, number, stream in dumped["streams"]:
            ledger.devices.setdefault(device, {})[number] = Stream.load(stream)
        ledger.closed = dict(dumped["closed"])
        return ledger


def described(stream):
    """What is known of a stream, in words, to follow its name."""
    duplicates = f", {stream.duplicates} duplicates removed" if stream.duplicates else ""
    whole = f" are complete{duplicates}"
    if not stream.end:
        yield ": nothing of it arrived, and the device knows of no reading that was safe"
    elif not stream.missing:
        yield f": 1 to {stream.end}{whole}" if stream.end > 1 else f": 1 is there{duplicates}"
    else:
        yield f": {stream.received} of 1 to {stream.end} arrived{duplicates}; {_where(stream)}"
    if stream.unsure:
        yield f": {stream.unsure} came so late that they may be duplicates"
    if stream.over and not stream.whole:
        yield f": it is over; whether it had readings after {stream.end} cannot be known"


def _where(stream):
    spans = [f"{a} to {b}" if b > a else f"{a}" for a, b in stream.gaps()]
    more = f" and {len(spans) - 10} more places" if len(spans) > 10 else ""
    count = f"missing {stream.missing}: " if stream.missing > 1 else "missing: "
    return count + ", ".join(spans[:10]) + more
