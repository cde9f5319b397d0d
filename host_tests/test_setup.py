"""`petrel.setup`: is nothing fetched twice, nothing trusted blindly, and everything named that is
missing?

No test here needs a network: registries and indexes are folders and servers of the test's own.
"""

import hashlib
import http.server
import io
import json
import os
import tarfile
import threading
import time
from pathlib import Path

import pytest

from petrel import runtime
from petrel.setup import (
    PassedOver,
    SetupError,
    apt,
    mosquitto,
    pipconfig,
    port,
    port32,
    umqtt,
    umqtt_current,
)

SIMPLE = b"class MQTTClient:\n    pass\n"


# ---- umqtt.simple from a registry


def test_pips_settings_are_read_as_pip_ranks_them():
    listing = (
        "global.index-url='https://a.example/simple'\n"
        "global.extra-index-url='https://b.example/simple\\nhttps://c.example/simple'\n"
        "install.index-url='https://install.example'\n"
        ":env:.index-url='https://env.example/simple'\n"
    )
    assert pipconfig.parse(listing) == {
        "index-url": "https://env.example/simple",
        "extra-index-url": "https://b.example/simple\nhttps://c.example/simple",
    }


def test_the_finder_looks_where_pip_looks(monkeypatch, tmp_path):
    settings = {
        "index-url": "https://a.example/simple",
        "extra-index-url": "https://b.example/simple https://c.example/simple",
        "find-links": f"{tmp_path} {tmp_path}/missing",
    }
    monkeypatch.setattr(pipconfig, "read", lambda: settings)
    found = [source["url"] for source in pipconfig.finder().sources]
    hosts = [f"https://{name}.example/simple" for name in "abc"]
    assert found == [*hosts, str(tmp_path)]
    settings["no-index"] = "1"
    assert [source["url"] for source in pipconfig.finder().sources] == [str(tmp_path)]


@pytest.fixture
def registry(monkeypatch, tmp_path):
    """A registry that holds an archive of umqtt.simple; returns the archive."""
    monkeypatch.setattr(umqtt, "BUILD", tmp_path / "build")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    archive = tmp_path / "micropython-umqtt.simple-1.3.4.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        info = tarfile.TarInfo("micropython-umqtt.simple-1.3.4/umqtt/simple.py")
        info.size = len(SIMPLE)
        tar.addfile(info, io.BytesIO(SIMPLE))
    return archive


def test_umqtt_is_taken_from_the_archive_with_the_pinned_hash(registry, monkeypatch):
    monkeypatch.setattr(umqtt, "SHA256", hashlib.sha256(registry.read_bytes()).hexdigest())
    assert umqtt.provide() == "build/umqtt/1.3.4"
    assert (umqtt.BUILD / "umqtt/1.3.4/umqtt/simple.py").read_bytes() == SIMPLE
    registry.unlink()
    assert umqtt.provide() == "build/umqtt/1.3.4"  # and not fetched again


def test_an_archive_with_another_hash_is_refused(registry):
    with pytest.raises(SetupError, match="with the pinned hash; `pip config list` shows"):
        umqtt.provide()
    assert not (umqtt.BUILD / "umqtt/1.3.4").exists()


def test_no_registry_is_one_line(registry):
    registry.unlink()
    with pytest.raises(SetupError, match=r"umqtt\.simple==1\.3\.4"):
        umqtt.provide()


# ---- umqtt.simple from MicroPython's index


@pytest.fixture
def index(monkeypatch, tmp_path):
    """MicroPython's package index, on this machine: {path: content}."""
    digest = hashlib.sha256(SIMPLE).hexdigest()[:8]
    package = {"version": "1.9.2", "hashes": [["umqtt/simple.py", digest]]}
    files = {
        "/package/py/umqtt.simple/latest.json": json.dumps(package).encode(),
        f"/file/{digest[:2]}/{digest}": SIMPLE,
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path in files else 404)
            self.end_headers()
            self.wfile.write(files.get(self.path, b""))

        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr("mpremote.mip._PACKAGE_INDEX", address)
        monkeypatch.setattr(umqtt_current, "BUILD", tmp_path)
        yield files
        server.shutdown()


def test_the_current_umqtt_comes_with_its_version(index, monkeypatch):
    assert umqtt_current.provide() == "1.9.2"
    monkeypatch.setattr(runtime, "BUILD", umqtt_current.BUILD)
    assert "1.9.2" in runtime.umqtt_folders()
    index.clear()
    assert umqtt_current.provide() == "1.9.2"  # and not fetched again


@pytest.mark.parametrize("damage", [b"class MQTTClient: evil", b""])
def test_a_file_that_does_not_fit_its_hash_is_refused(index, damage):
    index.update({path: damage for path in index if path.startswith("/file/")})
    with pytest.raises(PassedOver, match="MicroPython's index: ValueError"):
        umqtt_current.provide()
    assert not (umqtt_current.BUILD / "umqtt").exists()


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b"{}", b'{"version": "../..", "hashes": []}']
)
def test_an_index_that_is_none_is_passed_over(index, answer):
    index["/package/py/umqtt.simple/latest.json"] = answer
    with pytest.raises(PassedOver, match="MicroPython's index: "):
        umqtt_current.provide()


