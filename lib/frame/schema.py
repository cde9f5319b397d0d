"""What a reading consists of, and how a frame says so in few bits.

Values are integers: `value = integer x step`, step being 10**-decimals unless the channel
names the true step of its sensor as (mantissa, exponent): 1/16 degree is (625, -4).
"""
from .model import MAX_CHANNELS

# SenML units (RFC 8428, section 12.1, and RFC 8798) and others in wide use. The first 15 cost
# 4 bits, the next 63 cost 10, any other text is spelled out. Never reorder: this is wire format.
UNITS = (
    "Cel|%RH|hPa|V|%|A|W|lx|ppm|m/s|deg|count|/|mm|ug/m3|"
    "|Pa|kPa|bar|mbar|K|degF|m|cm|km|in|ft|mi|kg|g|s|ms|min|h|Hz|rad|m/s2|km/h|kn|mph|m3|l|"
    "m3/s|l/min|J|Wh|kWh|VA|var|VAh|varh|kW|mA|mV|Ah|C|Ohm|S|S/m|uS/cm|F|H|N|lm|cd|cd/m2|W/m2|"
    "dB|dBm|Bq|Sv|T|pH|bit|bit/s|B|lat|lon"
)
# The key that needs no spelling, for each of the first 15 units.
KEYS = "thpvbiwlcsdnrmq"
INTERVALS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 86400)


class Channel:
    """One measured quantity; `kind` is "" or "count" (unsigned 32 bits, mostly rising)."""

    def __init__(self, key, unit="", decimals=0, step=None, kind=""):
        if not 0 < len(key.encode()) < 64 or len(unit.encode()) > 63:
            raise ValueError("channel %r: key of 1 to 63 bytes, unit of at most 63" % key)
        if not 0 <= decimals <= 9 or kind not in ("", "count"):
            raise ValueError('channel %r: decimals 0 to 9, kind "" or "count"' % key)
        if step and not (0 < step[0] < 1 << 29 and -15 <= step[1] <= 0):
            raise ValueError("channel %r: step is (mantissa, exponent), exponent -15 to 0" % key)
        self.key = key
        self.unit = unit
        self.decimals = decimals
        self.step = tuple(step) if step else None
        self.kind = kind

    def _id(self):
        return (self.key, self.unit, self.decimals, self.step, self.kind)

    def __eq__(self, other):
        return isinstance(other, Channel) and self._id() == other._id()

    def __hash__(self):
        return hash(self._id())

    def __repr__(self):
        return "Channel%r" % (self._id(),)


class Schema:
    """The channels of a stream and its nominal interval in ms (0: none)."""

    def __init__(self, channels, interval_ms=0):
        if not 0 < len(channels) <= MAX_CHANNELS:
            raise ValueError("a schema has 1 to %d channels" % MAX_CHANNELS)
        if not 0 <= interval_ms < 1 << 29:
            raise ValueError("interval_ms is 0 to %d" % ((1 << 29) - 1))
        self.channels = tuple(channels)
        self.interval_ms = interval_ms

    def __eq__(self, other):
        return (isinstance(other, Schema) and self.channels == other.channels
                and self.interval_ms == other.interval_ms)

    def __repr__(self):
        return "Schema(%r, %d)" % (self.channels, self.interval_ms)


class Fields:
    """What a schema says, as pairs of bytes: number of bits (1 to 8), value."""

    def __init__(self):
        self.data = bytearray()

    def bits(self, value, count):
        while count:
            some = min(count, 8)
            count -= some
            self.data.append(some)
            self.data.append(value >> count & (1 << some) - 1)

    def number(self, value):
        length = 0
        while value >> length:
            length += 1
        self.bits(length, 5)
        if length > 1:
            self.bits(value - (1 << length - 1), length - 1)

    def text(self, text):
        """6 bits of length, then 5 bits a letter; anything else is 31 and 8 bits a byte."""
        data = text.encode()
        self.bits(len(data), 6)
        for byte in data:
            if 97 <= byte <= 122:
                self.bits(byte - 97, 5)
            elif 48 <= byte <= 57:
                self.bits(26, 5)
                self.bits(byte - 48, 4)
            elif byte in b"_/%-":
                self.bits(27 + b"_/%-".index(byte), 5)
            else:
                self.bits(31, 5)
                self.bits(byte, 8)


def pack(schema):
    """Return the schema as a Fields."""
    out = Fields()
    out.bits(len(schema.channels) - 1, 5)
    seconds, ms = divmod(schema.interval_ms, 1000)
    if not ms and seconds in INTERVALS_S:
        out.bits(INTERVALS_S.index(seconds), 4)
    else:
        out.bits(15, 4)
        out.number(schema.interval_ms)
    units = UNITS.split("|")
    for ch in schema.channels:
        unit = units.index(ch.unit) if ch.unit in units else 78
        if unit < 15:
            out.bits(unit, 4)
        else:
            out.bits(15, 4)
            out.bits(unit - 15, 6)
        if unit == 78:
            out.text(ch.unit)
        plain = unit < 15 and ch.key == KEYS[unit]
        out.bits(plain, 1)
        if not plain:
            out.text(ch.key)
        if ch.decimals < 3:
            out.bits(ch.decimals, 2)
        else:
            out.bits(3, 2)
            out.bits(ch.decimals - 3, 3)
        out.bits(ch.step is not None, 1)
        if ch.step:
            out.bits(-ch.step[1], 4)
            out.number(ch.step[0])
        out.bits(ch.kind == "count", 1)
    return out
