"""Check that the measure of a feature fits its keys and its field, and derive the type of its value."""

from dataclasses import dataclass, replace
from typing import Final

from engine.lang.check.quantities import describe_type
from engine.lang.model.currencies import CURRENCY_DIGITS, example
from engine.lang.model.features import FeatureWindow, ValueField
from engine.lang.model.problems import Report, SourceSpan
from engine.lang.model.types import MAX_INTEGER, Type, parse_number, parse_scaled
from engine.lang.syntax.expression_tree import Number
from engine.lang.syntax.feature_lines import FeatureLine

MAX_COUNT: Final = 10**9
MAX_SUM: Final = 9 * 10**15
MAX_DAYS: Final = 110_000  # three centuries
MAX_RATIO: Final = 9_999  # of a quotient
MAX_DEVIATION: Final = 10**12
USUAL_DIGITS: Final = 2  # of shares and quotients
MAX_MORE_DIGITS: Final = 2  # that a mean has beyond its field: sums have 64 bits
COUNTS: Final = ("count", "distinct", "busiest")
DAYS: Final = ("days_since", "days_since_first", "longest_gap")
MONTHLY: Final = ("monthly_mean", "monthly_share", "monthly_steadiness")
SHARES: Final = ("share", "time_share", "monthly_share", "monthly_steadiness")
MEANS: Final = ("mean", "spread", "monthly_mean")
NUMERIC: Final = ("sum", *MEANS, "monthly_steadiness")  # of a number
ORDERED: Final = ("min", "max", "range", "latest", "first")  # of a number, duration or date
NEEDS_VALUE: Final = (*NUMERIC, *ORDERED, "distinct")
TAKES_VALUE: Final = (*NEEDS_VALUE, "busiest")
NEIGHBOUR_MEASURES: Final = ("mean", "share", "count")
TIMELESS_MEASURES: Final = ("count", "sum", "mean", "min", "max", "range", "spread", "distinct", "share")  # of ties
MONEY_MEASURES: Final = ("sum", *ORDERED, "mean", "spread", "monthly_mean")  # of an amount of money: one too
CONVERTING_MEASURES: Final = (*MONEY_MEASURES, "monthly_steadiness")  # read amounts in one currency
UNITS: Final = dict.fromkeys(DAYS, "days") | dict.fromkeys(SHARES, "ratio") | {"months_with": "months"}


