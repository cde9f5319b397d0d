"""Which modules a device needs that has a certain config: those that its application imports, and
those that the config names.

The sources are read, not run. What a module imports somewhere inside a function counts too, and
of a name that is made at run time, `__import__("firmware.links." + name)`, what the config names;
of such a name that no config decides, every module that it may be.
"""

import ast
import functools

from petrel import ROOT

START = ("firmware.start", "firmware.board")
FOR_THE_HOST = {"firmware.config_check"}
FOR_FRAMES = {"firmware.profile"}
FOR_SERVING = {"firmware.serve"}
FOR_QOS_2 = {"firmware.once"}
FOR_SLEEP = {"firmware.assemble_sleep"}
FOR_SENML = {"firmware.config_senml"}
SECTIONS = ("coap", "microcoapy", "mqtt", "serve", "sleep", "tls")  # with rules of their own


class Uses:
    """`modules`: {dotted name: its file}. `foreign`: top-level names that are not ours, as umqtt.
    """

    def __init__(self, platform, config):
        self.modules = {}
        self.foreign = set()
        self._left_out = set(FOR_THE_HOST)
        given = _given(config)
        self._left_out |= {"firmware.config_" + name for name in SECTIONS if name not in given}
        if config["payload"]["format"] != "frame":
            self._left_out |= FOR_FRAMES
        if config["payload"]["format"] != "senml-cbor":
            self._left_out |= FOR_SENML
        if all((config.get(name) or {}).get("qos") != 2 for name in config["links"]):
            self._left_out |= FOR_QOS_2
        if not config.get("serve"):
            self._left_out |= FOR_SERVING
        if not (config.get("sleep") or {}).get("deep"):
            self._left_out |= FOR_SLEEP
        self._named = {
            "firmware.board.": [platform],
            "firmware.board.sleep_": [platform],
            "firmware.links.": config["links"],
            "firmware.sensors.": [sensor["driver"] for sensor in config["sensors"]],
            "firmware.payloads.": [config["payload"]["format"].replace("-", "_")],
        }
        for name in START:
            self._add(name)
        for file in ("boot.py", "main.py"):
            self._follow(ROOT / file, "")

    def _add(self, name):
        """A module, the packages that it is in, and what it imports; a name of ours that is no
        module is an attribute of one.
        """
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            inner = ".".join(parts[:end])
            file = _file_of(inner)
            if file is None:
                if end == 1:
                    self.foreign.add(inner)
                return
            if inner not in self.modules and inner not in self._left_out:
                self.modules[inner] = file
                package = inner if file.name == "__init__.py" else inner.rpartition(".")[0]
                self._follow(file, package)

    def _follow(self, file, package):
        for node in nodes(file):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._add(alias.name)
            elif isinstance(node, ast.ImportFrom):
                base = _base(package, node)
                for alias in node.names:
                    self._add(f"{base}.{alias.name}")
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "__import__":
                self._made_at_run_time(node.args[0])

    def _made_at_run_time(self, argument):
        whole = isinstance(argument, ast.Constant)
        while isinstance(argument, ast.BinOp):
            argument = argument.left
        if not isinstance(argument, ast.Constant):
            return
        prefix = str(argument.value)
        if whole:
            self._add(prefix)
            return
        for name in self._named.get(prefix) or _beginning_with(prefix):
            self._add(prefix + name)


def _given(value):
    """The names of all that a config gives, at any depth."""
    if isinstance(value, list):
        return set().union(*map(_given, value))
    if not isinstance(value, dict):
        return set()
    there = {name: inner for name, inner in value.items() if inner is not None}
    return set(there).union(*map(_given, there.values()))


@functools.cache
def nodes(file):
    """What matters of a module: its imports and calls, wherever they are."""
    kinds = ast.Import | ast.ImportFrom | ast.Call
    tree = ast.parse(file.read_text("utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def _base(package, node):
    """The absolute name of what `from ... import` names."""
    if not node.level:
        return node.module
    parts = package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *filter(None, [node.module])])


def _file_of(name):
    place = name.replace(".", "/")
    top = ROOT if name.split(".")[0] == "firmware" else ROOT / "lib"
    for file in (top / f"{place}.py", top / place / "__init__.py"):
        if file.is_file():
            return file
    return None


def _beginning_with(prefix):
    """The ends of the names of all modules of ours that begin so."""
    folder, _, start = prefix.rpartition(".")
    place = ROOT / folder.replace(".", "/")
    return [path.stem[len(start):] for path in sorted(place.glob(start + "[a-z]*.py"))]
