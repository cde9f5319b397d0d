"""Decimal text to scaled integers and back, without a float.

A scaled integer holds a value times 10**decimals: 25.5 with two decimals is 2550.
"""


def parse(text, decimals):
    """Return decimal `text` (`-12.345`) as a scaled integer, rounded half away from zero.

    Raises ValueError for anything but an optional sign, digits and one point.
    """
    text = text.strip()
    negative = text[:1] == "-"
    whole, _, fraction = (text[1:] if text[:1] in ("-", "+") else text).partition(".")
    if not (whole + fraction).isdigit():
        raise ValueError("not a decimal number: " + repr(text))
    digits = whole + (fraction + "0" * decimals)[:decimals]
    value = int(digits or "0") + (fraction[decimals : decimals + 1] >= "5")
    return -value if negative else value


def text(value, decimals):
    """Return a scaled integer as the shortest decimal text: trailing zeros are cut."""
    while decimals and value % 10 == 0:
        value //= 10
        decimals -= 1
    if not decimals:
        return str(value)
    digits = str(abs(value))
    digits = "0" * (decimals + 1 - len(digits)) + digits
    return ("-" if value < 0 else "") + digits[:-decimals] + "." + digits[-decimals:]
