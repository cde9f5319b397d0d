"""Ports for UDP servers, and whether one answers."""

import random
import socket
import time

_LIMIT_S = 10


def free_port():
    """Below those that the system gives to whoever asks for any."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind(("127.0.0.1", port))
                return port
        except OSError:
            continue


def wait_for_server(port):
    """Until whoever is at `port` answers a CoAP ping."""
    wait_for_socket(port, b"\x40\0\0\1", b"\x70\0\0\1")


def wait_for_socket(port, word=b"\0", answer=None):
    """Until somebody has `port`, who may answer nothing; or until the `answer` to `word` comes."""
    end = time.monotonic() + _LIMIT_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.1)
        sock.connect(("127.0.0.1", port))
        while time.monotonic() < end:
            try:
                sock.send(word)
                if sock.recv(100) == answer or answer is None:
                    return
            except TimeoutError:
                if answer is None:
                    return
            except OSError:
                time.sleep(0.02)
    raise TimeoutError(f"nobody at port {port}")
