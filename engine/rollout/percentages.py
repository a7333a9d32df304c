"""Read and write exact percentages: `5%` is the decimal 0.05, and 500 basis points."""

import re
from decimal import Decimal
from typing import Any, Final

HINT_PERCENT: Final = 'write a text such as "5%", with at most four decimals'
HINT_NUMBER: Final = 'write a text such as "0.2", with at most six decimals'
_PERCENT: Final = re.compile(r"-?\d{1,6}(?:\.\d{1,4})?%", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,6}(?:\.\d{1,6})?", re.ASCII)
_MAX_TEXT: Final = 40  # characters of the user's text


def read_percent(value: Any) -> Decimal | None:
    """The share of 1 that a text such as `5%` says; None if it is no percentage."""
    if isinstance(value, str) and _PERCENT.fullmatch(value):
        return Decimal(value[:-1]) / 100
    return None


def read_number(value: Any) -> Decimal | None:
    """The number in a text or an integer; None for anything else, also for a float, which is not exact."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return Decimal(text) if isinstance(text, str) and _NUMBER.fullmatch(text) else None


def percent_text(share: Decimal) -> str:
    """The shortest text of a share of 1: `0.0500` is `5%`."""
    return f"{number_text(share * 100)}%"


def number_text(number: Decimal) -> str:
    """The shortest text of a number, without an exponent."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def quoted(value: Any) -> str:
    """The user's own text on one line, in backticks, cut where it is long."""
    text = "".join(char if char.isprintable() and char != "`" else " " for char in str(value))
    return f"`{text[:_MAX_TEXT]}{'...' * (len(text) > _MAX_TEXT)}`"
