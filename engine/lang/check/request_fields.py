"""Check the fields that a perk adds to the merchant's question, and give each its type."""

from dataclasses import replace
from typing import Final

from engine.lang.check.guardrails import Guardrails
from engine.lang.check.quantities import describe_type, literal_hint
from engine.lang.model.problems import Report
from engine.lang.model.program import AMOUNT
from engine.lang.model.types import DATE, DAY, DAYS, MAX_INTEGER, MOMENT, Attribute, Type, parse_scaled
from engine.lang.syntax.ast import FieldLine
from engine.lang.syntax.expression_tree import Number, Word

UNBOUNDED_KINDS: Final = ("bool", "enum", "string", "date", "timestamp")  # their fields take no `low` and `high`
# The widest bounds of a field. With wider ones, sums of fields would not fit 64 bits.
WIDEST_TYPES: Final = {"date": DATE, "timestamp": MOMENT, "duration": DAYS}


def check_field(word: Word, line: FieldLine, money: Type, guard: Guardrails, report: Report) -> Attribute | None:
    """The attribute that a field of the request becomes; None with the reason in `report`. `money` is the type of amounts."""
    name = f"request.{word.text}"
    problem = _field_problem(name, line)
    if problem:
        report.add("R305", problem[0], word.at, problem[1])
        return None
    type_ = _field_type(word, line, money, report)
    if type_ is None:
        return None
    attribute = Attribute(name, type_)
    guard.check_attribute(attribute, word.at)
    return attribute


def _field_type(word: Word, line: FieldLine, money: Type, report: Report) -> Type | None:
    kind, digits = line.type.text, line.digits.whole if line.digits else 0
    plain = Type(kind, digits, tuple(w.text for w in line.values), unit=DAY)  # type: ignore[arg-type]
    plain = money if kind == "money" else plain
    widest = WIDEST_TYPES.get(kind, plain)
    low, high = _bound(line.low, plain, widest.low, report), _bound(line.high, plain, widest.high, report)
    if low is None or high is None:
        return None
    if low > high:
        report.add("R305", "`low` is above `high`", word.at, "exchange them")
        return None
    return replace(plain, low=low, high=high)


def _bound(number: Number | None, type_: Type, default: int, report: Report) -> int | None:
    if number is None:
        return default
    value = parse_scaled(number.text, type_)
    if value is None or abs(value) > MAX_INTEGER:
        message = f"`{number.text}` is not {describe_type(type_)}"
        hint = literal_hint(type_) if type_.kind == "money" else "bounds are of the field's type"
        report.add("R305", message, number.at, hint)
        return None
    return value


def _field_problem(name: str, line: FieldLine) -> tuple[str, str] | None:
    """The message and the hint about keys of a field that contradict each other; None when they agree."""
    kind, words = line.type.text, {w.text for w in line.values}
    if name == AMOUNT:
        return "`amount` is there already", "rename it"
    if (kind == "decimal") != (line.digits is not None):
        hint = "add `digits: 2`" if kind == "decimal" else "take `digits` out"
        return "a decimal, and only a decimal, says its `digits`", hint
    if (kind == "enum") != bool(line.values):
        hint = "add `values: [one, other]`" if kind == "enum" else "take `values` out"
        return "an enum, and only an enum, lists its `values`", hint
    if kind in UNBOUNDED_KINDS and (line.low or line.high):
        return f"a field of the type {kind} has no bounds", "take `low` and `high` out"
    if len(words) < len(line.values):
        return "a word occurs twice in `values`", "remove one"
    return None