@dataclass(frozen=True)
class MeasureCheck:
    """Reports what does not fit in one line. Every method returns None or False after a report."""

    line: FeatureLine
    report: Report

    @property
    def measure(self) -> str:
        """The measure, or `formula`."""
        return self.line.measure.text if self.line.measure else "formula"

    def error(self, message: str, at: SourceSpan, hint: str = "") -> None:
        self.report.add("R802", message, at, hint)

    def keys(self, source: str) -> bool:
        """Whether the keys of the line go together."""
        line, measure = self.line, self.measure
        at = line.measure.at if line.measure else line.id.at
        allowed = {"ties": TIMELESS_MEASURES, "neighbours": NEIGHBOUR_MEASURES}.get(source)
        if allowed and measure not in allowed:
            self.error(f"`{measure}` cannot be measured over {source}", at, f"use one of {', '.join(allowed)}")
            return False
        takes_value = TAKES_VALUE if source != "neighbours" else ("mean",)
        needs_value = NEEDS_VALUE if source != "neighbours" else ("mean",)
        problems = (
            (measure in needs_value and not line.value, at, f"`{measure}` needs a field", "name it in `value`"),
            (line.value and measure not in takes_value, at, f"`{measure}` reads no field", "take `value` out"),
            ((measure == "busiest") != bool(line.within), at, *self._within_words()),
            (line.among and measure not in ("share", "time_share"), at, "`among` is for shares", "use `where`"),
            (
                measure in ("share", "time_share") and not line.where,
                at,
                f"`{measure}` needs a condition",
                "write it in `where`",
            ),
            (line.steps and source != "neighbours", at, "`steps` is for neighbours", "take it out"),
            (bool(line.role) and source != "events", at, f"{source} have no side", "take `as` out"),
            (bool(line.window) and source != "events", at, f"{source} have no window", "take `window` out"),
            (
                measure in MONTHLY and not (line.window and line.window.full_months),
                at,
                f"`{measure}` needs full months",
                "write `window: {full_months: 12}`",
            ),
            (line.divided_by and not line.formula, at, "`divided_by` is for a formula", "take it out"),
            (line.less and source != "events", at, f"`less` is for events, and not for {source}", "take it out"),
        )
        for is_wrong, place, message, hint in problems:
            if is_wrong:
                self.error(message, place, hint)
                return False
        return True

    def _within_words(self) -> tuple[str, str]:
        if self.line.within:
            return "`within` is for `busiest`", "take it out"
        return "`busiest` needs the length of the period", "write `within: 7d`"

    def value(self, field: ValueField) -> bool:
        """Whether the measure fits the field."""
        assert self.line.value is not None  # noqa: S101 - the field is that of the line
        type_ = field.type
        is_number = type_.kind in ("int", "decimal", "duration", "money")
        if self.measure in NUMERIC and not is_number:
            fits = "count, distinct or latest" if type_.numeric else "count or distinct"
        elif self.measure in ORDERED and not (is_number or type_.kind == "date"):
            fits = "count or distinct"
        elif self.measure == "range" and type_.kind == "date":
            fits = "min or max"
        else:
            return True
        text = f"`{self.measure}` does not fit `{field.name}`, which is {describe_type(type_)}"
        self.error(text, self.line.value.at, f"measure {fits}")
        return False

    def less(self, field: ValueField | None) -> bool:
        """Whether something can come off the values that the measure reads."""
        at = self.line.less[0].at
        if self.measure not in (*NUMERIC, *ORDERED):
            self.error("`less` is for a measure of a number", at, "take it out")
        elif field is None or field.type.kind not in ("int", "decimal", "money"):
            self.error("`less` is for a number", at, "take it out")
        else:
            return True
        return False

    def value_type(self, field: ValueField | None, window: FeatureWindow) -> Type | None:
        """The type of the value, with the bounds of the line."""
        plain = self._plain_type(field, window)
        if plain is not None and plain.kind == "money" and not plain.currency:
            currency = field.rates[0].currency if field and field.rates else ""
            plain = replace(plain, digits=plain.digits + CURRENCY_DIGITS.get(currency, 0), currency=currency)
        elif self.line.currency and not (field and field.rates):
            self.error("only an amount of money has a `currency`", self.line.currency.at, "take it out")
            return None
        if plain is not None and not self.has_currency(plain):
            return None
        return None if plain is None else self.bounded(plain)

    def has_currency(self, type_: Type) -> bool:
        """Whether rules know the currency of an amount. Other features can read an amount in a person's one currency."""
        if type_.kind != "money" or type_.currency or self.line.internal:
            return True
        text = f"the currency of `{self.line.id.text}` is not stated"
        hint = "add `currency: CNY`, or a rates.yaml; a part of other features may be `internal: true`"
        self.error(text, self.line.id.at, hint)
        return False

    def _plain_type(self, field: ValueField | None, window: FeatureWindow) -> Type | None:
        measure = self.measure
        if measure in DAYS:
            return self._without_digits(Type("duration", low=0, high=MAX_DAYS))
        if measure in COUNTS:
            return self._without_digits(Type("int", low=0, high=MAX_COUNT))
        if measure == "months_with":
            months = window.full_months or (window.months + 1 if window.months else MAX_COUNT)
            return self._without_digits(Type("int", low=0, high=months))
        if measure in SHARES:
            digits = self._digits(USUAL_DIGITS, 4)
            return None if digits is None else decimal(digits, 0, 10**digits)
        assert field is not None  # noqa: S101 - all other measures need a field
        own = field.type
        if measure in MEANS:
            digits = self._digits(own.digits, own.digits + MAX_MORE_DIGITS)
            return None if digits is None else self._mean_type(own, digits)
        low, high = own.low, own.high
        if measure == "sum":
            low, high = (-MAX_SUM if own.low < 0 else 0), MAX_SUM
        if measure == "range":
            low, high = 0, min(own.high - own.low, MAX_SUM)
        return self._without_digits(replace(own, values=(), low=low, high=high))

    def _mean_type(self, own: Type, digits: int) -> Type:
        low, high = own.low, own.high
        if self.measure == "spread":
            low, high = 0, MAX_DEVIATION
        if self.measure == "monthly_mean":
            low, high = (-MAX_SUM if own.low < 0 else 0), MAX_SUM
        up, down = (10 ** (digits - own.digits), 1) if digits >= own.digits else (1, 10 ** (own.digits - digits))
        bounds = max(-MAX_SUM, low * up // down), min(MAX_SUM, -(-high * up // down))
        if own.kind == "money":
            return replace(own, digits=digits, low=bounds[0], high=bounds[1])
        if own.kind == "duration":
            return Type("duration", 0, (), *bounds, own.unit)
        return decimal(digits, *bounds)

    def _digits(self, usual: int, most: int) -> int | None:
        digits = self.line.digits
        if digits and digits.whole > most:
            self.error(f"`{self.measure}` has at most {most} digits here", digits.at, f"write `digits: {most}`")
            return None
        return digits.whole if digits else usual

    def _without_digits(self, type_: Type) -> Type | None:
        digits = self.line.digits
        if digits and digits.whole != type_.digits:
            hint = "take `digits` out" if not type_.digits else f"write `digits: {type_.digits}`, or take it out"
            self.error(f"`{self.measure}` is {describe_type(type_)}", digits.at, hint)
            return None
        return type_

    def quotient_type(self, low: int) -> Type | None:
        """The type of a quotient; `low` is that of the dividend."""
        digits = self._digits(USUAL_DIGITS, 4)
        if digits is None:
            return None
        most = (MAX_RATIO + 1) * 10**digits - 1
        return self.bounded(decimal(digits, -most if low < 0 else 0, most))

    def bounded(self, plain: Type) -> Type | None:
        """The type with the bounds of the line."""
        low, high = self._bound(self.line.low, plain, plain.low), self._bound(self.line.high, plain, plain.high)
        if low is None or high is None:
            return None
        if low > high and self.line.low:
            self.error("`low` is above `high`", self.line.low.at, "exchange them")
            return None
        return replace(plain, values=(), low=low, high=high)

    def _bound(self, number: Number | None, type_: Type, default: int) -> int | None:
        if number is None:
            return default
        in_minor_units = type_.kind == "money" and not self.line.currency and " " not in number.text
        value = parse_number(number.text, 0) if in_minor_units else parse_scaled(number.text, type_)
        if value is None or abs(value) > MAX_INTEGER:
            hint = "bounds are of the feature's type"
            if type_.kind == "money":
                hint = (
                    f"write `{example(number.text.partition(' ')[0], type_.currency)}`"
                    if type_.currency
                    else "write whole minor units"
                )
            self.error(f"`{number.text}` is not {describe_type(type_)}", number.at, hint)
            return None
        return value


def decimal(digits: int, low: int, high: int) -> Type:
    """A number with digits; without any, a whole number."""
    return Type("decimal", digits, (), low, high) if digits else Type("int", 0, (), low, high)
