"""Do the examples in lib/coap/examples do what they say?"""

import contextlib
import re
import subprocess

import pytest

from host_tests.chip import environment
from host_tests.coap.ports import free_port, wait_for_server
from petrel import ROOT, runtime

FOLDER = ROOT / "lib" / "coap" / "examples"
SAID = {
    "ask": [r'there is </lamp>;rt="light";obs', r"switched: 2\.04", "it is on"],
    "observe": ["it is .*\nit is dim\nit is bright\nit is dark\n$"],
}


def command(name, *arguments):
    return [*runtime.find_runtime(), str(FOLDER / f"{name}.py"), *map(str, arguments)]


@contextlib.contextmanager
def serving():
    image = runtime.build()
    port = free_port()
    with subprocess.Popen(command("serve", port), env=environment(image), cwd=image) as process:
        try:
            wait_for_server(port)
            yield port
        finally:
            process.kill()


@pytest.mark.parametrize("name", SAID)
def test_example(name):
    image = runtime.build()
    with serving() as port:
        done = subprocess.run(
            command(name, "127.0.0.1", port), env=environment(image), cwd=image,
            capture_output=True, text=True, timeout=30, check=False,
        )
    assert done.returncode == 0, done.stderr
    for words in SAID[name]:
        assert re.search(words, done.stdout), done.stdout


def test_every_example_is_run():
    assert {path.stem for path in FOLDER.glob("*.py")} == {*SAID, "serve"}
