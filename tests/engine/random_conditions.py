"""Random conditions over a set of names: comparisons with constants and with each other, sums, lists, all nested."""

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from engine.lang.types import Type
from tests.engine.random_values import ANCHORS, FEATURES, LISTS, RELATED, TOWNS

OPS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
SAME = st.sampled_from(["==", "!="])
IN = st.sampled_from(["in", "not in"])
MOST_LEAVES = 10
# Each side of a line may be compared with the other: numbers with numbers, durations with durations, moments with moments.
SUMS = (
    (("a.count + b.ratio", "a.count * b.share", "b.ratio - b.share * 2", "3 * a.count"), ("a.count", "b.ratio", "7")),
    (("a.other - a.count", "a.other * 2"), ("a.other", "a.count", "b.share")),
    (
        ("c.until - c.since", "as_of - c.since", "f.span + 30d", "f.span * a.count"),
        ("90d", "f.span", "f.wait", "f.span + f.wait"),
    ),
    (
        ("c.seen - c.since", "f.wait + f.span", "f.wait - 36h"),
        ("90d", "12h", "f.wait", "-1 * f.span"),
    ),
    (("c.since + 30d", "c.since + f.span", "as_of - f.span"), ("as_of", "c.until", "c.seen", "2024-03-01")),
    (("c.seen - 12h", "c.seen + f.wait"), ("c.until", "2024-03-01T12:00:00Z", "as_of + 1d")),
)
REQUEST_SUMS = (
    (("request.starts - as_of", "request.notice + f.span"), ("request.notice", "7d")),
    (("request.starts + request.notice", "request.at"), ("as_of", "c.seen", "2024-03-01")),
    (("request.rate * request.nights", "request.amount * 2"), ("request.amount", "b.ratio", "99.99")),
    (("score + request.nights", "score - a.count"), ("score", "600")),
)


@dataclass(frozen=True, eq=False)  # one is known by itself: strategies are kept for each
class Names:
    """What conditions of one kind may name, the anchors of what is compared, the sums, and the names of definitions."""

    types: Mapping[str, Type]
    anchors: Mapping[str, list[str]]
    sums: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = SUMS
    defined: tuple[str, ...] = ()

    def of(self, *kinds: str) -> list[str]:
        return sorted(n for n, t in self.types.items() if t.kind in kinds)


def named(types: Mapping[str, Type], **more: object) -> Names:
    """Names with the usual anchors; `as_of` is always among them."""
    everything = {"as_of": Type("date"), **types}
    return Names(everything, {n: ANCHORS[n] for n in everything if n in ANCHORS}, **more)  # type: ignore[arg-type]


PEOPLE = named(FEATURES)
TIED = named(FEATURES | RELATED | {"watch.bound": Type("bool")})


def leaves(names: Names) -> st.SearchStrategy[str]:
    """One comparison. What is of a person's ties comes as often as all else together, where it may come at all."""
    plain = [_compared(names), _compared(names), _known(names), _flags(names), _words(names), _words(names)]
    plain += [_among(names), _summed(names), _summed(names), _beside(names), _beside(names), _listed(names)]
    usual = st.one_of([*plain, st.sampled_from(["true", "false", *names.defined])])
    return usual | _of_ties() if "h.degree" in names.types else usual


def conditions(names: Names, most: int = MOST_LEAVES) -> st.SearchStrategy[str]:
    """Comparisons joined and negated."""

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        groups = st.lists(inner, min_size=2, max_size=5)
        joined = st.tuples(groups, st.sampled_from([" and ", " or "])).map(lambda g: "(" + g[1].join(g[0]) + ")")
        return joined | inner.map(lambda e: f"not ({e})")

    return st.recursive(leaves(names), grow, max_leaves=most)


