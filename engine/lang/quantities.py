"""Quantities: what numbers, moments and durations in expressions mean, each held as an integer.

A literal takes the type of what it is compared with, or is refused at its own place. The range of each sum and product
is known from the bounds of its features, so that no 64-bit column can overflow. Kinds are kept apart: a count is not
compared with a duration, a moment is not added to a moment.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.lang.problems import Report, Span
from engine.lang.syntax import Arithmetic, Constant, Expr, Name
from engine.lang.timezones import UTC_NAME
from engine.lang.truths import Attr, DayStart, Int, Num, Op
from engine.lang.types import DAY, LARGEST, LARGEST_WITHIN, MICRO, Attribute, Type, scaled

WORDS: Final = {"int": "a whole number", "bool": "a condition", "enum": "a word", "string": "a word"} | {
    "date": "a date",
    "timestamp": "a timestamp",
    "duration": "a duration",
}
EXAMPLES: Final = {"date": "write a date such as 2024-03-01", "timestamp": "write 2024-03-01T12:00:00Z, or a date"}
# Which literals fit which types; a date is the first moment of its day in the time zone of the rules.
FITTING: Final = {"date": ("date",), "timestamp": ("timestamp", "date"), "duration": ("duration",)}


class Wrong(Exception):
    """Reported already."""


@dataclass(frozen=True)
class Quantity:
    """A numeric expression: what it is, its type, and so the range it stays in."""

    num: Num
    type: Type

    @property
    def family(self) -> str:
        """What it can be compared with: `moment`, `duration` or `number`."""
        return "moment" if self.type.moment else "duration" if self.type.kind == "duration" else "number"


@dataclass(frozen=True)
class Quantities:
    """Reads numeric expressions; `attribute` looks a name up, or raises Wrong with the reason reported."""

    attribute: Callable[[Name], Attribute]
    report: Report

    def read(self, expr: Expr) -> Quantity:
        """What the expression is. Raises Wrong when it is no number, moment or duration."""
        match expr:
            case Name(name):
                attribute = self.attribute(expr)
                if attribute.type.numeric:
                    return Quantity(Attr(name), attribute.type)
                raise self._wrong("R103", f"`{name}` is {an(attribute.type)}, not a number", expr.at)
            case Constant(text, "number"):
                return self.literal(expr, Type("decimal", len(text.partition(".")[2])))
            case Constant(text, "duration"):
                return self.literal(expr, Type("duration", unit=DAY if text.endswith("d") else 1))
            case Constant(_, "date" | "timestamp" as kind):
                return self.literal(expr, Type(kind))
            case Arithmetic():
                return self._arithmetic(expr)
            case _:
                hint = "a feature, a number, or a sum of them; conditions are joined with `and` and `or`, not compared"
                raise self._wrong("R103", "a number belongs here", expr.at, hint)

    def literal(self, constant: Constant, type_: Type) -> Quantity:
        """The constant as a value of the type. Raises Wrong when it does not fit."""
        shown = f"`{constant.text[:40]}` does not fit {an(type_)}"
        if constant.kind not in FITTING.get(type_.kind, ("number",)):
            quoted = constant.kind == "word" and scaled(constant.text, type_) is not None
            raise self._wrong("R104", shown, constant.at, "write it without quotes" if quoted else how_written(type_))
        value = scaled(constant.text, type_, self.report.timezone)
        if value is None:
            zeros = re.match(r"-?0\d", constant.text) and constant.kind in ("number", "duration")
            raise self._wrong(
                "R104", shown, constant.at, "leave out the zeros before it" if zeros else how_written(type_)
            )
        if abs(value) > LARGEST:
            raise self._wrong("R104", f"`{constant.text[:40]}` is larger than any value", constant.at)
        return Quantity(Int(value, constant.text), Type(type_.kind, type_.digits, (), value, value, type_.unit))

    def pair(self, left: Expr, right: Expr, at: Span) -> tuple[Num, Num]:
        """Two sides of a comparison, brought to the same scale."""
        first = self.read(left)
        second = self.literal(right, first.type) if isinstance(right, Constant) else self.read(right)
        if first.family != second.family:
            hint = "write a duration as 90d" if "duration" in (first.family, second.family) else EXAMPLES["date"]
            text = f"{an(first.type)} cannot be compared with {an(second.type)}"
            raise self._wrong("R103", text, right.at, hint)
        finest = _finer(first.type, second.type)
        return self._rescaled(first, finest, at).num, self._rescaled(second, finest, at).num

    def _arithmetic(self, expr: Arithmetic) -> Quantity:
        left, right = self.read(expr.left), self.read(expr.right)
        kind = _result(expr.op, left.family, right.family)
        if kind is None:
            text = f"{an(left.type)} {expr.op} {an(right.type)} has no meaning"
            lone = expr.op != "*" and "number" in (left.family, right.family)
            hint = "moments are subtracted; durations are added, or multiplied by a number"
            raise self._wrong("R103", text, expr.at, "write a duration as 90d" if lone else hint)
        if expr.op == "*":
            return self._product(left, right, kind, expr.at)
        finest = _finer(left.type, right.type)
        left, right = self._rescaled(left, finest, expr.at), self._rescaled(right, finest, expr.at)
        low, high = _range(expr.op, left.type, right.type)
        type_ = _typed(kind, finest, low, high)
        return self._bounded(Quantity(Op(expr.op, left.num, right.num), type_), expr.at)

    def _product(self, left: Quantity, right: Quantity, kind: str, at: Span) -> Quantity:
        timed = next((q.type for q in (left, right) if q.family == "duration"), None)
        if timed and left.type.digits + right.type.digits:
            raise self._wrong("R103", "a duration is multiplied by a whole number only", at)
        low, high = _range("*", left.type, right.type)
        digits = left.type.digits + right.type.digits
        type_ = Type("duration", 0, (), low, high, timed.unit) if timed else Type("decimal", digits, (), low, high)
        assert (kind == "duration") == (timed is not None)  # noqa: S101 - the table says the same
        return self._bounded(Quantity(Op("*", left.num, right.num), type_), at)

    def _rescaled(self, quantity: Quantity, finest: Type, at: Span) -> Quantity:
        of = quantity.type
        more = int(of.step // finest.step) if of.step else 10 ** (finest.digits - of.digits)
        if more == 1:
            return quantity
        if of.kind == "date" and self.report.timezone != UTC_NAME and not isinstance(quantity.num, Int):
            seconds = DayStart(quantity.num, self.report.timezone)
            low, high = (of.low - 1) * DAY, (of.high + 1) * DAY
            return self._rescaled(Quantity(seconds, Type("timestamp", 0, (), low, high)), finest, at)
        if isinstance(quantity.num, Int):
            num: Num = Int(quantity.num.value * more, quantity.num.text)
        else:
            num = Op("*", quantity.num, Int(more), scaling=True)
        type_ = Type(finest.kind, finest.digits, (), of.low * more, of.high * more, finest.unit)
        return self._bounded(Quantity(num, type_), at)

    def _bounded(self, quantity: Quantity, at: Span) -> Quantity:
        if max(-quantity.type.low, quantity.type.high) > LARGEST_WITHIN:
            hint = "use fewer factors, or features with narrower bounds"
            raise self._wrong("R106", "this number can grow beyond 2^62", at, hint)
        return quantity

    def _wrong(self, code: str, message: str, at: Span, hint: str = "") -> Wrong:
        self.report.add(code, message, at, hint)
        return Wrong()


def an(type_: Type) -> str:
    """The type in words, with its article."""
    if type_.kind == "decimal":
        return f"a number with {type_.digits} digits after the point" if type_.digits else "a whole number"
    return WORDS[type_.kind]


def how_written(type_: Type) -> str:
    """How a literal of the type is written, as a hint."""
    if type_.kind == "duration":
        return "write 90d, in whole days" if type_.unit == DAY else "write 90d, 12h, 30m or 45s"
    plain = f"write at most {type_.digits} digits after the point" if type_.digits else "write a whole number"
    return EXAMPLES.get(type_.kind, plain)


def _finer(a: Type, b: Type) -> Type:
    """The one of two types of a family whose unit is the smaller."""
    return (a if a.step <= b.step else b) if a.step else (a if a.digits >= b.digits else b)


def _result(op: str, left: str, right: str) -> str | None:
    """The family of a sum, difference or product; None when it has no meaning."""
    table = {
        ("number", "number"): "number",
        ("duration", "duration"): None if op == "*" else "duration",
        ("moment", "moment"): "duration" if op == "-" else None,
        ("moment", "duration"): None if op == "*" else "moment",
        ("duration", "moment"): "moment" if op == "+" else None,
        ("number", "duration"): "duration" if op == "*" else None,
        ("duration", "number"): "duration" if op == "*" else None,
    }
    return table.get((left, right))


def _typed(family: str, finest: Type, low: int, high: int) -> Type:
    if family == "duration":
        return Type("duration", 0, (), low, high, finest.step)
    if family == "moment":
        unit = MICRO if finest.step == MICRO else DAY
        return Type("date" if finest.step == DAY else "timestamp", 0, (), low, high, unit)
    return Type("decimal", finest.digits, (), low, high)


def _range(op: str, a: Type, b: Type) -> tuple[int, int]:
    if op == "+":
        return a.low + b.low, a.high + b.high
    if op == "-":
        return a.low - b.high, a.high - b.low
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return min(corners), max(corners)
