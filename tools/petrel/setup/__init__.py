"""What set-up adds to the packages: `python -m petrel.setup`, started by tools/bootstrap.py.

One concern a file; each has `provide() -> str`, which makes its thing if it is not there yet and
returns one line saying what there is. It raises SetupError if the work cannot go on without, and
PassedOver if it can.
"""


class SetupError(Exception):
    """One line: what is wrong, and how to mend it."""


class PassedOver(Exception):
    """One line: what is not there, and what that means."""
