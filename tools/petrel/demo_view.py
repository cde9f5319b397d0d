"""What the demo shows: a live page in a terminal, else a plain line a second at most.

Both draw a `Scene`, and neither knows anything else of the demo.
"""

import contextlib
import dataclasses
import math
import os
import select
import sys
import termios
import tty

from rich.console import Console, Group
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from petrel.demo_fleet import Fleet

BARS = " ▁▂▃▄▅▆▇█"
AWAY = "·"
STATES = {  # state -> colour
    "starting": "dim", "online": "green", "offline": "red", "sleeping": "blue",
    "stopped": "dim", "crashed": "bold red",
}
UNITS = {"Cel": "°C", "degF": "°F", "%RH": "%"}  # SenML's name -> what people write
COLOURS = ("cyan", "magenta", "yellow", "blue", "green")


@dataclasses.dataclass
class Scene:
    """All there is to see. broker: its name. phase: what the demo is doing, in words.

    born, plug_since: moments. life_s: how long it lives, None for no limit.
    """

    fleet: Fleet
    broker: str
    born: float
    plug_since: float
    life_s: float | None = None
    broker_runs: bool = True
    plugged: bool = True
    phase: str = "starting"
    keys: bool = False  # they do something now


class PlainView:
    """A line a second, for logs and pipes. There are no keys."""

    def __init__(self):
        self._next = 0.0
        self._heard = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def typed(self):
        return ""

    def show(self, scene, now):
        if now < self._next:
            return
        self._next = now + 1
        devices = "; ".join(_in_words(device, now) for device in scene.fleet)
        broker = "up" if scene.broker_runs else "gone"
        print(f"{now - scene.born:4.0f} s  {scene.phase}, broker {broker}: {devices}", flush=True)


def _in_words(device, now):
    queue, guessed = device.queue(now)
    text = f"{device.name} {device.state}, {device.received} received"
    if queue:
        text += f", {'about ' if guessed else ''}{queue} queued"
    if device.reconnects:
        text += f", {device.reconnects} reconnects"
    return text + (f", {device.lost} lost" if device.lost else "")


class LiveView:
    """A page of its own in the terminal, which is as before when it is left."""

    def __init__(self, console=None):
        self.console = console or Console(highlight=False)
        self._live = Live(console=self.console, screen=True, auto_refresh=False)
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        if sys.stdin.isatty():
            self._stack.enter_context(_single_keys(sys.stdin.fileno()))
        self._stack.enter_context(self._live)
        return self

    def __exit__(self, *_):
        self._stack.close()

    def typed(self):
        """What was typed since the last call; does not wait."""
        if sys.stdin.isatty() and select.select([sys.stdin], [], [], 0)[0]:
            return os.read(sys.stdin.fileno(), 64).decode(errors="replace")
        return ""

    def show(self, scene, now):
        width, height = self.console.size
        self._live.update(page(scene, now, width, height), refresh=True)


@contextlib.contextmanager
def _single_keys(fd):
    """Keys are read one by one and not echoed; Ctrl-C stays what it is."""
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def page(scene, now, width, height):
    """The whole page, for a terminal of that size; what does not fit is left out from below."""
    count = len(scene.fleet.devices)
    parts = [Layout(_head(scene, now), size=3), Layout(_table(scene, now, width), size=count + 3)]
    left = height - 3 - (count + 3) - 1
    if left >= count + 2:
        parts.append(Layout(_arrivals(scene.fleet, width), size=count + 2))
        left -= count + 2
    if left >= 3:
        parts.append(Layout(_log(scene.fleet, left - 2)))
    parts.append(Layout(_foot(scene), size=1))
    layout = Layout()
    layout.split_column(*parts)
    return layout


def _head(scene, now):
    """The data's way, with the plug in it."""
    line = Table.grid(expand=True)
    line.add_column()
    line.add_column(justify="right")
    way = Text()
    count = len(scene.fleet.devices)
    wire = ("━━━", "green") if scene.plugged else ("╌╌╌", "red")
    way.append(f"{count} devices " if count > 1 else "1 device ", "bold")
    way.append_text(Text.assemble(wire, " "))
    if scene.plugged:
        way.append("● plugged in ", "bold green")
    else:
        way.append(f"✕ unplugged {now - scene.plug_since:.0f} s ", "bold red")
    way.append_text(Text.assemble(wire, " "))
    way.append(scene.broker, "bold" if scene.broker_runs else "bold red")
    way.append(" ━━━ ", "green")
    way.append(f"{scene.fleet.total('received')} readings", "bold")
    limit = f" of {scene.life_s:g} s" if scene.life_s else " s"
    line.add_row(way, Text(f"{now - scene.born:.0f}{limit}", "dim"))
    return Panel(line, title="[bold]Petrel demo", title_align="left", border_style="dim")


