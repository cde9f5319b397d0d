"""Does anything but a frame get through the decoder, or bring it to a halt?

    python -m host_tests.frame.fuzz --count 1000000 [--seed N]

Random buffers, and golden frames with random damage; nine in ten get a right checksum, so that
the decoder behind it is what is tried. A buffer must decode or raise ProtocolError, within
LIMIT_S and LIMIT_BYTES.
"""

import argparse
import random
import sys
import time
import tracemalloc

from frame._plain import crc24
from frame.decoder import decode
from frame.errors import ProtocolError
from frame.model import CRC
from frame.profile import Profile
from host_tests.frame import golden

LIMIT_S = 5.0
LIMIT_BYTES = 16 << 20


def sealed(data, crc):
    """The bytes with a right checksum after them."""
    crc = crc24(data, len(data), crc, CRC)
    return bytes(data) + bytes((crc >> 16, crc >> 8 & 255, crc & 255))


def damaged(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        what = rng.randrange(4)
        at = rng.randrange(len(data))
        if what == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            data[at] = rng.randrange(256)
        elif what == 2 and len(data) > 1:
            del data[at:at + rng.randint(1, 9)]
        else:
            data[at:at] = rng.randbytes(rng.randint(1, 9))
        if not data:
            data = bytearray(b"\xe0")
    return data


def buffers(rng, cases, count):
    """Yield (buffer, profiles)."""
    for number in range(count):
        frame, profile = rng.choice(cases)
        profiles = {profile.mark: profile} if profile else {}
        crc = profile.crc if profile else 0
        if number % 3 == 0:
            data = bytearray(rng.randbytes(rng.choice((4, 8, 16, 40, 100, 400))))
            if profile:
                data[:3] = frame[:2] + bytes((frame[2] & 0xF0 | data[2] & 15,))
            else:
                data[0] = 0xE0 | data[0] & 15
        else:
            data = damaged(rng, frame[:-3])
        yield (sealed(data, crc) if rng.random() < 0.9 else bytes(data)), profiles


def fuzz(count, seed):
    """Return {"decoded": , "refused": , "slowest_s": }. Raises what the decoder should not."""
    rng = random.Random(seed)
    cases = []
    for case in golden.cases():
        profile = Profile(bytes.fromhex(case["profile"])) if case["profile"] else None
        cases.append((bytes.fromhex(case["frame"]), profile))
    result = {"decoded": 0, "refused": 0, "slowest_s": 0.0}
    for data, profiles in buffers(rng, cases, count):
        start = time.perf_counter()
        try:
            decode(data, profiles)
            result["decoded"] += 1
        except ProtocolError:
            result["refused"] += 1
        except Exception:
            print(f"seed {seed}: {data.hex()}", file=sys.stderr)
            raise
        result["slowest_s"] = max(result["slowest_s"], time.perf_counter() - start)
    return result


def fuzz_profiles(count, seed):
    """The same for profiles: random damage under a right checksum."""
    rng = random.Random(seed)
    blobs = [bytes.fromhex(case["profile"]) for case in golden.cases() if case["profile"]]
    kept = 0
    for _ in range(count):
        data = sealed(damaged(rng, rng.choice(blobs)[:-3]), 0)
        try:
            Profile(data)
            kept += 1
        except ProtocolError:
            pass
        except Exception:
            print(f"seed {seed}: profile {data.hex()}", file=sys.stderr)
            raise
    return kept


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    args = parser.parse_args(argv)
    result = fuzz(args.count, args.seed)
    fuzz_profiles(args.count // 10, args.seed)
    tracemalloc.start()
    fuzz(min(args.count, 20000), args.seed + 1)
    peak = tracemalloc.get_traced_memory()[1]
    print(f"{args.count} buffers, seed {args.seed}: {result['refused']} refused, "
          f"{result['decoded']} decoded, slowest {result['slowest_s'] * 1000:.0f} ms, "
          f"peak {peak >> 10} KB")
    return 0 if result["slowest_s"] < LIMIT_S and peak < LIMIT_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
