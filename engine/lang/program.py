"""Program: what a checked release means, in a calculus small enough to have several engines agree on.

A truth is true, false or UNKNOWN (Kleene). Numbers are integers: the checker has scaled every decimal, so there is
nothing to round. An attribute that has no value makes UNKNOWN whatever compares it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from engine.lang.syntax import Comparison
from engine.lang.types import Attribute, Schema, Value

SCORE = "score"  # what perks name the score by
AMOUNT = "request.amount"  # the deposit the merchant asks about, in the perk's currency


@dataclass(frozen=True)
class Int:
    """A constant."""

    value: int


@dataclass(frozen=True)
class Attr:
    """The value of a numeric attribute."""

    name: str


@dataclass(frozen=True)
class Op:
    """left op right."""

    op: Literal["+", "-", "*"]
    left: "Num"
    right: "Num"


Num = Int | Attr | Op


@dataclass(frozen=True)
class Const:
    """Always so."""

    value: bool


@dataclass(frozen=True)
class Flag:
    """A bool attribute."""

    name: str


@dataclass(frozen=True)
class Same:
    """An enum attribute has this value."""

    name: str
    value: str


@dataclass(frozen=True)
class Cmp:
    """left op right, of numbers."""

    op: Comparison
    left: Num
    right: Num


@dataclass(frozen=True)
class Known:
    """The attribute has a value: never UNKNOWN itself."""

    name: str


@dataclass(frozen=True)
class And:
    """Every part (Kleene)."""

    parts: tuple["Truth", ...]


@dataclass(frozen=True)
class Or:
    """Some part (Kleene)."""

    parts: tuple["Truth", ...]


@dataclass(frozen=True)
class Not:
    """Not the part (Kleene)."""

    part: "Truth"


Truth = Const | Flag | Same | Cmp | Known | And | Or | Not


def names(node: Truth | Num) -> Iterator[str]:
    """The attributes that a condition reads, as they come; one may come twice."""
    match node:
        case Attr(name) | Flag(name) | Same(name) | Known(name):
            yield name
        case Op(_, left, right) | Cmp(_, left, right):
            yield from names(left)
            yield from names(right)
        case And(parts) | Or(parts):
            for part in parts:
                yield from names(part)
        case Not(part):
            yield from names(part)


def known_of(node: Truth) -> Iterator[str]:
    """The attributes that a condition asks whether they are known."""
    match node:
        case Known(name):
            yield name
        case And(parts) | Or(parts):
            for part in parts:
                yield from known_of(part)
        case Not(part):
            yield from known_of(part)


@dataclass(frozen=True)
class Part:
    """What one characteristic or rule gives. `status`: met / not met / unknown (None); `bin` of a characteristic."""

    id: str
    dimension: str
    status: bool | None
    bin: int | None
    points: int
    baseline: int
    reason: str


@dataclass(frozen=True)
class Characteristic:
    """n ascending cuts and n + 1 points: below the first cut, from each cut to the next, from the last cut on."""

    id: str
    dimension: str
    feature: str
    cuts: tuple[int, ...]
    points: tuple[int, ...]
    missing: int
    baseline: int
    reason: str

    def bins(self) -> tuple[Truth, ...]:
        """The condition of each of the n + 1 bins: exactly one is met when the feature is known, none when not."""
        value = Attr(self.feature)
        at_least = [Cmp(">=", value, Int(c)) for c in self.cuts]
        below = [Cmp("<", value, Int(c)) for c in self.cuts]
        inner = [And((a, b)) for a, b in zip(at_least, below[1:], strict=False)]
        return (below[0], *inner, at_least[-1])

    @cached_property
    def parts(self) -> tuple[tuple[str, Part], ...]:
        """What each bin gives, by the id under which it is asked."""
        return tuple((f"{self.id}#{n}", self._part(n, points)) for n, points in enumerate(self.points))

    @cached_property
    def part_when_missing(self) -> Part:
        """What is given when the feature is not known."""
        return self._part(None, self.missing)

    def _part(self, met: int | None, points: int) -> Part:
        status = None if met is None else True
        return Part(self.id, self.dimension, status, met, points, self.baseline, self.reason)


@dataclass(frozen=True)
class PointRule:
    """`points` when met, `unknown` when unknown, none when not met."""

    id: str
    dimension: str
    when: Truth
    points: int
    unknown: int
    baseline: int
    reason: str

    @cached_property
    def parts(self) -> Mapping[bool | None, Part]:
        """What each status gives."""
        given = {True: self.points, False: 0, None: self.unknown}
        return {s: Part(self.id, self.dimension, s, None, n, self.baseline, self.reason) for s, n in given.items()}


@dataclass(frozen=True)
class Band:
    """From `lowest` on, up to the next band."""

    name: str
    lowest: int


@dataclass(frozen=True)
class Scorecard:
    """base plus points, clamped to lowest..highest; `items` in file order."""

    lowest: int
    highest: int
    base: int
    scorable: Truth
    unscorable: str  # the reason given when it is not met
    bands: tuple[Band, ...]
    weights: tuple[tuple[str, int], ...]
    items: tuple[Characteristic | PointRule, ...]


@dataclass(frozen=True)
class KnockOut:
    """Declines when met; when unknown, only if `unknown_declines`."""

    id: str
    when: Truth
    unknown_declines: bool
    reason: str


@dataclass(frozen=True)
class Tier:
    """Waives `up_to` minor units, or `share` percent of the deposit, rounded down."""

    id: str
    when: Truth
    up_to: int | None
    share: int | None


@dataclass(frozen=True)
class Perk:
    """One perk; amounts in minor units of `currency`."""

    id: str
    about: str
    currency: str
    digits: int
    most: int
    valid_hours: int
    partial: bool
    knockouts: tuple[KnockOut, ...]
    tiers: tuple[Tier, ...]


@dataclass(frozen=True)
class Release:
    """A set of rule files that check. `id` is the hash of their canonical form; a decision is made under one release."""

    id: str
    files: Mapping[str, str]
    schema: Schema
    scorecard: Scorecard
    perks: tuple[Perk, ...]
    reasons: Mapping[str, Mapping[str, str]]  # code -> language -> wording
    relationships: frozenset[str]  # features of the relationship class

    def perk(self, name: str) -> Perk | None:
        """The perk of that id."""
        return next((p for p in self.perks if p.id == name), None)

    def attribute(self, name: str) -> Attribute:
        """A feature of the schema by name."""
        return self.schema[name]

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The features that the scorecard and the perks read, sorted."""
        used = set(names(self.scorecard.scorable))
        for item in self.scorecard.items:
            used |= {item.feature} if isinstance(item, Characteristic) else set(names(item.when))
        for perk in self.perks:
            used |= {name for truth in perk_stage(perk).values() for name in names(truth)}
        return tuple(sorted(used & set(self.schema)))


Stage = Mapping[str, Truth]  # the conditions that are asked of one set of values, by id


def is_bin(id_: str) -> bool:
    """Whether the condition is a bin: only whether it is met matters, for one of its bins is when the feature is known."""
    return "#" in id_


def score_stage(card: Scorecard) -> dict[str, Truth]:
    """What the scorecard asks: `scorable`, each rule by its id, each bin as `id#n` (see `is_bin`)."""
    asked: dict[str, Truth] = {"scorable": card.scorable}
    for item in card.items:
        if isinstance(item, PointRule):
            asked[item.id] = item.when
        else:
            asked |= {f"{item.id}#{n}": truth for n, truth in enumerate(item.bins())}
    return asked


def perk_stage(perk: Perk) -> dict[str, Truth]:
    """What a perk asks, of the features, the score and the request."""
    return {k.id: k.when for k in perk.knockouts} | {t.id: t.when for t in perk.tiers}


Values = Mapping[str, Value | None]
Statuses = Mapping[str, bool | None]


def stages(release: Release) -> dict[str, dict[str, Truth]]:
    """Everything an engine is asked under a release: the stage `score`, then one by the id of each perk."""
    return {SCORE: score_stage(release.scorecard)} | {p.id: perk_stage(p) for p in release.perks}
