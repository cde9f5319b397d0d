"""`petrel.runtime`: is the right MicroPython found, and the image built once and no more?"""

import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from petrel import runtime
from petrel.runtime import RuntimeError_

NEW_ENOUGH = "print('micropython (1, 25, 0, \\'\\')')"
TOO_OLD = "print('micropython (1, 24, 1, \\'\\')')"
CURRENT_UMQTT = "class MQTTClient:\n    def _send(self):\n        _encode_len()\n"


def program(path, code):
    """An executable that runs Python code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Through the shell: a #! line cannot name a Python in a folder with a blank in its name.
    path.write_text(f"#!/bin/sh\nexec {shlex.join([sys.executable, '-c', code])}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def repository(monkeypatch, tmp_path):
    """A small copy of Petrel, with nothing set up but one umqtt.simple."""
    for name in ("boot.py", "main.py", "firmware/app.py", "lib/pkg/__init__.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"name = {name!r}\n")
    (tmp_path / "lib/pkg/manifest.py").write_text("metadata()\n")
    simple = tmp_path / "build/umqtt/1.3.4/umqtt/simple.py"
    simple.parent.mkdir(parents=True)
    simple.write_text("class MQTTClient:\n    pass\n")
    monkeypatch.setattr(runtime, "ROOT", tmp_path)
    monkeypatch.setattr(runtime, "BUILD", tmp_path / "build")
    monkeypatch.setattr(runtime, "LIBRARY_FOLDER", tmp_path / "library")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("PETREL_MICROPYTHON", raising=False)
    return tmp_path


# ---- the runtime


def test_the_variable_wins_over_all(repository, monkeypatch):
    program(repository / ".venv/bin/micropython", NEW_ENOUGH)
    monkeypatch.setenv("PETREL_MICROPYTHON", "'/a folder/micropython' -X heapsize=64k")
    assert runtime.find_runtime() == ["/a folder/micropython", "-X", "heapsize=64k"]


def test_the_pinned_one_wins_over_path(repository):
    ours = program(repository / ".venv/bin/micropython", NEW_ENOUGH)
    program(repository / "bin/micropython", NEW_ENOUGH)
    assert runtime.find_runtime() == [str(ours)]


def test_one_on_path_must_be_new_enough(repository):
    found = program(repository / "bin/micropython", NEW_ENOUGH)
    assert runtime.find_runtime() == [str(found)]
    program(found, TOO_OLD)
    with pytest.raises(RuntimeError_, match=r"is MicroPython 1\.24, 1\.25 is needed; put a"):
        runtime.find_runtime()


@pytest.mark.parametrize("code", ["print('cpython (3, 11, 7)')", "", "raise SystemExit(3)"])
def test_something_else_of_that_name_is_told_apart(repository, code):
    program(repository / "bin/micropython", code)
    with pytest.raises(RuntimeError_, match="is no MicroPython; set PETREL_MICROPYTHON"):
        runtime.find_runtime()


def test_none_at_all_says_how_to_get_one(repository):
    with pytest.raises(RuntimeError_, match=r"no MicroPython here; put a `micropython` of 1.25"):
        runtime.find_runtime()


def test_a_command_that_cannot_start_is_one_line():
    with pytest.raises(RuntimeError_, match=r"cannot start /nowhere/micropython: .*No such file"):
        runtime.runtime_version(["/nowhere/micropython"])


def test_the_real_ones_tell_their_version():
    for argv in filter(None, (runtime.find_runtime(), runtime.runtime32())):
        assert runtime.runtime_version(argv) >= runtime.OLDEST


def test_the_32_bit_one_has_short_words():
    argv = runtime.runtime32()
    if argv is None:
        pytest.skip("set-up found no 32-bit MicroPython for this system")
    command = [*argv, "-X", "heapsize=64k", "-c", "import sys; print(sys.maxsize)"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert done.stdout.strip() == str(2**31 - 1)


# ---- umqtt.simple


def test_every_umqtt_is_listed_oldest_first(repository):
    library = repository / "library/umqtt/simple.py"
    library.parent.mkdir(parents=True)
    library.write_text(CURRENT_UMQTT)
    current = repository / "build/umqtt/current"
    (current / "umqtt").mkdir(parents=True)
    (current / "umqtt/simple.py").write_text(CURRENT_UMQTT)
    (current / "version").write_text("1.10.0\n")
    assert list(runtime.umqtt_folders()) == ["1.3.4", "1.8.0", "1.10.0"]


@pytest.mark.parametrize("name, text", [("simple.mpy", "M"), ("simple.py", "import nothing")])
def test_an_unknown_one_is_called_by_its_place_and_is_the_newest(repository, name, text):
    path = repository / "library/umqtt" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert list(runtime.umqtt_folders()) == ["1.3.4", "library folder"]
    assert (runtime.build() / "lib/umqtt" / path.with_suffix(".mpy").name).exists()


def test_a_version_that_is_not_there_is_a_clear_error(repository):
    with pytest.raises(RuntimeError_, match=r"no umqtt\.simple 9\.9 here; there is 1\.3\.4"):
        runtime.build(umqtt="9.9")


# ---- the image


def files_of(image):
    return {str(path.relative_to(image)) for path in image.rglob("*") if path.is_file()}


def test_all_but_the_two_entry_files_is_compiled(repository):
    compiled = {"firmware/app.mpy", "lib/pkg/__init__.mpy", "lib/umqtt/simple.mpy"}
    image = runtime.build("unix")
    assert files_of(image) == {"boot.py", "main.py", *compiled}
    assert (image / "firmware/app.mpy").read_bytes()[:2] == b"M\x06"


def test_as_source_nothing_is_compiled(repository):
    image = runtime.build("unix", source=True)
    assert (image / "firmware/app.py").read_text() == (repository / "firmware/app.py").read_text()
    assert {name.rpartition(".")[2] for name in files_of(image)} == {"py"}


def test_a_traceback_will_name_the_source(repository):
    source = repository / "firmware/app.py"
    source.write_text("def f():\n    raise ValueError\n")
    image = runtime.build()
    assert b"firmware.app" in (image / "firmware/app.mpy").read_bytes()


def test_the_same_sources_make_one_image_and_others_another(repository):
    first = runtime.build()
    assert runtime.build() == first
    assert runtime.build(source=True) != first
    (repository / "lib/pkg/__init__.py").write_text("name = 'changed'\n")
    changed = runtime.build()
    assert changed != first
    (repository / "lib/pkg/more.py").write_text("")
    assert runtime.build() not in (first, changed)


def test_many_at_once_share_one_image(repository):
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda _: runtime.build(), range(8)))
    assert len(set(images)) == 1
    assert [path.name for path in (repository / "build/image").iterdir()] == [images[0].name]


def test_old_images_go_and_those_in_use_stay(repository):
    for number in range(12):
        path = repository / "build/image" / f"old-{number:02}"
        path.mkdir(parents=True)
        long_ago = time.time() - 10_000 + number
        os.utime(path, (long_ago, long_ago))
    new = runtime.build()
    left = sorted(path.name for path in (repository / "build/image").iterdir())
    assert left == sorted([new.name, *(f"old-{number:02}" for number in range(5, 12))])


def test_source_that_does_not_compile_is_one_line(repository):
    (repository / "firmware/app.py").write_text("x = 1\nif x\n")
    with pytest.raises(RuntimeError_, match=r"firmware/app.py does not compile: .*\(line 2\)"):
        runtime.build()
    assert not list((repository / "build/image").iterdir())


def test_a_missing_file_and_an_unknown_target_are_one_line(repository):
    with pytest.raises(RuntimeError_, match="no image for 'toaster'; there is unix"):
        runtime.build("toaster")
    (repository / "main.py").unlink()
    with pytest.raises(RuntimeError_, match=r"main\.py is missing"):
        runtime.build()


def test_the_real_image_starts_on_the_real_runtime():
    image = runtime.build()
    code = f"import sys; sys.path[:] = [{str(image)!r}, {str(image / 'lib')!r}, '.frozen']; "
    command = [*runtime.find_runtime(), "-c", code + "import boot, umqtt.simple; print('up')"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert done.stdout.strip() == "up", shlex.join(command) + done.stderr


@pytest.mark.skipif(runtime.runtime32() is None, reason="set-up found no 32-bit MicroPython")
def test_the_image_is_run_out_of_romfs():
    """The modules' code is not in the heap: it is there that they have been mapped."""
    command = [sys.executable, "-m", "petrel.romfs"]
    assert runtime.word_bits(command) == 32
    code = "import firmware.sampler as s; print(s.__file__)"
    done = subprocess.run(
        [*command, "-X", "heapsize=16k", "-c", code], cwd=runtime.build(),
        capture_output=True, text=True, timeout=10, check=False,
    )
    assert done.stdout.strip() == "/rom/firmware/sampler.mpy", done.stderr
