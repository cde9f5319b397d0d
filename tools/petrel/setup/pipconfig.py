"""Where pip of this machine looks for packages, for what pip itself cannot fetch."""

import ast
import os
import ssl
import subprocess
import sys
from pathlib import Path

_SCOPES = ("global.", "download.", ":env:.")  # The later wins, as in pip.
_DEADLINE_S = 60


def read():
    """pip's settings, from its files and its PIP_ variables: {"index-url": "...", ...}."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S)
    return parse(done.stdout)


def parse(listing):
    """The lines `scope.name='value'` of `pip config list`."""
    settings = {}
    for scope in _SCOPES:
        for line in listing.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(scope):
                settings[name[len(scope) :]] = ast.literal_eval(value)
    return settings


def finder():
    """An unearth.PackageFinder that looks where pip looks, and trusts whom pip trusts."""
    from unearth import PackageFinder
    from unearth.auth import MultiDomainBasicAuth

    settings = read()
    session = _session(settings)
    index = [settings["index-url"]] if "index-url" in settings else []
    # Without an index of its own it takes the public one, as pip does.
    found = PackageFinder(session, index_urls=index)  # pyright: ignore[reportArgumentType]
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        found.sources.clear()
    else:
        for url in settings.get("extra-index-url", "").split():
            found.add_index_url(url)
    for place in settings.get("find-links", "").split():
        path = Path(place).expanduser()
        if "://" in place or path.exists():
            found.add_find_links(place if "://" in place else os.fspath(path))
    urls = [source["url"] for source in found.sources if source["type"] == "index"]
    session.auth = MultiDomainBasicAuth(prompting=False, index_urls=urls)
    return found


def _session(settings):
    from unearth.fetchers.sync import PyPIClient

    cert = settings.get("cert")
    return PyPIClient(
        trusted_hosts=settings.get("trusted-host", "").split(),
        verify=ssl.create_default_context(cafile=cert) if cert else True,
        cert=settings.get("client-cert"),
        proxy=settings.get("proxy"),
        timeout=float(settings.get("timeout", settings.get("default-timeout", 30))),
        follow_redirects=True,
    )
