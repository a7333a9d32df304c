"""Build the features over events, and over the ties in force."""

from dataclasses import dataclass, replace
from typing import Final

from engine.lang.check.feature_measures import CONVERTING_MEASURES, MONEY_MEASURES, MeasureCheck
from engine.lang.check.feature_parts import (
    TIE_KIND,
    TIES,
    FeatureContext,
    expression_names,
    plain_feature,
    strictest_first,
)
from engine.lang.check.ids import check_unique
from engine.lang.check.resolve import Scope
from engine.lang.model.conditions import AS_OF, Const, Truth
from engine.lang.model.features import ConversionRate, DeclaredFeature, FeatureWindow, ValueField
from engine.lang.model.rates import factor
from engine.lang.model.types import (
    BOOL,
    DATE,
    MICROSECOND,
    STRING,
    Attribute,
    EventKind,
    Schema,
    Type,
    extend_schema,
    parse_scaled,
)
from engine.lang.syntax.expression_tree import Expr
from engine.lang.syntax.feature_lines import FeatureLine, WindowLine
from engine.lang.syntax.schema_types import suggestion

OTHER, CURRENCY = "other", "currency"
SECONDS: Final = Type("duration", unit=1)
MAX_EXACT: Final = 2**51  # of dividend times divisor of a rate: twice that, and more, stays exact in a double
MAX_AGE: Final = 10**16  # microseconds, three centuries
# What conditions on an event can read beside its fields.
EVENT_NAMES: Final = {
    "age": Type("duration", low=0, high=MAX_AGE, unit=MICROSECOND),
    "happened_on": DATE,
    "time_of_day": Type("duration", low=0, high=86_400 * 10**6, unit=MICROSECOND),
}
SIDE_NAMES: Final = {OTHER: STRING, "other_is_person": BOOL}


