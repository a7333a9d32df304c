"""Encode conditions and scores for the solver z3, exactly as the reference engine evaluates them.

A condition has three values, so we encode it as two formulas: it is met, and it is unmet. It is unknown if neither holds.
An attribute is a variable with a second one that says whether it has a value. Bools are bools; everything else is an
integer within the bounds of its type, and a word is its number in a table.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import z3

from engine.lang.engines.reference import OPERATORS
from engine.lang.model.conditions import (
    AS_OF,
    And,
    Attr,
    AttrKnown,
    AttrsEqual,
    Cmp,
    Const,
    DayStart,
    Flag,
    InList,
    Int,
    Not,
    Num,
    Op,
    Or,
    Same,
    Truth,
    Values,
    names,
    without_attributes,
)
from engine.lang.model.program import Characteristic, PointRule, Scorecard
from engine.lang.model.timezones import utc_offsets
from engine.lang.model.types import DAY, Type, Value

Formula = Any  # of z3, which publishes no types: a bool
Term = Any  # of z3: an integer


@dataclass(frozen=True)
class StatusFormulas:
    """The two formulas of a condition. Both are false if it is unknown; they are never both true."""

    met: Formula
    unmet: Formula

    @property
    def unknown(self) -> Formula:
        """The formula that the condition is unknown."""
        return z3.Not(z3.Or(self.met, self.unmet))


@dataclass
class Words:
    """The numbers of all words. A string can be any other word too, whose number is not in the table."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, word: str) -> int:
        """The number of a word, which is added if it is new."""
        return self.numbers.setdefault(word, len(self.numbers))

    def word(self, number: int) -> str:
        """The word of a number; for a number outside of the table, a word of its own."""
        return next((word for word, n in self.numbers.items() if n == number), f"another word {number}")


