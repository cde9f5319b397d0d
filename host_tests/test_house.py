"""The house (docs/DESIGN.md): who may import whom, and how large anything may be.

Every check is a function (place, source) -> complaints. It runs over the files of its places, and
over sources made to break it, so that a check that sees nothing is noticed.
"""

import ast
import itertools
import subprocess
import sys
import textwrap
from pathlib import PurePosixPath

import pytest

from petrel import ROOT

MODULE_LINES, FUNCTION_LINES = 350, 40

LIBRARIES = {path.stem for path in (ROOT / "lib").iterdir() if path.name[0] not in "_."}
# Where the libraries meet asyncio, the network and the file system.
EDGES = {
    "lib/tcp.py", "lib/tcp_opening.py", "lib/wake.py", "lib/journal/disk.py",
    "lib/mqtt/client.py", "lib/mqtt/life.py", "lib/mqtt/again.py", "lib/mqtt/inbox.py",
    "lib/mqtt/simple.py", "lib/websocket/stream.py", "lib/websocket/messages.py",
    "lib/udp.py", "lib/coap/endpoint.py", "lib/coap/client.py", "lib/coap/observation.py",
    "lib/coap/server.py", "lib/coap/multicast.py", "lib/coap/reliable_socket.py",
    "lib/coap/dtls.py", "lib/coap/dtls_server.py", "lib/coap/dtls_contexts.py",
    "lib/coap/dtls_wire.py", "lib/coap/dtls_connection.py",
}
OUTSIDE = {  # what a core has no business with: clocks, sockets, files
    "asyncio", "select", "socket", "ssl", "tls", "network", "machine", "os", "io", "time", "vfs",
}
KEEPS_TIME = {"lib/ticks.py"}
MEASURED_INSIDE = "tools/petrel/bench/device/"  # scripts that run on the device, not on the host

# Who puts the application together, and may know all of it.
COMPOSERS = {
    "firmware.app", "firmware.assemble", "firmware.assemble_flash", "firmware.assemble_sleep",
    "firmware.start",
}
OF_OUTBOX = ("durable", "backlog", "flash", "lives", "once", "refusing")
# The parts of the application, and what each may know of another: types that travel with the data.
PARTS = {
    "firmware.board": set(),
    "firmware.sensors": set(),
    "firmware.payloads": set(),
    "firmware.links": set(),
    "firmware.sampler": {"firmware.sensors"},
    "firmware.outbox": {"firmware.links", "firmware.sensors"},
    "firmware.uplink": {"firmware.links"},
    "firmware.health": set(),
    "firmware.serve": {"firmware.links", "firmware.serve_dtls"},
    "firmware.serve_dtls": {"firmware.links"},
    "firmware.commands": {"firmware.actions"},
    "firmware.actions": {"firmware.commands"},
    "firmware.config": {"firmware.sensors", "firmware.payloads"},
}


# ---- what a source imports


def imports(place, source):
    """The absolute names of all modules that it imports, also inside of functions."""
    package = list(PurePosixPath(place).parent.parts)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *filter(None, [node.module])])
            yield name
            # `from . import x` may mean a module
            yield from (f"{name}.{alias.name}" for alias in node.names if name)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "__import__":
            yield dynamic(node.args[0])


def dynamic(argument):
    """The beginning of a name that is made at run time."""
    if isinstance(argument, ast.BinOp):
        argument = argument.left
    return str(argument.value).rstrip(".") if isinstance(argument, ast.Constant) else "?"


def within(name, *packages):
    return any(name == package or name.startswith(package + ".") for package in packages)


def part_of(name):
    """The part that a module of the application belongs to, or None."""
    if within(name, "firmware.config_kinds", "firmware.config_limits", "firmware.config_check"):
        return "firmware.config"
    if within(name, *("firmware." + own for own in OF_OUTBOX)):
        return "firmware.outbox"
    if within(name, "firmware.waking"):
        return "firmware.sampler"
    return next((part for part in PARTS if within(name, part)), None)


def module_name(place):
    path = PurePosixPath(place)
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# ---- the checks


def libraries_know_only_libraries(place, source):
    for name in imports(place, source):
        if within(name, "firmware", "petrel", "tools", "host_tests"):
            yield f"imports {name}"


def cores_touch_nothing_outside(place, source):
    if place in EDGES or "/examples/" in place:
        return
    for name in imports(place, source):
        root = name.split(".")[0]
        if root in OUTSIDE and not (root == "time" and place in KEEPS_TIME):
            yield f"imports {name}, which is for an edge"
        if "lib/" + root + ".py" in EDGES:
            yield f"imports the edge {root}"
    for node in ast.walk(ast.parse(source)):
        called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if called in ("open", "print", "input"):
            yield f"calls {called}()"


def the_application_knows_no_host(place, source):
    for name in imports(place, source):
        if within(name, "petrel", "tools", "host_tests"):
            yield f"imports {name}"


