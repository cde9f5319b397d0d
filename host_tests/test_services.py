"""`make setup-services`: is what is there left alone, and what can't be had named?"""

import os
import subprocess

import pytest

from petrel.setup import mosquitto, services
from petrel.setup.services import Service


@pytest.fixture
def rabbit():
    """A service that is found once `there` is not empty."""
    there = []
    service = Service("Rabbit", lambda: there[0] if there else None, "rabbit-deb", "rabbit-brew",
                      ("rabbit.service",))
    return service, there


def test_what_is_there_is_not_installed(rabbit, monkeypatch):
    service, there = rabbit
    there.append("/usr/bin/rabbit")
    assert services.provide([service], lambda command: pytest.fail(str(command))) == []


def test_what_is_missing_is_installed_and_started_by_nobody(rabbit, monkeypatch):
    service, there = rabbit
    monkeypatch.setattr(mosquitto, "rights", list)
    monkeypatch.setattr(services.shutil, "which", lambda name: f"/usr/bin/{name}")
    commands = []

    def install(command):
        commands.append(command)
        there.append("/usr/bin/rabbit")
        return 0, ""

    assert services.provide([service], install) == []
    ((shell, _, script),) = commands
    assert shell == "sh" and "install --no-install-recommends rabbit-deb" in script
    assert "for unit in rabbit.service;" in script and "policy-rc.d" in script
    assert subprocess.run(["sh", "-n"], input=script, text=True, timeout=10).returncode == 0


def test_what_cannot_be_had_is_named_with_the_line_to_type(rabbit, monkeypatch, capsys):
    service, _ = rabbit
    monkeypatch.setattr(services, "SERVICES", (service,))
    monkeypatch.setattr(services, "provide", lambda: [service])
    monkeypatch.setattr(services.sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert services.main() == 1
    assert capsys.readouterr().err == (
        "set-up: not here: Rabbit; the tests that need them are skipped; type: "
        "sudo apt-get update && sudo apt-get install -y rabbit-deb\n")


def test_without_rights_nothing_is_tried(rabbit, monkeypatch):
    service, _ = rabbit
    monkeypatch.setattr(mosquitto, "rights", lambda: None)
    assert services.provide([service], lambda command: pytest.fail(str(command))) == [service]


def test_a_failed_installation_is_one_line(rabbit, monkeypatch, capsys):
    service, _ = rabbit
    monkeypatch.setattr(services, "_installer",
                        lambda missing: ["sh", "-c", "echo a; echo E: no such package; exit 100"])
    assert services.provide([service]) == [service]
    assert capsys.readouterr().err == "set-up: sh: E: no such package\n"
