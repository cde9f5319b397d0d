"""`petrel journal`: does it say what waits in a queue, and rescue all of it?"""

import csv
import json
import subprocess
import sys

import pytest

from firmware import reading
from host_tests.journal import board
from journal import Journal
from petrel.errors import Failure, Misuse
from petrel.journal import run_journal
from petrel.journal_place import queue_in
from petrel.queue_record import parse

CHANNELS = {"t": {"unit": "Cel", "decimals": 1}, "h": {"unit": "%RH", "decimals": 0}}
CONFIG = json.dumps({"device": {"id": "shed"}, "sensors": [{"channels": CHANNELS}]})
UNIX_MS = 1_700_000_000_000


def record(number):
    """Humidity first: channels are in the order of their keys."""
    buffer = bytearray(64)
    unix_ms = UNIX_MS + number * 500 if number % 10 else None
    values = [number if number % 3 else None, -5 * number]
    return bytes(buffer[: reading.pack_into(buffer, number * 1000, values, unix_ms)])


def expected(number, stream):
    values = {"h": number} if number % 3 else {}
    values["t"] = json.loads(f"{-number / 2:g}")
    ts = json.loads(f"{(UNIX_MS + number * 500) / 1000:.14g}") if number % 10 else None
    return {"device": "shed", "stream": stream, "seq": number, "ts": ts, "values": values}


def filled(folder, count=200, **options):
    queue = folder / "queue"
    queue.mkdir(parents=True)
    (folder / "config.json").write_text(CONFIG)
    journal = Journal(str(queue), stream=77, **options)
    for number in range(1, count + 1):
        journal.append(record(number))
    return journal


def facts(capsys, place, **options):
    run_journal(place, as_json=True, **options)
    return json.loads(capsys.readouterr().out)


def test_what_waits_is_told(tmp_path, capsys):
    journal = filled(tmp_path)
    journal.release(20)
    journal.sync()
    for place in (tmp_path, tmp_path / "queue"):
        found = facts(capsys, place)
        assert (found["records"], found["damaged"], found["dropped"]) == (180, 0, 0)
        assert found["oldest"] == {"stream": 77, "seq": 21, "ts": (UNIX_MS + 21 * 500) / 1000}
        assert found["newest"] == {"stream": 77, "seq": 200, "ts": None}
        assert 8192 < found["bytes"] <= 65536
    run_journal(tmp_path)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"waiting  180 readings in {found['bytes']} bytes of flash"
    assert out[-1] == "newest   stream 77, number 200, time not known"


