"""A private view of this machine's package archive: another suite, another architecture.

Nothing of the system is changed and no rights are needed; the archive's address and its key are
those of the machine's own sources, in either of their forms (sources.list(5)).
"""

import os
import re
import subprocess
from email.parser import Parser
from pathlib import Path

_ETC = Path("/etc/apt")
_DEADLINE_S = 300
_COPIED = ("signed-by", "trusted", "check-valid-until")


class AptError(Exception):
    """One line: what apt-get said."""


def system(os_release=Path("/etc/os-release")):
    """(ID, VERSION_CODENAME) of this system, empty where it is not told."""
    text = os_release.read_text() if os_release.exists() else ""
    facts = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return facts.get("ID", ""), facts.get("VERSION_CODENAME", "")


def main_source(codename, etc=_ETC):
    """The machine's source for its own release: {"uris", "suites", "components", ...}, or None."""
    known = [source for source in _sources(etc) if "main" in source["components"].split()]
    plain = [s for s in known if not re.search(r"-security|-backports|/", s["suites"])]
    own = [source for source in known if codename in source["suites"].split()]
    return next(iter(own or plain), None)


def _sources(etc):
    """Every enabled binary source, as a dictionary of its fields, names in small letters."""
    folder = etc / "sources.list.d"
    for path in [etc / "sources.list", *sorted(folder.glob("*.list"))]:
        if path.exists():
            yield from _one_line_form(path.read_text(errors="replace"))
    for path in sorted(folder.glob("*.sources")):
        yield from _deb822_form(path.read_text(errors="replace"))


def _one_line_form(text):
    """deb [option=value ...] uri suite component ..."""
    form = r"^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:[ \t]+[^#\s]\S*)*)"
    for options, uri, suite, components in re.findall(form, text, re.MULTILINE):
        source = {"uris": uri, "suites": suite, "components": components}
        yield source | dict(re.findall(r"([\w-]+)=(\S+)", options))


def _deb822_form(text):
    """Stanzas of `Field: value`, where a value may go on in indented lines."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = {name.lower(): value for name, value in Parser().parsestr(stanza.strip()).items()}
        enabled = fields.get("enabled", "yes").strip().lower() not in ("no", "false", "0")
        if enabled and "deb" in fields.get("types", "").split() and "components" in fields:
            yield {"uris": "", "suites": "", **fields}


def download(package, *, source, suite, architecture, folder):
    """Fetches `package` and all it depends on; returns the .deb files. Raises AptError."""
    for name in ("lists/partial", "archives/partial", "sources"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    (folder / "sources" / "petrel.sources").write_text(_stanza(source, suite, architecture))
    options = _options(folder, architecture)
    _apt_get([*options, "update"])
    _apt_get([*options, "install", "--yes", "--download-only", package])
    return sorted((folder / "archives").glob("*.deb"))


def _stanza(source, suite, architecture):
    # A component list may hold more than the archive's other suites have; two are enough.
    components = [name for name in source["components"].split() if name in ("main", "universe")]
    fields = {
        "Types": "deb",
        "URIs": source["uris"],
        "Suites": suite,
        "Components": " ".join(components),
        "Architectures": architecture,
    }
    fields |= {name.title(): source[name] for name in _COPIED if name in source}
    # A key may stand in the field itself, on the lines after its name.
    return "".join(f"{name}: {value}\n".replace(": \n", ":\n") for name, value in fields.items())


def _options(folder, architecture):
    settings = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": folder / "sources",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",  # Empty: every dependency is fetched.
        "Dir::State::extended_states": folder / "extended_states",
        "Dir::Cache::archives": folder / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Log": folder,
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Default-Release": "",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # The helper user _apt cannot enter every home folder.
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "APT::Update::Error-Mode": "any",  # Else it ends well without the lists.
        "Debug::NoLocking": "true",  # The system's own lock needs rights, and is not concerned.
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _apt_get(arguments):
    command = ["apt-get", "-q", *arguments]
    plain = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, env=plain, capture_output=True, text=True, timeout=_DEADLINE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AptError(f"apt-get: {type(error).__name__}") from None
    failed = re.findall(r"^[EW]: (.*)$", done.stderr, re.MULTILINE)
    if done.returncode != 0:
        reason = " ".join(failed[:1]) or "failed"
        raise AptError("apt-get: " + re.sub(r"//[^/\s]*@", "//", reason))  # no password in it
