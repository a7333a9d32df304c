"""Lower: conditions as durable-rules can be trusted with them.

A condition becomes two durable-rules conditions, one that holds when it is surely true and one when it is surely false;
on UNKNOWN neither does. Negation is pushed to the leaves, and a leaf over a missing attribute never holds, which is
what is meant. Comparisons between attributes, and sums, become the sign of a difference that we compute exactly.
Conditions that are too large are cut: pieces are asked first, and their answers are attributes of what is asked later.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

from engine.lang.timezones import start_second
from engine.lang.truths import (
    AS_OF,
    Alike,
    And,
    Attr,
    Cmp,
    Const,
    DayStart,
    Flag,
    InList,
    Int,
    Known,
    Not,
    Num,
    Op,
    Or,
    Same,
    Stage,
    Truth,
    Values,
)
from engine.lang.types import LARGEST, Value

MOST_NODES: Final = 16  # of one condition, before it is cut
MOST_GROUPS: Final = 6  # durable-rules: at most 14 and/or groups in a rule
MOST_PATHS: Final = 8  # an `or` fires once for each true branch, and nested ones once for each combination
SIGNS: Final = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte", "!=": "$neq"}
OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}

Condition = dict[str, Any]
Reader = Callable[[Values], int | None]
Holds = Callable[[Values], bool | None]


@dataclass
class Vocabulary:
    """Short names for what facts carry, and how each is read from the values.

    Names are generated (`a0`, `a1`, ..) because durable-rules matches names by a 32-bit hash alone: names of features
    could collide, these do not. Facts hold integers within 2^53: anything else it misreads. Numbers that fit their types
    are such, and bools count as 1 and 0: they go in as they are. Whatever else is asked is worked out here.
    """

    short: dict[object, str] = field(default_factory=dict)
    plain: dict[str, str] = field(default_factory=dict)  # short name -> the number or bool that goes in as it is
    readers: dict[str, Reader] = field(default_factory=dict)  # short name -> what is worked out
    places: dict[str, dict[object, int]] = field(default_factory=dict)

    def answer(self, key: str) -> str:
        """The attribute that holds the answer to a piece asked earlier."""
        return self.short.setdefault(("answer", key), f"a{len(self.short)}")

    def value(self, name: str) -> str:
        """The attribute that holds a number or a bool."""
        short = self.short.setdefault(("value", name), f"a{len(self.short)}")
        self.plain[short] = name
        return short

    def word(self, name: str, word: str) -> Condition:
        """That a feature is this word. Facts hold its place among the words that rules name, or -1: strings are cut at 512
        bytes, and compared with numbers.
        """
        places = self.places.setdefault(name, {})

        def read(values: Values) -> int | None:
            return None if (found := values.get(name)) is None else places.get(found, -1)

        return {self._named(("word", name), read): places.setdefault(word, len(places))}

    def whether(self, leaf: Truth, holds: Holds) -> str:
        """The attribute that holds a leaf's status, found out here: for leaves that durable-rules is not to see."""
        return self._named(("whether", leaf), holds)

    def sign(self, cmp: Cmp) -> str:
        """The attribute that holds the sign of left - right."""
        left, right = exact(cmp.left), exact(cmp.right)

        def read(values: Values) -> int | None:
            a, b = left(values), right(values)
            return None if a is None or b is None else (a > b) - (a < b)

        return self._named(("sign", cmp.left, cmp.right), read)

    def worked_out(self, values: Values) -> dict[str, int]:
        """What can be worked out of the values, by short name."""
        read = ((short, reader(values)) for short, reader in self.readers.items())
        return {short: int(value) for short, value in read if value is not None}

    def _named(self, key: object, read: Reader) -> str:
        short = self.short.setdefault(key, f"a{len(self.short)}")
        self.readers.setdefault(short, read)
        return short


