"""A profile in its sender's hands: put together, brought up to date, weighed."""
from .loops import crc24
from .model import CRC


def seal(revision, stream, seq, time_ms, count, fields, columns):
    """Return a profile: its head, the schema's fields and the columns, and the checksum.

    `seq` numbers the reading that is due at `time_ms`, `count` is of readings in a usual frame.
    """
    out = bytearray([0xE1])
    seconds, ms = divmod(time_ms, 1000)
    for value, size in ((revision, 2), (stream, 4), (seq, 4), (seconds, 5), (ms, 2), (count, 2),
                        (len(fields), 2)):
        out += value.to_bytes(size, "big")
    out += fields
    out += columns
    return bytes(out + crc24(out, len(out), 0, CRC).to_bytes(3, "big"))


def renewed(blob, stream, seq, time_ms):
    """Return a profile with another place and time to count from."""
    end = 22 + (blob[20] << 8 | blob[21])
    return seal(blob[1] << 8 | blob[2], stream, seq, time_ms, blob[18] << 8 | blob[19],
                blob[22:end], blob[end:-3])


def saved(encoder, blob, seq):
    """The bytes that `blob` would save on the readings the encoder holds, as against now."""
    old = encoder.profile
    sizes = []
    for profile in (old, blob):
        encoder.use(profile)
        encoder.encode_into(encoder._eight, seq)    # too small: the coder only counts
        sizes.append(encoder.ctl[2])
    encoder.use(old)
    return sizes[0] - sizes[1]
