"""What the parts of gateway.toml are made of, and checked with."""

import dataclasses
import ipaddress
from urllib.parse import urlsplit

from petrel.errors import Misuse


def limited(default, least, most):
    """A whole number from `least` to `most`."""
    return dataclasses.field(default=default, metadata={"range": (least, most)})


def one_of(*choices):
    """One of some texts; the first is the default."""
    return dataclasses.field(default=choices[0], metadata={"choices": choices})


def is_loopback(host):
    """Whether nothing but this machine is at `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_address(place, url, plain, secure):
    """Raises Misuse unless `url` is an address of scheme `plain` on this machine, or `secure`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Misuse(f"{place}: {error}") from error
    if parts.scheme not in (plain, secure) or not host:
        raise Misuse(f"{place}: no {plain}://user:password@host/ address")
    if parts.scheme == plain and not is_loopback(host):
        raise Misuse(f"{place}: {host} is another machine: write {secure}://")
    return host
