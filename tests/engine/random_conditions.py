"""Random conditions over a set of names: comparisons with constants and with each other, sums, lists, all nested.

Drawn from a `Random`: Hypothesis gives its seed. Drawing whole rule files by Hypothesis itself gives the same few again and
again, each a little changed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from engine.lang.types import Type
from tests.engine.random_values import ANCHORS, FEATURES, LISTS, RELATED, TOWNS

OPS = ("==", "!=", "<", "<=", ">", ">=")
MOST_LEAVES = 12
# Each side of a line may be compared with the other: numbers with numbers, durations with durations, moments with moments.
Sums = tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
SUMS: Sums = (
    (("a.count + b.ratio", "a.count * b.share", "b.ratio - b.share * 2", "3 * a.count"), ("a.count", "b.ratio", "7")),
    (("a.other - a.count", "a.other * 2"), ("a.other", "a.count", "b.share")),
    (
        ("c.until - c.since", "as_of - c.since", "f.span + 30d", "f.span * a.count"),
        ("90d", "f.span", "f.wait", "f.span + f.wait"),
    ),
    (("c.seen - c.since", "f.wait + f.span", "f.wait - 36h"), ("90d", "12h", "f.wait", "-1 * f.span")),
    (("c.since + 30d", "c.since + f.span", "as_of - f.span"), ("as_of", "c.until", "c.seen", "2024-03-01")),
    (("c.seen - 12h", "c.seen + f.wait"), ("c.until", "2024-03-01T12:00:00Z", "as_of + 1d")),
)
REQUEST_SUMS: Sums = (
    (("request.starts - as_of", "request.notice + f.span"), ("request.notice", "7d")),
    (("request.starts + request.notice", "request.at"), ("as_of", "c.seen", "2024-03-01")),
    (("request.rate * request.nights", "request.amount * 2"), ("request.amount", "b.ratio", "99.99")),
    (("score + request.nights", "score - a.count"), ("score", "600")),
)
OF_TIES = (
    *("h.degree >= 1", "h.degree > a.count", "known(h.degree)", "missing(h.close)", "h.close", "not h.close"),
    *("h.circle == e.kind", "h.circle != 'red'", "watch.bound", "h.close == d.flag", "h.degree == 3"),
    *("h.circle in lists.colours", "h.degree * 2 < a.other", "watch.bound == d.sign"),
)


@dataclass(frozen=True)
class Names:
    """What conditions of one kind may name, the anchors of what is compared, the sums, and the names of definitions."""

    types: Mapping[str, Type]
    anchors: Mapping[str, Sequence[str]]
    sums: Sums = SUMS
    defined: tuple[str, ...] = ()

    def of(self, *kinds: str) -> list[str]:
        """Those of these kinds of type."""
        return sorted(n for n, t in self.types.items() if t.kind in kinds)

    @cached_property
    def compared(self) -> list[str]:
        """Those compared with constants that are numbers, moments or durations."""
        return [n for n in sorted(self.anchors) if self.types[n].numeric]

    @cached_property
    def beside(self) -> list[tuple[str, str]]:
        """Numbers, moments and durations that may be compared with each other: of different digits, units, kinds."""
        numbers = [n for n in self.of("int", "decimal") if n != "a.huge"]  # times a thousand it would not fit 64 bits
        families = [numbers, self.of("date", "timestamp"), self.of("duration"), ["a.huge", "a.other", "a.count"]]
        return [(a, b) for family in families for a in family for b in family]

    @cached_property
    def alike(self) -> list[tuple[str, str]]:
        """Words that may be compared with each other."""
        words = self.of("enum", "string")
        there = {n: set(self.types[n].values) for n in words}
        return [(a, b) for a in words for b in words if not (there[a] and there[b]) or there[a] & there[b]]

    @cached_property
    def listed(self) -> list[tuple[str, str]]:
        """The attributes that may be in a list, and which."""
        return [(name, f"lists.{list_}") for list_, asking in LISTS.items() for name in asking if name in self.types]


def named(types: Mapping[str, Type], sums: Sums = SUMS, defined: tuple[str, ...] = ()) -> Names:
    """Names with the usual anchors; `as_of` is always among them."""
    everything = {"as_of": Type("date"), **types}
    return Names(everything, {n: ANCHORS[n] for n in everything if n in ANCHORS}, sums, defined)


PEOPLE = named(FEATURES)
TIED = named(FEATURES | RELATED | {"watch.bound": Type("bool")})


def condition(chooser: Random, names: Names, most: int = MOST_LEAVES) -> str:
    """Comparisons joined and negated: at most so many."""
    if most == 1 or chooser.random() < 0.3:
        return leaf(chooser, names)
    if chooser.random() < 0.25:
        return f"not ({condition(chooser, names, most - 1)})"
    count = chooser.randint(2, min(5, most))
    parts = [condition(chooser, names, max(1, most // count)) for _ in range(count)]
    return f"({chooser.choice([' and ', ' or ']).join(parts)})"


def leaf(chooser: Random, names: Names) -> str:
    """One comparison. What is of a person's ties comes as often as all else together, where it may come at all."""
    if "h.degree" in names.types and chooser.random() < 0.5:
        return chooser.choice(OF_TIES)
    return chooser.choice(LEAVES)(chooser, names)


