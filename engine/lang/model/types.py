"""Define the types of values, and the integers and words that hold them.

Every value is a bool, an integer or a word:

- a decimal with d digits is the integer value x 10^d;
- a date is the days since 1970-01-01 UTC;
- a timestamp is the seconds since then (of an order, the microseconds);
- a duration is a whole number of such units;
- an amount of money is a whole number of minor units of its currency, such as cents.

We use no floats. That is why every engine gives the same decision.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from fractions import Fraction
from typing import Final, Literal

from engine.lang.model.currencies import MONEY
from engine.lang.model.identifiers import flaw
from engine.lang.model.timezones import UTC_NAME, start_second

Value = bool | int | str
Kind = Literal["bool", "int", "decimal", "enum", "string", "date", "timestamp", "duration", "money"]

# The largest magnitude of a value. Beyond it, JSON readers and durable-rules lose exactness.
MAX_INTEGER: Final = 2**53 - 1
MAX_INTERMEDIATE: Final = 2**62  # the largest intermediate result of an expression: 64-bit columns do not overflow
EPOCH: Final = date(1970, 1, 1)
DECIMAL_CONTEXT: Final = Context(
    prec=60, Emax=100, Emin=-100, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow]
)
DAY: Final = 86_400  # seconds
MICROSECOND: Final = Fraction(1, 1_000_000)  # seconds
UNIT_SECONDS: Final = {"d": DAY, "h": 3_600, "m": 60, "s": 1}
DURATION: Final = re.compile(r"(-?(?:0|[1-9]\d{0,15}))([dhms])", re.ASCII)
TIMESTAMP: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z", re.ASCII)
DATE_PATTERN: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)  # Python reads weeks, such as 2024-W01-1, as dates too
# We accept no Infinity, no 1e3, no 010 (is it 8?), and no digits of other scripts.
NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?", re.ASCII)
MAX_STRING_CHARS: Final = 128  # characters of a string


@dataclass(frozen=True)
class Type:
    """The type of a value.

    `digits` are those of a decimal, `values` those of an enum. `low` and `high` are the bounds of a value, scaled like
    the value itself. `unit` is the seconds that 1 stands for in a duration. For a timestamp, only whether `unit` is
    `MICROSECOND` matters. `currency` is that of every value of an amount of money; if it is empty, each value has its own,
    or the currency is the same for all values of a person but not known to the rules.
    """

    kind: Kind
    digits: int = 0
    values: tuple[str, ...] = ()
    low: int = -MAX_INTEGER
    high: int = MAX_INTEGER
    unit: int | Fraction = DAY
    currency: str = ""

    @property
    def step(self) -> int | Fraction:
        """The seconds that 1 stands for; 0 for a type that is not a time."""
        if self.kind == "timestamp":
            return self.unit if self.unit == MICROSECOND else 1
        return {"date": DAY, "duration": self.unit}.get(self.kind, 0)

    @property
    def numeric(self) -> bool:
        """Whether values are ordered and held as integers."""
        return self.kind not in ("bool", "enum", "string")

    @property
    def moment(self) -> bool:
        """Whether the type is a point in time."""
        return self.kind in ("date", "timestamp")

    @property
    def textual(self) -> bool:
        """Whether values are words."""
        return self.kind in ("enum", "string")

    def __str__(self) -> str:
        if self.kind == "decimal":
            return f"decimal({self.digits})"
        if self.kind == "money" and self.currency:
            return f"money in {self.currency}"
        return f"one of {', '.join(self.values)}" if self.kind == "enum" else self.kind


BOOL: Final = Type("bool")
STRING: Final = Type("string")
DATE: Final = Type("date", low=-200_000, high=3_000_000)
MOMENT: Final = Type("timestamp", low=-200_000 * DAY, high=3_000_000 * DAY)
PRECISE_MOMENT: Final = Type("timestamp", unit=MICROSECOND)  # a range of 285 years on either side of 1970
DAYS: Final = Type("duration", low=-3_000_000, high=3_000_000)


@dataclass(frozen=True)
class Attribute:
    """A name that an expression can use: a feature, a flag, or a field of the request.

    `data_class` is the class of the evidence behind it. `extra_classes` are further classes, of a flag over several
    kinds of events. `formerly` is its name in an earlier version; we show it in hints. `currency` names the attribute
    with the currency of an amount of money, if each value has its own. `direction` says which values are better.
    """

    name: str
    type: Type
    data_class: str = ""
    unit: str = ""
    extra_classes: tuple[str, ...] = ()
    formerly: str = ""
    currency: str = ""
    direction: str = "none"

    @property
    def classes(self) -> frozenset[str]:
        """Every data class of its evidence."""
        return frozenset((self.data_class, *self.extra_classes))


Schema = Mapping[str, Attribute]


def extend_schema(schema: Schema, *attributes: Attribute) -> dict[str, Attribute]:
    """The schema with further attributes, by their names."""
    by_name = dict(schema)
    by_name.update((attribute.name, attribute) for attribute in attributes)
    return by_name


def without_money(schema: Schema) -> Schema:
    """The schema before amounts had currencies: money is a whole number of minor units."""
    plain = {
        name: replace(a, type=Type("int", low=a.type.low, high=a.type.high), currency="")
        for name, a in schema.items()
        if a.type.kind == "money"
    }
    return {**schema, **plain}


@dataclass(frozen=True)
class EventKind:
    """A kind of event that patterns and features can name: the data class of its evidence, and the fields that it can have.

    An `adverse` event says that something went wrong, such as a default. `reverses` names the kind that it takes back.
    """

    name: str
    data_class: str
    fields: Schema
    adverse: bool = False
    reverses: str = ""


Kinds = Mapping[str, EventKind]


def format_value(value: Value | None, type_: Type) -> str:
    """Format the value as an operator writes it: `0.85`, `true`, `1996-03-01`, `90d`; `UNKNOWN` if missing.

    A sum can be a moment outside the calendar. We show such a moment by its distance, as in `1970-01-01 + 4000000d`.
    """
    if value is None:
        return "UNKNOWN"
    if type_.kind in ("decimal", "money"):
        number = f"{Decimal(int(value)).scaleb(-type_.digits):f}"
        return f"{number} {type_.currency}" if type_.currency else number
    if type_.moment:
        return _moment(int(value), type_)
    if type_.kind == "duration":
        return _duration(int(value) * type_.step)
    return str(value).lower() if type_.kind == "bool" else str(value)


def _moment(value: int, type_: Type) -> str:
    try:
        at = datetime(1970, 1, 1) + timedelta(microseconds=int(value * type_.step / MICROSECOND))
    except OverflowError:
        return f"1970-01-01 {'-' if value < 0 else '+'} {_duration(abs(value) * type_.step)}"
    return at.date().isoformat() if type_.kind == "date" else f"{at.isoformat()}Z"


def _duration(seconds: int | Fraction) -> str:
    unit = next((u for u, length in UNIT_SECONDS.items() if seconds % length == 0), None)
    if unit is None:
        return f"{Decimal(int(seconds / MICROSECOND)).scaleb(-6).normalize():f}s"
    return f"{seconds // UNIT_SECONDS[unit]}{unit}"


def parse_scaled(text: str, type_: Type, timezone: str = UTC_NAME) -> int | None:
    """Parse a number, date, timestamp or duration to the integer that holds it; None if it does not fit exactly.

    A date in place of a timestamp is the first moment of its day in `timezone`. Money must be in the currency of the type.
    """
    if type_.kind == "money":
        if not type_.currency:  # minor units of a currency that stands elsewhere
            return parse_number(text, 0)
        amount = MONEY.fullmatch(text)
        return parse_number(amount[1], type_.digits) if amount and amount[2] == type_.currency else None
    if type_.kind == "date":
        return day_of(text)
    if type_.kind == "timestamp":
        return _units(_seconds(text, timezone), type_)
    if type_.kind == "duration":
        match = DURATION.fullmatch(text)
        return _units(int(match[1]) * UNIT_SECONDS[match[2]] if match else None, type_)
    return parse_number(text, type_.digits)


def parse_number(text: str, digits: int) -> int | None:
    """Parse a number with at most so many digits after the point to a whole number of the smallest units, or None."""
    if not NUMBER.fullmatch(text):
        return None
    try:
        units = DECIMAL_CONTEXT.scaleb(DECIMAL_CONTEXT.create_decimal(text), digits)
    except (Inexact, InvalidOperation):  # a literal of hundreds of digits
        return None
    return int(units) if units == units.to_integral_value() else None


def day_of(text: str) -> int | None:
    """The days from 1970-01-01 to a date as you write it, or None."""
    try:
        return date.fromisoformat(text).toordinal() - EPOCH.toordinal() if DATE_PATTERN.fullmatch(text) else None
    except ValueError:
        return None


def value_of(text: str, type_: Type, timezone: str = UTC_NAME) -> Value | None:
    """Parse a value of any type, within the bounds of the type; None if the text is not such a value."""
    if type_.kind == "bool":
        return {"true": True, "false": False}.get(text)
    if type_.textual:
        fits = (
            text in type_.values if type_.kind == "enum" else 0 < len(text) <= MAX_STRING_CHARS and flaw(text) is None
        )
        return text if fits else None
    value = parse_scaled(text, type_, timezone)
    return value if value is not None and type_.low <= value <= type_.high else None


def fits(value: Value | None, type_: Type) -> bool:
    """Whether an already scaled value belongs to the type. A missing value fits every type."""
    if value is None:
        return True
    if type_.kind == "bool":
        return isinstance(value, bool)
    if type_.textual:
        return isinstance(value, str) and (
            value in type_.values or (type_.kind == "string" and len(value) <= MAX_STRING_CHARS)
        )
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
    return (at - datetime(1970, 1, 1)) // timedelta(microseconds=1) * MICROSECOND
