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


def wait_for_socket(port):
    """Until somebody has `port`, who may answer nothing."""
    end = time.monotonic() + _LIMIT_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.1)
        sock.connect(("127.0.0.1", port))
        while time.monotonic() < end:
            try:
                sock.send(b"\0")
                sock.recv(100)
            except TimeoutError:
                return
            except OSError:
                time.sleep(0.02)
    raise TimeoutError(f"nobody at port {port}")


def wait_for_server(port):
    """Until whoever is at `port` answers a CoAP ping."""
    end = time.monotonic() + _LIMIT_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.1)
        sock.connect(("127.0.0.1", port))
        while time.monotonic() < end:
            try:
                sock.send(b"\x40\0\0\1")
                if sock.recv(100) == b"\x70\0\0\1":
                    return
            except OSError:
                time.sleep(0.05)
    raise TimeoutError(f"no CoAP server at port {port}")