def _compared(names: Names) -> st.SearchStrategy[str]:
    """A number, moment or duration with a constant, on either side."""
    numbers = [n for n in sorted(names.anchors) if names.types[n].numeric]
    pairs = st.sampled_from([(n, a) for n in numbers for a in names.anchors[n]])
    turned = st.booleans()
    return st.tuples(pairs, OPS, turned).map(
        lambda d: f"{d[0][1]} {d[1]} {d[0][0]}" if d[2] else f"{d[0][0]} {d[1]} {d[0][1]}"
    )


def _known(names: Names) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{w}({n})" for w in ("known", "missing") for n in sorted(names.types)])


def _flags(names: Names) -> st.SearchStrategy[str]:
    bools = names.of("bool")
    alone = [form.format(b) for b in bools for form in ("{}", "{} == false", "{} != false", "not {}")]
    return st.sampled_from([*alone, *(f"{a} {op} {b}" for a in bools for b in bools for op in ("==", "!="))])


def _words(names: Names) -> st.SearchStrategy[str]:
    """A word with a constant, with another attribute, or among constants."""
    words = names.of("enum", "string")
    there = {n: set(names.types[n].values) for n in words}
    alike = [(a, b) for a in words for b in words if not (there[a] and there[b]) or there[a] & there[b]]
    besides = st.tuples(st.sampled_from(alike), SAME).map(lambda d: f"{d[0][0]} {d[1]} {d[0][1]}")

    def among(name: str) -> st.SearchStrategy[str]:
        known = sorted(there[name]) or TOWNS
        some = st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True)
        return st.tuples(some, IN).map(lambda d: f"{name} {d[1]} [{', '.join(map(_quoted, d[0]))}]")

    constant = [
        f"{n} {op} {_quoted(w)}" for n in words for w in (names.types[n].values or TOWNS) for op in ("==", "!=")
    ]
    return besides | st.sampled_from(constant) | st.sampled_from(words).flatmap(among)


def _quoted(word: str) -> str:
    return f'"{word}"' if "'" in word else f"'{word}'"


def _among(names: Names) -> st.SearchStrategy[str]:
    numbers = [n for n in sorted(names.anchors) if names.types[n].numeric]

    def of(name: str) -> st.SearchStrategy[str]:
        some = st.lists(st.sampled_from(names.anchors[name]), min_size=1, max_size=3, unique=True)
        return st.tuples(some, IN).map(lambda d: f"{name} {d[1]} [{', '.join(d[0])}]")

    return st.sampled_from(numbers).flatmap(of)


def _summed(names: Names) -> st.SearchStrategy[str]:
    lines = st.sampled_from(names.sums)
    return lines.flatmap(lambda line: st.tuples(st.sampled_from(line[0]), OPS, st.sampled_from(line[1])).map(" ".join))


def _beside(names: Names) -> st.SearchStrategy[str]:
    """Two attributes: of different digits, units or kinds of moment."""
    numbers = [n for n in names.of("int", "decimal") if n != "a.huge"]  # times a thousand it would not fit 64 bits
    families = [numbers, names.of("date", "timestamp"), names.of("duration"), ["a.huge", "a.other", "a.count"]]
    pairs = [(a, b) for family in families for a in family for b in family]
    return st.tuples(st.sampled_from(pairs), OPS).map(lambda d: f"{d[0][0]} {d[1]} {d[0][1]}")


def _listed(names: Names) -> st.SearchStrategy[str]:
    asked = [(name, f"lists.{list_}") for list_, asking in LISTS.items() for name in asking if name in names.types]
    return st.tuples(st.sampled_from(asked), IN).map(lambda d: f"{d[0][0]} {d[1]} {d[0][1]}")


def _of_ties() -> st.SearchStrategy[str]:
    forms = ["h.degree >= 1", "h.degree > a.count", "known(h.degree)", "missing(h.close)", "h.close", "not h.close"]
    forms += ["h.circle == e.kind", "h.circle != 'red'", "watch.bound", "h.close == d.flag", "h.degree == 3"]
    return st.sampled_from([*forms, "h.circle in lists.colours", "h.degree * 2 < a.other", "watch.bound == d.sign"])
