"""The subcommand `petrel simulate`: its options; what it does is imported when it is used."""

from pathlib import Path
from typing import Annotated

import typer

Devices = Annotated[int, typer.Option(metavar="N", min=1, max=20000, help="How many devices.")]
Rate = Annotated[
    float, typer.Option(metavar="R", min=0.01, max=100000, help="Messages a second, of all.")]
Seed = Annotated[
    int | None, typer.Option(metavar="S", help="Repeats a simulation [default: a new one].")]
Often = Annotated[
    float, typer.Option(metavar="F", min=0, max=3600, help="Of each device in an hour.")]
Sleepers = Annotated[
    int, typer.Option(metavar="N", min=0, help="Devices that sleep between two sendings.")]
Form = Annotated[str, typer.Option("--format", metavar="frame|json", help="Of their payloads.")]
Life = Annotated[
    float | None, typer.Option("--for", metavar="SECONDS", min=1, help="End after that time.")]
Url = Annotated[
    str, typer.Option(metavar="URL", help="mqtt[s]://[user:password@]host[:port]")]
Authority = Annotated[
    Path | None, typer.Option(metavar="FILE", help="PEM of the authority, for mqtts://.")]


def simulate(
    devices: Devices = 100,
    rate: Rate = 20,
    seed: Seed = None,
    faults: Often = 6,
    sleepers: Sleepers = 0,
    form: Form = "frame",
    life_s: Life = None,
    url: Url = "mqtt://127.0.0.1:1883",
    ca: Authority = None,
):
    """Many light devices in one process, at an MQTT broker: a load, and company for a fleet page.

    They send frames, births, wills and health, and answer commands. To each happen drops of its
    connection, outages in which its readings wait, and gaps in its readings, drawn from the seed.

    Example: `petrel simulate --devices 2000 --rate 500 --seed 7`
    """
    from petrel.errors import Misuse
    from petrel.listen import parse_url
    from petrel.simulate.command import Settings, run_simulation
    from petrel.simulate.device import FORMS

    if form not in FORMS:
        raise Misuse(f"--format {form}: there is {' and '.join(FORMS)}")
    settings = Settings(devices, rate, seed, faults, sleepers, form, life_s)
    return run_simulation(settings, parse_url(url), ca)
