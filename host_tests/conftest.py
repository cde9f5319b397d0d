"""Fixtures: a broker, a fault proxy before it, a receiver behind it, devices, certificates.

`make test` runs the tests several at a time, and then those marked `alone` one by one.

When a test fails, the logs of its devices and brokers and its seed are printed with it.
"""

import contextlib
import gc
import itertools
import os
import random
import signal

import hypothesis
import pytest

from host_tests.faults.tcp import FaultProxy
from host_tests.harness.certificates import Certificates
from host_tests.harness.device import Device
from host_tests.harness.receiver import Receiver
from petrel import broker
from petrel.broker import BrokerError, Mosquitto
from petrel.runtime import umqtt_folders

_EVIDENCE = pytest.StashKey[list]()  # of (title, function that returns the text)
_LOG_BYTES = 20000  # of each log, its end
_FIGURES = "figure: "

# How long an example takes is the machine's affair, and says nothing about the code.
hypothesis.settings.register_profile("petrel", deadline=None, print_blob=True)
hypothesis.settings.load_profile("petrel")


def pytest_addoption(parser):
    parser.addoption(
        "--phase", choices=("together", "alone"),
        help="only the tests that may run beside others, or only those marked `alone`",
    )


def pytest_configure(config):
    for number in (signal.SIGINT, signal.SIGHUP):  # ignored under nohup, and so by every child
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    config.addinivalue_line("markers", "long: takes more than 10 s; `-m 'not long'` leaves it out")
    config.addinivalue_line("markers", "soak: for `make soak` alone")
    config.addinivalue_line("markers", "alone: measures time, and wants the machine for itself")
    _take_own_ports()


def _take_own_ports():
    """Tests side by side never choose the same port, even while its broker is down."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    broker.PORTS = broker.PORTS[worker::workers]


def pytest_collection_modifyitems(config, items):
    """What takes minutes runs with `make soak` alone; `make test` has two phases."""
    phase = config.getoption("phase")

    def unwanted(item):
        if item.get_closest_marker("soak") and not os.environ.get("PETREL_SOAK"):
            return True
        return phase and phase != ("alone" if item.get_closest_marker("alone") else "together")

    config.hook.pytest_deselected(items=[item for item in items if unwanted(item)])
    items[:] = [item for item in items if not unwanted(item)]


def pytest_generate_tests(metafunc):
    """A test that asks for `umqtt` runs with each version of umqtt.simple at hand."""
    if "umqtt" in metafunc.fixturenames:
        versions = list(umqtt_folders())
        none = pytest.param(None, marks=pytest.mark.skip("no umqtt.simple here; try: make setup"))
        metafunc.parametrize("umqtt", versions or [none])


def pytest_collection_finish():
    """The device's code calls gc.collect(), which would look through 4,000 tests each time."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.failed:
        for title, text in item.stash.get(_EVIDENCE, []):
            report.sections.append((title, text()[-_LOG_BYTES:] or "(empty)"))
    return report


def pytest_terminal_summary(terminalreporter):
    """What `figure` kept, of every worker."""
    lines = []
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        test = report.nodeid.rpartition("::")[2]
        for name, value in report.user_properties:
            if report.when == "call" and name.startswith(_FIGURES):
                lines.append(f"{test}: {name.removeprefix(_FIGURES)} {value}")
    if lines:
        terminalreporter.section("measured end to end")
        terminalreporter.write_line("\n".join(sorted(lines)))


@pytest.fixture
def figure(record_property):
    """Keeps what a test measured, to be printed at the end: figure("latest reading", 3, "ms")."""
    return lambda name, value, unit: record_property(_FIGURES + name, f"{value} {unit}")


@pytest.fixture
def evidence(request):
    """Call it with a title and a function: the text it returns is printed if the test fails."""
    kept = request.node.stash.setdefault(_EVIDENCE, [])
    return lambda title, text: kept.append((title, text))


@pytest.fixture
def seed(evidence):
    """A number for all that is random in a test; PETREL_SEED=N runs it again with the same."""
    number = int(os.environ.get("PETREL_SEED") or random.SystemRandom().getrandbits(32))
    evidence("seed", lambda: f"run it again with PETREL_SEED={number}")
    random.seed(number)
    return number


@pytest.fixture
def start_mosquitto(tmp_path, evidence):
    """Starts a Mosquitto with the options of petrel.broker.Mosquitto; ended with the test."""
    with contextlib.ExitStack() as stack:
        numbers = itertools.count(1)

        def start(**options):
            folder = tmp_path / f"mosquitto-{next(numbers)}"
            broker = Mosquitto(folder, **options)
            evidence(folder.name, lambda: _text_of(broker.log))
            try:
                return stack.enter_context(broker)
            except BrokerError as error:
                pytest.fail(str(error), pytrace=False)

        yield start


@pytest.fixture
def mosquitto(start_mosquitto):
    """A plain Mosquitto."""
    return start_mosquitto()


@pytest.fixture
def proxy(mosquitto, evidence):
    """A FaultProxy before `mosquitto`."""
    with FaultProxy(mosquitto.port) as proxy:
        evidence("proxy", proxy.summary)
        yield proxy


@pytest.fixture
def receiver(mosquitto, evidence):
    """A Receiver at `mosquitto` itself, past the proxy."""
    with Receiver(mosquitto.port) as receiver:
        evidence("receiver", receiver.summary)
        yield receiver


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Certificates, made once a session."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def device(tmp_path, evidence):
    """Starts devices: device(config, name=..., flags=...); the rest as harness.device.Device.

    What still runs after the test is killed.
    """
    with contextlib.ExitStack() as stack:
        numbers = itertools.count(1)

        def start(config, name=None, **options):
            name = name or f"device-{next(numbers)}"
            made = stack.enter_context(Device(tmp_path, config, name, **options, start=False))
            evidence(f"log of {name}", lambda: "\n".join(made.logs()))
            return made.start()

        yield start


def _text_of(path):
    return path.read_text(errors="replace") if path.exists() else ""