class Encoder:
    """The variables of one person, and the formulas of conditions over them.

    `types` has each name that the conditions read. Names in `never_missing` have a value for everyone. We create a variable when
    a formula first reads it; `bounds` then has the formulas that hold for every person. Encoders share the variable of a name,
    unless `labels` calls it otherwise.
    """

    def __init__(
        self,
        types: Mapping[str, Type],
        never_missing: Iterable[str],
        words: Words | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.types, self.never_missing, self.labels = types, frozenset(never_missing), labels or {}
        self.words = Words() if words is None else words
        self.bounds: list[Formula] = []
        self._values: dict[str, Term] = {}
        self._presence: dict[str, Formula] = {}
        self._statuses: dict[Truth, StatusFormulas] = {}

    def extended(self, types: Mapping[str, Type], never_missing: Iterable[str]) -> "Encoder":
        """An encoder with further names about the same person."""
        return Encoder({**self.types, **types}, self.never_missing | set(never_missing), self.words, self.labels)

    def varied(self, name: str) -> "Encoder":
        """The encoder of a person who differs from this one in this attribute alone."""
        return Encoder(self.types, self.never_missing, self.words, {**self.labels, name: f"another {name}"})

    def set_value(self, name: str, value: Term) -> None:
        """Let a name that is always known stand for a formula or a term."""
        self._values[name], self._presence[name] = value, z3.BoolVal(True)

    def has_value(self, name: str) -> Formula:
        """The formula that the attribute has a value."""
        self.value(name)
        return self._presence[name]

    def value(self, name: str) -> Term:
        """The variable of the attribute. It means nothing unless the attribute is known."""
        if name not in self._values:
            self._declare(name, self.types[name])
        return self._values[name]

    def _declare(self, name: str, type_: Type) -> None:
        is_bool, label = type_.kind == "bool", self.labels.get(name, name)
        value = z3.Bool(label) if is_bool else z3.Int(label)
        self._values[name] = value
        self._presence[name] = z3.BoolVal(True) if name in self.never_missing else z3.Bool(f"known({label})")
        if type_.kind == "enum":
            self.bounds.append(z3.Or([value == self.words.number(word) for word in type_.values]))
        elif type_.kind == "string":
            self.bounds.append(value >= 0)
        elif not is_bool:
            self.bounds += [value >= type_.low, value <= type_.high]

    def status(self, node: Truth) -> StatusFormulas:
        """The two formulas of a condition."""
        if node not in self._statuses:
            self._statuses[node] = self._status(node)
        return self._statuses[node]

    def _status(self, node: Truth) -> StatusFormulas:
        match node:
            case Const(value):
                return StatusFormulas(z3.BoolVal(value is True), z3.BoolVal(value is False))
            case AttrKnown(name):
                return StatusFormulas(self.has_value(name), z3.Not(self.has_value(name)))
            case And(parts):
                inner = [self.status(p) for p in parts]
                return StatusFormulas(z3.And([s.met for s in inner]), z3.Or([s.unmet for s in inner]))
            case Or(parts):
                inner = [self.status(p) for p in parts]
                return StatusFormulas(z3.Or([s.met for s in inner]), z3.And([s.unmet for s in inner]))
            case Not(part):
                whole = self.status(part)
                return StatusFormulas(whole.unmet, whole.met)
            case _:
                presence = [self.has_value(n) for n in dict.fromkeys(names(node))]
                holds = self._comparison(node)
                return StatusFormulas(z3.And([*presence, holds]), z3.And([*presence, z3.Not(holds)]))

    def _comparison(self, node: Truth) -> Formula:
        """A comparison of known values."""
        match node:
            case Flag(name):
                return self.value(name)
            case Same(name, value):
                return self.value(name) == self.words.number(value)
            case AttrsEqual(left, right):
                return self.value(left) == self.value(right)
            case InList(name, entries):
                return z3.Or([self._entry(name, value, until) for value, until in entries])
            case Cmp(op, left, right):
                return OPERATORS[op](self.number(left), self.number(right))
            case _:
                raise TypeError(node)

    def _entry(self, name: str, value: Value, until: int | None) -> Formula:
        """The attribute has the value of an entry of a list that has not ended."""
        same = self.value(name) == (self.words.number(value) if isinstance(value, str) else value)
        return same if until is None else z3.And(same, self.value(AS_OF) < until)

    def number(self, node: Num) -> Term:
        """The term of a number whose parts are all known."""
        match node:
            case Int(value):
                return z3.IntVal(value)
            case Attr(name):
                value = self.value(name)
                return z3.If(value, 1, 0) if self.types[name].kind == "bool" else value
            case DayStart(day, timezone):
                return self._start_second(day, timezone)
            case Op(op, left, right):
                return OPERATORS[op](self.number(left), self.number(right))

    def _start_second(self, node: Num, timezone: str) -> Term:
        """The first second of a day, by the table of the zone's offsets, as far as the day can reach into it."""
        day, table = self.number(node), list(utc_offsets(timezone))
        if isinstance(node, Attr):
            type_ = self.types[node.name]
            days = [first for first, _ in table]
            table = table[max(0, bisect_left(days, type_.low + 1) - 1) : max(1, bisect_left(days, type_.high + 1))]
        offset = z3.IntVal(table[0][1])
        for first, seconds in table[1:]:
            offset = z3.If(day >= first, z3.IntVal(seconds), offset)
        return day * DAY - offset

    def points(self, item: Characteristic | PointRule) -> Term:
        """The points that an item of the scorecard gives."""
        if isinstance(item, PointRule):
            status = self.status(item.when)
            return z3.If(status.met, item.points, z3.If(status.unmet, 0, item.unknown))
        value, result = self.value(item.feature), z3.IntVal(item.points[-1])
        for cut, points in reversed(list(zip(item.cuts, item.points, strict=False))):
            result = z3.If(value < cut, points, result)
        return z3.If(self.has_value(item.feature), result, item.missing)

    def points_without(self, item: Characteristic | PointRule, absent: frozenset[str]) -> Term:
        """The points of an item for a person without values of the attributes in `absent`."""
        if isinstance(item, PointRule):
            return self.points(replace(item, when=without_attributes(item.when, absent)))
        return z3.IntVal(item.missing) if item.feature in absent else self.points(item)

    def score(self, card: Scorecard, absent: frozenset[str] = frozenset()) -> Term:
        """The score of a person who has one, as it is without values of the attributes in `absent`."""
        total = z3.Sum([z3.IntVal(card.base), *(self.points_without(item, absent) for item in card.items)])
        return z3.If(total < card.lowest, card.lowest, z3.If(total > card.highest, card.highest, total))

    def values_in(self, model: Any, names_: Iterable[str]) -> dict[str, Value | None]:
        """The values of these names in the solver's solution; None for a missing one."""
        return {name: self._value_in(model, name) for name in names_}

    def _value_in(self, model: Any, name: str) -> Value | None:
        if not z3.is_true(model.eval(self.has_value(name), model_completion=True)):
            return None
        value = model.eval(self.value(name), model_completion=True)
        if self.types[name].kind == "bool":
            return bool(z3.is_true(value))
        number: int = value.as_long()
        return self.words.word(number) if self.types[name].textual else number

    def assignment(self, values: Values) -> list[tuple[Term, Term]]:
        """Pairs of each variable so far and its value, to substitute in formulas."""
        pairs = []
        for name, variable in self._values.items():
            value = values.get(name)
            pairs.append((self._presence[name], z3.BoolVal(value is not None)))
            if isinstance(value, str):
                value = self.words.number(value)
            pairs.append((variable, z3.BoolVal(bool(value)) if z3.is_bool(variable) else z3.IntVal(int(value or 0))))
        return [(variable, value) for variable, value in pairs if not z3.is_true(variable)]
