"""Does MicroPython write the same bytes, without allocating, in little memory, fast enough?

Encoding runs with the heap locked. On the 32-bit port a number beyond 31 bits is a heap object,
so the same run proves that no intermediate of the loops leaves them.
"""

import json
import subprocess
import sys

import pytest

from host_tests.frame import golden, ports
from host_tests.frame.samples import ROOT, encode, random_readings, train

WORDS = pytest.mark.parametrize("words", ["64-bit", "32-bit"])
LOOPS = pytest.mark.parametrize("loops", ["fast", "plain"])
CASES = list(golden.cases())
CASES_FILE = golden.FOLDER / "v1.jsonl"
# What turns readings into bytes, with its tables; and what holds and describes the readings.
ENCODER = ("encoder", "reference", "loops", "_plain", "model")
AROUND_IT = ("readings", "schema", "__init__")



@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Compiled copies of lib/frame, by architecture ("plain": no machine code)."""
    made = {}

    def image(words, loops):
        architecture = ports.ARCHITECTURE[words] if loops == "fast" else None
        if architecture not in made:
            folder = tmp_path_factory.mktemp("image") / (architecture or "plain")
            made[architecture] = ports.compile_frame(folder, architecture)
        return made[architecture]

    return image


@WORDS
@LOOPS
def test_the_same_bytes_and_no_allocation(words, loops, images):
    lines = ports.run(words, images(words, loops), "encoded", CASES_FILE)
    assert lines == [case["frame"] for case in CASES]


@WORDS
@LOOPS
def test_the_same_bytes_of_full_frames(words, loops, images, tmp_path):
    """Many channels, many readings, every value anywhere in 32 bits."""
    cases = []
    for seed in range(9000, 9030):
        schema, times, rows = random_readings(seed)
        blob = train(schema, times, rows)
        for profile in (None, blob):
            data, first, end = encode(schema, times, rows, 5, profile)[0]
            cases.append({"frame": data.hex(), "profile": profile and profile.hex(), "seq": 5,
                          "interval_ms": schema.interval_ms, "channels": schema.channels,
                          "times": times[first:end], "values": rows[first:end]})
    file = tmp_path / "cases.jsonl"
    file.write_text("".join(json.dumps(case) + "\n" for case in cases))
    lines = ports.run(words, images(words, loops), "encoded", file)
    assert lines == [case["frame"] for case in cases]


@WORDS
def test_it_decodes_there_too(words, images):
    lines = ports.run(words, images(words, "plain"), "decoded", CASES_FILE)
    for case, line in zip(CASES, lines, strict=True):
        assert json.loads(line)[1:] == [case["seq"], case["times"], case["values"]]


@WORDS
@LOOPS
def test_which_loops_run_and_that_no_decoder_comes_along(words, loops, images):
    modules, used = ports.run(words, images(words, loops), "imported", "-")
    assert used == loops
    for module in ("decoder", "rangecoder", "profile", "errors", "train"):
        assert f"frame.{module}" not in modules.split()


@LOOPS
def test_memory_of_8_channels_and_60_readings(loops, images):
    (kept,) = ports.run("32-bit", images("32-bit", loops), "memory", "-")
    print(f"an encoder of 8 channels x 60 readings keeps {kept} B ({loops})")
    assert int(kept) <= 6 * 1024


def six_channels(tmp_path, with_profile):
    """A case of 60 readings of 6 channels, such as a weather station has."""
    from host_tests.frame.weather import readings

    schema, times, rows = readings(600)
    blob = train(schema, times[:540], rows[:540]) if with_profile else None
    case = {"profile": blob and blob.hex(), "interval_ms": schema.interval_ms,
            "channels": schema.channels, "times": times[540:], "values": rows[540:]}
    file = tmp_path / "six.jsonl"
    file.write_text(json.dumps(case) + "\n")
    return file


@pytest.mark.alone
@WORDS
@pytest.mark.parametrize(("loops", "limit"), [("fast", 3), ("plain", 12)])
@pytest.mark.parametrize("mode", ["self", "ref"])
def test_time(words, loops, limit, mode, images, tmp_path):
    """Times json.dumps of the same readings, on the same port in the same run; best of three."""
    file = six_channels(tmp_path, mode == "ref")
    ratios = []
    for _ in range(3):
        (line,) = ports.run(words, images(words, loops), "timed", file)
        dumps, add, encode_into = map(int, line.split())
        ratios.append((encode_into / dumps, (add + encode_into) / dumps))
    encoding, with_add = map(min, zip(*ratios, strict=True))
    print(f"{words} {loops} {mode}: encode_into {encoding:.2f} x json.dumps, "
          f"with add {with_add:.2f}")
    assert (with_add if loops == "fast" else encoding) <= limit


@WORDS
def test_a_profile_made_there_is_the_same(words, images, tmp_path):
    file = six_channels(tmp_path, False)
    (line,) = ports.run(words, images(words, "fast"), "trained", file)
    case = json.loads(file.read_text())
    rows = [tuple(row) for row in case["values"]]
    assert line == train(golden.schema_of(case), case["times"], rows).hex()


def test_memory_of_learning_six_channels(images, tmp_path):
    """What firmware/profile.py asks to be free; most of it is free again afterwards."""
    file = six_channels(tmp_path, False)
    (line,) = ports.run("32-bit", images("32-bit", "plain"), "learning", file)
    most, stays = map(int, line.split())
    print(f"learning the profile of 6 channels takes {most} B, of which {stays} B stay")
    assert most <= 16 * 1024
    assert stays <= 2 * 1024


def test_size_of_the_encoder(images):
    folder = images("64-bit", "plain") / "frame"
    sizes = {name: (folder / f"{name}.mpy").stat().st_size for name in ENCODER + AROUND_IT}
    core = sum(sizes[name] for name in ENCODER)
    print(f"encoder and tables {core} B, with readings, schema {sum(sizes.values())} B: {sizes}")
    assert core <= 7 * 1024
    assert sum(sizes.values()) <= 10.6 * 1024


def test_the_plain_loops_are_those_of_the_fast_ones():
    script = ROOT / "tools" / "petrel" / "frame_plain.py"
    subprocess.run([sys.executable, str(script), "--check"], check=True, timeout=20)
