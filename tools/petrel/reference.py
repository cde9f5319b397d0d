"""Makes the README's config reference from the rules that the device itself applies.

    python -m petrel.reference     rewrites it; a test fails while README and rules differ

The rules are read as text, since the words about each stand in its comment, which costs a device
nothing.
"""

import ast
import json

from petrel import ROOT

RULES = ROOT / "firmware" / "config_rules.py"
README = ROOT / "README.md"
BEGIN, END = "<!-- config reference -->", "<!-- end of config reference -->"


def markdown():
    """The reference: a table of every key, its default, what is allowed and what it does."""
    text = RULES.read_text()
    lines = text.splitlines()
    tables = {
        ast.unparse(node.targets[0]): node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    }
    rows = list(_rows(tables["ROOT"], "", lines))
    rows += _rows(tables["SENSOR"], "sensors[].", lines)
    for driver in sorted((ROOT / "firmware" / "sensors").glob("[a-z]*.py")):
        of_driver, of_channel = _driver_rules(driver)
        driver_lines = driver.read_text().splitlines()
        note = f" (`{driver.stem}`)"
        rows += _rows(of_driver, "sensors[].", driver_lines, note)
        rows += _rows(of_channel, "sensors[].channels.KEY.", driver_lines, note)
    rows += _rows(tables["CHANNEL"], "sensors[].channels.KEY.", lines)
    head = ["| key | default | allowed | |", "|---|---|---|---|"]
    return "\n".join(head + [f"| {' | '.join(row)} |" for row in rows])


def _driver_rules(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name == "rules":
            end = node.body[-1]
            if isinstance(end, ast.Return) and isinstance(end.value, ast.Tuple):
                return end.value.elts
    raise ValueError(f"{file.name} has no rules()")


def _rows(table, path, lines, note=""):
    for key, rule in zip(table.keys, table.values, strict=True):
        default, kind, *arguments = rule.elts
        name = path + key.value
        inner = _inner(arguments)
        if isinstance(inner, ast.Dict):
            if kind.value == "list":
                name += "[]"
            elif default.__class__ is ast.Constant:  # a section that may be null
                yield _row(name, default, kind, arguments, _comment(key, lines), note)
            yield from _rows(inner, name + ".", lines, note)
        elif kind.value != "list" or _comment(key, lines):
            yield _row(name, default, kind, arguments, _comment(key, lines), note)


def _inner(arguments):
    """The table inside a table, or inside a list of tables."""
    last = arguments[-1] if arguments else None
    if isinstance(last, ast.Tuple) and ast.literal_eval(last.elts[1]) == "table":
        return last.elts[2]
    return last


def _row(name, default, kind, arguments, comment, note):
    value = ast.literal_eval(default)
    shown = "required" if value is ... else f"`{json.dumps(value)}`"
    return f"`{name}`", shown, _allowed(kind.value, arguments), comment + note


def _allowed(kind, arguments):
    if kind == "list":
        return _allowed(arguments[2].elts[1].value, arguments[2].elts[2:])
    values = [ast.literal_eval(argument) for argument in arguments if kind != "table"]
    if kind == "choice":
        return ", ".join(f"`{value}`" for value in values)
    words = {
        "text": "text of {} to {} bytes", "integer": "{} to {}", "seconds": "{} to {} s",
        "boolean": "`true`, `false`", "file": "a file", "hex": "{} to {} bytes in hexadecimal",
        "table": "an object", "sensor": "objects as below",
        "channels": "1 to 32 objects as below", "step": "a decimal fraction",
    }
    return words[kind].format(*values)


def _comment(key, lines):
    """The comment lines right above a key."""
    words, number = [], key.lineno - 2
    while lines[number].lstrip().startswith("#"):
        words.insert(0, lines[number].strip(" #"))
        number -= 1
    return " ".join(words)


def update(text):
    """`text`, a README, with its reference made anew."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{markdown()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(update(README.read_text()))
