"""Check values and their texts: each text is one value or none, and each value has one text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.lang.model.types import (
    DATE,
    DAYS,
    MAX_INTEGER,
    MOMENT,
    STRING,
    Type,
    Value,
    day_of,
    fits,
    format_value,
    value_of,
)

INT = Type("int")
RATIO = Type("decimal", 2)
SECONDS = Type("duration", unit=1)
SIZE = Type("enum", values=("s", "m"))


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("12", INT, 12),
        ("-3", INT, -3),
        ("1.5", RATIO, 150),
        ("0.85", RATIO, 85),
        ("true", Type("bool"), True),
        ("m", SIZE, "m"),
        ("Łódź 8", STRING, "Łódź 8"),
        ("2024-03-01", DATE, 19_783),
        ("1969-12-31", DATE, -1),
        ("2024-03-01T00:00:01Z", MOMENT, 19_783 * 86_400 + 1),
        ("2024-03-01", MOMENT, 19_783 * 86_400),  # a date means its first moment
        ("90d", DAYS, 90),
        ("48h", DAYS, 2),
        ("36h", SECONDS, 129_600),
        ("-2d", DAYS, -2),
    ],
)
def test_a_text_is_parsed_to_its_value(text: str, type_: Type, value: Value) -> None:
    assert value_of(text, type_) == value


@pytest.mark.parametrize(
    "text", ["Infinity", "-Infinity", "Inf", "NaN", "sNaN", "1e3", "+5", "5_0", " 5", "５", "0x5", ""]
)
@pytest.mark.parametrize("type_", [INT, RATIO, DATE, MOMENT, DAYS, Type("bool"), SIZE])
def test_number_formats_that_only_python_accepts_are_rejected(text: str, type_: Type) -> None:
    assert value_of(text, type_) is None


@pytest.mark.parametrize(
    "text", ["2024-W01-1", "20240101  ", "２０２４-01-01", "2024-02-30", "2024-1-1", "2024-01-01 "]
)
def test_a_day_has_one_format(text: str) -> None:
    assert day_of(text) is None
    assert value_of(text, DATE) is None
    assert value_of(f"{text}T00:00:00Z", MOMENT) is None


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("1.5", INT),
        ("0.005", RATIO),
        ("9" * 400, INT),
        (str(MAX_INTEGER + 1), INT),
        ("l", SIZE),
        ("x" * 129, STRING),
        ("36h", DAYS),  # not whole days
        ("2024-03-01T00:00:00", MOMENT),  # without Z, the time zone is unknown
        ("2024-03-01T00:00:00+08:00", MOMENT),
    ],
)
def test_an_inexact_value_is_rejected(text: str, type_: Type) -> None:
    assert value_of(text, type_) is None


@pytest.mark.parametrize("type_", [INT, RATIO, Type("decimal", 9), DATE, MOMENT, DAYS, SECONDS], ids=str)
@given(value=st.integers(-MAX_INTEGER, MAX_INTEGER) | st.integers(-40_000, 40_000))
def test_every_internal_value_can_be_formatted(value: int, type_: Type) -> None:
    """The sum of a date and a duration can be any number: formatting it must not fail."""
    text = format_value(value, type_)
    assert "E" not in text
    assert fits(value, type_) or not (type_.low <= value <= type_.high)
    if "1970-01-01 " not in text and fits(value, type_):
        assert value_of(text, type_) == value


def test_moments_beyond_the_calendar_are_formatted_as_a_distance() -> None:
    assert format_value(3_000_000, DATE) == "1970-01-01 + 3000000d"
    assert format_value(-800_000, DATE) == "1970-01-01 - 800000d"
    assert format_value(10**12 + 1, MOMENT) == "1970-01-01 + 1000000000001s"
    assert format_value(-200_000, DATE) == "1422-06-03"
