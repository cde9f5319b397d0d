"""How small do frames get? The figures that must be reached, and what a profile is worth."""

import json

import pytest

from frame.encoder import Encoder
from frame.renew import saved
from host_tests.frame import golden, ports
from host_tests.frame.samples import STREAM, kept_series, train
from host_tests.frame.weather import readings
from petrel import frame_bench, frame_dump
from petrel.bench import bound

SERIES = kept_series()

# x BOUND of shared/bench/bound.py, whose values for these series at N = 10, 60, 240 follow.
LIMITS = {"ref": (1.45, 1.12, 1.035), "self": (2.2, 1.25, 1.08)}
BOUND = {"weather_station_10min": (4.43368, 3.99854, 3.93327),
         "astro_pi_10s": (2.84152, 2.19238, 2.09500),
         "airport_1h": (3.68061, 3.20777, 3.13685),
         "mote_5s": (1.32898, 0.87387, 0.80560)}
SIZES = (10, 60, 240)


@pytest.fixture(scope="module")
def figures():
    if set(SERIES) < set(BOUND):
        pytest.skip("only the series that the project keeps are here, the limits are for all four")
    return {name: frame_bench.bench(SERIES[name][0], SERIES[name][1], SIZES) for name in BOUND}


@pytest.mark.parametrize("mode", ["ref", "self"])
@pytest.mark.parametrize("size", SIZES)
def test_times_bound(figures, mode, size):
    at = SIZES.index(size)
    mean = frame_bench.geomean(figures[name][size][mode] / BOUND[name][at] for name in BOUND)
    print(f"N={size} {mode}: {mean:.4f} x BOUND")
    assert mean <= LIMITS[mode][at]


@pytest.mark.parametrize(("name", "self_60", "ref_60"),
                         [("airport_1h", 4.3, 3.3), ("mote_5s", 1.19, 1.0)])
def test_the_series_that_are_kept(name, self_60, ref_60):
    if name not in SERIES:
        pytest.skip(f"the series {name} is not kept here")
    spec, folder = SERIES[name]
    found = frame_bench.bench(spec, folder, (60,))[60]
    assert found["self"] <= self_60
    assert found["ref"] <= ref_60


@pytest.mark.parametrize("name", BOUND)
def test_the_yardstick(name):
    if name not in SERIES:
        pytest.skip(f"the series {name} is not kept here")
    bits = bound.bound(*frame_bench.load(*SERIES[name]))
    for size, least in zip(SIZES, BOUND[name], strict=True):
        assert abs(bound.bytes_a_reading(bits, size) - least) < 1e-4


def test_a_profile_pays_and_a_wrong_one_costs_little():
    schema, times, rows = readings(660)
    blob = train(schema, times[:600], rows[:600])
    encoder = Encoder(schema, 60)
    encoder.begin(STREAM)
    for time_ms, row in zip(times[600:], rows[600:], strict=True):
        encoder.add(time_ms, row)
    assert saved(encoder, blob, 601) > 30
    assert encoder.profile is None
    wrong = train(schema, times[:60], [(1,) * 6] * 60)
    assert saved(encoder, wrong, 601) > -30


def test_the_bench_on_a_runtime(tmp_path):
    schema, times, rows = readings(700)
    lines = ["t," + ",".join(ch.key for ch in schema.channels)]
    for time_ms, row in zip(times, rows, strict=True):
        lines.append(f"{time_ms // 1000}," + ",".join(str(v) for v in row))
    (tmp_path / "made.csv").write_text("\n".join(lines))
    channels = [{"name": ch.key, "key": ch.key, "unit": ch.unit, "decimals": 0}
                for ch in schema.channels]
    series = tmp_path / "series.json"
    series.write_text(json.dumps({"made": {"file": "made.csv", "channels": channels}}))
    here = frame_bench.report(series, (10, 60))
    there = frame_bench.report(series, (10, 60), frame_bench.encode_by(ports.runtime_of("64-bit")))
    assert here == there


def test_a_mismatch_ends_the_bench(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.csv").write_text("t,x\n" + "".join(f"{i},{i}\n" for i in range(40)))
    series = tmp_path / "series.json"
    series.write_text(json.dumps({"a": {"file": "a.csv", "channels": [
        {"name": "x", "key": "x", "unit": "", "decimals": 0}]}}))
    assert frame_bench.main([str(series), "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["a"]) == ["1", "10"]
    real = frame_bench.decode

    def other(data, profiles):
        frame = real(data, profiles)
        frame.seq += 1
        return frame

    monkeypatch.setattr(frame_bench, "decode", other)
    assert frame_bench.main([str(series)]) == 1
    assert "decodes to something else" in capsys.readouterr().err


def test_dump(capsys):
    case = next(case for case in golden.cases() if not case["profile"])
    assert frame_dump.main([case["frame"]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "version   1, SELF"
    assert sum(line.startswith("reading ") for line in lines) == len(case["times"])
    assert frame_dump.main([case["frame"][:-2]]) == 1
    assert frame_dump.main(["xyz"]) == 2
    case = next(case for case in golden.cases() if case["profile"])
    assert frame_dump.main([case["frame"]]) == 1
    assert "--profile" in capsys.readouterr().err


def test_dump_with_a_profile(tmp_path, capsys):
    case = next(case for case in golden.cases() if case["profile"])
    path = tmp_path / "profile"
    path.write_bytes(bytes.fromhex(case["profile"]))
    assert frame_dump.main([case["frame"], "--profile", str(path)]) == 0
    assert "version   1, REF" in capsys.readouterr().out
