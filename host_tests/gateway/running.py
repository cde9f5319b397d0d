"""A gateway as a process, and a web server that answers as a test wants it to."""

import collections
import contextlib
import http.server
import json
import sqlite3
import threading
import time
import typing
from pathlib import Path

from host_tests.harness.device import PETREL, Device

SOON_S = 20


class Gateway(Device):
    """`petrel gateway` with `config`, text of a gateway.toml; its data outlive a restart."""

    def __init__(self, folder, config, start=True):
        file = Path(folder) / "gateway" / "config.json"
        command = [PETREL, "gateway", "--config", file]
        super().__init__(folder, config, "gateway", command=command, start=start)
        self.data = self.folder / "gateway-data"

    def start(self):
        """`mark_of_start`: where in the log this start begins."""
        self.mark_of_start = self.mark()
        return super().start()

    def rows(self):
        """[(device, number, time, {channel: value})] of its database, in order."""
        with contextlib.suppress(sqlite3.OperationalError):  # not made yet
            path = f"file:{self.data / 'readings.db'}?mode=ro"
            with contextlib.closing(sqlite3.connect(path, uri=True)) as db:
                found = collections.defaultdict(dict)
                for device, number, moment, channel, value in db.execute(
                    "SELECT device, number, time, channel, value FROM readings "
                    "ORDER BY device, stream, number"
                ):
                    found[device, number, moment][channel] = value
                return [(*key, values) for key, values in found.items()]
        return []

    def wait_rows(self, count, deadline_s=SOON_S):
        return wait_for(lambda: [self.rows()] if len(self.rows()) >= count else None, deadline_s,
                        lambda: f"{len(self.rows())} of {count} rows; {self.logs()[-5:]}")[0]


def wait_for(predicate, deadline_s, what):
    """The first true answer; what() is the failure's text."""
    ends = time.monotonic() + deadline_s
    while not (answer := predicate()):
        if time.monotonic() > ends:
            raise TimeoutError(f"not within {deadline_s} s: {what()}")
        time.sleep(0.05)
    return answer


class Hook(http.server.ThreadingHTTPServer):
    """A web server on 127.0.0.1. `answer(request number, items)` gives a status, or (status,
    headers), or None: no answer until close().

    requests: [(key, items)] of all that came; taken: those answered with 2xx.
    """

    daemon_threads = True

    def __init__(self, answer=lambda number, items: 200, port=0):
        self.answer, self.requests, self.taken = answer, [], []
        self.changed, self.closing = threading.Lock(), threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """Whoever is killed while we answer is no news."""

    def once(self):
        """The messages taken, each once, told apart by their ids."""
        with self.changed:
            return list({item["id"]: item for _, items in self.taken for item in items}.values())

    def readings(self):
        """[(device, reading)] of the messages taken, in the order in which they came."""
        found = []
        for item in self.once():
            if item["topic"].endswith("/data"):
                data = item["data"] if isinstance(item["data"], list) else [item["data"]]
                found += [(item["topic"].split("/")[1], each) for each in data]
        return found


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        hook = typing.cast(Hook, self.server)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        items = body if isinstance(body, list) else [body]
        key = self.headers["Idempotency-Key"]
        with hook.changed:
            hook.requests.append((key, items))
            answer = hook.answer(len(hook.requests), items)
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            if status and status < 300:
                hook.taken.append((key, items))
        if status is None:
            hook.closing.wait()
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format, *args):
        """Nothing on stderr."""
