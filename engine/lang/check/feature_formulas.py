"""Build the features that are computed from other features: of the person, or of the people tied to the person."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from engine.lang.check.feature_measures import MeasureCheck
from engine.lang.check.feature_parts import (
    NEIGHBOURS,
    TIE_KIND,
    FeatureContext,
    plain_feature,
    strictest_first,
    used_names,
)
from engine.lang.check.quantities import ExpressionError, Quantities, Quantity
from engine.lang.check.resolve import Scope
from engine.lang.model.conditions import AS_OF, Const, Int, Num, Op, names
from engine.lang.model.features import DeclaredFeature, FeatureWindow, ValueField
from engine.lang.model.types import DATE, MAX_INTERMEDIATE, Attribute, Type
from engine.lang.syntax.expression_tree import Expr, Name
from engine.lang.syntax.feature_lines import FeatureLine
from engine.lang.syntax.schema_types import suggestion

MAX_VALUE: Final = 9 * 10**15
MAX_NEIGHBOUR_VALUE: Final = 10**9  # the sum of a million such values, times 200, stays within 64 bits


@dataclass(frozen=True)
class FormulaBuilder:
    """Builds a feature that is computed from others."""

    line: FeatureLine
    features: Mapping[str, DeclaredFeature]
    lines: Mapping[str, FeatureLine]
    context: FeatureContext

    def feature(self, check: MeasureCheck) -> DeclaredFeature | None:
        line = self.line
        dividend, divisor = self._quantity(line.formula), self._quantity(line.divided_by)
        if dividend is None or (line.divided_by and divisor is None):
            return None
        type_, nums = self._type(check, dividend, divisor)
        if type_ is None:
            return None
        used = tuple(sorted({n for num in nums if num for n in names(num)} & set(self.features)))
        self._check_alarms(used)
        is_money = type_.kind == "money" or (divisor is None and any(self.features[n].is_money for n in used))
        if not check.has_currency(type_) or self._hides_money(used):
            return None
        classes = strictest_first({c for n in used for c in self.features[n].classes}, self.context.guard)
        plain = plain_feature(line, "features", type_, is_money)
        kinds = tuple(sorted({k for n in used for k in self.features[n].kinds}))
        return replace(plain, formula=nums[0], divisor=nums[1], uses=used, classes=classes, kinds=kinds)

    def _type(
        self, check: MeasureCheck, dividend: Quantity, divisor: Quantity | None
    ) -> tuple[Type | None, tuple[Num, Num | None]]:
        """The type of the value, and both numbers on the scale of the result."""
        if divisor is None:
            own = dividend.type
            bounds = max(own.low, -MAX_VALUE), min(own.high, MAX_VALUE)
            kind = "int" if own.kind == "decimal" and not own.digits else own.kind
            return check.bounded(replace(own, kind=kind, low=bounds[0], high=bounds[1])), (dividend.num, None)
        is_mean = (dividend.family, divisor.family) == ("money", "number")
        type_ = self._mean_type(check, dividend) if is_mean else check.quotient_type(dividend.type.low)
        if type_ is None:
            return None, (dividend.num, None)
        if not is_mean and _measure_of(dividend) != _measure_of(divisor):
            text = "a quotient is of two numbers, of two durations in one unit, or of money in one currency"
            self.context.report.add("R802", text, self.line.id.at, "divide equal things")
            return None, (dividend.num, None)
        places = type_.digits + divisor.type.digits - dividend.type.digits
        up, down = 10 ** max(places, 0), 10 ** max(-places, 0)
        top, bottom = _times(dividend, up), _times(divisor, down)
        widest = 2 * up * max(-dividend.type.low, dividend.type.high) + down * max(divisor.type.high, 1)
        if max(widest, 2 * down * divisor.type.high) > MAX_INTERMEDIATE:
            hint = "use fewer digits, or features with narrower bounds"
            self.context.report.add("R106", "this quotient can grow beyond 2^62", self.line.id.at, hint)
            return None, (top, bottom)
        return type_, (top, bottom)

    def _mean_type(self, check: MeasureCheck, dividend: Quantity) -> Type | None:
        """The type of an amount of money divided by a number: an amount in the same currency."""
        if self.line.digits:
            hint = "take `digits` out"
            self.context.report.add(
                "R802", "an amount of money has the digits of its currency", self.line.digits.at, hint
            )
            return None
        own = dividend.type
        return check.bounded(replace(own, low=max(own.low, -MAX_VALUE), high=min(own.high, MAX_VALUE)))

    def _hides_money(self, used: tuple[str, ...]) -> bool:
        """Whether an amount that we cannot convert would count as 0 here. We report it."""
        is_zero = self.line.missing is not None and self.line.missing.text == "zero"
        if not (is_zero and self.context.report.has_money and any(self._reads_money(n) for n in used)):
            return False
        text = f"`{self.line.id.text}` would be 0 for a person with an amount that we cannot convert"
        self.context.report.add("R802", text, self.line.id.at, "write `missing: zero` at the features that it reads")
        return True

    def _reads_money(self, name: str) -> bool:
        feature = self.features.get(name)
        if feature is None:
            return False
        return bool(feature.value and feature.value.currency) or any(map(self._reads_money, feature.uses))

    def _check_alarms(self, used: tuple[str, ...]) -> None:
        """What is computed from an alarm is one too: another dimension would let it give points."""
        dimensions = self.context.guard.alarm_dimensions
        alarms = [name for name in used if name.partition(".")[0] in dimensions]
        if alarms and self.line.id.text.partition(".")[0] not in dimensions:
            message = f"`{self.line.id.text}` is computed from the alarm `{alarms[0]}`"
            self.context.report.add("R407", message, self.line.id.at, "give it the dimension of the alarm")

    def _quantity(self, expr: Expr | None) -> Quantity | None:
        if expr is None:
            return None
        try:
            return Quantities(self._attribute, self.context.report).read(expr)
        except ExpressionError:
            return None

    def _attribute(self, name: Name) -> Attribute:
        """The feature of that name. If it has a problem itself, we have reported that."""
        if name.name in self.features:
            return self.features[name.name].attribute
        if name.name not in self.lines:
            candidates = set(self.lines) - {self.line.id.text}
            hint = suggestion(name.name[:60], candidates)
            if name.name in self.context.catalogue:
                hint = "a formula reads features of this file"
            self.context.report.add("R101", f"unknown name `{name.name[:60]}`", name.at, hint)
        raise ExpressionError


@dataclass(frozen=True)
class NeighbourBuilder:
    """Builds a feature over the people tied to the person, to whom their own evidence belongs."""

    line: FeatureLine
    features: Mapping[str, DeclaredFeature]
    lines: Mapping[str, FeatureLine]
    context: FeatureContext

    def feature(self, check: MeasureCheck) -> DeclaredFeature | None:
        line, report, kinds = self.line, self.context.report, self.context.kinds
        used = [n for n in dict.fromkeys(used_names(line)) if n != AS_OF]
        if TIE_KIND not in kinds:
            report.add("R801", "there are no ties", line.of[0].at, f"no evidence is of the kind `{TIE_KIND}`")
            return None
        if any(name not in self.lines for name in used):
            for name in (n for n in used if n not in self.lines):
                at = (
                    line.value.at
                    if line.value and line.value.text == name
                    else line.where.at
                    if line.where
                    else line.id.at
                )
                report.add("R101", f"unknown name `{name[:60]}`", at, suggestion(name[:60], self.lines))
            return None
        if any(name not in self.features for name in used):
            return None
        if any(self._is_barred(self.features[name]) for name in used):
            return None
        schema = {n: self.features[n].attribute for n in used} | {AS_OF: Attribute(AS_OF, DATE)}
        where = Scope(schema, {}, report, self.context.lists).condition(line.where) if line.where else Const(True)
        neighbour = self.features[line.value.text] if line.value else None
        field = ValueField(neighbour.name, neighbour.type) if neighbour else None
        if field and line.value and max(-field.type.low, field.type.high) > MAX_NEIGHBOUR_VALUE:
            hint = "use a feature with narrower bounds"
            report.add("R106", "a sum over many people can grow beyond 2^62", line.value.at, hint)
            return None
        if where is None or (field and not check.value(field)):
            return None
        type_ = check.value_type(field, FeatureWindow())
        if type_ is None:
            return None
        classes = {kinds[TIE_KIND].data_class} | {c for n in used for c in self.features[n].classes}
        return replace(
            plain_feature(line, NEIGHBOURS, type_, type_.kind == "money"),
            where=where if line.where else None,
            value=field,
            uses=tuple(sorted(used)),
            classes=strictest_first(classes, self.context.guard),
            kinds=tuple(sorted({k for n in used for k in self.features[n].kinds} | {TIE_KIND})),
        )

    def _is_barred(self, feature: DeclaredFeature) -> bool:
        """Whether we may not use this feature of another person. We report the reason."""
        kinds = [self.context.kinds[k] for k in feature.kinds if k in self.context.kinds]
        adverse = {k.data_class for k in self.context.kinds.values() if k.adverse}
        is_adverse = any(k.adverse for k in kinds) or bool(adverse & set(feature.classes))
        is_restricted = bool(set(feature.classes) & self.context.guard.restricted_classes)
        is_alarm = feature.name.partition(".")[0] in self.context.guard.alarm_dimensions
        grounds = (
            (is_adverse, "another person's defaults never count", "read a feature without adverse evidence"),
            (is_restricted, "another person's restricted evidence never counts", "read another feature"),
            (is_alarm, "another person's alarms never count", "read another feature"),
            (feature.source == NEIGHBOURS, "ties are followed two steps at most", "use `steps: 2`"),
        )
        for is_wrong, message, hint in grounds:
            if is_wrong:
                self.context.report.add("R803", f"`{feature.name}` does not fit: {message}", self.line.id.at, hint)
                return True
        return False


def _measure_of(quantity: Quantity) -> tuple[object, ...]:
    return quantity.family, quantity.type.step, quantity.type.currency


def _times(quantity: Quantity, factor: int) -> Num:
    return quantity.num if factor == 1 else Op("*", quantity.num, Int(factor), scaling=True)
