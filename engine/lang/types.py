"""Types: what a feature's value can be, and how it is held.

Every value is a bool, an integer or a word; a decimal with d digits is the integer value x 10^d, a date the days since
1970-01-01. There are no floats, which is what lets every engine give the same decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Final, Literal

Value = bool | int | str
Kind = Literal["bool", "int", "decimal", "enum", "date"]

LARGEST: Final = 2**53 - 1  # the largest magnitude of a value: beyond it JSON readers and durable-rules lose exactness
LARGEST_WITHIN: Final = 2**62  # the largest an expression may reach on the way: 64-bit columns do not overflow
EPOCH: Final = date(1970, 1, 1)
EXACT: Final = Context(prec=60, Emax=100, Emin=-100, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])


@dataclass(frozen=True)
class Type:
    """A type: `digits` of a decimal, `values` of an enum, and the bounds that values keep (scaled)."""

    kind: Kind
    digits: int = 0
    values: tuple[str, ...] = ()
    low: int = -LARGEST
    high: int = LARGEST

    @property
    def numeric(self) -> bool:
        """Whether values are ordered and held as integers."""
        return self.kind in ("int", "decimal", "date")

    def __str__(self) -> str:
        if self.kind == "decimal":
            return f"decimal({self.digits})"
        return f"one of {', '.join(self.values)}" if self.kind == "enum" else self.kind


BOOL: Final = Type("bool")


@dataclass(frozen=True)
class Attribute:
    """What an expression can name: a feature, or a field of the request."""

    name: str
    type: Type
    data_class: str = ""
    unit: str = ""


Schema = Mapping[str, Attribute]


def written(value: Value | None, type_: Type) -> str:
    """The value as an operator writes it: `0.85`, `true`, `1996-03-01`; UNKNOWN when missing."""
    if value is None:
        return "UNKNOWN"
    if type_.kind == "decimal":
        return str(Decimal(int(value)).scaleb(-type_.digits))
    if type_.kind == "date":
        return date.fromordinal(EPOCH.toordinal() + int(value)).isoformat()
    return str(value).lower() if type_.kind == "bool" else str(value)


def scaled(text: str, type_: Type) -> int | None:
    """A number or date as written, as the integer that holds it; None when it does not fit the type exactly."""
    if type_.kind == "date":
        try:
            return date.fromisoformat(text).toordinal() - EPOCH.toordinal()
        except ValueError:
            return None
    try:
        digits = EXACT.scaleb(EXACT.create_decimal(text), type_.digits)
    except Inexact:  # a literal of hundreds of digits
        return None
    return int(digits) if digits == digits.to_integral_value() else None
