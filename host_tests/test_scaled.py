"""lib/scaled.py against decimal.Decimal: no digit is lost between a sensor's text and ours."""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from host_tests.chip import WORDS, Chip, Raised
from scaled import parse, text

NUMBER = r"[+-]?([0-9]{1,12}(\.[0-9]{0,12})?|\.[0-9]{1,12})([eE][+-]?[0-9]{1,2})?"
DECIMALS = st.integers(0, 9)


def scaled(number, decimals):
    exact = Decimal(number).scaleb(decimals, Context(prec=200))
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP, Context(prec=200)))


@given(st.from_regex(NUMBER, fullmatch=True), DECIMALS)
@example("-0.005", 2)
@example("-0.004", 2)
@example("0.4999", 0)
@example(".5", 0)
@example("5.", 3)
@example("-.0", 0)
@example("1e3", 1)
@example("-25e-1", 0)
@example("49.9E-2", 0)
@example("5e-10", 9)
@example("9e-99", 9)
def test_parse_is_decimal_rounded_half_away_from_zero(number, decimals):
    assert parse(f" {number}\t", decimals) == scaled(number, decimals)


@given(st.text("0123456789.+-eEx_, \0\xa0", max_size=8), DECIMALS)
@example("", 0)
@example(".", 0)
@example("-", 2)
@example("1.2.3", 2)
@example("--1", 0)
@example("1e", 0)
@example("1e+-3", 0)
@example("1e1_0", 0)
@example("1e100", 0)
@example("e3", 0)
@example("1_0", 0)
@example("- 1", 0)
def test_what_is_no_decimal_number_is_refused(number, decimals):
    if re.fullmatch(NUMBER, number.strip()):
        return
    with pytest.raises(ValueError, match="not a decimal number"):
        parse(number, decimals)


@given(st.integers(-(2**63), 2**63), DECIMALS)
def test_text_is_exact_and_the_shortest(value, decimals):
    written = text(value, decimals)
    assert Decimal(written) == Decimal(value).scaleb(-decimals)
    assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", written)
    assert parse(written, decimals) == value


EDGES = [sign * (2**bits + step) for bits in (29, 30, 31, 32, 62, 63)
         for step in (-1, 0, 1) for sign in (-1, 1)]


@WORDS
def test_the_device_says_the_same_at_the_edges_of_its_ints(words):
    with Chip("libraries", words) as chip:
        for decimals in (0, 2, 9):
            written = [text(value, decimals) for value in EDGES]
            assert chip.call("scaled_texts", EDGES, decimals) == written
            assert chip.call("scaled_parses", written, decimals) == EDGES


@WORDS
def test_the_device_refuses_the_same(words):
    with Chip("libraries", words) as chip:
        for number in ("", ".", "-", "1.2.3", "--1", "1e", "e1", "1e100", "nan", "1_0", "٣", "²"):
            with pytest.raises(Raised) as raised:
                chip.call("scaled_parses", [number], 2)
            assert raised.value.kind == "ValueError"