def exact(num: Num) -> Reader:
    """The number as a function of the values, in integers of any size."""
    match num:
        case Int(value):
            return lambda _: value
        case Attr(name):
            return lambda values: None if (found := values.get(name)) is None else int(found)
        case DayStart(day, timezone):
            read = exact(day)
            return lambda values: None if (x := read(values)) is None else start_second(timezone, x)
        case Op(op, left, right):
            a, b = exact(left), exact(right)
            act: Callable[[int, int], int] = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[op]
            return lambda values: None if (x := a(values)) is None or (y := b(values)) is None else act(x, y)


def alike(left: str, right: str) -> Holds:
    """Whether two words or bools are the same."""

    def holds(values: Values) -> bool | None:
        one, other = values.get(left), values.get(right)
        return None if one is None or other is None else one == other

    return holds


def listed(node: InList) -> Holds:
    """Whether a value is in a list: one set for each stretch of days between those on which entries end."""
    ends = sorted({until for _, until in node.entries if until is not None})
    entries = dict[int, frozenset[Value]]()

    def holds(values: Values) -> bool | None:
        found, day = values.get(node.name), values.get(AS_OF)
        if found is None:
            return None
        stretch = -1 if day is None else bisect_right(ends, int(day))
        if stretch not in entries:
            entries[stretch] = node.on(day)
        return found in entries[stretch]

    return holds


def wavers(truth: Truth) -> bool:
    """Whether it may be unknown though all that it reads is known: where a part of it is never known."""
    match truth:
        case Const(value):
            return value is None
        case Not(part):
            return wavers(part)
        case And(parts) | Or(parts):
            return any(map(wavers, parts))
        case _:
            return False


def condition(truth: Truth, want: bool, words: Vocabulary) -> Condition | bool:
    """What holds exactly when `truth` surely is `want`; a bool when that needs no asking."""
    match truth:
        case Const(value):
            return value is want
        case Known(name):
            return {words.whether(truth, lambda values: values.get(name) is not None): int(want)}
        case Flag(name):
            return {words.answer(name) if name.startswith("~") else words.value(name): int(want)}
        case Same(name, value):
            leaf = words.word(name, value)
            return leaf if want else {"$neq": leaf}
        case Alike(left, right):
            return {words.whether(truth, alike(left, right)): int(want)}
        case InList():
            return {words.whether(truth, listed(truth)): int(want)}
        case Cmp():
            return _comparison(truth, want, words)
        case Not(part):
            return condition(part, not want, words)
        case And(parts) | Or(parts):
            return _group(isinstance(truth, And) == want, [condition(p, want, words) for p in parts])


def _comparison(cmp: Cmp, want: bool, words: Vocabulary) -> Condition:
    op = cmp.op if want else OPPOSITE[cmp.op]
    match cmp.left, cmp.right:
        case Attr(name), Int(constant) if abs(constant) < LARGEST:
            leaf = {words.value(name): constant}
        case _:
            leaf = {words.sign(cmp): 0}
    return leaf if op == "==" else {SIGNS[op]: leaf}


def bins(conditions: Iterable[Truth], words: Vocabulary) -> list[Condition]:
    """The bins of one characteristic, each as the turns that lead to it when its cuts are halved again and again.

    Turns that begin alike are asked once, and of two sides one is true: durable-rules goes one way through all of them.
    """
    sides = (side for each in conditions for side in (each.parts if isinstance(each, And) else (each,)))
    cuts = [side for side in sides if isinstance(side, Cmp) and side.op == ">="]
    found: list[Condition] = []

    def turn(way: tuple[Condition, ...], first: int, last: int) -> None:
        if first == last:
            found.append({"$and": list(way)})
            return
        middle = (first + last + 1) // 2
        below, above = (_comparison(cuts[middle - 1], want, words) for want in (False, True))
        turn((*way, below), first, middle - 1)
        turn((*way, above), middle, last)

    turn((), 0, len(cuts))
    return found


