"""Are frames of the past still read, by Python and by JavaScript, and still written alike?"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from frame.decoder import decode
from frame.profile import Profile
from host_tests.frame import golden
from host_tests.frame.samples import STREAM, encode

CASES = list(golden.cases())
SCRIPT = Path(__file__).with_name("decode_golden.mjs")


def profiles_of(case):
    if not case["profile"]:
        return {}
    profile = Profile(bytes.fromhex(case["profile"]))
    return {profile.mark: profile}


def rows_of(case):
    return [tuple(row) for row in case["values"]]


def test_there_are_200():
    assert len(CASES) >= 200


@pytest.mark.parametrize("number", range(len(CASES)))
def test_python_reads_it(number):
    case = CASES[number]
    frame = decode(bytes.fromhex(case["frame"]), profiles_of(case))
    assert (frame.stream, frame.seq) == (STREAM, case["seq"])
    assert frame.schema == golden.schema_of(case)
    assert frame.times == case["times"]
    assert frame.values == rows_of(case)


def test_the_encoder_still_writes_the_same():
    for case in CASES:
        blob = bytes.fromhex(case["profile"]) if case["profile"] else None
        frames = encode(golden.schema_of(case), case["times"], rows_of(case), case["seq"], blob)
        assert frames[0][0].hex() == case["frame"]


def test_javascript_reads_them():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    files = [str(path) for path in sorted(golden.FOLDER.glob("*.jsonl"))]
    done = subprocess.run([node, str(SCRIPT), *files], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(CASES)
    for case, answer in zip(CASES, answers, strict=True):
        assert answer["stream"] == STREAM
        assert answer["seq"] == case["seq"]
        assert answer["times"] == case["times"]
        assert answer["values"] == case["values"]
        assert answer["schema"]["intervalMs"] == case["interval_ms"]
        channels = [[c["key"], c["unit"], c["decimals"], c["step"], c["kind"]]
                    for c in answer["schema"]["channels"]]
        assert channels == case["channels"]


def test_javascript_refuses_what_is_damaged():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    files = [str(path) for path in sorted(golden.FOLDER.glob("*.jsonl"))]
    done = subprocess.run([node, str(SCRIPT), "--damage", *files], capture_output=True, text=True,
                          timeout=110)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10000


def test_the_worked_example_of_the_docs():
    text = (SCRIPT.parents[2] / "docs" / "WIRE.md").read_text()
    line = next(line for line in text.splitlines() if line.startswith("e2 46 8a"))
    frame = decode(bytes.fromhex(line))
    assert (frame.stream, frame.seq) == (0x12345678, 42)
    assert frame.times == [1732265000000, 1732265010000, 1732265021000, 1732265030000]
    assert frame.values == [(2150, 60), (2153, 60), (2151, None), (2158, 61)]
    rows = [(2150, 60), (2153, 60), (2151, None), (2158, 61)]
    assert encode(frame.schema, frame.times, rows, 42, stream=0x12345678)[0][0].hex(" ") == line
