"""What a reading consists of, and how a frame says so in few bits.

Values are integers: `value = integer x step`, step being 10**-decimals unless the channel
names the true step of its sensor as (mantissa, exponent): 1/16 degree is (625, -4).
"""
from collections import namedtuple

# SenML units (RFC 8428 section 12.1, RFC 8798) and others in wide use. The first 15 cost 4
# bits, the next 63 cost 10, any other text is spelled out. Never reorder: this is wire format.
UNITS = (
    "Cel|%RH|hPa|V|%|A|W|lx|ppm|m/s|deg|count|/|mm|ug/m3|"
    "|Pa|kPa|bar|mbar|K|degF|m|cm|km|in|ft|mi|kg|g|s|ms|min|h|Hz|rad|m/s2|km/h|kn|mph|m3|l|"
    "m3/s|l/min|J|Wh|kWh|VA|var|VAh|varh|kW|mA|mV|Ah|C|Ohm|S|S/m|uS/cm|F|H|N|lm|cd|cd/m2|W/m2|"
    "dB|dBm|Bq|Sv|T|pH|bit|bit/s|B|lat|lon"
)
KEYS = "thpvbiwlcsdnrmq"    # the keys that need no spelling, of the first 15 units
INTERVALS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 86400)

# key: text; unit: text; decimals: 0 to 9; step: None or (mantissa, exponent -15 to 0);
# kind: "", or "count" for values of unsigned 32 bits that mostly rise.
Channel = namedtuple("Channel", ("key", "unit", "decimals", "step", "kind"))
# channels: tuple of 1 to 32 Channels; interval_ms: nominal, 0 if there is none.
Schema = namedtuple("Schema", ("channels", "interval_ms"))


def channel(key, unit="", decimals=0, step=None, kind=""):
    """Return a Channel; most need only the first three."""
    return Channel(key, unit, decimals, step, kind)


class _Fields:
    """What a schema says, as pairs of bytes: number of bits (0: a rare flag), value."""

    def __init__(self):
        self.data = bytearray()

    def bits(self, value, count):
        while count > 8:
            count -= 8
            self.bits(value >> count & 255, 8)
        self.data.append(count)
        self.data.append(value & (1 << count) - 1)

    def rare(self, bit):
        """A flag that is seldom set."""
        self.data.append(0)
        self.data.append(bit)

    def number(self, value):
        length = 0
        while value >> length:
            length += 1
        self.bits(min(length, 15), 4)
        if length > 14:
            self.bits(length - 15, 4)
        if length > 1:
            self.bits(value, length - 1)

    def text(self, text):
        """A single letter or not, length, letters in 5 bits, other bytes in more."""
        text = text.encode()
        short = len(text) == 1 and 97 <= text[0] <= 122
        self.bits(short, 1)
        if not short:
            if not 0 < len(text) < 64:
                raise ValueError("a key or unit has 1 to 63 bytes")
            self.bits(len(text), 6)
        for byte in text:
            if 97 <= byte <= 122:
                self.bits(byte - 97, 5)
            else:
                self.bits(31, 5)
                self.bits(byte, 8)


def pack(schema):   # noqa: C901, one branch a field
    """Return the fields of a schema; ValueError if it is none."""
    out = _Fields()
    width = len(schema.channels)
    interval = schema.interval_ms
    if not 0 < width <= 32 or not 0 <= interval < 1 << 28:
        raise ValueError("a schema has 1 to 32 channels, interval_ms below 2**28")
    out.rare(width > 8)
    out.bits(width - 1, 5 if width > 8 else 3)
    if interval % 1000 == 0 and interval // 1000 in INTERVALS_S:
        out.bits(INTERVALS_S.index(interval // 1000), 4)
    else:
        out.bits(15, 4)
        out.number(interval)
    units = UNITS.split("|")
    for key, unit, decimals, step, kind in schema.channels:
        i = units.index(unit) if unit in units else 78
        out.bits(min(i, 15), 4)
        if i > 14:
            out.bits(i - 15, 6)
        if i == 78:
            out.text(unit)
        usual = i < 15 and key == KEYS[i]
        out.bits(usual, 1)
        if not usual:
            out.text(key)
        if not 0 <= decimals <= 9 or kind not in ("", "count"):
            raise ValueError('decimals are 0 to 9, kind is "" or "count"')
        out.bits(min(decimals, 3), 2)
        if decimals > 2:
            out.bits(decimals - 3, 3)
        out.rare(step is not None)
        if step:
            if not 0 < step[0] < 1 << 29 or not -16 < step[1] < 1:
                raise ValueError("step is (mantissa, exponent from -15 to 0)")
            out.bits(-step[1], 4)
            out.number(step[0])
        out.rare(kind != "")
    return bytes(out.data)
