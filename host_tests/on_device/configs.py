"""Runs on the device: its validator, for many configs in one life."""

from firmware import config

from . import server


def check(path):
    """The problems of a config, a line each; the complete config if there are none."""
    try:
        return {"config": config.load(path), "problems": []}
    except config.ConfigError as error:
        return {"config": None, "problems": error.problems}


server.serve(globals())
