"""Makes the README's config reference from the rules that the device itself applies, and its table
of sensors from the drivers.

    python -m petrel.reference     rewrites them; a test fails while README and code differ

The rules are read as text, since the words about each stand in its comment, which costs a device
nothing.
"""

import ast
import json

from petrel import ROOT

RULES = ROOT / "firmware" / "config_rules.py"
DRIVERS = ROOT / "firmware" / "sensors"
README = ROOT / "README.md"
CHANNEL = "sensors[].channels.KEY."


def markdown():
    """The reference: a table of every key, its default, what is allowed and what it does."""
    tables, lines = _tables(RULES)
    shared, shared_lines = _tables(DRIVERS / "_rules.py")
    rows = list(_rows(tables["ROOT"], "", lines))
    rows += _rows(tables["SENSOR"], "sensors[].", lines)
    rows += _rows(shared["I2C"], "sensors[].", shared_lines, " (on the I2C bus)")
    for driver in _drivers():
        of_driver, of_channel = map(_own, _driver_rules(driver))
        driver_lines = driver.read_text().splitlines()
        note = f" (`{driver.stem}`)"
        rows += _rows(of_driver, "sensors[].", driver_lines, note)
        rows += _rows(of_channel, CHANNEL, driver_lines, note)
    rows += _rows(shared["CHANNEL"], CHANNEL, shared_lines, " (all but `replay`)")
    rows += _rows(tables["CHANNEL"], CHANNEL, lines)
    return _table(["key", "default", "allowed", ""], rows)


def sensors():
    """The drivers: what each is for and what it measures, in which units and decimals."""
    rows = []
    for driver in _drivers():
        source = ast.parse(driver.read_text())
        about = " ".join(ast.get_docstring(source).split()).partition(". ")[0].rstrip(".")
        measured = _tables(driver)[0].get("QUANTITIES")
        quantities = ast.literal_eval(ast.unparse(measured)) if measured else {}
        shown = [
            f"`{name}` ({unit}, {usual}" + (f" of {most})" if usual < most else ")")
            for name, (unit, usual, most, *_) in quantities.items()
        ]
        rows.append((f"`{driver.stem}`", about, ", ".join(shown) or "columns of a file"))
    return _table(["driver", "for", "quantities (unit, decimals)"], rows)


def _drivers():
    return sorted(DRIVERS.glob("[a-z]*.py"))


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    lines = [f"| {' | '.join(line)} |" for line in lines]
    lines[1] = "|" + "---|" * len(head)
    return "\n".join(lines)


def _tables(file):
    """The dictionaries of a module by their names, and its lines."""
    text = file.read_text()
    tables = {
        ast.unparse(node.targets[0]): node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    }
    return tables, text.splitlines()


def _driver_rules(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name == "rules":
            end = node.body[-1]
            if isinstance(end, ast.Return) and isinstance(end.value, ast.Tuple):
                return end.value.elts
    raise ValueError(f"{file.name} has no rules()")


def _own(rules):
    """The rules of the driver's own in what it returns: in `i2c({...})` the argument."""
    if isinstance(rules, ast.Call):
        return rules.args[0] if rules.args else ast.Dict([], [])
    return rules


def _rows(table, path, lines, note=""):
    for key, rule in zip(table.keys, table.values, strict=True):
        default, kind, *arguments = rule.elts
        name = path + key.value
        inner = _inner(arguments)
        if kind.value == "table" and not arguments:
            if _comment(key, lines):
                yield _row(name, default, ast.Constant("table"), (), _comment(key, lines), note)
            yield from _section(key.value, name)
        elif isinstance(inner, ast.Dict):
            if kind.value == "list":
                name += "[]"
            elif default.__class__ is ast.Constant:  # a section that may be null
                yield _row(name, default, kind, arguments, _comment(key, lines), note)
            yield from _rows(inner, name + ".", lines, note)
        elif kind.value != "list" or _comment(key, lines):
            yield _row(name, default, kind, arguments, _comment(key, lines), note)


def _section(name, path):
    """The rows of a section whose rules are a file of its own."""
    tables, lines = _tables(RULES.with_name(f"config_{name}.py"))
    return _rows(tables["ROOT"], path + ".", lines)


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
        "table": "an object", "pin": "a pin's number or name", "sensor": "objects as below",
        "channels": "1 to 32 objects as below", "number": "a number", "step": "a decimal fraction",
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
    """`text`, a README, with its tables made anew."""
    for name, made in (("config reference", markdown), ("sensors", sensors)):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        after = rest.split(end)[1]
        text = f"{before}{begin}\n{made()}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(update(README.read_text()))
