"""What others send, cut to what a page can show: finite numbers, short texts, few of them."""

import math

from petrel.gateway.message import NOT_VALUES

MOST_TEXT, MOST_KEY, MOST_ITEMS, MOST_DEPTH = 200, 40, 40, 3
MOST_VALUES = 12  # of a reading
_LARGEST = 1e300  # beyond it a whole number fits no array


def is_number(value):
    return type(value) in (int, float) and abs(value) < _LARGEST  # NaN is not


def brief(value, depth=0):
    """A JSON value as plain, small data; None for what can't be shown."""
    if isinstance(value, str):
        return cut(value, MOST_TEXT)
    if isinstance(value, bool) or is_number(value):
        return value
    if depth < MOST_DEPTH and isinstance(value, dict):
        return {key: brief(each, depth + 1) for key, each in small_keys(value)}
    if depth < MOST_DEPTH and isinstance(value, list):
        return [brief(each, depth + 1) for each in value[:MOST_ITEMS]]
    return None


def small(said):
    """An object as `brief` gives it."""
    return {key: brief(value, 1) for key, value in small_keys(said)}


def small_keys(item):
    return [(cut(key, MOST_KEY), value) for key, value in [*item.items()][:MOST_ITEMS]]


def numbers(item):
    """{key: number} of an object, of which stream, number and time are not values."""
    found = ((cut(key, MOST_KEY), value) for key, value in item.items()
             if key not in NOT_VALUES and is_number(value))
    return dict([*found][:MOST_VALUES])


def cut(text, most):
    return text if len(text) <= most else text[: most - 1] + "…"


def plain(value):
    """A float as JSON can say it; what was whole is whole."""
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
