"""`rp2`: ports/rp2/modrp2.c."""


def bootsel_button():
    """1 while the button is held."""
    return 0


def country(code=None):
    pass
