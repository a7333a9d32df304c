"""Generate random conditions over a set of names: nested comparisons with constants and with each other, sums, and
lists.

We draw from a `Random` with a seed from Hypothesis. If Hypothesis drew whole rule files itself, it would repeat a few
with small changes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from engine.lang.model.types import Type
from tests.engine.random_values import ANCHORS, FEATURES, LISTS, RELATED, TOWNS

OPS = ("==", "!=", "<", "<=", ">", ">=")
MAX_LEAVES = 12
# You can compare the two sides of each line: numbers with numbers, durations with durations, moments with moments.
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
    (("m.yuan * 2", "m.yuan - 0.5 * m.yuan", "m.yuan + 1.50 CNY"), ("m.yuan", "100 CNY", "3 * 700 JPY", "m.yen")),
    (("m.yen + m.yen", "2 * m.yen"), ("m.yuan", "100 CNY", "m.yen - 1 JPY", "a.count * 1 JPY", "m.dinar")),
    (("m.dinar * b.share", "m.dinar"), ("m.dinar", "0.005 KWD", "m.unidad", "10 JPY")),
)
REQUEST_SUMS: Sums = (
    (("request.starts - as_of", "request.notice + f.span"), ("request.notice", "7d")),
    (("request.starts + request.notice", "request.at"), ("as_of", "c.seen", "2024-03-01")),
    (("request.rate * request.nights", "request.rate * 2"), ("request.rate", "b.ratio", "99.99")),
    (("request.fee * request.nights", "request.amount * 2"), ("request.amount", "m.yuan", "99.99 CNY", "m.yen")),
    (("score + request.nights", "score - a.count"), ("score", "600")),
)
TIE_CONDITIONS = (
    *("h.degree >= 1", "h.degree > a.count", "known(h.degree)", "missing(h.close)", "h.close", "not h.close"),
    *("h.circle == e.kind", "h.circle != 'red'", "watch.bound", "h.close == d.flag", "h.degree == 3"),
    *("h.circle in lists.colours", "h.degree * 2 < a.other", "watch.bound == d.sign"),
)


@dataclass(frozen=True)
class Names:
    """The names that conditions can use: attributes, the anchors of their comparisons, sums, and definitions."""

    types: Mapping[str, Type]
    anchors: Mapping[str, Sequence[str]]
    sums: Sums = SUMS
    definitions: tuple[str, ...] = ()

    def of(self, *kinds: str) -> list[str]:
        """The names with one of these kinds of type."""
        return sorted(n for n, t in self.types.items() if t.kind in kinds)

    @cached_property
    def comparable(self) -> list[str]:
        """The names that we compare with numbers, moments or durations."""
        return [n for n in sorted(self.anchors) if self.types[n].numeric]

    @cached_property
    def comparable_pairs(self) -> list[tuple[str, str]]:
        """Pairs of numbers, moments or durations that we can compare, also with different digits, units and kinds."""
        numbers = [n for n in self.of("int", "decimal") if n != "a.huge"]  # times a thousand it would not fit 64 bits
        amounts = [n for n in self.of("money") if n != "request.amount"]  # times a rate, it would not fit 64 bits
        families = [
            numbers,
            self.of("date", "timestamp"),
            self.of("duration"),
            ["a.huge", "a.other", "a.count"],
            amounts,
        ]
        return [(a, b) for family in families for a in family for b in family]

    @cached_property
    def word_pairs(self) -> list[tuple[str, str]]:
        """Pairs of words that we can compare."""
        words = self.of("enum", "string")
        values_of = {n: set(self.types[n].values) for n in words}
        return [
            (a, b) for a in words for b in words if not (values_of[a] and values_of[b]) or values_of[a] & values_of[b]
        ]

    @cached_property
    def list_pairs(self) -> list[tuple[str, str]]:
        """The attributes that can be in a list, each with its list."""
        return [(name, f"lists.{list_}") for list_, asking in LISTS.items() for name in asking if name in self.types]


def names_of(types: Mapping[str, Type], sums: Sums = SUMS, definitions: tuple[str, ...] = ()) -> Names:
    """Names with the usual anchors, always including `as_of`."""
    all_types = {"as_of": Type("date"), **types}
    return Names(all_types, {n: ANCHORS[n] for n in all_types if n in ANCHORS}, sums, definitions)


PERSON_NAMES = names_of(FEATURES)
PERSON_AND_TIE_NAMES = names_of(FEATURES | RELATED | {"watch.bound": Type("bool")})


def condition(chooser: Random, names: Names, max_leaves: int = MAX_LEAVES) -> str:
    """A random condition: a limited number of comparisons, joined and negated."""
    if max_leaves == 1 or chooser.random() < 0.3:
        return leaf(chooser, names)
    if chooser.random() < 0.25:
        return f"not ({condition(chooser, names, max_leaves - 1)})"
    count = chooser.randint(2, min(5, max_leaves))
    parts = [condition(chooser, names, max(1, max_leaves // count)) for _ in range(count)]
    return f"({chooser.choice([' and ', ' or ']).join(parts)})"


def leaf(chooser: Random, names: Names) -> str:
    """A random comparison. If ties are allowed, half of the comparisons read them."""
    if "h.degree" in names.types and chooser.random() < 0.5:
        return chooser.choice(TIE_CONDITIONS)
    return chooser.choice(LEAVES)(chooser, names)


def _constant_test(chooser: Random, names: Names) -> str:
    """A number, moment or duration with a constant, on either side."""
    name = chooser.choice(names.comparable)
    sides = [name, chooser.choice(OPS), chooser.choice(names.anchors[name])]
    return " ".join(sides if chooser.random() < 0.7 else sides[::-1])


def _known_test(chooser: Random, names: Names) -> str:
    return f"{chooser.choice(['known', 'missing'])}({chooser.choice(sorted(names.types))})"


def _flag_test(chooser: Random, names: Names) -> str:
    bools = names.of("bool")
    one, other = chooser.choice(bools), chooser.choice(bools)
    return chooser.choice([one, f"{one} == false", f"{one} != false", f"not {one}", f"{one} {_same(chooser)} {other}"])


def _word_test(chooser: Random, names: Names) -> str:
    """A word with a constant, with another attribute, or among constants."""
    if chooser.random() < 0.4:
        one, other = chooser.choice(names.word_pairs)
        return f"{one} {_same(chooser)} {other}"
    name = chooser.choice(names.of("enum", "string"))
    words = [_quote(w) for w in names.types[name].values or TOWNS]
    if chooser.random() < 0.5:
        return f"{name} {_same(chooser)} {chooser.choice(words)}"
    return f"{name} {_in(chooser)} [{', '.join(chooser.sample(words, chooser.randint(1, min(3, len(words)))))}]"


def _member_test(chooser: Random, names: Names) -> str:
    name = chooser.choice(names.comparable)
    some = chooser.sample(list(names.anchors[name]), chooser.randint(1, min(3, len(names.anchors[name]))))
    return f"{name} {_in(chooser)} [{', '.join(some)}]"


def _sum_test(chooser: Random, names: Names) -> str:
    left, right = chooser.choice(names.sums)
    return f"{chooser.choice(left)} {chooser.choice(OPS)} {chooser.choice(right)}"


def _pair_test(chooser: Random, names: Names) -> str:
    one, other = chooser.choice(names.comparable_pairs)
    return f"{one} {chooser.choice(OPS)} {other}"


def _list_test(chooser: Random, names: Names) -> str:
    name, among = chooser.choice(names.list_pairs)
    return f"{name} {_in(chooser)} {among}"


def _literal(chooser: Random, names: Names) -> str:
    return chooser.choice(["true", "false", *names.definitions * 3])


LEAVES: tuple[Callable[[Random, Names], str], ...] = (
    *(_constant_test, _constant_test, _known_test, _flag_test, _word_test, _word_test),
    *(_member_test, _sum_test, _sum_test, _pair_test, _pair_test, _list_test, _list_test, _literal),
)


def _same(chooser: Random) -> str:
    return chooser.choice(["==", "!="])


def _in(chooser: Random) -> str:
    return chooser.choice(["in", "not in"])


def _quote(word: str) -> str:
    return f'"{word}"' if "'" in word else f"'{word}'"