def _table(scene, now, width):
    wide = width >= 100
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    table.add_column("device", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=14)
    table.add_column("last reading", no_wrap=True, ratio=1)
    for title in ("queue", "  rate", "reconnects" if wide else "reconn.", "lost"):
        table.add_column(title, justify="right", no_wrap=True)
    for number, device in enumerate(scene.fleet):
        table.add_row(*_row(device, number, now, wide))
    return Group("", table)


def _row(device, number, now, wide):
    queue, guessed = device.queue(now)
    return (
        Text(device.name, COLOURS[number % len(COLOURS)]),
        _state(device, now),
        _reading(device, wide),
        Text(f"{'~' if guessed and queue else ''}{queue}", "yellow" if queue else "dim"),
        f"{device.rate(now):.1f}/s",
        Text(str(device.reconnects), "" if device.reconnects else "dim"),
        Text(str(device.lost), "bold red" if device.lost else "green"),
    )


def _state(device, now):
    text = f"● {device.state}"
    if device.state in ("offline", "starting", "crashed"):
        text += f" {now - device.since:.0f} s"
    return Text(text, STATES.get(device.state, ""))


def _reading(device, wide):
    """Its values in the units people write; a narrow page shows two of them and no number."""
    if device.last is None:
        return Text("none yet", "dim")
    text = Text.assemble((f"#{device.last.seq:<6} " if wide else "", "dim"))
    for key, (unit, decimals) in list(device.plan.channels.items())[: 9 if wide else 2]:
        value = device.last.values.get(key)
        number = "-" if value is None else f"{value:.{decimals}f}"
        text.append(f"{number:>{4 + decimals}} ", "bold")
        text.append(f"{UNITS.get(unit, unit):<3}", "dim")
    text.rstrip()
    return text


def _arrivals(fleet, width):
    """A bar a second and device: an outage is a row of dots, what follows it a tall bar."""
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, ratio=1, justify="right")
    room = width - 6 - max(len(device.name) for device in fleet)
    for number, device in enumerate(fleet):
        colour = COLOURS[number % len(COLOURS)]
        table.add_row(Text(device.name, colour), bars(device.history, room, colour))
    return Panel(
        table, title="[dim]readings received, a column a second, · is away", title_align="left",
        border_style="dim",
    )


def bars(history, width, colour=""):
    """The last `width` seconds of a device's history, in one line."""
    shown = list(history)[-max(1, width):]
    peak = max([4, *(count for _, count, _ in shown)])
    line = Text()
    for _, count, away in shown:
        if away and not count:
            line.append(AWAY, "red")
        else:
            line.append(BARS[math.ceil(count / peak * (len(BARS) - 1))], colour)
    return line


def _log(fleet, lines):
    text = Text(no_wrap=True, overflow="ellipsis")
    names = list(fleet.devices)
    longest = max(map(len, names))
    for name, line in list(fleet.log)[-lines:]:
        text.append(f"{name:<{longest}}", COLOURS[names.index(name) % len(COLOURS)])
        colour = "red" if "next try" in line else "green" if ": online" in line else ""
        text.append(f" {line}\n", colour)
    text.rstrip()
    return Panel(text, title="[dim]what the devices say", title_align="left", border_style="dim")


def _foot(scene):
    foot = Table.grid(expand=True)
    foot.add_column()
    foot.add_column(justify="right")
    keys = Text(" ")
    if scene.keys:
        plug = "pull the broker's plug" if scene.plugged else "put the plug back"
        for key, meaning in (("p", plug), ("q", "end")):
            keys.append(f" {key} ", "reverse")
            keys.append(f" {meaning}   ")
    foot.add_row(keys, Text(f"{scene.phase} ", "dim"))
    return foot
