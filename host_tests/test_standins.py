"""The stand-in boards (host_tests/boards) do what the ports' C files do, where that differs from
the Unix port.
"""

import socket

import pytest

from host_tests.chip import Chip

NUMBERS = {  # newlib's, and those of py/mperrno.h
    "esp32": {"EINPROGRESS": 119, "EISCONN": 127, "refused": 128, "EHOSTUNREACH": 118,
              "ETIMEDOUT": 116, "no socket": 23},
    "rp2": {"EINPROGRESS": 115, "EISCONN": 106, "refused": 9, "EHOSTUNREACH": 113,
            "ETIMEDOUT": 110, "no socket": 12},
}


@pytest.fixture(scope="module", params=["esp32", "rp2"])
def port(request):
    return request.param


@pytest.fixture(scope="module")
def chip(port):
    with Chip("standing", heap="4M", PETREL_PORT=port) as chip:
        yield chip


@pytest.fixture
def silent():
    """The port of a listener that never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_time(chip, port):
    told = chip.call("clock")
    assert told["platform"] == port
    assert told["epoch"] == (2000 if port == "esp32" else 1970)
    assert told["at_power_on"] == ([2000, 1, 1] if port == "esp32" else [2021, 1, 1])
    assert told["type"] == "int"
    assert told["set"] == [2026, 3, 1, 12, 0]
    assert told["back"] == [2026, 2, 28, 23, 59, 58]
    assert told["float"] == 1764000000.0 or told["float"] % 128 == 0, "32 bits"


def test_the_watchdog_s_longest_period(chip, port):
    too_long = ["ValueError", "timeout exceeds 8388"]
    expected = [None] * 3 if port == "esp32" else [None, too_long, too_long]
    assert chip.call("watchdogs") == expected


def test_setblocking_erases_a_timeout(chip, port, silent):
    error, took_ms, timeout = chip.call("blocking", silent)
    assert error == ["OSError", NUMBERS[port]["ETIMEDOUT"]]
    assert took_ms >= 200
    assert timeout is None


def test_a_socket_keeps_four_datagrams(chip):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    assert chip.call("datagrams", 7, number) == [0, 1, 2, 3]


def test_a_second_connect_tells_how_the_first_ended(chip, port, silent):
    number = NUMBERS[port]
    assert chip.call("connecting", silent) == [
        ["OSError", number["EINPROGRESS"]], ["OSError", number["EISCONN"]],
        ["OSError", number["EINPROGRESS"]], ["OSError", number["refused"]],
        ["OSError", number["EHOSTUNREACH"]],
    ]


def test_sockets_and_memory_come_to_an_end(chip, port):
    count, none_left, no_memory = chip.call("sockets")
    assert 8 <= count <= 16
    assert none_left == ["OSError", NUMBERS[port]["no socket"]]
    assert no_memory == ["OSError", 12]


def test_the_driver_s_statuses(chip, port):
    idle, again, failed, meanwhile, end = chip.call("wlan")
    if port == "esp32":
        assert (idle, failed, end) == (1000, 201, 1010)
        assert again == ["OSError", "Wifi Internal Error"]
        assert meanwhile == 201, "the last failure is told until there is an address"
    else:
        assert (idle, failed, meanwhile, end) == (0, -2, 1, 3)
