"""Percentages and numbers are exact, and their shortest texts."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rollout.percentages import number_text, percent_text, read_number, read_percent


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, "7"), (-7, "-7"), ("0.2", "0.2"), ("12", "12"), ("-0.000001", "-0.000001"), (10**6 - 1, "999999")],
)
def test_a_number_is_a_text_or_an_integer(value, number):
    assert read_number(value) == Decimal(number)


@pytest.mark.parametrize("value", [True, False, 0.2, None, "0.2 ", "1e3", ".2", "2.", "0.0000001", 10**6, ["1"], "٣"])
def test_anything_else_is_no_number(value):
    """`True` is an integer in Python, and a float is not exact."""
    assert read_number(value) is None


@pytest.mark.parametrize("value", [5, 0.05, None, "5", "5 %", "0.00001%", "٣%"])
def test_a_percentage_is_a_text_with_its_sign(value):
    assert read_percent(value) is None


@pytest.mark.parametrize(
    ("number", "text"),
    [("0.0500", "0.05"), ("-0", "0"), ("-0.00", "0"), ("100", "100"), ("1E+2", "100"), ("-1.50", "-1.5"), ("0", "0")],
)
def test_a_number_has_one_shortest_text(number, text):
    assert number_text(Decimal(number)) == text


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_what_we_write_we_read(units, digits):
    number = Decimal(units) / 10**digits
    if abs(number) < 10**6:
        assert read_number(number_text(number)) == number
    if abs(number * 100) < 10**6 and digits <= 4:
        assert read_percent(percent_text(number)) == number
