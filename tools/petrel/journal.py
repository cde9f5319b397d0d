"""`petrel journal`: what waits in a device's queue, and its rescue."""

import csv
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

import scaled
from journal import Journal, JournalError
from petrel.errors import Failure, Misuse, complain
from petrel.journal_place import queue_in
from petrel.queue_lives import Life, read_lives
from petrel.queue_record import parse

PROGRAM = "petrel journal"
_LIMIT = 1 << 24  # of nothing: what is only read has no limit


@dataclasses.dataclass(frozen=True)
class Waiting:
    """A reading that waits. ts: Unix seconds, or None. values: channel -> number."""

    stream: int
    seq: int
    ts: float | None
    values: dict

    def line(self, device):
        return {"device": device, "stream": self.stream, "seq": self.seq, "ts": self.ts,
                "values": self.values}


class Queue:
    """What a queue holds, oldest first, and its counters."""

    def __init__(self, folder, channels):
        self.readings = []
        self.strange = 0  # records that are no readings
        self.nameless = False  # of some, nobody knows the channels
        lives = read_lives(folder)
        unknown = Life(channels, None)
        journal = Journal(str(folder), max(_LIMIT, 16 * os.statvfs(folder).f_bsize))
        for _, stream, n, record in journal.entries():
            life = lives.get(stream, unknown)
            try:
                self.readings.append(_waiting(stream, n, record, life))
                self.nameless = self.nameless or not life.channels
            except ValueError:
                self.strange += 1
        self.bytes_used, self.damaged = journal.bytes_used, journal.damaged
        self.dropped = journal.dropped

    def facts(self):
        """What is known of it, as plain data."""
        ends = [self.readings[0], self.readings[-1]] if self.readings else [None, None]
        oldest, newest = (
            end and {"stream": end.stream, "seq": end.seq, "ts": end.ts} for end in ends
        )
        return {
            "records": len(self.readings), "bytes": self.bytes_used, "damaged": self.damaged,
            "dropped": self.dropped, "strange": self.strange, "oldest": oldest, "newest": newest,
        }


def _waiting(stream, n, record, life):
    read = parse(record)
    values = {}
    known = len(life.channels)
    for number, value in enumerate(read.values):
        key, decimals = life.channels[number] if number < known else (f"channel{number}", 0)
        if value is not None:
            values[key] = _number(value, decimals)
    unix_ms = read.unix_ms
    if unix_ms is None and life.unix_ms is not None:
        unix_ms = life.unix_ms + read.due_ms
    return Waiting(stream, n, None if unix_ms is None else _number(unix_ms, 3), values)


def _number(value, decimals):
    return json.loads(scaled.text(value, decimals))


def channels_of(config):
    """[(key, decimals), ...] in the order of the records: by key within each sensor."""
    if config is None:
        return []
    try:
        sensors = json.loads(Path(config).read_text("utf-8"))["sensors"]
        return [
            (key, sensor["channels"][key].get("decimals", 2))
            for sensor in sensors
            for key in sorted(sensor["channels"])
        ]
    except OSError as error:
        raise Misuse(f"--config: {config}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Misuse(f"--config: {config} is no device's config; see petrel check") from error


def device_of(config):
    """The id in a config, None where it has none."""
    try:
        return config and json.loads(Path(config).read_text("utf-8"))["device"]["id"]
    except (KeyError, TypeError):
        return None


def run_journal(place, export=None, config=None, as_json=False):
    """Say what waits in the queue of `place`, or write it to the file `export`."""
    with queue_in(place) as (folder, found):
        config = config or found
        channels, device = channels_of(config), device_of(config)
        try:
            queue = Queue(folder, channels)
        except JournalError as error:
            raise Failure(error) from error
    if queue.nameless:
        complain(PROGRAM, "of some readings the channels are not known, so they have no names "
                 "and their values no decimal point; --config FILE gives them")
    if export:
        write(queue, export, device)
    if as_json:
        print(json.dumps(queue.facts()))
    elif export != "-":
        print(*in_words(queue), sep="\n")


def in_words(queue):
    """A line a fact."""
    facts = queue.facts()
    yield f"waiting  {facts['records']} readings in {facts['bytes']} bytes of flash"
    yield f"damaged  {facts['damaged']}"
    yield f"dropped  {facts['dropped']}"
    if facts["strange"]:
        yield f"strange  {facts['strange']} records are no readings of this version"
    for name in ("oldest", "newest"):
        if facts[name]:
            end = facts[name]
            yield f"{name}   stream {end['stream']}, number {end['seq']}, {_moment(end['ts'])}"


def _moment(ts):
    if ts is None:
        return "time not known"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ts))


def write(queue, path, device):
    """Write the readings as CSV if the name ends so, else as JSON lines; `-` is stdout."""
    if path == "-":
        _write_lines(queue, sys.stdout, device)
        return
    try:
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            (_write_csv if path.endswith(".csv") else _write_lines)(queue, file, device)
    except OSError as error:
        raise Failure(f"--export: {path}: {error.strerror}") from error


def _write_lines(queue, file, device):
    for reading in queue.readings:
        print(json.dumps(reading.line(device), separators=(",", ":")), file=file)


def _write_csv(queue, file, device):
    keys = list(dict.fromkeys(key for reading in queue.readings for key in reading.values))
    writer = csv.writer(file)
    writer.writerow(["device", "stream", "seq", "ts", *keys])
    for reading in queue.readings:
        cells = [reading.values.get(key) for key in keys]
        writer.writerow([device, reading.stream, reading.seq, reading.ts, *cells])
