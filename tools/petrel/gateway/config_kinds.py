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
    """The host; raises Misuse unless `url` is of scheme `plain` on this machine, or `secure`."""
    parts = address_of(place, url, (plain, secure), f"no {plain}://user:password@host/ address")
    if parts.scheme == plain and not is_loopback(parts.hostname):
        raise Misuse(f"{place}: {parts.hostname} is another machine: write {secure}://")
    return parts.hostname


def address_of(place, url, schemes, wrong):
    """The parts of a URL with a host; raises Misuse, with `wrong` for one of another scheme."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Misuse(f"{place}: {error}") from error
    if parts.scheme not in schemes or not host:
        raise Misuse(f"{place}: {wrong}")
    return parts
