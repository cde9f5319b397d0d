"""A stand-in board with one driver on it."""

import errno

import pytest

from host_tests.chip import Chip, Raised

_ABSENT = {"esp32": errno.ENODEV, "rp2": errno.EIO}
_TIMED_OUT = {"esp32": 116, "rp2": 110}  # newlib's and MicroPython's own


class Bench:
    """Sensors on a stand-in board; `call` reaches the functions of on_device/sensing.py."""

    def __init__(self, chip, port):
        self.chip, self.port = chip, port
        self.call = chip.call
        self.absent, self.timed_out = str(_ABSENT[port]), str(_TIMED_OUT[port])

    def start(self, case):
        """Put the case's chip on the bus and make its sensor; returns its channels."""
        self.call("forget")
        self.call("put", "it", case.chip[0], case.address, *case.chip[1:])
        channels = self.call("make", case.entry)
        self.keys = [key for key, *_ in channels]
        if case.restarts:
            assert self.take() == dict.fromkeys(self.keys)
            self.call("wait", 5000)
        return channels

    def take(self, number=0, **how):
        """A reading: {quantity: value}."""
        values, self.waited_ms = self.call(
            "take", number, how.get("hurry_ms", 0), how.get("between")
        )
        return dict(zip(self.keys, values, strict=True))

    def failure(self, **how):
        """What taking a reading raises."""
        with pytest.raises(Raised) as raised:
            self.take(**how)
        return raised.value


_chips = {}


@pytest.fixture(params=["esp32", "rp2"])
def port(request):
    return request.param


@pytest.fixture(params=["64-bit", "32-bit"])
def bench(request, port):
    """One process for each board and word size, for all tests."""
    key = (request.param, port)
    if key not in _chips:
        _chips[key] = Chip("sensing", request.param, PETREL_PORT=port)
    bench = Bench(_chips[key], port)
    bench.call("forget")
    return bench


@pytest.fixture(scope="session", autouse=True)
def _end():
    yield
    while _chips:
        _chips.popitem()[1].__exit__()