def the_host_knows_no_application(place, source):
    if place.startswith(MEASURED_INSIDE):
        return
    for name in imports(place, source):
        if within(name, "firmware", "host_tests", "boot", "main"):
            yield f"imports {name}"


def parts_know_only_data(place, source):
    """sensors -> sampler -> outbox -> uplink -> link: only the composers see more than one."""
    own = part_of(module_name(place))
    if own is None or module_name(place) in COMPOSERS:
        return
    for name in imports(place, source):
        other = part_of(name)
        if within(name, *COMPOSERS):
            yield f"imports {name}, which puts the application together"
        elif other not in (None, own) and other not in PARTS[own]:
            yield f"is of {own} and imports {name}"
        elif name == "?":
            yield "imports something by a name that is made at run time"


def only_composers_know_many_parts(place, source):
    if module_name(place) in COMPOSERS or part_of(module_name(place)):
        return
    known = {part_of(name) for name in imports(place, source)} - {None}
    if known:
        yield f"is no composer and imports {', '.join(sorted(known))}"


def the_start_is_short(place, source):
    """boot.py always returns; main.py hands over at once."""
    allowed = {"firmware", "firmware.board", "firmware.start"}
    if place == "boot.py":
        allowed = {"firmware", "firmware.board", "gc", "sys", "switch"}
    for name in imports(place, source):
        if name not in allowed:
            yield f"imports {name}"
    if len(source.splitlines()) > 12:
        yield "is longer than a start is"


def modules_are_short(place, source):
    lines = len(source.splitlines())
    if lines > MODULE_LINES:
        yield f"has {lines} lines"


# One loop that codes a column, twice: as machine code and as bytecode. A call inside it costs more
# than all that it does (lib/frame/loops.py says how the two are chosen).
LONG_ON_PURPOSE = {("lib/frame/_fast.py", "column"), ("lib/frame/_plain.py", "column")}


