"""The command `petrel`. Each subcommand is a function in a module of its own, which is imported
only when it is used: `petrel --help` must not wait for what it does not show."""

from importlib import import_module

import typer
from typer.core import TyperGroup

COMMANDS = {
    "demo": ("petrel.demo", "Broker, three virtual devices and a live view, all on this machine."),
    "run": ("petrel.board", "Run the firmware on the Unix port, in the foreground."),
    "listen": ("petrel.listen", "Print readings as they arrive at a broker."),
    "check": ("petrel.check", "Validate a config with the device's own validator."),
}
"""Name of a subcommand: the module with a function of that name, and its line in the list."""


class LazyGroup(TyperGroup):
    """A group that knows its subcommands' names before it imports any of them."""

    listing = False

    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, cmd_name):
        if cmd_name not in COMMANDS:
            return None
        module, line = COMMANDS[cmd_name]
        function = _listed(line) if self.listing else getattr(import_module(module), cmd_name)
        single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        single.command(cmd_name)(function)
        return typer.main.get_command(single)

    def format_help(self, ctx, formatter):
        self.listing = True
        super().format_help(ctx, formatter)


def _listed(line):
    """Stands for a subcommand in the list of `petrel --help`."""

    def command():
        raise NotImplementedError

    command.__doc__ = line
    return command


app = typer.Typer(cls=LazyGroup, add_completion=False, no_args_is_help=True)


@app.callback()
def petrel():
    """Telemetry firmware for MicroPython, and its host side.

    Example: petrel run --config config.json --state build/state
    """


def main():
    """The console script."""
    app(prog_name="petrel")
