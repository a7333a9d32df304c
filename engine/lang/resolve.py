"""Resolve: from an expression to the condition it means: names looked up, types checked, definitions written out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.lang.identifiers import flaw
from engine.lang.lines import EntryLine, ListFile
from engine.lang.problems import Report, Span
from engine.lang.quantities import Quantities, Wrong, an
from engine.lang.shapes import suggestion
from engine.lang.syntax import Arithmetic, Compare, Constant, Expr, IsKnown, Join, Member, Name, Negate, Word
from engine.lang.truths import Alike, And, Cmp, Const, Flag, InList, Known, Not, Or, Same, Truth
from engine.lang.types import LONGEST, Attribute, Schema, Value, day_of, value_of

MOST_LEVELS: Final = 16  # of definitions that use definitions
MOST_NODES: Final = 600  # of a condition with its definitions written out: every engine walks all of them
MOST_DEPTH: Final = 64
KEYWORDS: Final = ("and", "or", "not", "in", "known", "missing", "true", "false")
# What a name that nobody knows may have meant: by the whole of it, or by its beginning.
MEANT: Final = dict.fromkeys(("null", "none", "nil", "unknown"), "ask `missing(f)`: whether there is a value")
MEANT.update(dict.fromkeys(("now", "today", "date"), "the day that is looked from is `as_of`"))
MEANT.update(dict.fromkeys(("yes", "no"), "write true or false"))
ELSEWHERE: Final = {
    "score": "perks can ask for the score, once it is made; nothing else can",
    "request": "a field of the request can be named by its own perk only",
    "held": "a perk that is held says so with `hold`",
    "watch": "flags are declared in watch.yaml, and read by the scorecard and the perks",
    "lists": "a list stands behind `in` or `not in`",
    "order": "orders can be asked about in orders.yaml only",
    "event": "the event that is asked for can be named in orders.yaml only",
    "person": "what a person has in service can be named in orders.yaml only",
}
FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass
class Scope:
    """What names mean in a file: attributes, definitions and lists. Definitions are resolved once, when first used."""

    schema: Schema
    define: Mapping[
        str, Expr | None
    ]  # None: what cannot be read, a definition or an attribute, which has been reported
    report: Report
    lists: Mapping[str, ListFile] = field(default_factory=dict)
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
        except Wrong:
            return None

    def _extent(self, expr: Expr) -> tuple[int, int]:
        """How many nodes, and how deep, with definitions written out (they are resolved by now)."""
        match expr:
            case Name(name):
                return self.extent.get(name, (1, 1))
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
        """The attribute of that name, or None with the reason reported."""
        found = self.schema.get(name.name)
        if found is None and name.name in self.define and self.define[name.name] is None:
            return None
        if found is None:
            known = {*self.schema, *self.define} - {name.name}
            text, hint = f"unknown name `{name.name[:60]}`", _meant(name.name, known)
            if name.name in self.define:
                text, hint = f"`{name.name}` is a definition: a feature belongs here", ""
            self.report.add("R101", text, name.at, hint)
        return found

    def _truth(self, expr: Expr) -> Truth:
        match expr:
            case Join(op, parts):
                found = [self._condition(p) for p in parts]
                if None in found:
                    raise Wrong
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
            text = f"`{name.name}` is {an(attribute.type)}, not a condition"
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
                raise Wrong
            self.open.append(name.name)
            self.done[name.name] = self.condition(expr)
            self.extent[name.name] = self._extent(expr)
            self.open.pop()
        found = self.done[name.name]
        if found is None:
            raise Wrong
        return found

    def _compare(self, expr: Compare) -> Truth:
        left, right, op = expr.left, expr.right, expr.op
        if isinstance(left, Constant) and not isinstance(right, Constant):
            left, right, op = right, left, FLIPPED[op]  # type: ignore[assignment]
        if isinstance(left, Constant):
            raise self._wrong("R103", "both sides are constants", expr.at, "compare a feature with a value")
        word = self._worded(left)
        if word is not None:
            return self._compare_words(word, op, right, expr.at)
        for side in (left, right):
            if isinstance(side, Name) and self.define.get(side.name):
                text = f"`{side.name}` is a condition, not a number"
                raise self._wrong("R103", text, side.at, "join conditions with `and` or `or`")
        return Cmp(op, *Quantities(self._attribute, self.report).pair(left, right, expr.at))

    def _worded(self, expr: Expr) -> Attribute | None:
        """The bool, enum or string attribute that `expr` is, if it is one."""
        if not isinstance(expr, Name) or self.define.get(expr.name):
            return None
        attribute = self._attribute(expr)
        return None if attribute.type.numeric else attribute

    def _compare_words(self, attribute: Attribute, op: str, right: Expr, at: Span) -> Truth:
        if op not in ("==", "!="):
            text = f"`{attribute.name}` is {an(attribute.type)}: it has no order"
            raise self._wrong("R103", text, at, "use ==, != or in")
        same = self._same(attribute, right)
        return same if op == "==" else Not(same)

    def _same(self, attribute: Attribute, right: Expr) -> Truth:
        if isinstance(right, Name) and not self.define.get(right.name):
            self._unquoted(attribute, right)
            return self._alike(attribute, self._attribute(right), right.at)
        if not isinstance(right, Constant):
            raise self._wrong("R103", f"`{attribute.name}` is compared with a constant or an attribute", right.at)
        value = value_of(right.text, attribute.type)
        if attribute.type.kind == "bool":
            if right.kind != "bool" or value is None:
                text, hint = f"`{right.text[:60]}` is neither true nor false", "write one of them, without quotes"
                raise self._wrong("R104", text, right.at, hint)
            return Flag(attribute.name) if value else Not(Flag(attribute.name))
        if right.kind != "word" or not isinstance(value, str):
            raise self._unfit(attribute, right.text, right.at)
        return Same(attribute.name, value)

    def _unquoted(self, attribute: Attribute, right: Name) -> None:
        """A word that lacks its quotes reads as a name."""
        word = attribute.type.worded and value_of(right.name, attribute.type) is not None
        if word and right.name not in self.schema and right.name not in self.define:
            hint = f"a word stands in quotes: '{right.name[:60]}'"
            raise self._wrong("R101", f"unknown name `{right.name[:60]}`", right.at, hint)

    def _unfit(self, attribute: Attribute, text: str, at: Span) -> Wrong:
        hint = suggestion(text[:60], attribute.type.values)
        if attribute.type.kind == "string":
            hint = flaw(text) or f"a word in quotes, of at most {LONGEST} characters"
        return self._wrong("R104", f"`{text[:60]}` is not a value of `{attribute.name}`", at, hint)

    def _alike(self, left: Attribute, right: Attribute, at: Span) -> Truth:
        kinds = {left.type.kind, right.type.kind}
        words = [set(a.type.values) for a in (left, right) if a.type.kind == "enum"]
        if kinds != {"bool"} and not kinds <= {"enum", "string"}:
            text = f"{an(left.type)} cannot be compared with {an(right.type)}"
            raise self._wrong("R103", text, at)
        if len(words) == 2 and not words[0] & words[1]:
            raise self._wrong("R103", f"`{left.name}` and `{right.name}` have no value in common", at)
        return Alike(left.name, right.name)

    def _member(self, expr: Member) -> Truth:
        if isinstance(expr.item, Constant):
            raise self._wrong("R103", "a constant stands before `in`", expr.at, "ask about a feature")
        found = self._in_list(expr) if isinstance(expr.among, Name) else self._in_constants(expr, expr.among)
        return Not(found) if expr.negated else found

    def _in_constants(self, expr: Member, among: tuple[Constant, ...]) -> Truth:
        word = self._worded(expr.item)
        if word is not None:
            found: tuple[Truth, ...] = tuple(self._same(word, c) for c in among)
        else:
            sides = Quantities(self._attribute, self.report)
            item = sides.read(expr.item)
            found = tuple(Cmp("==", item.num, sides.literal(c, item.type).num) for c in among)
        return found[0] if len(found) == 1 else Or(found)

    def _in_list(self, expr: Member) -> Truth:
        among = expr.among
        assert isinstance(among, Name)  # noqa: S101 - asked by the caller
        file = self.lists.get(among.name.removeprefix("lists.")) if among.name.startswith("lists.") else None
        if file is None:
            names = {f"lists.{n}" for n in self.lists}
            hint = (
                suggestion(among.name[:60], names)
                or "lists are files in lists/; constants stand in brackets: in [1, 2]"
            )
            raise self._wrong("R107", f"unknown list `{among.name[:60]}`", among.at, hint)
        if not isinstance(expr.item, Name) or self.define.get(expr.item.name):
            raise self._wrong("R103", "a list is asked about one attribute", expr.item.at, "name a feature")
        attribute = self._attribute(expr.item)
        entries = [(self._entry(attribute, e), e.until) for e in file.entries]
        known = ((v, day_of(until.text) if until else None) for v, until in entries if v is not None)
        return InList(attribute.name, tuple(known))

    def _entry(self, attribute: Attribute, entry: EntryLine) -> Value | None:
        value = value_of(entry.value.text, attribute.type, self.report.timezone)
        if value is None:
            text = f"`{entry.value.text[:60]}` is not a value of `{attribute.name}`, which is asked of this list"
            if not flaw(entry.value.text):  # told of the list itself
                self.report.add("R104", text, entry.value.at, f"{an(attribute.type)} belongs here")
        return value

    def _attribute(self, name: Name) -> Attribute:
        found = self.attribute(name)
        if found is None:
            raise Wrong
        return found

    def _wrong(self, code: str, message: str, at: Span, hint: str = "") -> Wrong:
        self.report.add(code, message, at, hint)
        return Wrong()


def _meant(name: str, known: set[str]) -> str:
    """What to do about a name that is not known."""
    return MEANT.get(name) or suggestion(name[:60], known) or ELSEWHERE.get(name.partition(".")[0], "")