def functions_are_short(place, source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES and (place, node.name) not in LONG_ON_PURPOSE:
                yield f"{node.name}() has {lines} lines"


def modules_say_what_they_are(place, source):
    if not ast.get_docstring(ast.parse(source)):
        yield "has no docstring"


def engines_offer_the_contract(place, source):
    """docs: receive, on_timer, deadline, next_out, next_event."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and node.name == "Engine":
            methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
            for name in ("receive", "on_timer", "deadline", "next_out", "next_event"):
                if name not in methods:
                    yield f"Engine has no {name}()"


def nothing_is_left_to_do(place, source):
    for number, line in enumerate(source.splitlines(), 1):
        if any(mark in line for mark in ("TO" + "DO", "FIX" + "ME", "XX" + "X")):
            yield f"line {number}: {line.strip()}"


DEVICE = ("lib/**/*.py", "firmware/**/*.py", "boot.py", "main.py")
ALL = (*DEVICE, "tools/**/*.py")
CHECKS = {
    libraries_know_only_libraries: ("lib/**/*.py",),
    cores_touch_nothing_outside: ("lib/**/*.py",),
    the_application_knows_no_host: ("firmware/**/*.py", "boot.py", "main.py"),
    the_host_knows_no_application: ("tools/**/*.py",),
    parts_know_only_data: ("firmware/**/*.py",),
    only_composers_know_many_parts: ("firmware/**/*.py",),
    the_start_is_short: ("boot.py", "main.py"),
    modules_are_short: ALL,
    functions_are_short: ALL,
    modules_say_what_they_are: (*ALL, "host_tests/**/*.py"),
    engines_offer_the_contract: ("lib/**/*.py",),
    nothing_is_left_to_do: (*ALL, "host_tests/**/*.py"),
}


def files(patterns):
    found = itertools.chain.from_iterable(ROOT.glob(pattern) for pattern in patterns)
    return sorted(path for path in found if "__pycache__" not in path.parts)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house(check):
    paths = files(CHECKS[check])
    assert paths, "there is nothing to check"
    complaints = []
    for path in paths:
        place = path.relative_to(ROOT).as_posix()
        complaints += [f"{place} {what}" for what in check(place, path.read_text("utf-8"))]
    assert not complaints, "\n".join(complaints)


# ---- that each check can fail

LONG = "def f():\n" + "    x = 1\n" * 40
DECORATED = "@a\n@b\ndef f():\n" + "    x = 1\n" * 39
BROKEN = [
    (libraries_know_only_libraries, "lib/a.py", "import firmware"),
    (libraries_know_only_libraries, "lib/a.py", "def f():\n    from petrel.run import x"),
    (libraries_know_only_libraries, "lib/pkg/a.py", "from firmware.log import log"),
    (cores_touch_nothing_outside, "lib/a.py", "import socket"),
    (cores_touch_nothing_outside, "lib/a.py", "def f():\n    from asyncio import core"),
    (cores_touch_nothing_outside, "lib/a.py", "import tcp"),
    (cores_touch_nothing_outside, "lib/a.py", "from time import ticks_ms"),
    (cores_touch_nothing_outside, "lib/a.py", "def f():\n    return open('x')"),
    (the_application_knows_no_host, "firmware/a.py", "import petrel.broker"),
    (the_application_knows_no_host, "main.py", "from host_tests import chip"),
    (the_host_knows_no_application, "tools/petrel/a.py", "from firmware import config_rules"),
    (the_host_knows_no_application, "tools/petrel/a.py", "import host_tests.peer"),
    (parts_know_only_data, "firmware/links/a.py", "from ..uplink import Uplink"),
    (parts_know_only_data, "firmware/links/a.py", "from firmware import outbox"),
    (parts_know_only_data, "firmware/sensors/a.py", "from .. import app"),
    (parts_know_only_data, "firmware/sensors/a.py", "import firmware.sampler"),
    (parts_know_only_data, "firmware/payloads/a.py", "from ..links import M"),
    (parts_know_only_data, "firmware/board/a.py", "from ..outbox import O"),
    (parts_know_only_data, "firmware/sampler.py", "from .outbox import Outbox"),
    (parts_know_only_data, "firmware/outbox.py", "from . import uplink"),
    (parts_know_only_data, "firmware/uplink.py", "from .sampler import S"),
    (parts_know_only_data, "firmware/uplink.py", "__import__('firmware.app')"),
    (
        parts_know_only_data, "firmware/links/__init__.py",
        "def f(n):\n    return __import__('firmware.sensors.' + n)",
    ),
    (only_composers_know_many_parts, "firmware/identity.py", "from .links import Message"),
    (the_start_is_short, "boot.py", "import network"),
    (the_start_is_short, "main.py", "import json"),
    (the_start_is_short, "main.py", "x = 1\n" * 13),
    (modules_are_short, "lib/a.py", "x = 1\n" * 351),
    (functions_are_short, "lib/a.py", LONG),
    (functions_are_short, "lib/a.py", "class A:\n" + textwrap.indent(LONG, "    ")),
    (functions_are_short, "lib/a.py", "async " + LONG),
    (modules_say_what_they_are, "lib/a.py", "x = 1"),
    (engines_offer_the_contract, "lib/a.py", "class Engine:\n    def receive(self): pass"),
    (nothing_is_left_to_do, "lib/a.py", "x = 1  # TO" + "DO: more"),
]
FINE = [
    (libraries_know_only_libraries, "lib/a.py", "from ticks import ticks_ms\nimport umqtt.simple"),
    (cores_touch_nothing_outside, "lib/tcp.py", "import socket"),
    (cores_touch_nothing_outside, "lib/ticks.py", "from time import ticks_ms"),
    (the_application_knows_no_host, "firmware/a.py", "from ring import RingQueue"),
    (the_host_knows_no_application, "tools/petrel/a.py", "import scaled"),
    (the_host_knows_no_application, MEASURED_INSIDE + "a.py", "import firmware.outbox"),
    (parts_know_only_data, "firmware/links/umqtt.py", "from . import LinkError"),
    (parts_know_only_data, "firmware/uplink.py", "from .links import LinkError"),
    (parts_know_only_data, "firmware/assemble.py", "from .uplink import Uplink"),
    (only_composers_know_many_parts, "firmware/health.py", "from .identity import compact"),
    (modules_are_short, "lib/a.py", "x = 1\n" * 350),
    (functions_are_short, "lib/a.py", DECORATED),
]


@pytest.mark.parametrize("check, place, source", BROKEN, ids=lambda value: "")
def test_a_broken_rule_is_noticed(check, place, source):
    assert list(check(place, source))


@pytest.mark.parametrize("check, place, source", FINE, ids=lambda value: "")
def test_what_is_allowed_is_not_complained_of(check, place, source):
    assert not list(check(place, source))


def test_every_check_can_fail():
    assert {check for check, *_ in BROKEN} == set(CHECKS)


# ---- the libraries stand alone


def test_the_cores_run_on_cpython_without_anything_of_ours():
    cores = sorted(LIBRARIES - {PurePosixPath(edge).stem for edge in EDGES} - {"umqtt_engine"})
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'lib')!r}); import {', '.join(cores)}"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_edges_are_what_they_are_called():
    """An edge that is none any more should leave the list."""
    for place in EDGES:
        names = {name.split(".")[0] for name in imports(place, (ROOT / place).read_text("utf-8"))}
        assert names & {"asyncio", "socket", "os", "wake", "tls", "io"}, place


def test_what_runs_on_the_device_is_not_imported_by_the_host():
    package = MEASURED_INSIDE.removeprefix("tools/").rstrip("/").replace("/", ".")
    for path in files(["tools/**/*.py"]):
        place = path.relative_to(ROOT).as_posix()
        for name in imports(place, path.read_text("utf-8")):
            name = name.removeprefix("tools.")
            assert not within(name, package) or place.startswith(MEASURED_INSIDE), place
