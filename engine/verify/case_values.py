"""Read the values of a case: features, fields of the request, events and earlier waivers, scaled to their types."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.decide.caps import PriorWaiver
from engine.decide.decide import DecisionInputs
from engine.decide.patterns import SECOND, PatternEvent
from engine.errors import IftahError
from engine.lang.model.conditions import AS_OF
from engine.lang.model.currencies import CURRENCY_DIGITS, example, money_flaw
from engine.lang.model.program import PERK_HELD, SCORE, Perk, Program
from engine.lang.model.timezones import EPOCH
from engine.lang.model.types import (
    BOOL,
    DATE,
    MOMENT,
    Attribute,
    Kinds,
    Schema,
    Type,
    Value,
    day_of,
    extend_schema,
    format_value,
    parse_scaled,
    value_of,
)
from engine.lang.syntax.ast import CaseLine, CasesFile, EventLine
from engine.lang.syntax.expression_tree import Number, Word
from engine.lang.syntax.schema_types import renamed, suggestion
from engine.lang.syntax.source import Node, Scalar


@dataclass(frozen=True)
class CaseContext:
    """A case, its file, and the rules in force on its day."""

    case: CaseLine
    file: CasesFile
    program: Program
    day: int
    kinds: Kinds

    @property
    def moment(self) -> str:
        return self.start_of_day(self.day)

    def start_of_day(self, day: int) -> str:
        """The first moment of a day in the time zone of the rules, in the form of `DecisionInputs.as_of`."""
        return self.program.start_of(day).isoformat()

    @property
    def schema(self) -> Schema:
        card = self.program.scorecard
        score = Attribute(SCORE, Type("int", low=card.lowest, high=card.highest))
        return extend_schema(self.program.schema, Attribute(AS_OF, DATE), score, Attribute(PERK_HELD, BOOL))

    def values_by_name(self) -> dict[str, tuple[Word, Node]]:
        return {k.text: (k, v) for k, v in (*self.file.base, *self.case.given)}


def request_values(context: CaseContext, perk: Perk) -> dict[str, Value]:
    """The given fields of the request, by their full names."""
    nodes = {name: node for name, node in context.values_by_name().items() if is_of_request(name)}
    return read_values({a.name: a for a in perk.request}, nodes, context.program.timezone)


def read_values(schema: Schema, nodes: Mapping[str, tuple[Word, Node]], timezone: str) -> dict[str, Value]:
    """Scale the given values. `missing` removes a value of the base. We leave fields of the request to their perk."""
    values: dict[str, Value] = {}
    for name, (key, node) in nodes.items():
        text = node.text if isinstance(node, Scalar) else ""
        if text == "missing" or (is_of_request(name) and name not in schema):
            continue
        attribute = schema.get(name)
        if attribute is not None and attribute.currency:
            values |= _amount(attribute, text, key)
            continue
        value = value_of(text, attribute.type, timezone) if attribute else None
        if value is None:
            place = f"{key.at.file}:{key.at.line}"
            hint = (
                _value_hint(attribute.type)
                if attribute
                else renamed(name, schema) or suggestion(name, schema) or "see docs/features.md"
            )
            raise IftahError(f"`{name}: {text}` is not a value of the catalogue", where=place, hint=hint)
        values[name] = value
    return values


def _amount(attribute: Attribute, text: str, key: Word) -> dict[str, Value]:
    """An amount of money in any currency: its minor units, and the currency by the name of its attribute."""
    currency = text.rpartition(" ")[2]
    money = Type("money", CURRENCY_DIGITS.get(currency, 0), currency=currency)
    value = parse_scaled(text, money)
    if value is None:
        problem, hint = money_flaw(text) or ("it is too large", "")
        raise IftahError(f"`{key.text}: {text}`: {problem}", where=f"{key.at.file}:{key.at.line}", hint=hint)
    return {attribute.name: value, attribute.currency: currency}


def _value_hint(type_: Type) -> str:
    if type_.kind == "money":
        return f"write it as {example('1000', type_.currency)}"
    bounds = f", from {format_value(type_.low, type_)} to {format_value(type_.high, type_)}" if type_.numeric else ""
    return f"write it as {type_}{bounds}"


def pattern_event(context: CaseContext, line: EventLine) -> PatternEvent:
    """Read an event of a case. Raises IftahError for an unknown kind, or without a valid day or timestamp."""
    kind = context.kinds.get(line.event.text)
    day, at = day_of(line.on.text), parse_scaled(line.on.text, MOMENT)
    if kind is None or at is None:
        place = f"{line.at.file}:{line.at.line}"
        raise IftahError("an event has a known kind, and happens on a day or at a timestamp", where=place)
    values = read_values(kind.fields, {k.text: (k, v) for k, v in line.fields}, context.program.timezone)
    micros = at * SECOND if day is None else micros_of(context.program.start_of(day))
    return PatternEvent(kind.name, line.role.text if line.role else "subject", micros, values)


def decision_inputs(
    context: CaseContext, perk: Perk, amount: int, values: Mapping[str, Value], request: Mapping[str, Value]
) -> DecisionInputs:
    """The question of a case of a perk. Raises IftahError if an earlier waiver names an unknown perk."""
    waivers = []
    for line in context.case.used:
        other = context.program.perk(line.perk.text)
        waived = money(line.waived, other) if other else None
        if other is None or waived is None:
            raise IftahError("what was waived before names a known perk", where=f"{line.at.file}:{line.at.line}")
        waivers.append(
            PriorWaiver(other.id, other.currency, waived, context.start_of_day(day_of(line.on.text) or 0), line.open)
        )
    since = context.case.held_since
    return DecisionInputs(
        subject="case",
        perk=perk.id,
        amount=amount,
        currency=perk.currency,
        as_of=context.moment,
        known_at=context.moment,
        asked_at=context.moment,
        purpose="",
        values=values,
        context={name.removeprefix("request."): value for name, value in request.items()},
        used=tuple(waivers),
        held_since=context.start_of_day(day_of(since.text) or 0) if since else None,
        timezone=context.program.timezone,
    )


def money(number: Number | None, perk: Perk) -> int | None:
    """The amount in minor units; None without a number. Raises IftahError if it is not an amount in the perk's currency."""
    minor_units = parse_scaled(number.text, perk.money) if number else None
    if number and minor_units is None:
        hint = f"write an amount in {perk.currency}, such as `{example(number.text.partition(' ')[0], perk.currency)}`"
        if " " in number.text and number.text.endswith(perk.currency):
            hint = f"amounts in {perk.currency} have {perk.digits} digits after the point"
        place = f"{number.at.file}:{number.at.line}"
        raise IftahError(f"`{number.text}` is not an amount of `{perk.id}`", where=place, hint=hint)
    return minor_units


def micros_of(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def is_of_request(name: str) -> bool:
    """Whether the name is that of a field of the request."""
    return name.startswith("request.")
