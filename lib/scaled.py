"""Decimal text to scaled integers and back, without a float.

A scaled integer holds a value times 10**decimals: 25.5 with two decimals is 2550.
"""


def parse(text, decimals):
    """Return decimal `text` (`-12.345`, `1e3`) as a scaled integer, rounded half away from zero.

    Raises ValueError for anything but an optional sign, digits with at most one point, and an
    exponent of one or two digits.
    """
    number, e, exponent = text.strip().lower().partition("e")
    negative = number[:1] == "-"
    whole, _, fraction = _unsigned(number).partition(".")
    digits = whole + fraction
    power = _unsigned(exponent) if e else "0"
    if not digits.isdigit() or not power.isdigit() or len(power) > 2:
        raise ValueError("not a decimal number: " + repr(text))
    end = len(whole) + decimals + int(exponent or "0")  # of the digits that are kept
    if end < 0:
        return 0
    digits += "0" * (end - len(digits))
    value = int(digits[:end] or "0") + (digits[end : end + 1] >= "5")
    return -value if negative else value


def _unsigned(text):
    return text[1:] if text[:1] in ("-", "+") else text


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
