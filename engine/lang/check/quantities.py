"""Resolve numbers, moments and durations in expressions to integers.

A literal takes the type of the value that you compare it with, or we reject it at its place. We know the range of each
sum and product from the bounds of its features, so no 64-bit column can overflow. Kinds stay separate: you cannot
compare a count with a duration, or add a moment to a moment.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.lang.model.conditions import Attr, DayStart, Int, Num, Op
from engine.lang.model.problems import Report, SourceSpan
from engine.lang.model.timezones import UTC_NAME
from engine.lang.model.types import DAY, MAX_INTEGER, MAX_INTERMEDIATE, MICROSECOND, Attribute, Type, parse_scaled
from engine.lang.syntax.expression_tree import Arithmetic, Constant, Expr, Name

TYPE_WORDS: Final = {
    "int": "a whole number",
    "bool": "a condition",
    "enum": "a word",
    "string": "a word",
    "date": "a date",
    "timestamp": "a timestamp",
    "duration": "a duration",
}
EXAMPLES: Final = {"date": "write a date such as 2024-03-01", "timestamp": "write 2024-03-01T12:00:00Z, or a date"}
# The kinds of literals that fit each type. A date stands for the first moment of its day in the rules' time zone.
LITERAL_KINDS: Final = {"date": ("date",), "timestamp": ("timestamp", "date"), "duration": ("duration",)}


class ExpressionError(Exception):
    """The report has the reason already."""


@dataclass(frozen=True)
class Quantity:
    """A numeric expression and its type, which includes its range."""

    num: Num
    type: Type

    @property
    def family(self) -> str:
        """The family of values that you can compare it with: `moment`, `duration` or `number`."""
        return "moment" if self.type.moment else "duration" if self.type.kind == "duration" else "number"


@dataclass(frozen=True)
class Quantities:
    """Reads numeric expressions. `attribute` looks up a name, or reports the reason and raises ExpressionError."""

    attribute: Callable[[Name], Attribute]
    report: Report

    def read(self, expr: Expr) -> Quantity:
        """Resolve the expression. Raises ExpressionError if it is not a number, moment or duration."""
        match expr:
            case Name(name):
                attribute = self.attribute(expr)
                if attribute.type.numeric:
                    return Quantity(Attr(name), attribute.type)
                raise self._report_error("R103", f"`{name}` is {describe_type(attribute.type)}, not a number", expr.at)
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
                raise self._report_error("R103", "a number belongs here", expr.at, hint)

    def literal(self, constant: Constant, type_: Type) -> Quantity:
        """The constant as a value of the type. Raises ExpressionError if it does not fit."""
        message = f"`{constant.text[:40]}` does not fit {describe_type(type_)}"
        if constant.kind not in LITERAL_KINDS.get(type_.kind, ("number",)):
            quoted = constant.kind == "word" and parse_scaled(constant.text, type_) is not None
            raise self._report_error(
                "R104", message, constant.at, "write it without quotes" if quoted else literal_hint(type_)
            )
        value = parse_scaled(constant.text, type_, self.report.timezone)
        if value is None:
            zeros = re.match(r"-?0\d", constant.text) and constant.kind in ("number", "duration")
            raise self._report_error(
                "R104", message, constant.at, "leave out the zeros before it" if zeros else literal_hint(type_)
            )
        if abs(value) > MAX_INTEGER:
            raise self._report_error("R104", f"`{constant.text[:40]}` is larger than any value", constant.at)
        return Quantity(Int(value, constant.text), Type(type_.kind, type_.digits, (), value, value, type_.unit))

    def pair(self, left: Expr, right: Expr, at: SourceSpan) -> tuple[Num, Num]:
        """The two sides of a comparison, converted to the same scale."""
        first = self.read(left)
        second = self.literal(right, first.type) if isinstance(right, Constant) else self.read(right)
        if first.family != second.family:
            hint = "write a duration as 90d" if "duration" in (first.family, second.family) else EXAMPLES["date"]
            text = f"{describe_type(first.type)} cannot be compared with {describe_type(second.type)}"
            raise self._report_error("R103", text, right.at, hint)
        finest = _finer_type(first.type, second.type)
        return self._rescale(first, finest, at).num, self._rescale(second, finest, at).num

    def _arithmetic(self, expr: Arithmetic) -> Quantity:
        left, right = self.read(expr.left), self.read(expr.right)
        kind = _result_family(expr.op, left.family, right.family)
        if kind is None:
            text = f"{describe_type(left.type)} {expr.op} {describe_type(right.type)} has no meaning"
            mixes_number = expr.op != "*" and "number" in (left.family, right.family)
            hint = "moments are subtracted; durations are added, or multiplied by a number"
            raise self._report_error("R103", text, expr.at, "write a duration as 90d" if mixes_number else hint)
        if expr.op == "*":
            return self._product(left, right, kind, expr.at)
        finest = _finer_type(left.type, right.type)
        left, right = self._rescale(left, finest, expr.at), self._rescale(right, finest, expr.at)
        low, high = _range(expr.op, left.type, right.type)
        type_ = _result_type(kind, finest, low, high)
        return self._check_bounds(Quantity(Op(expr.op, left.num, right.num), type_), expr.at)

    def _product(self, left: Quantity, right: Quantity, kind: str, at: SourceSpan) -> Quantity:
        duration_type = next((q.type for q in (left, right) if q.family == "duration"), None)
        if duration_type and left.type.digits + right.type.digits:
            raise self._report_error("R103", "a duration is multiplied by a whole number only", at)
        low, high = _range("*", left.type, right.type)
        digits = left.type.digits + right.type.digits
        type_ = (
            Type("duration", 0, (), low, high, duration_type.unit)
            if duration_type
            else Type("decimal", digits, (), low, high)
        )
        assert (kind == "duration") == (duration_type is not None)  # noqa: S101 - `_result_family` says the same
        return self._check_bounds(Quantity(Op("*", left.num, right.num), type_), at)

    def _rescale(self, quantity: Quantity, finest: Type, at: SourceSpan) -> Quantity:
        type_from = quantity.type
        factor = int(type_from.step // finest.step) if type_from.step else 10 ** (finest.digits - type_from.digits)
        if factor == 1:
            return quantity
        if type_from.kind == "date" and self.report.timezone != UTC_NAME and not isinstance(quantity.num, Int):
            seconds = DayStart(quantity.num, self.report.timezone)
            low, high = (type_from.low - 1) * DAY, (type_from.high + 1) * DAY
            return self._rescale(Quantity(seconds, Type("timestamp", 0, (), low, high)), finest, at)
        if isinstance(quantity.num, Int):
            num: Num = Int(quantity.num.value * factor, quantity.num.text)
        else:
            num = Op("*", quantity.num, Int(factor), scaling=True)
        type_ = Type(finest.kind, finest.digits, (), type_from.low * factor, type_from.high * factor, finest.unit)
        return self._check_bounds(Quantity(num, type_), at)

    def _check_bounds(self, quantity: Quantity, at: SourceSpan) -> Quantity:
        if max(-quantity.type.low, quantity.type.high) > MAX_INTERMEDIATE:
            hint = "use fewer factors, or features with narrower bounds"
            raise self._report_error("R106", "this number can grow beyond 2^62", at, hint)
        return quantity

    def _report_error(self, code: str, message: str, at: SourceSpan, hint: str = "") -> ExpressionError:
        self.report.add(code, message, at, hint)
        return ExpressionError()


def describe_type(type_: Type) -> str:
    """The type in words, with an article."""
    if type_.kind == "decimal":
        return f"a number with {type_.digits} digits after the point" if type_.digits else "a whole number"
    return TYPE_WORDS[type_.kind]


def literal_hint(type_: Type) -> str:
    """A hint on how to write a literal of the type."""
    if type_.kind == "duration":
        return "write 90d, in whole days" if type_.unit == DAY else "write 90d, 12h, 30m or 45s"
    plain = f"write at most {type_.digits} digits after the point" if type_.digits else "write a whole number"
    return EXAMPLES.get(type_.kind, plain)


def _finer_type(a: Type, b: Type) -> Type:
    """The type with the smaller unit, of two types of one family."""
    return (a if a.step <= b.step else b) if a.step else (a if a.digits >= b.digits else b)


def _result_family(op: str, left: str, right: str) -> str | None:
    """The family of a sum, difference or product; None if the operation has no meaning."""
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


def _result_type(family: str, finest: Type, low: int, high: int) -> Type:
    if family == "duration":
        return Type("duration", 0, (), low, high, finest.step)
    if family == "moment":
        unit = MICROSECOND if finest.step == MICROSECOND else DAY
        return Type("date" if finest.step == DAY else "timestamp", 0, (), low, high, unit)
    return Type("decimal", finest.digits, (), low, high)


def _range(op: str, a: Type, b: Type) -> tuple[int, int]:
    if op == "+":
        return a.low + b.low, a.high + b.high
    if op == "-":
        return a.low - b.high, a.high - b.low
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return min(corners), max(corners)