@dataclass(frozen=True)
class EventBuilder:
    """Builds a feature over events or ties."""

    line: FeatureLine
    context: FeatureContext

    def feature(self, check: MeasureCheck, source: str) -> DeclaredFeature | None:
        line = self.line
        kinds = self._kinds(source)
        if not kinds:
            return None
        schema = self._schema(kinds, source)
        where, among = (self._condition(expr, kinds, schema) for expr in (line.where, line.among))
        field = self._value(kinds, schema)
        if field and field.type.kind == "money" and check.measure in CONVERTING_MEASURES:
            field = self._with_rates(field)
        if None in (where, among) or (line.value and (field is None or not check.value(field))):
            return None
        if line.less and not (check.less(field) and self._takes_back(kinds, field)):
            return None
        window = _window(line.window)
        type_ = check.value_type(field, window)
        if type_ is None:
            return None
        within = parse_scaled(line.within.text, SECONDS) if line.within else 0
        is_money = bool(field and field.currency) and check.measure in MONEY_MEASURES
        plain = plain_feature(line, source, type_, is_money)
        classes = strictest_first({k.data_class for k in kinds}, self.context.guard)
        return replace(
            plain,
            kinds=() if source == TIES else tuple(k.name for k in kinds),
            role=line.role.text if line.role else "subject",
            window=window,
            where=where if line.where else None,
            among=among if line.among else None,
            value=field,
            less=tuple(dict.fromkeys(w.text for w in line.less)),
            fields=self._fields(kinds, field),
            within=within or 0,
            classes=classes,
        )

    def _with_rates(self, field: ValueField) -> ValueField | None:
        """The field with the rates to the feature's currency: its own, or the base of the rates. None after a report."""
        word, rates = self.line.currency, self.context.report.rates
        own = word.text if word else rates.base if rates else ""
        if not own:
            return field
        table = [ConversionRate(own, 1, 1)]
        for currency in rates.currencies if rates else ():
            worth = factor(rates, currency, own)
            if currency == own or worth is None:
                continue
            if worth.numerator * worth.denominator > MAX_EXACT:
                text = f"the rate from {currency} to {own} has too many digits to convert exactly"
                self.context.report.add("R901", text, self.line.id.at, "write fewer digits in rates.yaml")
                return None
            self.context.report.converted.update((currency, own))
            table.append(ConversionRate(currency, worth.numerator, worth.denominator))
        return replace(field, rates=tuple(table))

    def _kinds(self, source: str) -> list[EventKind]:
        """The kinds of events; none if one of them is unknown."""
        kinds, report = self.context.kinds, self.context.report
        if source == TIES:
            if TIE_KIND not in kinds:
                report.add("R801", "there are no ties", self.line.of[0].at, f"no evidence is of the kind `{TIE_KIND}`")
            return [kinds[TIE_KIND]] if TIE_KIND in kinds else []
        result = []
        for word in self.line.of:
            kind = kinds.get(word.text)
            if kind is None:
                report.add("R801", f"unknown event `{word.text}`", word.at, suggestion(word.text, kinds))
                continue
            self.context.guard.check_class(kind, word.at)
            result.append(kind)
        check_unique(self.line.of, report, "the event ")
        role = self.line.role
        for kind in result:
            if role and role.text != "subject" and OTHER not in kind.fields:
                report.add("R801", f"`{kind.name}` has no other side", role.at, "leave `as` out")
                return []
        return result if len(result) == len(self.line.of) else []

    def _takes_back(self, kinds: list[EventKind], field: ValueField | None) -> bool:
        """Whether each kind of `less` takes one of these kinds back, and has the field; we report one that does not."""
        report, names = self.context.report, {k.name for k in kinds}
        known_kinds = self.context.kinds
        possible = [k.name for k in known_kinds.values() if k.reverses in names]
        for word in self.line.less:
            kind = known_kinds.get(word.text)
            if kind is None or kind.name not in possible:
                text = f"`{word.text}` takes back no event of this feature" if kind else f"unknown event `{word.text}`"
                report.add("R801", text, word.at, suggestion(word.text, possible))
                return False
            if field and field.name not in kind.fields:
                report.add("R801", f"`{kind.name}` has no field `{field.name}`", word.at, "take it out")
                return False
        return True

    def _schema(self, kinds: list[EventKind], source: str) -> Schema:
        """The names that conditions can read: a field of any of the kinds is missing in the others."""
        fields = dict[str, Attribute]()
        for kind in kinds:
            fields |= {name: Attribute(name, a.type, currency=a.currency) for name, a in kind.fields.items()}
        extra = dict(SIDE_NAMES) if any(OTHER in k.fields for k in kinds) else {}
        if source != TIES:
            extra |= EVENT_NAMES | {"kind": Type("enum", values=tuple(k.name for k in kinds))}
        return extend_schema(fields, *(Attribute(n, t) for n, t in extra.items()), Attribute(AS_OF, DATE))

    def _condition(self, expr: Expr | None, kinds: list[EventKind], schema: Schema) -> Truth | None:
        if expr is None:
            return Const(True)
        report = self.context.report
        for name in dict.fromkeys(expression_names(expr)):
            if len(_types(kinds, name)) > 1:
                text = f"`{name}` has another type in another of these events"
                report.add("R801", text, expr.at, "declare a feature for each")
                return None
        truth = Scope(schema, {}, report, self.context.lists).condition(expr)
        if truth == Const(False):
            report.add("R802", "no event can count: the condition is always false", expr.at, "take the feature out")
            return None
        return truth

    def _fields(self, kinds: list[EventKind], field: ValueField | None) -> tuple[tuple[str, str], ...]:
        """The fields of events that the line reads, with the kinds of their types."""
        expressions = [expr for expr in (self.line.where, self.line.among) if expr]
        read_names = {name for expr in expressions for name in expression_names(expr)}
        read_names |= {k.fields[n].currency for k in kinds for n in read_names if n in k.fields}
        if field:
            read_names |= {field.name, *([field.currency] if field.currency else [])}
        types = {name: a.type.kind for kind in kinds for name, a in kind.fields.items() if name in read_names}
        return tuple(sorted(types.items()))

    def _value(self, kinds: list[EventKind], schema: Schema) -> ValueField | None:
        word = self.line.value
        if word is None:
            return None
        known_fields = {name for kind in kinds for name in kind.fields}
        if word.text not in known_fields:
            text = f"`{self.line.of[0].text}` has no field `{word.text}`"
            self.context.report.add("R801", text, word.at, suggestion(word.text, known_fields))
            return None
        if len(_types(kinds, word.text)) > 1:
            text = f"`{word.text}` has another type in another of these events"
            self.context.report.add("R801", text, word.at, "declare a feature for each")
            return None
        currency = CURRENCY if word.text == "amount" else f"{word.text}_{CURRENCY}"
        return ValueField(word.text, schema[word.text].type, currency if currency in schema else None)


def _window(line: WindowLine | None) -> FeatureWindow:
    if line is None:
        return FeatureWindow()
    seconds = parse_scaled(line.length.text, SECONDS) if line.length else None
    months = line.months.whole if line.months else None
    return FeatureWindow(seconds, months, line.full_months.whole if line.full_months else None)


def _types(kinds: list[EventKind], name: str) -> set[Type]:
    """The types of a field in those kinds that have it."""
    return {kind.fields[name].type for kind in kinds if name in kind.fields}