def test_an_index_that_hangs_is_passed_over_in_time(index, monkeypatch):
    monkeypatch.setattr(umqtt_current, "LIMIT_S", 0.2)
    monkeypatch.setattr(umqtt_current, "_download", lambda: time.sleep(2))
    began = time.monotonic()
    with pytest.raises(PassedOver, match=r"did not answer within 0\.2 s"):
        umqtt_current.provide()
    assert time.monotonic() - began < 1


# ---- the runtimes


def test_no_micropython_stops_the_set_up(monkeypatch):
    def none():
        raise runtime.RuntimeError_("no MicroPython here")

    monkeypatch.setattr(runtime, "find_runtime", none)
    with pytest.raises(SetupError, match="no MicroPython here"):
        port.provide()


@pytest.mark.parametrize(
    "variables, distribution, error",
    [
        ({}, "debian", PassedOver),
        ({"CI": "true"}, "debian", SetupError),
        ({"CI": "true"}, "fedora", PassedOver),
        ({"PETREL_REQUIRE_32BIT": "1"}, "fedora", SetupError),
    ],
)
def test_no_32_bit_port_is_an_error_only_where_it_is_required(
    monkeypatch, tmp_path, variables, distribution, error
):
    for name in ("CI", "PETREL_REQUIRE_32BIT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def unreachable(*_, **__):
        raise apt.AptError("apt-get: no network")

    monkeypatch.setattr(port32, "BUILD", tmp_path)
    monkeypatch.setattr(port32, "FOLDER", tmp_path / "micropython-i386")
    monkeypatch.setattr(apt, "system", lambda: (distribution, "codename"))
    monkeypatch.setattr(apt, "download", unreachable)
    with pytest.raises(error) as raised:
        port32.provide()
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


# ---- apt's sources

DEB822 = """\
# A comment
Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb
# A comment inside
URIs: http://archive.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 xsFNBGPL0BUBEADmW5NdOOHwPIJlgPu6JDcKw/NZJPR8lsD3K87ZM18gzyQZD+w+
 -----END PGP PUBLIC KEY BLOCK-----
"""

ONE_LINE = """\
# deb http://comment.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] http://archive.example/debian bookworm main
"""


@pytest.mark.parametrize("name, text", [("a.sources", DEB822), ("a.list", ONE_LINE)])
def test_the_archives_address_and_key_are_the_machines_own(tmp_path, name, text):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / name).write_text(text)
    source = apt.main_source("bookworm", tmp_path)
    assert source["uris"] == "http://archive.example/debian"
    stanza = apt._stanza(source, "trixie", "i386")
    assert "Suites: trixie\nComponents: main\nArchitectures: i386\nSigned-By:" in stanza
    assert apt.main_source("bookworm", tmp_path) == apt.main_source("other", tmp_path)


def test_a_key_inside_the_sources_is_copied_whole(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "a.sources").write_text(DEB822)
    stanza = apt._stanza(apt.main_source("bookworm", tmp_path), "trixie", "i386")
    assert stanza.endswith(DEB822[DEB822.rindex("Signed-By:") :])


def test_no_sources_at_all(tmp_path):
    assert apt.main_source("bookworm", tmp_path) is None
    assert apt.system(tmp_path / "os-release") == ("", "")


# ---- Mosquitto


@pytest.mark.parametrize(
    "programs, user, expected",
    [
        (["apt-get"], 0, [["apt-get", "update"], ["apt-get", "install"]]),
        (["apt-get"], 1000, []),
        (["apt-get", "sudo"], 1000, [["sudo", "-n", "apt-get", "update"]]),
        (["brew"], 1000, [["brew", "install", "mosquitto"]]),
        ([], 0, []),
    ],
)
def test_mosquitto_is_installed_only_where_nothing_is_asked(
    monkeypatch, tmp_path, programs, user, expected
):
    for name in programs:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    found = mosquitto.installers()
    assert [command[: len(start)] for command, start in zip(found, expected, strict=False)] == (
        expected
    )
    assert bool(found) == bool(expected)


def test_without_mosquitto_the_demos_fallback_is_named(monkeypatch):
    monkeypatch.setattr(mosquitto, "find_mosquitto", lambda: None)
    monkeypatch.setattr(mosquitto, "installers", list)
    with pytest.raises(PassedOver, match=r"demo will use .* amqtt; for the tests type: "):
        mosquitto.provide()
    monkeypatch.setattr(mosquitto, "find_mosquitto", lambda: Path("/usr/sbin/mosquitto"))
    assert mosquitto.provide() == "/usr/sbin/mosquitto"
