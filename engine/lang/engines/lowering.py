"""Lower conditions to the part of durable-rules that we can trust.

A condition becomes two durable-rules conditions: one holds if it is certainly true, one if it is certainly false. For
UNKNOWN, neither holds. We push negations to the leaves. A leaf with a missing attribute never holds, as intended. For
comparisons between attributes, and for sums, we compute the sign of the difference exactly ourselves. We cut conditions
that are too large: we evaluate the pieces first, and their results are attributes of later conditions.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

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
    Stage,
    Truth,
    Values,
)
from engine.lang.model.timezones import start_second
from engine.lang.model.types import MAX_INTEGER, Value

MAX_NODES: Final = 16  # nodes of one condition: we cut larger ones
MAX_GROUPS: Final = 6  # durable-rules: at most 14 and/or groups in a rule
MAX_PATHS: Final = 8  # an `or` fires once for each true branch, nested ones once for each combination
OPERATORS: Final = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte", "!=": "$neq"}
OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}

Condition = dict[str, Any]
Reader = Callable[[Values], int | None]
Holds = Callable[[Values], bool | None]


@dataclass
class Vocabulary:
    """Short names for the attributes of facts, and how we compute each of them from the values.

    We generate the names (`a0`, `a1`, ..), because durable-rules matches names only by a 32-bit hash: names of features
    could collide. Facts contain only integers within 2^53, because durable-rules misreads other values. Numbers that
    fit their types are such integers, and bools count as 1 and 0: we pass them unchanged. We compute all other
    attributes here.
    """

    short: dict[object, str] = field(default_factory=dict)
    plain: dict[str, str] = field(default_factory=dict)  # short name -> the number or bool that we pass unchanged
    readers: dict[str, Reader] = field(default_factory=dict)  # short name -> the function that computes it
    places: dict[str, dict[object, int]] = field(default_factory=dict)

    def answer(self, key: str) -> str:
        """The attribute with the result of a piece that we evaluated earlier."""
        return self.short.setdefault(("answer", key), f"a{len(self.short)}")

    def value(self, name: str) -> str:
        """The attribute with a number or a bool."""
        short = self.short.setdefault(("value", name), f"a{len(self.short)}")
        self.plain[short] = name
        return short

    def word(self, name: str, word: str) -> Condition:
        """A condition: the feature equals this word.

        Facts contain the position of the word among those that the rules name, or -1. durable-rules would cut strings
        at 512 bytes, and compares them with numbers.
        """
        places = self.places.setdefault(name, {})

        def read(values: Values) -> int | None:
            return None if (value := values.get(name)) is None else places.get(value, -1)

        return {self._register(("word", name), read): places.setdefault(word, len(places))}

    def whether(self, leaf: Truth, holds: Holds) -> str:
        """The attribute with the status of a leaf that we evaluate ourselves, because durable-rules cannot."""
        return self._register(("whether", leaf), holds)

    def sign(self, cmp: Cmp) -> str:
        """The attribute with the sign of left - right."""
        left, right = exact_reader(cmp.left), exact_reader(cmp.right)

        def read(values: Values) -> int | None:
            a, b = left(values), right(values)
            return None if a is None or b is None else (a > b) - (a < b)

        return self._register(("sign", cmp.left, cmp.right), read)

    def derive(self, values: Values) -> dict[str, int]:
        """Compute the derived attributes from the values, by short name."""
        read = ((short, reader(values)) for short, reader in self.readers.items())
        return {short: int(value) for short, value in read if value is not None}

    def _register(self, key: object, read: Reader) -> str:
        short = self.short.setdefault(key, f"a{len(self.short)}")
        self.readers.setdefault(short, read)
        return short


def exact_reader(num: Num) -> Reader:
    """The number as a function of the values, with integers of any size."""
    match num:
        case Int(value):
            return lambda _: value
        case Attr(name):
            return lambda values: None if (raw := values.get(name)) is None else int(raw)
        case DayStart(day, timezone):
            read = exact_reader(day)
            return lambda values: None if (x := read(values)) is None else start_second(timezone, x)
        case Op(op, left, right):
            a, b = exact_reader(left), exact_reader(right)
            act: Callable[[int, int], int] = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[op]
            return lambda values: None if (x := a(values)) is None or (y := b(values)) is None else act(x, y)


def equal_attributes(left: str, right: str) -> Holds:
    """Whether two words or two bools are equal."""

    def holds(values: Values) -> bool | None:
        one, other = values.get(left), values.get(right)
        return None if one is None or other is None else one == other

    return holds


def in_list(node: InList) -> Holds:
    """Whether a value is in a list. We build one set for each period between the days on which entries end."""
    ends = sorted({until for _, until in node.entries if until is not None})
    entries = dict[int, frozenset[Value]]()

    def holds(values: Values) -> bool | None:
        value, day = values.get(node.name), values.get(AS_OF)
        if value is None:
            return None
        stretch = -1 if day is None else bisect_right(ends, int(day))
        if stretch not in entries:
            entries[stretch] = node.on(day)
        return value in entries[stretch]

    return holds


def may_be_unknown(truth: Truth) -> bool:
    """Whether the condition can be unknown although all its attributes are known: then a part of it is always unknown."""
    match truth:
        case Const(value):
            return value is None
        case Not(part):
            return may_be_unknown(part)
        case And(parts) | Or(parts):
            return any(map(may_be_unknown, parts))
        case _:
            return False


def condition(truth: Truth, want: bool, words: Vocabulary) -> Condition | bool:
    """Lower a condition: the result holds exactly if `truth` certainly is `want`. A bool if the result is constant."""
    match truth:
        case Const(value):
            return value is want
        case AttrKnown(name):
            return {words.whether(truth, lambda values: values.get(name) is not None): int(want)}
        case Flag(name):
            return {words.answer(name) if name.startswith("~") else words.value(name): int(want)}
        case Same(name, value):
            leaf = words.word(name, value)
            return leaf if want else {"$neq": leaf}
        case AttrsEqual(left, right):
            return {words.whether(truth, equal_attributes(left, right)): int(want)}
        case InList():
            return {words.whether(truth, in_list(truth)): int(want)}
        case Cmp():
            return _comparison(truth, want, words)
        case Not(part):
            return condition(part, not want, words)
        case And(parts) | Or(parts):
            return _group(isinstance(truth, And) == want, [condition(p, want, words) for p in parts])


def _comparison(cmp: Cmp, want: bool, words: Vocabulary) -> Condition:
    op = cmp.op if want else OPPOSITE[cmp.op]
    match cmp.left, cmp.right:
        case Attr(name), Int(constant) if abs(constant) < MAX_INTEGER:
            leaf = {words.value(name): constant}
        case _:
            leaf = {words.sign(cmp): 0}
    return leaf if op == "==" else {OPERATORS[op]: leaf}


def bins(conditions: Iterable[Truth], words: Vocabulary) -> list[Condition]:
    """Lower the bins of one characteristic. Each bin is the path that leads to it in a binary search of the cuts.

    durable-rules evaluates a common beginning of paths once. Of the two sides of each turn, only one is true, so the
    library follows a single path through all of them.
    """
    sides = (side for each in conditions for side in (each.parts if isinstance(each, And) else (each,)))
    cuts = [side for side in sides if isinstance(side, Cmp) and side.op == ">="]
    result: list[Condition] = []

    def turn(path: tuple[Condition, ...], first: int, last: int) -> None:
        if first == last:
            result.append({"$and": list(path)})
            return
        middle = (first + last + 1) // 2
        below, above = (_comparison(cuts[middle - 1], want, words) for want in (False, True))
        turn((*path, below), first, middle - 1)
        turn((*path, above), middle, last)

    turn((), 0, len(cuts))
    return result


def count_paths(lowered: Condition) -> int:
    """The number of branches that durable-rules can have active at once in a condition.

    It follows every side of an `or`.
    """
    for key, value in lowered.items():
        if key in ("$and", "$or"):
            inner = [count_paths(part) for part in value]
            return prod(inner) if key == "$and" else sum(inner)
    return 1


def _group(all_of: bool, parts: list[Condition | bool]) -> Condition | bool:
    if (not all_of) in parts:
        return not all_of
    conditions = [p for p in parts if isinstance(p, dict)]
    if not conditions:
        return all_of
    return conditions[0] if len(conditions) == 1 else {"$and" if all_of else "$or": conditions}


@dataclass(frozen=True)
class ConditionSize:
    """The size of a condition: its nodes, its and/or groups, and the most branches that can be true at once."""

    nodes: int
    groups: int
    paths: int

    @property
    def fits(self) -> bool:
        return self.nodes <= MAX_NODES and self.groups <= MAX_GROUPS and self.paths <= MAX_PATHS


def size(truth: Truth) -> ConditionSize:
    """The larger of the sizes for the two questions: certainly true, and certainly false."""
    true, false = _size(truth, True), _size(truth, False)
    return ConditionSize(max(true.nodes, false.nodes), max(true.groups, false.groups), max(true.paths, false.paths))


def _size(truth: Truth, want: bool) -> ConditionSize:
    match truth:
        case Not(part):
            return _size(part, not want)
        case And(parts) | Or(parts):
            inner = [_size(p, want) for p in parts]
            paths = 1 if isinstance(truth, And) == want else 0
            for each in inner:
                paths = paths * each.paths if isinstance(truth, And) == want else paths + each.paths
            return ConditionSize(1 + sum(s.nodes for s in inner), 1 + sum(s.groups for s in inner), paths)
        case _:
            return ConditionSize(1, 0, 1)


def split_stage(stage: Stage) -> list[dict[str, Truth]]:
    """Split the stage into passes. Conditions of a pass fit the limits, and can name results of earlier passes as `~n`."""
    cutter = _StageSplitter()
    last = {id_: cutter.shrink(truth)[0] for id_, truth in stage.items()}
    return [*cutter.passes, last]


class _StageSplitter:
    def __init__(self) -> None:
        self.passes: list[dict[str, Truth]] = []
        self.count = 0

    def shrink(self, truth: Truth) -> tuple[Truth, int]:
        """Cut the parts that are too large. Returns the condition and the number of passes that must precede it."""
        match truth:
            case Not(part):
                inner, level = self.shrink(part)
                return Not(inner), level
            case And(parts) | Or(parts):
                return self._fit(type(truth), [self.shrink(p) for p in parts])
            case _:
                return truth, 0

    def _fit(self, kind: type[And] | type[Or], parts: list[tuple[Truth, int]]) -> tuple[Truth, int]:
        while not size(whole := kind(tuple(p for p, _ in parts))).fits:
            groups = [p for p in parts if isinstance(p[0], And | Or | Not) and size(p[0]).groups]
            if groups:  # evaluate the largest part first
                largest = max(groups, key=lambda p: size(p[0]).nodes)
                parts[parts.index(largest)] = self._extract(*largest)
            else:  # only leaves, but too many: evaluate the first few before the rest
                few, rest = parts[:MAX_PATHS], parts[MAX_PATHS:]
                piece = kind(tuple(p for p, _ in few))
                parts = [*rest, self._extract(piece, max(level for _, level in few))]
        return whole, max((level for _, level in parts), default=0)

    def _extract(self, truth: Truth, level: int) -> tuple[Truth, int]:
        while len(self.passes) <= level:
            self.passes.append({})
        name = f"~{self.count}"
        self.count += 1
        self.passes[level][name] = truth
        return Flag(name), level + 1


def attributes_read(lowered: Condition | bool) -> Iterator[str]:
    """The attributes that a lowered condition reads."""
    if isinstance(lowered, bool):
        return
    for key, value in lowered.items():
        if key in ("$and", "$or"):
            for part in value:
                yield from attributes_read(part)
        elif key.startswith("$"):
            yield from attributes_read(value)
        else:
            yield key
