"""The command `petrel`: its subcommands, their options, and the one exit for errors.

What a subcommand does is in a module of its own, imported when it is used: `petrel --help` must
not wait for a broker's client.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException

from petrel.errors import Misuse, report
from petrel.simulate.options import simulate

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def petrel():
    """Telemetry firmware for MicroPython, and its host side.

    Example: `petrel demo`
    """


@app.command()
def demo(
    life_s: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", min=1, help="End after that time.")
    ] = None,
    devices: Annotated[
        int, typer.Option(metavar="N", min=1, max=20, help="How many virtual devices.")
    ] = 3,
):
    """Broker, virtual devices and a live view, all on this machine.

    The devices run the real firmware and replay recorded data. In the live view `p` pulls the
    broker's plug and puts it back, `q` ends. Status 0 only if no reading was lost.

    Example: `petrel demo --for 20`
    """
    from petrel.demo import run_demo

    return run_demo(life_s, devices)


@app.command()
def run(
    config: Annotated[Path, typer.Option(metavar="FILE", help="The config.json of the device.")],
    state: Annotated[Path, typer.Option(metavar="DIR", help="Stands for the board's flash.")],
    runtime: Annotated[
        str | None, typer.Option(metavar="CMD", help="Another `micropython` than the default.")
    ] = None,
    heap: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Its heap [default: 112K; 224K with 64-bit words]."),
    ] = None,
    until_drained: Annotated[
        bool, typer.Option("--until-drained", help="End once all is sampled and acknowledged.")
    ] = False,
    source: Annotated[
        bool, typer.Option("--source", help="Run the sources, not .mpy, for debugging.")
    ] = False,
    umqtt: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Of umqtt.simple; default: the newest.")
    ] = None,
):
    """The firmware on the Unix port, in the foreground.

    Ctrl-C or SIGTERM is a polite stop, a second one or SIGKILL a power cut. Log lines go to
    stderr.

    Example: `petrel run --config config.json --state build/state --until-drained`
    """
    from petrel.run import run_device

    return run_device(config, state, runtime, heap, until_drained, source, umqtt)


@app.command()
def energy(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A config with `sleep.deep`.")],
    battery: Annotated[
        float, typer.Option(metavar="MAH", min=1, help="What the battery holds.")
    ] = 2000,
    awake: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="Words of your board's log, behind `awake:`."),
    ] = None,
    sleep_ua: Annotated[
        float | None, typer.Option(metavar="UA", min=0, help="Your board's current asleep, in uA.")
    ] = None,
):
    """What a config costs in mAh a day on an ESP32 and a Pico W, and how long a battery lasts.

    Runs the firmware for a few seconds to measure it, and says of each figure whether it is
    measured, published (and where) or assumed.

    Example: `petrel energy config.json --battery 2000`
    """
    from petrel.energy_command import run_energy

    return run_energy(config, battery, awake, sleep_ua)


@app.command()
def listen(
    url: Annotated[str, typer.Argument(metavar="URL", help="mqtt://[user:password@]host[:port][/topic-filter]")],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, for programs.")
    ] = False,
    ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="PEM of the authority to trust, for mqtts://."),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep there what came; show each reading once."),
    ] = None,
):
    """Print readings as they arrive at a broker, until Ctrl-C.

    The topic filter is `devices/+/data` unless the address has another one. With a ledger the
    broker keeps for us what comes while we do not listen, and the end says of every device what
    arrived, what is missing and what cannot be known; `petrel ledger` says it again.

    Example: `petrel listen mqtt://127.0.0.1:1883 --ledger readings.ledger`
    """
    from petrel.listen import run_listener

    return run_listener(url, as_json, ca, ledger)


@app.command()
def ledger(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="From `petrel listen --ledger`.")],
):
    """Say of every device what arrived, what is missing and what cannot be known.

    Example: `petrel ledger readings.ledger`
    """
    from petrel.ledger_file import read

    print(*read(file).lines(), sep="\n")


@app.command()
def gateway(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A gateway.toml; default: none needed.")
    ] = None,
):
    """From devices to a database, webhooks and viewers; each reading once.

    Without a config it takes what comes to the MQTT broker on this machine and writes it to
    gateway-data/readings.db. docs/gateway.md has every key.

    Example: `petrel gateway --config gateway.toml`
    """
    from petrel.gateway.config import load
    from petrel.gateway.service import run_gateway

    return run_gateway(load(config))


app.command()(simulate)


@app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="The config.json to check.")]):
    """Validate a config with the device's own validator.

    Every problem is a line on stderr: where it is, what was found and what is allowed.

    Example: `petrel check config.json`
    """
    from petrel.check import run_check

    return run_check(file)


@app.command()
def journal(
    place: Annotated[
        Path, typer.Argument(metavar="DIR", help="A device's folder, or an image of its flash.")
    ],
    export: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write the readings to a .csv, or else as JSON lines; -: stdout."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The device's config.json, if it is not beside the queue."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
):
    """Say what waits in a device's queue, and rescue it; nothing is changed.

    An image is a copy of a flash with a LittleFS somewhere in it.

    Example: `petrel journal flash.img --export readings.csv`
    """
    from petrel.journal import run_journal

    return run_journal(place, export, config, as_json)


frame = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
app.add_typer(frame, name="frame", help="How small frames get, and what one says.")


@frame.command()
def bench(
    series: Annotated[Path, typer.Argument(metavar="SERIES.json", help="Recorded series.")],
    runtime: Annotated[
        str | None, typer.Option(metavar="CMD", help="Encode with this `micropython`.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
):
    """Encode every series in frames, decode and compare each, and print bytes a reading.

    Example: `petrel frame bench series.json`
    """
    from petrel.frame_bench import main

    options = ["--runtime", runtime] if runtime else []
    return main([str(series), *options, *(["--json"] if as_json else [])])


@frame.command()
def dump(
    digits: Annotated[str, typer.Argument(metavar="HEX", help="The frame's bytes.")],
    profile: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A profile's bytes.")
    ] = None,
):
    """Print what a frame says, a field a line.

    Example: `petrel frame dump e9a0f3…`
    """
    from petrel.frame_dump import main

    return main([digits, *(f"--profile={path}" for path in profile or [])])


_PORT = typer.Option(metavar="PORT", help="Serial port [default: the one that a board is at].")


@app.command()
def flash(
    port: Annotated[str | None, _PORT] = None,
    config: Annotated[
        Path, typer.Option(metavar="FILE", help="For a board that has no config.json yet.")
    ] = Path("config.json"),
    new_config: Annotated[
        bool, typer.Option("--new-config", help="Replace the config.json that is on the board.")
    ] = False,
    source: Annotated[
        bool, typer.Option("--source", help="Copy the sources, not .mpy.")
    ] = False,
    romfs: Annotated[
        bool, typer.Option("--romfs", help="Modules into the board's ROMFS partition.")
    ] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Do not wait until the device is online.")
    ] = False,
):
    """Put the application on a board: what its config uses, compiled for its MicroPython.

    The old application stays whole until the new one is, whatever is pulled out meanwhile. A
    config.json that the board has is kept. Ends when the device is online, or with what its
    console says.

    Example: `petrel flash --port /dev/ttyUSB0 --config config.json`
    """
    from petrel.flash import run_flash

    return run_flash(port, config, new_config, source, romfs, not no_wait)


@app.command()
def logs(port: Annotated[str | None, _PORT] = None):
    """Show what a board's console says, until Ctrl-C, without disturbing it.

    Example: `petrel logs --port /dev/ttyACM0`
    """
    from petrel.flash import run_logs

    return run_logs(port)


@app.command()
def repl(port: Annotated[str | None, _PORT] = None):
    """Talk to a board's Python prompt; Ctrl-C stops the application, Ctrl-] ends.

    Example: `petrel repl --port /dev/ttyACM0`
    """
    from petrel.flash import run_repl

    return run_repl(port)


def main(arguments=None):
    """The console script: run a subcommand, turn whatever goes wrong into a line and a status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command = typer.main.get_command(app)
    known = command.commands if isinstance(command, TyperGroup) else ()
    name = next((word for word in arguments if word in known), None)
    program = f"petrel {name}" if name else "petrel"
    if not arguments:
        arguments = ["--help"]
    try:
        sys.exit(command.main(arguments, prog_name="petrel", standalone_mode=False))
    except TyperException as error:
        what = error.format_message().rstrip(".")
        sys.exit(report(program, Misuse(f"{what}; see {program} --help")))
    except (KeyboardInterrupt, Abort):
        sys.exit(130)
    except Exception as error:
        sys.exit(report(program, error))


if __name__ == "__main__":
    main()