def _compared(chooser: Random, names: Names) -> str:
    """A number, moment or duration with a constant, on either side."""
    name = chooser.choice(names.compared)
    sides = [name, chooser.choice(OPS), chooser.choice(names.anchors[name])]
    return " ".join(sides if chooser.random() < 0.7 else sides[::-1])


def _known(chooser: Random, names: Names) -> str:
    return f"{chooser.choice(['known', 'missing'])}({chooser.choice(sorted(names.types))})"


def _flagged(chooser: Random, names: Names) -> str:
    bools = names.of("bool")
    one, other = chooser.choice(bools), chooser.choice(bools)
    return chooser.choice([one, f"{one} == false", f"{one} != false", f"not {one}", f"{one} {_same(chooser)} {other}"])


def _worded(chooser: Random, names: Names) -> str:
    """A word with a constant, with another attribute, or among constants."""
    if chooser.random() < 0.4:
        one, other = chooser.choice(names.alike)
        return f"{one} {_same(chooser)} {other}"
    name = chooser.choice(names.of("enum", "string"))
    words = [_quoted(w) for w in names.types[name].values or TOWNS]
    if chooser.random() < 0.5:
        return f"{name} {_same(chooser)} {chooser.choice(words)}"
    return f"{name} {_in(chooser)} [{', '.join(chooser.sample(words, chooser.randint(1, min(3, len(words)))))}]"


def _among(chooser: Random, names: Names) -> str:
    name = chooser.choice(names.compared)
    some = chooser.sample(list(names.anchors[name]), chooser.randint(1, min(3, len(names.anchors[name]))))
    return f"{name} {_in(chooser)} [{', '.join(some)}]"


def _summed(chooser: Random, names: Names) -> str:
    left, right = chooser.choice(names.sums)
    return f"{chooser.choice(left)} {chooser.choice(OPS)} {chooser.choice(right)}"


def _beside(chooser: Random, names: Names) -> str:
    one, other = chooser.choice(names.beside)
    return f"{one} {chooser.choice(OPS)} {other}"


def _listed(chooser: Random, names: Names) -> str:
    name, among = chooser.choice(names.listed)
    return f"{name} {_in(chooser)} {among}"


def _plain(chooser: Random, names: Names) -> str:
    return chooser.choice(["true", "false", *names.defined * 3])


LEAVES: tuple[Callable[[Random, Names], str], ...] = (
    *(_compared, _compared, _known, _flagged, _worded, _worded),
    *(_among, _summed, _summed, _beside, _beside, _listed, _listed, _plain),
)


def _same(chooser: Random) -> str:
    return chooser.choice(["==", "!="])


def _in(chooser: Random) -> str:
    return chooser.choice(["in", "not in"])


def _quoted(word: str) -> str:
    return f'"{word}"' if "'" in word else f"'{word}'"
