"""`petrel flash`: the application onto a board, so that it is whole at every moment.

    find, ask, check  ->  build  ->  copy to new/  ->  verify  ->  rename to next/  ->  switch
                                                                                         |
                                         first birth, or the console's error  <-  restart

Up to the rename the old application is untouched; from there on the board finishes by itself at
its next start (`switch.py`). So whatever is pulled out, and whenever, it starts the old one or the
new.
"""

import hashlib
import itertools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from petrel import ROOT
from petrel.check import verdict
from petrel.errors import Failure, Misuse
from petrel.flash.image import application, config_files
from petrel.flash.link import PLATFORMS, Link, check, find_port

BIRTH_S = 60
_BIRTH = re.compile(r"uplink: online over ")
_TROUBLE = re.compile(r"^Traceback|^\w*Error: |\bconfig: |safe_mode: |\bapp: ended by an error")
_EXCEPTION = re.compile(r"^\w*(Error|Exception)\b")
_TRACE = re.compile(r"^Traceback|^  File ")
_MORE_LINES = 40
WHOLE = ("firmware", "lib")  # as in switch.py
_SLACK_BLOCKS = 8  # for the file system itself
_SWITCH = (ROOT / "switch.py").read_text()
_CLEAR = """
for name in _WHOLE:
    if name in os.listdir():
        _remove(name)
"""  # what is in the flash comes before what is in ROMFS
_OURS = {path.stem for path in (ROOT / "lib").iterdir()} | {"umqtt"}


def _say(line):
    print(line, flush=True)


def run_flash(
    port, config, new_config=False, source=False, romfs=False, wait=True, say=_say
):
    """Returns the exit status. Raises Failure or Misuse."""
    with Link(port or find_port()) as link:
        link.interrupt()
        facts = link.facts()
        check(facts)
        say(f"{link.port}: {PLATFORMS[facts.platform]}, MicroPython {facts.version_text}")
        settings, config_texts = settle_config(link, config, new_config, say)
        files = application(facts, settings, source)
        files.update(config_texts)
        files.update(others(link))
        if romfs:
            files = into_romfs(link, facts, files, say)
        make_room(link, files, say)
        copy(link, files, say)
        link.run("import os\nos.rename('new', 'next')")
        link.run(_SWITCH + "\nfinish()" + (_CLEAR if romfs else ""))
        say("switched; restarting")
        link.restart()
        return await_birth(link, say) if wait else 0


def settle_config(link, path, new_config, say):
    """(complete config, files to copy for it): the board's own if it has one and no other is
    wanted.
    """
    there = None if new_config else link.read("config.json")
    if there is not None:
        say("the board's config.json stays as it is (--new-config replaces it)")
        return with_defaults(there, link.read("secrets.json")), {}
    path = Path(path)
    if not path.is_file():
        raise Misuse(f"--config: {path}: no such file, and the board has none either")
    problems = verdict(path.absolute())
    if problems:
        raise Misuse(f"{path}: {problems[0]}; petrel check {path} tells all")
    files = config_files(path)
    return with_defaults(files["config.json"], files.get("secrets.json")), files


def with_defaults(*texts):
    """What decides which modules are needed, of a config with its secrets laid over it."""
    config = {}
    for text in filter(None, texts):
        try:
            _lay_over(config, json.loads(text))
        except ValueError as error:
            raise Failure(f"the config is not JSON: {error}; try --new-config") from error
    config["links"] = config.get("links") or ["umqtt"]
    config["sensors"] = config.get("sensors") or []
    config["payload"] = {"format": (config.get("payload") or {}).get("format", "json")}
    return config


def _lay_over(config, over):
    """As the device does it, object by object (firmware/config.py)."""
    for name, value in over.items():
        if isinstance(value, dict) and isinstance(config.get(name), dict):
            _lay_over(config[name], value)
        else:
            config[name] = value


def others(link):
    """Libraries in the board's lib/ that somebody else has put there: they move along."""
    found = {}

    def take(place):
        if link.is_folder(place):
            for name in link.list(place):
                take(f"{place}/{name}")
        else:
            found[place] = link.read(place)

    for name in link.list("lib"):
        if name.split(".")[0] not in _OURS:
            take(f"lib/{name}")
    return found


def make_room(link, files, say):
    """Remove what an interrupted copy has left, and see that the rest is enough."""
    link.run(_SWITCH + "\nfinish()")
    facts = link.facts()
    block = facts.block_bytes
    folders = {parent for place in files for parent in Path(place).parents}
    blocks = sum((len(data) + block - 1) // block for data in files.values())
    needed = (blocks + 2 * len(folders) + _SLACK_BLOCKS) * block
    if needed > facts.free_bytes:
        raise Failure(
            f"the board has {facts.free_bytes // 1024} KB free, the application needs "
            f"{needed // 1024} KB beside the old one; remove files, or use fewer drivers and links"
        )
    total = sum(map(len, files.values()))
    say(f"{len(files)} files, {total // 1024} KB; {facts.free_bytes // 1024} KB are free")


def copy(link, files, say):
    """Everything into `new/`, each file verified by its hash."""
    made = set()
    for number, (place, data) in enumerate(files.items(), 1):
        parents = [str(parent) for parent in reversed(Path("new", place).parents)][1:]
        for folder in parents:
            if folder not in made:
                link.make_folder(folder)
                made.add(folder)
        link.write(f"new/{place}", data)
        if link.sha256(f"new/{place}") != hashlib.sha256(data).digest():
            raise Failure(f"{place} arrived damaged; try another cable, and again")
        say(f"[{number:3}/{len(files)}] {place} ({len(data)} bytes)")


def into_romfs(link, facts, files, say):
    """Put the modules into the ROMFS partition; returns the files that are left for the flash.

    There is one partition, so this is not undone by a power cut: then flash again.
    """
    if not facts.rom_partitions:
        raise Failure("the board's MicroPython has no ROMFS partition; flash without --romfs")
    inside = {place: data for place, data in files.items() if place.split("/")[0] in WHOLE}
    with tempfile.TemporaryDirectory() as folder:
        for place, data in inside.items():
            (Path(folder) / place).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / place).write_bytes(data)
        say(f"{len(inside)} modules into ROMFS")
        link.deploy_romfs(folder)
    return {place: data for place, data in files.items() if place not in inside}


def await_birth(link, say):
    """Until the device is online (0), or the console says why it is not (1)."""
    last = ""
    lines = link.lines(BIRTH_S)
    for line in lines:
        if line:
            say("  " + line)
            last = line
        if _BIRTH.search(line):
            say("it is online")
            return 0
        if _TROUBLE.search(line):
            raise Failure(f"the device does not start: {_reason(lines, line, say)}")
    shown = f"; its last word: {last}" if last else " and has said nothing"
    raise Failure(f"the device was not online within {BIRTH_S} s{shown}")


def _reason(lines, line, say):
    """The exception that follows a word of trouble, or that word itself."""
    if _EXCEPTION.search(line):
        return line
    for more in itertools.islice(lines, _MORE_LINES):
        say("  " + more)
        if _EXCEPTION.search(more):
            return more
        if not _TRACE.search(more):
            break
    return line


def run_logs(port, say=_say):
    """The console, until Ctrl-C. Disturbs nothing."""
    with Link(port or find_port()) as link:
        for line in link.lines():
            say(line)


def run_repl(port):
    """mpremote's own."""
    command = [sys.executable, "-m", "mpremote", "connect", port or find_port(), "resume", "repl"]
    return subprocess.run(command, check=False).returncode
