"""Resolve: from an expression to what it means: names looked up, types checked, every number an integer.

A literal takes the type of what it is compared with, or is refused at its own place. The range of each sum and product
is known from the bounds of its features, so that no 64-bit column can overflow.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.lang.problems import Report, Span
from engine.lang.program import And, Attr, Cmp, Const, Flag, Int, Known, Not, Num, Op, Or, Same, Truth
from engine.lang.shapes import suggestion
from engine.lang.syntax import Arithmetic, Compare, Constant, Expr, IsKnown, Join, Member, Name, Negate, Word
from engine.lang.types import BOOL, LARGEST, LARGEST_WITHIN, Attribute, Schema, Type, scaled

MOST_LEVELS: Final = 16  # of definitions that use definitions
MOST_NODES: Final = 600  # of a condition with its definitions written out: every engine walks all of them
MOST_DEPTH: Final = 64
KEYWORDS: Final = ("and", "or", "not", "in", "known", "missing", "true", "false")
FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class _Wrong(Exception):
    """Reported already."""


@dataclass(frozen=True)
class _Number:
    """A numeric expression: what it is, its digits, and the range it stays in."""

    num: Num
    type: Type


@dataclass
class Scope:
    """What names mean in a file: attributes and definitions. Definitions are resolved once, when first used."""

    schema: Schema
    define: Mapping[str, Expr | None]  # None: one that cannot be read, which has been reported
    report: Report
    done: dict[str, Truth | None] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    extent: dict[str, tuple[int, int]] = field(default_factory=dict)  # of each definition: nodes, depth

    def condition(self, expr: Expr) -> Truth | None:
        """What the expression means, or None with the reason reported."""
        found = self._condition(expr)
        if found is None:
            return None
        nodes, depth = self._extent(expr)
        if nodes <= MOST_NODES and depth <= MOST_DEPTH:
            return found
        much = f"has {nodes} parts, of {MOST_NODES}" if nodes > MOST_NODES else f"is {depth} deep, of {MOST_DEPTH}"
        self.report.add("R023", f"with its definitions written out this {much} at most", expr.at, "divide it")
        return None

    def defined(self, words: Iterable[Word]) -> None:
        """A definition needs a name of its own, or nobody could tell what that name means."""
        for word in words:
            if word.text in self.schema:
                self.report.add("R015", f"`{word.text}` is defined already: it is a feature", word.at, "rename it")
            if word.text in KEYWORDS:
                self.report.add("R015", f"`{word.text}` is a word of the language", word.at, "rename it")

    def _condition(self, expr: Expr) -> Truth | None:
        try:
            return self._truth(expr)
        except _Wrong:
            return None

    def _extent(self, expr: Expr) -> tuple[int, int]:
        """How many nodes, and how deep, with definitions written out (they are resolved by now)."""
        match expr:
            case Name(name):
                return self.extent.get(name, (1, 1))
            case Member(item, among):
                nodes, depth = self._extent(item)
                return (nodes + 1) * len(among), depth + 2
            case Negate(part):
                inner = [self._extent(part)]
            case Join(_, parts):
                inner = [self._extent(p) for p in parts]
            case Compare(_, left, right) | Arithmetic(_, left, right):
                inner = [self._extent(left), self._extent(right)]
            case _:
                return 1, 1
        return 1 + sum(n for n, _ in inner), 1 + max(d for _, d in inner)

    def attribute(self, name: Name) -> Attribute | None:
        """The attribute of that name, or None with the reason reported."""
        found = self.schema.get(name.name)
        if found is None:
            known = {*self.schema, *self.define} - {name.name}
            text, hint = f"unknown name `{name.name[:60]}`", suggestion(name.name[:60], known)
            if name.name in self.define:
                text, hint = f"`{name.name}` is a definition: a feature belongs here", ""
            self.report.add("R101", text, name.at, hint)
        return found

    def _truth(self, expr: Expr) -> Truth:
        match expr:
            case Join(op, parts):
                found = [self._condition(p) for p in parts]
                if None in found:
                    raise _Wrong
                whole = tuple(f for f in found if f is not None)
                return And(whole) if op == "and" else Or(whole)
            case Negate(part):
                return Not(self._truth(part))
            case IsKnown(name, negated):
                known = Known(self._attribute(name).name)
                return Not(known) if negated else known
            case Compare():
                return self._compare(expr)
            case Member():
                return self._member(expr)
            case Name():
                return self._flag(expr)
            case Constant(text, "bool"):
                return Const(text == "true")
            case _:
                raise self._wrong("R105", "this is a value, not a condition", expr.at, "compare it with something")

    def _flag(self, name: Name) -> Truth:
        if name.name in self.define:
            return self._definition(name)
        attribute = self._attribute(name)
        if attribute.type.kind != "bool":
            text = f"`{name.name}` is {_an(attribute.type)}, not a condition"
            raise self._wrong("R105", text, name.at, "compare it with something")
        return Flag(name.name)

    def _definition(self, name: Name) -> Truth:
        if name.name in self.open:
            circle = " -> ".join([*self.open[self.open.index(name.name) :], name.name])
            raise self._wrong("R102", f"definitions go in a circle: {circle}", name.at, "take one of them out")
        if len(self.open) == MOST_LEVELS:
            text = f"definitions use each other more than {MOST_LEVELS} deep"
            raise self._wrong("R023", text, name.at, "write some of them out")
        if name.name not in self.done:
            expr = self.define[name.name]
            if expr is None:
                raise _Wrong
            self.open.append(name.name)
            self.done[name.name] = self.condition(expr)
            self.extent[name.name] = self._extent(expr)
            self.open.pop()
        found = self.done[name.name]
        if found is None:
            raise _Wrong
        return found

    def _compare(self, expr: Compare) -> Truth:
        left, right, op = expr.left, expr.right, expr.op
        if isinstance(left, Constant) and not isinstance(right, Constant):
            left, right, op = right, left, FLIPPED[op]  # type: ignore[assignment]
        word = self._worded(left)
        if word is not None:
            return self._compare_words(word, op, right, expr.at)
        if isinstance(left, Constant):
            raise self._wrong("R103", "both sides are constants", expr.at, "compare a feature with a value")
        first = self._number(left)
        second = self._literal(right, first.type) if isinstance(right, Constant) else self._number(right)
        if (first.type.kind == "date") != (second.type.kind == "date"):
            raise self._wrong("R103", f"{_an(first.type)} cannot be compared with {_an(second.type)}", right.at)
        digits = max(first.type.digits, second.type.digits)
        return Cmp(op, self._rescaled(first, digits, expr.at).num, self._rescaled(second, digits, expr.at).num)

    def _worded(self, expr: Expr) -> Attribute | None:
        """The bool or enum attribute that `expr` is, if it is one."""
        if not isinstance(expr, Name) or expr.name in self.define:
            return None
        attribute = self._attribute(expr)
        return attribute if attribute.type.kind in ("bool", "enum") else None

    def _compare_words(self, attribute: Attribute, op: str, right: Expr, at: Span) -> Truth:
        if op not in ("==", "!="):
            text = f"`{attribute.name}` is {_an(attribute.type)}: it has no order"
            raise self._wrong("R103", text, at, "use ==, != or in")
        same = self._same(attribute, right)
        return same if op == "==" else Not(same)

    def _same(self, attribute: Attribute, right: Expr) -> Truth:
        if not isinstance(right, Constant):
            raise self._wrong("R103", f"`{attribute.name}` is compared with a constant only", right.at)
        if attribute.type == BOOL:
            if right.kind != "bool":
                raise self._wrong("R104", f"`{right.text[:60]}` is neither true nor false", right.at)
            return Flag(attribute.name) if right.text == "true" else Not(Flag(attribute.name))
        if right.kind != "word" or right.text not in attribute.type.values:
            hint = suggestion(right.text[:60], attribute.type.values)
            raise self._wrong("R104", f"`{right.text[:60]}` is not a value of `{attribute.name}`", right.at, hint)
        return Same(attribute.name, right.text)

    def _member(self, expr: Member) -> Truth:
        word = self._worded(expr.item)
        if word is not None:
            found: tuple[Truth, ...] = tuple(self._same(word, c) for c in expr.among)
        elif isinstance(expr.item, Constant):
            raise self._wrong("R103", "a constant stands before `in`", expr.at, "ask about a feature")
        else:
            item = self._number(expr.item)
            found = tuple(Cmp("==", item.num, self._literal(c, item.type).num) for c in expr.among)
        either = found[0] if len(found) == 1 else Or(found)
        return Not(either) if expr.negated else either

    def _number(self, expr: Expr) -> _Number:
        match expr:
            case Name(name) if name in self.define:
                text = f"`{name}` is a condition, not a number"
                raise self._wrong("R103", text, expr.at, "join conditions with `and` or `or`")
            case Name(name):
                attribute = self._attribute(expr)
                if attribute.type.numeric:
                    return _Number(Attr(name), attribute.type)
                raise self._wrong("R103", f"`{name}` is {_an(attribute.type)}, not a number", expr.at)
            case Constant(text, "number"):
                return self._literal(expr, Type("decimal", len(text.partition(".")[2])))
            case Arithmetic():
                return self._arithmetic(expr)
            case _:
                raise self._wrong("R103", "a number belongs here", expr.at, "a feature, a number, or a sum of them")

    def _arithmetic(self, expr: Arithmetic) -> _Number:
        left, right = self._number(expr.left), self._number(expr.right)
        if "date" in (left.type.kind, right.type.kind):
            raise self._wrong("R103", "dates are compared, not added", expr.at)
        digits = left.type.digits + right.type.digits
        if expr.op != "*":
            digits = max(left.type.digits, right.type.digits)
            left, right = self._rescaled(left, digits, expr.at), self._rescaled(right, digits, expr.at)
        low, high = _range(expr.op, left.type, right.type)
        return self._bounded(_Number(Op(expr.op, left.num, right.num), Type("decimal", digits, (), low, high)), expr.at)

    def _rescaled(self, number: _Number, digits: int, at: Span) -> _Number:
        more = 10 ** (digits - number.type.digits)
        if more == 1:
            return number
        num: Num = Int(number.num.value * more) if isinstance(number.num, Int) else Op("*", number.num, Int(more))
        kind = Type("decimal", digits, (), number.type.low * more, number.type.high * more)
        return self._bounded(_Number(num, kind), at)

    def _bounded(self, number: _Number, at: Span) -> _Number:
        if max(-number.type.low, number.type.high) > LARGEST_WITHIN:
            hint = "use fewer factors, or features with narrower bounds"
            raise self._wrong("R106", "this number can grow beyond 2^62", at, hint)
        return number

    def _literal(self, constant: Constant, type_: Type) -> _Number:
        wanted = "date" if type_.kind == "date" else "number"
        text, kind = constant.text, constant.kind
        shown = f"`{text[:40]}{'d' * (kind == 'duration')}` does not fit {_an(type_)}"
        hint = "write a date such as 2024-03-01" if wanted == "date" else self._written(type_)
        if kind == "duration":  # a duration is a whole number of days
            kind = "number"
        if kind != wanted:
            raise self._wrong("R104", shown, constant.at, hint)
        value = scaled(text, type_)
        if value is None:
            raise self._wrong("R104", shown, constant.at, hint)
        if abs(value) > LARGEST:
            raise self._wrong("R104", f"`{text[:40]}` is larger than any value", constant.at)
        return _Number(Int(value), Type(type_.kind, type_.digits, (), value, value))

    @staticmethod
    def _written(type_: Type) -> str:
        return f"with at most {type_.digits} digits after the point" if type_.digits else "write a whole number"

    def _attribute(self, name: Name) -> Attribute:
        found = self.attribute(name)
        if found is None:
            raise _Wrong
        return found

    def _wrong(self, code: str, message: str, at: Span, hint: str = "") -> _Wrong:
        self.report.add(code, message, at, hint)
        return _Wrong()


def _range(op: str, a: Type, b: Type) -> tuple[int, int]:
    if op == "+":
        return a.low + b.low, a.high + b.high
    if op == "-":
        return a.low - b.high, a.high - b.low
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return min(corners), max(corners)


def _an(type_: Type) -> str:
    if type_.kind == "decimal" and not type_.digits:
        return "a whole number"
    return {"int": "a whole number", "bool": "a condition", "enum": "a word", "date": "a date"}.get(
        type_.kind, f"a number with {type_.digits} digits after the point"
    )