def paths(lowered: Condition) -> int:
    """At how many places of a condition durable-rules can stand at once: an `or` is gone into on every side."""
    for key, value in lowered.items():
        if key in ("$and", "$or"):
            inner = [paths(part) for part in value]
            return prod(inner) if key == "$and" else sum(inner)
    return 1


def _group(every: bool, parts: list[Condition | bool]) -> Condition | bool:
    if (not every) in parts:
        return not every
    asked = [p for p in parts if isinstance(p, dict)]
    if not asked:
        return every
    return asked[0] if len(asked) == 1 else {"$and" if every else "$or": asked}


@dataclass(frozen=True)
class Size:
    """Of a condition: its nodes, its and/or groups, and the most paths on which it can be true at once."""

    nodes: int
    groups: int
    paths: int

    @property
    def fits(self) -> bool:
        return self.nodes <= MOST_NODES and self.groups <= MOST_GROUPS and self.paths <= MOST_PATHS


def size(truth: Truth) -> Size:
    """The larger of what asking for true and asking for false takes."""
    true, false = _size(truth, True), _size(truth, False)
    return Size(max(true.nodes, false.nodes), max(true.groups, false.groups), max(true.paths, false.paths))


def _size(truth: Truth, want: bool) -> Size:
    match truth:
        case Not(part):
            return _size(part, not want)
        case And(parts) | Or(parts):
            inner = [_size(p, want) for p in parts]
            paths = 1 if isinstance(truth, And) == want else 0
            for each in inner:
                paths = paths * each.paths if isinstance(truth, And) == want else paths + each.paths
            return Size(1 + sum(s.nodes for s in inner), 1 + sum(s.groups for s in inner), paths)
        case _:
            return Size(1, 0, 1)


def cut(stage: Stage) -> list[dict[str, Truth]]:
    """The stage as passes: each asks conditions that fit, and may name the answers of earlier ones as `~n`."""
    cutter = _Cutter()
    last = {id_: cutter.fitted(truth)[0] for id_, truth in stage.items()}
    return [*cutter.passes, last]


class _Cutter:
    def __init__(self) -> None:
        self.passes: list[dict[str, Truth]] = []
        self.count = 0

    def fitted(self, truth: Truth) -> tuple[Truth, int]:
        """The condition with what is too large taken out, and how many passes have to come before it."""
        match truth:
            case Not(part):
                inner, level = self.fitted(part)
                return Not(inner), level
            case And(parts) | Or(parts):
                return self._fit(type(truth), [self.fitted(p) for p in parts])
            case _:
                return truth, 0

    def _fit(self, kind: type[And] | type[Or], parts: list[tuple[Truth, int]]) -> tuple[Truth, int]:
        while not size(whole := kind(tuple(p for p, _ in parts))).fits:
            groups = [p for p in parts if isinstance(p[0], And | Or | Not) and size(p[0]).groups]
            if groups:  # the largest part is asked beforehand
                largest = max(groups, key=lambda p: size(p[0]).nodes)
                parts[parts.index(largest)] = self._beforehand(*largest)
            else:  # only leaves, too many: the first few are
                few, rest = parts[:MOST_PATHS], parts[MOST_PATHS:]
                piece = kind(tuple(p for p, _ in few))
                parts = [*rest, self._beforehand(piece, max(level for _, level in few))]
        return whole, max((level for _, level in parts), default=0)

    def _beforehand(self, truth: Truth, level: int) -> tuple[Truth, int]:
        while len(self.passes) <= level:
            self.passes.append({})
        name = f"~{self.count}"
        self.count += 1
        self.passes[level][name] = truth
        return Flag(name), level + 1


def read_by(lowered: Condition | bool) -> Iterator[str]:
    """The attributes that a lowered condition reads."""
    if isinstance(lowered, bool):
        return
    for key, value in lowered.items():
        if key in ("$and", "$or"):
            for part in value:
                yield from read_by(part)
        elif key.startswith("$"):
            yield from read_by(value)
        else:
            yield key
