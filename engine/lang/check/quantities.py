"""Resolve numbers, moments and durations in expressions to integers.

A literal takes the type of the value that you compare it with, or we reject it at its place. We know the range of each
sum and product from the bounds of its features, so no 64-bit column can overflow. Kinds stay separate: you cannot
compare a count with a duration, or add a moment to a moment.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from engine.lang.check.money import Amount, comparison, largest
from engine.lang.model.conditions import Attr, Cmp, Comparison, DayStart, Int, Num, Op, Truth, names
from engine.lang.model.currencies import CURRENCY_DIGITS, example, money_flaw
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
    "money": "an amount of money",
}
EXAMPLES: Final = {"date": "write a date such as 2024-03-01", "timestamp": "write 2024-03-01T12:00:00Z, or a date"}
# The kinds of literals that fit each type. A date stands for the first moment of its day in the rules' time zone.
LITERAL_KINDS: Final = {
    "date": ("date",),
    "timestamp": ("timestamp", "date"),
    "duration": ("duration",),
    "money": ("money",),
}


class ExpressionError(Exception):
    """The report has the reason already."""


@dataclass(frozen=True)
class Quantity:
    """A numeric expression and its type, which includes its range.

    `currency` names the attribute with the currency of an amount of money, if each value has its own.
    """

    num: Num
    type: Type
    currency: str = ""

    @property
    def family(self) -> str:
        """The family of values that you can compare it with: `moment`, `duration`, `money` or `number`."""
        if self.type.kind in ("duration", "money"):
            return self.type.kind
        return "moment" if self.type.moment else "number"


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
                    return Quantity(Attr(name), attribute.type, attribute.currency)
                raise self._report_error("R103", f"`{name}` is {describe_type(attribute.type)}, not a number", expr.at)
            case Constant(text, "number"):
                return self.literal(expr, Type("decimal", len(text.partition(".")[2])))
            case Constant(text, "duration"):
                return self.literal(expr, Type("duration", unit=DAY if text.endswith("d") else 1))
            case Constant(_, "money"):
                return self._money(expr)
            case Constant(_, "date" | "timestamp" as kind):
                return self.literal(expr, Type(kind))
            case Arithmetic():
                return self._arithmetic(expr)
            case _:
                hint = "a feature, a number, or a sum of them; conditions are joined with `and` and `or`, not compared"
                raise self._report_error("R103", "a number belongs here", expr.at, hint)

    def literal(self, constant: Constant, type_: Type) -> Quantity:
        """The constant as a value of the type. Raises ExpressionError if it does not fit."""
        if type_.kind == "money" and constant.kind == "money":
            return self._money(constant)
        if type_.kind == "money" and constant.kind == "number":
            amount = example(
                constant.text[:40], type_.currency or (self.report.rates.base if self.report.rates else "")
            )
            hint = f"write `{amount}`" if type_.currency else f"write `{amount}`, in the currency that you mean"
            text = f"`{constant.text[:40]}` has no currency, and is compared with an amount of money"
            raise self._report_error("R104", text, constant.at, hint)
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

    def compare(self, op: Comparison, left: Expr, right: Expr, at: SourceSpan) -> Truth:
        """The condition that compares the two sides, converted to the same scale, or currency."""
        first = self.read(left)
        second = self.literal(right, first.type) if isinstance(right, Constant) else self.read(right)
        return self.comparison(op, first, second, right.at, at)

    def comparison(self, op: Comparison, first: Quantity, second: Quantity, place: SourceSpan, at: SourceSpan) -> Truth:
        """The condition that compares two quantities; `place` is that of the second one."""
        if first.family != second.family:
            families = {first.family, second.family}
            hint = "write a duration as 90d" if "duration" in families else EXAMPLES["date"]
            hint = "write an amount with its currency, as 1000.50 CNY" if "money" in families else hint
            text = f"{describe_type(first.type)} cannot be compared with {describe_type(second.type)}"
            raise self._report_error("R103", text, place, hint)
        if first.family == "money":
            return self._compare_money(op, first, second, at)
        finest = _finer_type(first.type, second.type)
        return Cmp(op, self._rescale(first, finest, at).num, self._rescale(second, finest, at).num)

    def _compare_money(self, op: Comparison, first: Quantity, second: Quantity, at: SourceSpan) -> Truth:
        if Int(0) in (first.num, second.num):  # no money is no money in every currency
            return Cmp(op, first.num, second.num)
        left, right = self._amount(first, at), self._amount(second, at)
        if max(largest(left, self.report.rates, right), right.most) > MAX_INTERMEDIATE:
            hint = "use fewer factors, or amounts with narrower bounds"
            raise self._report_error("R106", "this number can grow beyond 2^62", at, hint)
        if self.report.rates and (left.currency, left.field) != (right.currency, right.field):
            own, has_field = {left.currency, right.currency} - {""}, left.field or right.field
            self.report.converted.update(own, self.report.rates.currencies if has_field else ())
        return comparison(op, left, right, self.report.rates)

    def _amount(self, quantity: Quantity, at: SourceSpan) -> Amount:
        type_, num = quantity.type, quantity.num
        if not type_.currency and not quantity.currency:
            name = num.name if isinstance(num, Attr) else "this"
            hint = "give the feature a `currency`, or the rules a rates.yaml"
            raise self._report_error("R103", f"the currency of `{name}` is not stated", at, hint)
        if type_.low == type_.high and not any(names(num)):  # a sum of constants
            num = Int(type_.low, num.text if isinstance(num, Int) else "")
        most = max(-type_.low, type_.high)
        text = num.name if isinstance(num, Attr) else num.text if isinstance(num, Int) else ".."
        more_digits = type_.digits - CURRENCY_DIGITS.get(type_.currency, 0)
        return Amount(num, type_.currency, quantity.currency, more_digits, most, text)

    def _money(self, constant: Constant) -> Quantity:
        """The constant as an amount in its own currency."""
        if flaw := money_flaw(constant.text):
            raise self._report_error("R104", flaw[0], constant.at, flaw[1])
        currency = constant.text.rpartition(" ")[2]
        type_ = Type("money", CURRENCY_DIGITS[currency], currency=currency)
        value = parse_scaled(constant.text, type_)
        if value is None or abs(value) > MAX_INTEGER:
            raise self._report_error("R104", f"`{constant.text[:40]}` is larger than any value", constant.at)
        return Quantity(Int(value, constant.text), replace(type_, low=value, high=value))

    def _arithmetic(self, expr: Arithmetic) -> Quantity:
        left, right = self.read(expr.left), self.read(expr.right)
        kind = _result_family(expr.op, left.family, right.family)
        if kind is None:
            text = f"{describe_type(left.type)} {expr.op} {describe_type(right.type)} has no meaning"
            raise self._report_error("R103", text, expr.at, _arithmetic_hint(expr.op, left.family, right.family))
        if kind == "money" and expr.op != "*" and _currency_of(left) != _currency_of(right):
            text = f"{describe_type(left.type)} {expr.op} {describe_type(right.type)} has no meaning: their currencies differ"
            raise self._report_error("R103", text, expr.at, "add amounts in one currency; only comparisons convert")
        if expr.op == "*":
            return self._product(left, right, kind, expr.at)
        finest = _finer_type(left.type, right.type)
        left, right = self._rescale(left, finest, expr.at), self._rescale(right, finest, expr.at)
        low, high = _range(expr.op, left.type, right.type)
        type_ = _result_type(kind, finest, low, high)
        return self._check_bounds(Quantity(Op(expr.op, left.num, right.num), type_, left.currency), expr.at)

    def _product(self, left: Quantity, right: Quantity, kind: str, at: SourceSpan) -> Quantity:
        duration_type = next((q.type for q in (left, right) if q.family == "duration"), None)
        money = next((q for q in (left, right) if q.family == "money"), None)
        if duration_type and left.type.digits + right.type.digits:
            raise self._report_error("R103", "a duration is multiplied by a whole number only", at)
        low, high = _range("*", left.type, right.type)
        digits = left.type.digits + right.type.digits
        type_ = (
            Type("duration", 0, (), low, high, duration_type.unit)
            if duration_type
            else Type(
                "money" if money else "decimal", digits, (), low, high, currency=money.type.currency if money else ""
            )
        )
        assert (kind == "duration") == (duration_type is not None)  # noqa: S101 - `_result_family` says the same
        return self._check_bounds(Quantity(Op("*", left.num, right.num), type_, money.currency if money else ""), at)

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
        type_ = replace(finest, values=(), low=type_from.low * factor, high=type_from.high * factor)
        return self._check_bounds(Quantity(num, type_, quantity.currency), at)

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
    return f"{TYPE_WORDS[type_.kind]} in {type_.currency}" if type_.currency else TYPE_WORDS[type_.kind]


def _currency_of(quantity: Quantity) -> tuple[str, str]:
    return quantity.type.currency, quantity.currency


def _arithmetic_hint(op: str, left: str, right: str) -> str:
    if "money" in (left, right):
        return "amounts are added to amounts in the same currency, or multiplied by a number"
    mixes_number = op != "*" and "number" in (left, right)
    return (
        "write a duration as 90d"
        if mixes_number
        else "moments are subtracted; durations are added, or multiplied by a number"
    )


def literal_hint(type_: Type) -> str:
    """A hint on how to write a literal of the type."""
    if type_.kind == "duration":
        return "write 90d, in whole days" if type_.unit == DAY else "write 90d, 12h, 30m or 45s"
    if type_.kind == "money":
        return f"write it as {example('1000', type_.currency)}"
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
        ("money", "money"): None if op == "*" else "money",
        ("money", "number"): "money" if op == "*" else None,
        ("number", "money"): "money" if op == "*" else None,
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
    if family == "money":
        return replace(finest, low=low, high=high)
    return Type("decimal", finest.digits, (), low, high)


def _range(op: str, a: Type, b: Type) -> tuple[int, int]:
    if op == "+":
        return a.low + b.low, a.high + b.high
    if op == "-":
        return a.low - b.high, a.high - b.low
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return min(corners), max(corners)
