"""Types: what a feature's value can be, and how it is held.

Every value is a bool, an integer or a word; a decimal with d digits is the integer value x 10^d, a date the days and a
timestamp the seconds (of an order, the microseconds) since 1970-01-01 UTC, a duration a whole number of such units. There
are no floats, which is what lets every engine give the same decision.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from fractions import Fraction
from typing import Final, Literal

from engine.lang.identifiers import flaw
from engine.lang.timezones import UTC_NAME, start_second

Value = bool | int | str
Kind = Literal["bool", "int", "decimal", "enum", "string", "date", "timestamp", "duration"]

LARGEST: Final = 2**53 - 1  # the largest magnitude of a value: beyond it JSON readers and durable-rules lose exactness
LARGEST_WITHIN: Final = 2**62  # the largest an expression may reach on the way: 64-bit columns do not overflow
EPOCH: Final = date(1970, 1, 1)
EXACT: Final = Context(prec=60, Emax=100, Emin=-100, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
DAY: Final = 86_400  # seconds
MICRO: Final = Fraction(1, 1_000_000)  # seconds
SECONDS: Final = {"d": DAY, "h": 3_600, "m": 60, "s": 1}
DURATION: Final = re.compile(r"(-?(?:0|[1-9]\d{0,15}))([dhms])", re.ASCII)
TIMESTAMP: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z", re.ASCII)
YMD: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)  # Python reads weeks, such as 2024-W01-1, as dates too
NUMBER: Final = re.compile(
    r"-?(0|[1-9]\d*)(\.\d+)?", re.ASCII
)  # no Infinity, 1e3, 010 (is it 8?), digits of other scripts
LONGEST: Final = 128  # characters of a string


@dataclass(frozen=True)
class Type:
    """A type: `digits` of a decimal, `values` of an enum, the bounds that values keep (scaled), `unit` of a duration: the
    seconds that 1 stands for; of a timestamp only whether that is `MICRO`.
    """

    kind: Kind
    digits: int = 0
    values: tuple[str, ...] = ()
    low: int = -LARGEST
    high: int = LARGEST
    unit: int | Fraction = DAY

    @property
    def step(self) -> int | Fraction:
        """The seconds that 1 stands for; 0 for what is no time."""
        if self.kind == "timestamp":
            return self.unit if self.unit == MICRO else 1
        return {"date": DAY, "duration": self.unit}.get(self.kind, 0)

    @property
    def numeric(self) -> bool:
        """Whether values are ordered and held as integers."""
        return self.kind not in ("bool", "enum", "string")

    @property
    def moment(self) -> bool:
        """Whether it is a point in time."""
        return self.kind in ("date", "timestamp")

    @property
    def worded(self) -> bool:
        """Whether values are words."""
        return self.kind in ("enum", "string")

    def __str__(self) -> str:
        if self.kind == "decimal":
            return f"decimal({self.digits})"
        return f"one of {', '.join(self.values)}" if self.kind == "enum" else self.kind


BOOL: Final = Type("bool")
STRING: Final = Type("string")
DATE: Final = Type("date", low=-200_000, high=3_000_000)
MOMENT: Final = Type("timestamp", low=-200_000 * DAY, high=3_000_000 * DAY)
PRECISE_MOMENT: Final = Type("timestamp", unit=MICRO)  # a range of 285 years on either side of 1970
DAYS: Final = Type("duration", low=-3_000_000, high=3_000_000)


@dataclass(frozen=True)
class Attribute:
    """What an expression can name: a feature, a flag, or a field of the request. `data_class`: of the evidence it is made
    of; `also` the further ones of a flag over several kinds of event.
    """

    name: str
    type: Type
    data_class: str = ""
    unit: str = ""
    also: tuple[str, ...] = ()

    @property
    def classes(self) -> frozenset[str]:
        """Every data class that it is made of."""
        return frozenset((self.data_class, *self.also))


Schema = Mapping[str, Attribute]


@dataclass(frozen=True)
class EventKind:
    """A kind of event that patterns can name: the data class of its evidence, and the fields that it may carry."""

    name: str
    data_class: str
    fields: Schema


Kinds = Mapping[str, EventKind]


def written(value: Value | None, type_: Type) -> str:
    """The value as an operator writes it: `0.85`, `true`, `1996-03-01`, `90d`; UNKNOWN when missing.

    Sums can lead to moments beyond the calendar: those are told by their distance, as `1970-01-01 + 4000000d`.
    """
    if value is None:
        return "UNKNOWN"
    if type_.kind == "decimal":
        return f"{Decimal(int(value)).scaleb(-type_.digits):f}"
    if type_.moment:
        return _moment(int(value), type_)
    if type_.kind == "duration":
        return _duration(int(value) * type_.step)
    return str(value).lower() if type_.kind == "bool" else str(value)


def _moment(value: int, type_: Type) -> str:
    try:
        at = datetime(1970, 1, 1) + timedelta(microseconds=int(value * type_.step / MICRO))
    except OverflowError:
        return f"1970-01-01 {'-' if value < 0 else '+'} {_duration(abs(value) * type_.step)}"
    return at.date().isoformat() if type_.kind == "date" else f"{at.isoformat()}Z"


def _duration(seconds: int | Fraction) -> str:
    unit = next((u for u, length in SECONDS.items() if seconds % length == 0), None)
    if unit is None:
        return f"{Decimal(int(seconds / MICRO)).scaleb(-6).normalize():f}s"
    return f"{seconds // SECONDS[unit]}{unit}"


def scaled(text: str, type_: Type, timezone: str = UTC_NAME) -> int | None:
    """A number, date, timestamp or duration as written, as the integer that holds it; None when it does not fit exactly.

    A date that stands for a timestamp is the first moment of its day on the clocks of `timezone`.
    """
    if type_.kind == "date":
        return day_of(text)
    if type_.kind == "timestamp":
        return _units(_seconds(text, timezone), type_)
    if type_.kind == "duration":
        found = DURATION.fullmatch(text)
        return _units(int(found[1]) * SECONDS[found[2]] if found else None, type_)
    if not NUMBER.fullmatch(text):
        return None
    try:
        digits = EXACT.scaleb(EXACT.create_decimal(text), type_.digits)
    except (Inexact, InvalidOperation):  # a literal of hundreds of digits
        return None
    return int(digits) if digits == digits.to_integral_value() else None


def day_of(text: str) -> int | None:
    """Days since 1970-01-01 of a date as written, or None."""
    try:
        return date.fromisoformat(text).toordinal() - EPOCH.toordinal() if YMD.fullmatch(text) else None
    except ValueError:
        return None


def value_of(text: str, type_: Type, timezone: str = UTC_NAME) -> Value | None:
    """A value of any type as written, within the type's bounds; None when it is not one."""
    if type_.kind == "bool":
        return {"true": True, "false": False}.get(text)
    if type_.worded:
        fits = text in type_.values if type_.kind == "enum" else 0 < len(text) <= LONGEST and flaw(text) is None
        return text if fits else None
    found = scaled(text, type_, timezone)
    return found if found is not None and type_.low <= found <= type_.high else None


def fits(value: Value | None, type_: Type) -> bool:
    """Whether a value as it is held is one of the type. Missing fits every type."""
    if value is None:
        return True
    if type_.kind == "bool":
        return isinstance(value, bool)
    if type_.worded:
        return isinstance(value, str) and (value in type_.values or (type_.kind == "string" and len(value) <= LONGEST))
    return type(value) is int and type_.low <= value <= type_.high


def _units(seconds: int | Fraction | None, type_: Type) -> int | None:
    return None if seconds is None or seconds % type_.step else int(seconds // type_.step)


def _seconds(text: str, timezone: str) -> Fraction | None:
    day = day_of(text)
    if day is not None:
        return Fraction(start_second(timezone, day))
    if not TIMESTAMP.fullmatch(text):
        return None
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None
    return (at - datetime(1970, 1, 1)) // timedelta(microseconds=1) * MICRO
