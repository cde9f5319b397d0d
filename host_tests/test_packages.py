"""Can each library be installed on its own, by MicroPython's mip and by mpremote's?"""

import functools
import http.server
import json
import os
import pty
import subprocess
import sys
import threading
import tty

import pytest

from petrel import ROOT, packages, runtime

LIBRARIES = packages.libraries()
FOLDERS = [name for name, library in LIBRARIES.items() if library.is_folder]
INSTALL = """
import json, mip, sys
index, kind, wanted = json.loads(sys.stdin.read())
for source, target in wanted:
    mip.install(source, target=target, index=index, mpy=kind == "6")
"""
# Everything in a library is imported, but for the loops that only some chips can compile.
IMPORT = """
import sys
sys.path[:] = [sys.argv[1], ".frozen"]
for name in sys.argv[2:]:
    __import__(name)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A web server on loopback: /repository is this one, /index is made from it."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "repository").mkdir()
    (folder / "repository" / "lib").symlink_to(ROOT / "lib")
    packages.build_index(folder / "index")
    add_umqtt(folder / "index")
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join(5)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *_):
        pass


def add_umqtt(index):
    """What MicroPython's own index would have; the newest umqtt.simple at hand."""
    version, folder = list(runtime.umqtt_folders().items())[-1]
    module = runtime.umqtt_file(folder)
    short = packages.put(index, "umqtt/" + module.name, module.read_bytes())
    for kind in ("py", "6"):
        place = index / "package" / kind / "umqtt.simple" / "latest.json"
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps({"hashes": [short], "version": version}))


def modules(library):
    for place in library.files:
        if not place.endswith("_fast.py"):
            yield place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def is_whole(target, name):
    """Does it import there, with nothing else at hand?"""
    command = [*runtime.find_runtime(), "-c", IMPORT, str(target), *modules(LIBRARIES[name])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=target)
    assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


def install(wanted, index="", kind="py"):
    """On the device itself; `wanted`: (what, target) pairs."""
    command = [*runtime.find_runtime(), "-X", "heapsize=4M", "-c", INSTALL]
    said = json.dumps([index, kind, [(what, str(target)) for what, target in wanted]])
    done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=60)
    assert done.stdout.count("Done\n") == len(wanted), done.stdout + done.stderr
    return done.stdout


def targets(tmp_path, names):
    for name in names:
        (tmp_path / name).mkdir()
    return {name: tmp_path / name for name in names}


def test_from_the_repository_by_the_device(server, tmp_path):
    folders = targets(tmp_path, LIBRARIES)
    wanted = [(f"{server}/repository/lib/{name}.json", folders[name]) for name in folders]
    install(wanted, server + "/index")
    for name, target in folders.items():
        is_whole(target, name)


def test_package_json_by_the_device(server, tmp_path):
    """As a folder: mip adds /package.json."""
    folders = targets(tmp_path, FOLDERS)
    install([(f"{server}/repository/lib/{name}", folders[name]) for name in folders])
    for name, target in folders.items():
        is_whole(target, name)


@pytest.mark.parametrize("kind", ["py", "6"])
def test_from_an_index_by_the_device(server, kind, tmp_path):
    folders = targets(tmp_path, LIBRARIES)
    install(folders.items(), server + "/index", kind)
    for name, target in folders.items():
        is_whole(target, name)
    source = {path.name for path in tmp_path.rglob("*.py")}
    assert (source <= {"_fast.py", "simple.py"}) == (kind == "6")


def test_what_is_there_already_is_not_fetched_again(server, tmp_path):
    install([("websocket", tmp_path)], server + "/index", "6")
    again = install([("websocket", tmp_path)], server + "/index", "6")
    assert "Copying" not in again
    assert "Exists" in again


@pytest.mark.parametrize("source", ["index", "repository", "file"])
def test_by_mpremote(server, source, tmp_path, board):
    what = {"index": ["--index", server + "/index", "websocket"],
            "repository": [f"{server}/repository/lib/websocket.json"],
            "file": [str(ROOT / "lib" / "websocket" / "package.json")]}[source]
    command = [sys.executable, "-m", "mpremote", "connect", board, "resume", "mip", "install",
               "--target", str(tmp_path), *what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    is_whole(tmp_path, "websocket")


@pytest.fixture
def board():
    """A serial port behind which the Unix port's REPL answers."""
    ours, port = pty.openpty()
    tty.setraw(port)
    chip = subprocess.Popen(
        runtime.find_runtime(), stdin=ours, stdout=ours, stderr=ours,
        env={**os.environ, "TERM": "dumb"}, start_new_session=True,
    )
    try:
        yield os.ttyname(port)
    finally:
        chip.kill()
        chip.wait(5)
        os.close(ours)
        os.close(port)


@pytest.mark.parametrize("name", FOLDERS)
def test_the_manifest_freezes_the_same_files(name):
    folder = ROOT / "lib" / name
    frozen = []

    def package(name, base_path, files):
        frozen.extend(folder / base_path / name / file for file in files)

    def module(file, base_path):
        frozen.append(folder / base_path / file)

    said = {}
    functions = {"metadata": said.update, "package": package, "module": module}
    exec((folder / "manifest.py").read_text(), functions)
    listed = json.loads((folder / "package.json").read_text())["urls"]
    assert all(path.is_file() for path in frozen)
    assert {path.resolve() for path in frozen} == {(folder / src).resolve() for _, src in listed}
    assert said["description"]


def test_a_library_does_not_bring_what_it_does_not_need():
    assert packages.needed(LIBRARIES["ticks"], LIBRARIES) == ["ticks"]
    websocket = ["tcp", "tcp_opening", "tcp_words", "ticks", "websocket"]
    assert packages.needed(LIBRARIES["websocket"], LIBRARIES) == websocket
