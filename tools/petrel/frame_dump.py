"""What does a frame say? Its fields, one a line.

    python -m petrel.frame_dump HEX [--profile FILE]
"""
import argparse
import pathlib
import sys

from frame.decoder import decode, mark_of
from frame.errors import ProtocolError, UnknownProfile
from frame.profile import Profile


def value_text(channel, value):
    """An integer of a channel as text in its unit."""
    if value is None:
        return "missing"
    mantissa, exponent = channel.step or (1, -channel.decimals)
    scaled = abs(value) * mantissa
    whole, rest = divmod(scaled, 10 ** -exponent)
    digits = f"{rest:0{-exponent}d}".rstrip("0") if exponent else ""
    text = ("-" if value < 0 else "") + str(whole) + ("." + digits if digits else "")
    return f"{text} {channel.unit}".rstrip()


def dump(data, profiles=None):
    """Return the lines that describe a frame. Raises ProtocolError."""
    mark = mark_of(data)
    frame = decode(data, profiles)
    lines = [
        f"version   1, {frame.mode.upper()}",
        f"size      {len(data)} bytes, {len(data) / len(frame.times):.2f} a reading",
        f"checksum  {data[-3:].hex()}, right",
        f"stream    {frame.stream}",
        f"seq       {frame.seq} to {frame.seq + len(frame.times) - 1}",
        f"interval  {frame.schema.interval_ms} ms",
    ]
    if mark is not None:
        lines.insert(1, f"profile   {mark:04x}")
    for number, channel in enumerate(frame.schema.channels):
        step = f", step {channel.step[0]}e{channel.step[1]}" if channel.step else ""
        kind = f", {channel.kind}" if channel.kind else ""
        lines.append(f"channel {number} {channel.key}: unit {channel.unit or 'none'}, "
                     f"decimals {channel.decimals}{step}{kind}")
    for i, (time_ms, values) in enumerate(zip(frame.times, frame.values, strict=True)):
        texts = [f"{channel.key} {value_text(channel, value)}"
                 for channel, value in zip(frame.schema.channels, values, strict=True)]
        lines.append(f"reading {frame.seq + i}: {time_ms} ms, " + ", ".join(texts))
    return lines


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hex")
    parser.add_argument("--profile", type=pathlib.Path, action="append", default=[],
                        help="a profile's bytes, as published on devices/ID/profile")
    args = parser.parse_args(argv)
    try:
        data = bytes.fromhex(args.hex)
    except ValueError:
        print("this is no hexadecimal text: give the frame's bytes as two digits each",
              file=sys.stderr)
        return 2
    try:
        known = [Profile(path.read_bytes()) for path in args.profile]
        print("\n".join(dump(data, {profile.mark: profile for profile in known})))
    except UnknownProfile as error:
        print(f"{error}; give it with --profile FILE", file=sys.stderr)
        return 1
    except (ProtocolError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