def test_looking_changes_nothing(tmp_path):
    filled(tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    run_journal(tmp_path)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


def test_damage_and_drops_are_counted(tmp_path, capsys):
    filled(tmp_path, 3000, limit_bytes=40960)
    segment = sorted((tmp_path / "queue").glob("0*.j1"))[1]
    content = bytearray(segment.read_bytes())
    content[100] ^= 1
    segment.write_bytes(content)
    found = facts(capsys, tmp_path)
    assert (found["damaged"], found["dropped"] > 0) == (1, True)
    assert found["records"] + found["dropped"] == 2999


def test_everything_is_rescued_as_lines_and_as_a_table(tmp_path, capsys):
    filled(tmp_path)
    run_journal(tmp_path, export=str(tmp_path / "out.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines == [expected(number, 77) for number in range(1, 201)]
    capsys.readouterr()
    run_journal(tmp_path, export="-")
    assert capsys.readouterr().out == (tmp_path / "out.jsonl").read_text()
    run_journal(tmp_path, export=str(tmp_path / "out.csv"))
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["device", "stream", "seq", "ts", "h", "t"]
    for row, line in zip(rows, lines, strict=True):
        assert row["seq"] == str(line["seq"])
        assert row["h"] == str(line["values"].get("h", ""))
        assert row["t"] == str(line["values"]["t"])


@pytest.mark.parametrize("program", [32, 256])
@pytest.mark.parametrize("before", [0, 65536])
def test_everything_is_rescued_from_an_image(tmp_path, program, before):
    """Made by the device's own LittleFS; the image of a whole flash has other things before it."""
    image = tmp_path / "flash.img"
    records = [record(number).hex() for number in range(1, 151)]
    board.call("imaging", "image", str(image), records, CONFIG, program)
    image.write_bytes(b"\xe9littlefs" * (before // 9) + b"\0" * (before % 9) + image.read_bytes())
    run_journal(image, export=str(tmp_path / "out"))
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert lines == [expected(number, 77) for number in range(1, 151)]


def test_an_image_whose_first_block_is_damaged(tmp_path):
    image = tmp_path / "flash.img"
    board.call("imaging", "image", str(image), [record(1).hex()], CONFIG)
    content = bytearray(image.read_bytes())
    content[:4096] = b"\0" * 4096
    image.write_bytes(content)
    run_journal(image, export=str(tmp_path / "out"))
    assert json.loads((tmp_path / "out").read_text()) == expected(1, 77)


def test_without_a_config_the_channels_have_no_names(tmp_path, capsys):
    filled(tmp_path, 3)
    (tmp_path / "config.json").unlink()
    run_journal(tmp_path / "queue", export="-")
    captured = capsys.readouterr()
    first = json.loads(captured.out.splitlines()[0])
    assert first["values"] == {"channel0": 1, "channel1": -5}
    assert "--config FILE" in captured.err
    other = tmp_path / "elsewhere.json"
    other.write_text(CONFIG)
    run_journal(tmp_path / "queue", export="-", config=other)
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == expected(1, 77)


def test_what_the_device_wrote_of_its_lives_names_and_dates_the_readings(tmp_path, capsys):
    """Each life had channels of its own; one never knew the time, but its clock ran on."""
    queue = tmp_path / "queue"
    queue.mkdir()
    lives = [
        {"s": 5, "ch": [["a", "Cel", 1, None, None]], "unix": None, "rtc": ["r", 1000]},
        {"s": 6, "ch": [["b", "Cel", 3, None, None]], "unix": None, "rtc": None},
        {"s": 7, "ch": [["b", "Cel", 0, None, None]], "unix": None, "rtc": ["r", 60000]},
        {"s": 7, "ch": [["b", "Cel", 0, None, None]], "unix": UNIX_MS, "rtc": ["r", 60000]},
    ]
    (queue / "lives").write_text("\n".join(map(json.dumps, lives)) + '\n{"s":8,"ch"')
    for stream in (5, 6, 7, 8):
        buffer = bytearray(64)
        length = reading.pack_into(buffer, 2500, [1234])
        Journal(str(queue), stream=stream).append(buffer, length)
    run_journal(queue, export="-")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["ts"], line["values"]) for line in lines] == [
        ((UNIX_MS - 59000 + 2500) / 1000, {"a": 123.4}), (None, {"b": 1.234}),
        ((UNIX_MS + 2500) / 1000, {"b": 1234}), (None, {"channel0": 1234}),
    ]


def test_records_of_another_kind_are_counted(tmp_path, capsys):
    journal = filled(tmp_path, 3)
    for strange in (b"", b"\xff", b"\0\x80"):
        journal.append(strange)
    found = facts(capsys, tmp_path)
    assert (found["records"], found["strange"]) == (3, 3)


def test_the_record_is_the_devices_own():
    for number in range(1, 40):
        found = parse(record(number))
        values = [None, None]
        assert reading.unpack_into(record(number), values) == (found.due_ms, found.unix_ms)
        assert values == found.values


def test_what_is_no_queue_is_told_in_a_line(tmp_path):
    (tmp_path / "noise").write_bytes(b"littlefs" * 2000)
    (tmp_path / "empty").mkdir()
    for name, kind, words in (
        ("nowhere", Misuse, "no such folder"), ("empty", Failure, "holds no queue"),
        ("noise", Failure, "no LittleFS"),
    ):
        with pytest.raises(kind, match=words), queue_in(tmp_path / name):
            pass
    for name in "ab":
        filled(tmp_path / "two" / name, 1)
    with pytest.raises(Failure, match="2 queues"), queue_in(tmp_path / "two"):
        pass
    (tmp_path / "two" / "a" / "queue" / "00000001.j2").touch()
    with pytest.raises(Failure, match="newer version"):
        run_journal(tmp_path / "two" / "a")


def test_the_command(tmp_path):
    filled(tmp_path, 5)
    command = [sys.executable, "-m", "petrel.cli", "journal", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.startswith("waiting  5 readings in ")
    done = subprocess.run([*command, "--export", "/nowhere/x"], capture_output=True, text=True,
                          timeout=20, check=False)
    assert (done.returncode, done.stderr) == (
        1, "petrel journal: --export: /nowhere/x: No such file or directory\n"
    )
