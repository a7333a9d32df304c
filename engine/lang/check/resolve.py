"""Resolve expressions to conditions: look up names, check types, and inline definitions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.lang.check.quantities import ExpressionError, Quantities, describe_type
from engine.lang.model.conditions import And, AttrKnown, AttrsEqual, Const, Flag, InList, Not, Or, Same, Truth
from engine.lang.model.identifiers import flaw
from engine.lang.model.problems import Report, SourceSpan
from engine.lang.model.types import MAX_STRING_CHARS, Attribute, Schema, Value, day_of, value_of
from engine.lang.syntax.ast import EntryLine, ListFile
from engine.lang.syntax.expression_tree import (
    Arithmetic,
    Compare,
    Constant,
    Expr,
    IsKnown,
    Join,
    Member,
    Name,
    Negate,
    Word,
)
from engine.lang.syntax.schema_types import renamed, suggestion

MAX_DEFINITION_DEPTH: Final = 16  # nested uses of definitions
MAX_NODES: Final = 600  # nodes of a condition with inlined definitions: every engine walks all of them
MAX_DEPTH: Final = 64
KEYWORDS: Final = ("and", "or", "not", "in", "known", "missing", "true", "false")
# Hints for unknown names, by the whole name or by its prefix.
NAME_HINTS: Final = dict.fromkeys(("null", "none", "nil", "unknown"), "ask `missing(f)`: whether there is a value")
NAME_HINTS.update(dict.fromkeys(("now", "today", "date"), "the day of the decision is `as_of`"))
NAME_HINTS.update(dict.fromkeys(("yes", "no"), "write true or false"))
PREFIX_HINTS: Final = {
    "score": "only perks can read the score",
    "request": "only its own perk can read a field of the request",
    "held": "give the perk a `hold`",
    "watch": "flags are declared in watch.yaml, and read by the scorecard and the perks",
    "lists": "write a list after `in` or `not in`",
    "order": "only orders.yaml can read orders",
    "event": "only orders.yaml can read the event of an order",
    "person": "only orders.yaml can read a person's counts of orders",
}
MIRRORED_OPERATORS: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass
class Scope:
    """The names of a file: attributes, definitions and lists. We resolve a definition once, at its first use."""

    schema: Schema
    define: Mapping[str, Expr | None]  # None: a definition or an attribute with a problem, which has been reported
    report: Report
    lists: Mapping[str, ListFile] = field(default_factory=dict)
    resolutions: dict[str, Truth | None] = field(default_factory=dict)
    stack: list[str] = field(default_factory=list)
    extents: dict[str, tuple[int, int]] = field(default_factory=dict)  # nodes and depth of each definition

    def condition(self, expr: Expr) -> Truth | None:
        """Resolve the expression to a condition; None with the reason in the report."""
        result = self._condition(expr)
        if result is None:
            return None
        nodes, depth = self._extent(expr)
        if nodes <= MAX_NODES and depth <= MAX_DEPTH:
            return result
        excess = f"has {nodes} parts, of {MAX_NODES}" if nodes > MAX_NODES else f"is {depth} deep, of {MAX_DEPTH}"
        self.report.add("R023", f"with its definitions written out this {excess} at most", expr.at, "divide it")
        return None

    def check_names(self, words: Iterable[Word]) -> None:
        """A definition needs a name of its own: its name must not be a feature or a keyword."""
        for word in words:
            if word.text in self.schema:
                self.report.add("R015", f"`{word.text}` is defined already: it is a feature", word.at, "rename it")
            if word.text in KEYWORDS:
                self.report.add("R015", f"`{word.text}` is a word of the language", word.at, "rename it")

    def _condition(self, expr: Expr) -> Truth | None:
        try:
            return self._truth(expr)
        except ExpressionError:
            return None

    def _extent(self, expr: Expr) -> tuple[int, int]:
        """The number of nodes and the depth, with definitions inlined. They are resolved at this point."""
        match expr:
            case Name(name):
                return self.extents.get(name, (1, 1))
            case Member(item, among):
                nodes, depth = self._extent(item)
                return (nodes + 1) * (1 if isinstance(among, Name) else len(among)), depth + 2
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
        """The attribute of that name; None with the reason in the report."""
        attribute = self.schema.get(name.name)
        if attribute is None and name.name in self.define and self.define[name.name] is None:
            return None
        if attribute is None:
            names = {*self.schema, *self.define} - {name.name}
            text, hint = f"unknown name `{name.name[:60]}`", _hint(name.name, names, self.schema)
            if name.name in self.define:
                text, hint = f"`{name.name}` is a definition: a feature belongs here", ""
            self.report.add("R101", text, name.at, hint)
        return attribute

    def _truth(self, expr: Expr) -> Truth:
        match expr:
            case Join(op, parts):
                conditions = [self._condition(p) for p in parts]
                if None in conditions:
                    raise ExpressionError
                whole = tuple(f for f in conditions if f is not None)
                return And(whole) if op == "and" else Or(whole)
            case Negate(part):
                return Not(self._truth(part))
            case IsKnown(name, negated):
                presence = AttrKnown(self._attribute(name).name)
                return Not(presence) if negated else presence
            case Compare():
                return self._compare(expr)
            case Member():
                return self._member(expr)
            case Name():
                return self._flag(expr)
            case Constant(text, "bool"):
                return Const(text == "true")
            case _:
                raise self._report_error(
                    "R105", "this is a value, not a condition", expr.at, "compare it with something"
                )

    def _flag(self, name: Name) -> Truth:
        if name.name in self.define:
            return self._definition(name)
        attribute = self._attribute(name)
        if attribute.type.kind != "bool":
            text = f"`{name.name}` is {describe_type(attribute.type)}, not a condition"
            raise self._report_error("R105", text, name.at, "compare it with something")
        return Flag(name.name)

    def _definition(self, name: Name) -> Truth:
        if name.name in self.stack:
            cycle = " -> ".join([*self.stack[self.stack.index(name.name) :], name.name])
            raise self._report_error("R102", f"definitions form a cycle: {cycle}", name.at, "take one of them out")
        if len(self.stack) == MAX_DEFINITION_DEPTH:
            text = f"definitions use each other more than {MAX_DEFINITION_DEPTH} deep"
            raise self._report_error("R023", text, name.at, "write some of them out")
        if name.name not in self.resolutions:
            expr = self.define[name.name]
            if expr is None:
                raise ExpressionError
            self.stack.append(name.name)
            self.resolutions[name.name] = self.condition(expr)
            self.extents[name.name] = self._extent(expr)
            self.stack.pop()
        condition = self.resolutions[name.name]
        if condition is None:
            raise ExpressionError
        return condition

    def _compare(self, expr: Compare) -> Truth:
        left, right, op = expr.left, expr.right, expr.op
        if isinstance(left, Constant) and not isinstance(right, Constant):
            left, right, op = right, left, MIRRORED_OPERATORS[op]  # type: ignore[assignment]
        if isinstance(left, Constant):
            raise self._report_error("R103", "both sides are constants", expr.at, "compare a feature with a value")
        word = self._word_attribute(left)
        if word is not None:
            return self._compare_words(word, op, right, expr.at)
        for side in (left, right):
            if isinstance(side, Name) and self.define.get(side.name):
                text = f"`{side.name}` is a condition, not a number"
                raise self._report_error("R103", text, side.at, "join conditions with `and` or `or`")
        return Quantities(self._attribute, self.report).compare(op, left, right, expr.at)

    def _word_attribute(self, expr: Expr) -> Attribute | None:
        """The bool, enum or string attribute that `expr` names; None if it is something else."""
        if not isinstance(expr, Name) or self.define.get(expr.name):
            return None
        attribute = self._attribute(expr)
        return None if attribute.type.numeric else attribute

    def _compare_words(self, attribute: Attribute, op: str, right: Expr, at: SourceSpan) -> Truth:
        if op not in ("==", "!="):
            text = f"`{attribute.name}` is {describe_type(attribute.type)}: it has no order"
            raise self._report_error("R103", text, at, "use ==, != or in")
        same = self._same(attribute, right)
        return same if op == "==" else Not(same)

    def _same(self, attribute: Attribute, right: Expr) -> Truth:
        if isinstance(right, Name) and not self.define.get(right.name):
            self._check_quotes(attribute, right)
            return self._equal_attributes(attribute, self._attribute(right), right.at)
        if not isinstance(right, Constant):
            raise self._report_error(
                "R103", f"`{attribute.name}` is compared with a constant or an attribute", right.at
            )
        value = value_of(right.text, attribute.type)
        if attribute.type.kind == "bool":
            if right.kind != "bool" or value is None:
                text, hint = f"`{right.text[:60]}` is neither true nor false", "write one of them, without quotes"
                raise self._report_error("R104", text, right.at, hint)
            return Flag(attribute.name) if value else Not(Flag(attribute.name))
        if right.kind != "word" or not isinstance(value, str):
            raise self._value_error(attribute, right.text, right.at)
        return Same(attribute.name, value)

    def _check_quotes(self, attribute: Attribute, right: Name) -> None:
        """Report a word without quotes: we parsed it as a name."""
        if not attribute.type.textual or right.name in self.schema or right.name in self.define:
            return
        if value_of(right.name, attribute.type) is not None:
            hint = f"write a word in quotes: '{right.name[:60]}'"
            raise self._report_error("R101", f"unknown name `{right.name[:60]}`", right.at, hint)
        if attribute.type.kind == "enum" and "." not in right.name:
            raise self._value_error(attribute, right.name, right.at)

    def _value_error(self, attribute: Attribute, text: str, at: SourceSpan) -> ExpressionError:
        hint = suggestion(text[:60], attribute.type.values)
        if attribute.type.kind == "string":
            hint = flaw(text) or f"a word in quotes, of at most {MAX_STRING_CHARS} characters"
        return self._report_error("R104", f"`{text[:60]}` is not a value of `{attribute.name}`", at, hint)

    def _equal_attributes(self, left: Attribute, right: Attribute, at: SourceSpan) -> Truth:
        kinds = {left.type.kind, right.type.kind}
        words = [set(a.type.values) for a in (left, right) if a.type.kind == "enum"]
        if kinds != {"bool"} and not kinds <= {"enum", "string"}:
            text = f"{describe_type(left.type)} cannot be compared with {describe_type(right.type)}"
            raise self._report_error("R103", text, at)
        if len(words) == 2 and not words[0] & words[1]:
            raise self._report_error("R103", f"`{left.name}` and `{right.name}` have no value in common", at)
        return AttrsEqual(left.name, right.name)

    def _member(self, expr: Member) -> Truth:
        if isinstance(expr.item, Constant):
            raise self._report_error("R103", "a constant before `in`", expr.at, "ask about a feature")
        condition = self._in_list(expr) if isinstance(expr.among, Name) else self._in_constants(expr, expr.among)
        return Not(condition) if expr.negated else condition

    def _in_constants(self, expr: Member, among: tuple[Constant, ...]) -> Truth:
        word = self._word_attribute(expr.item)
        if word is not None:
            conditions: tuple[Truth, ...] = tuple(self._same(word, c) for c in among)
        else:
            sides = Quantities(self._attribute, self.report)
            item = sides.read(expr.item)
            constants = [(sides.literal(c, item.type), c.at) for c in among]
            conditions = tuple(sides.comparison("==", item, constant, at, expr.at) for constant, at in constants)
        return conditions[0] if len(conditions) == 1 else Or(conditions)

    def _in_list(self, expr: Member) -> Truth:
        among = expr.among
        assert isinstance(among, Name)  # noqa: S101 - the caller has checked
        file = self.lists.get(among.name.removeprefix("lists.")) if among.name.startswith("lists.") else None
        if file is None:
            names = {f"lists.{n}" for n in self.lists}
            hint = (
                suggestion(among.name[:60], names) or "lists are files in lists/; put constants in brackets: in [1, 2]"
            )
            raise self._report_error("R107", f"unknown list `{among.name[:60]}`", among.at, hint)
        if not isinstance(expr.item, Name) or self.define.get(expr.item.name):
            raise self._report_error("R103", "only a single attribute can be in a list", expr.item.at, "name a feature")
        attribute = self._attribute(expr.item)
        entries = [(self._entry(attribute, e), e.until) for e in file.entries]
        values = ((v, day_of(until.text) if until else None) for v, until in entries if v is not None)
        return InList(attribute.name, tuple(values))

    def _entry(self, attribute: Attribute, entry: EntryLine) -> Value | None:
        value = value_of(entry.value.text, attribute.type, self.report.timezone)
        if value is None:
            text = f"`{entry.value.text[:60]}` is not a value of `{attribute.name}`, which a condition compares with this list"
            if not flaw(entry.value.text):  # otherwise the check of the list reports it
                self.report.add("R104", text, entry.value.at, f"{describe_type(attribute.type)} belongs here")
        return value

    def _attribute(self, name: Name) -> Attribute:
        attribute = self.attribute(name)
        if attribute is None:
            raise ExpressionError
        return attribute

    def _report_error(self, code: str, message: str, at: SourceSpan, hint: str = "") -> ExpressionError:
        self.report.add(code, message, at, hint)
        return ExpressionError()


def _hint(name: str, names: set[str], schema: Schema) -> str:
    """A hint about an unknown name."""
    return (
        NAME_HINTS.get(name)
        or renamed(name, schema)
        or suggestion(name[:60], names)
        or PREFIX_HINTS.get(name.partition(".")[0], "")
    )
