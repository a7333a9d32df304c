"""Program: what checked rule files mean: a scorecard, perks, flags and the moves of orders, as conditions and numbers.

A release is a program for each stretch of days between the dates at which something in its files begins or ends.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from engine.lang.timezones import UTC_NAME, day_in, start_of
from engine.lang.truths import And, Attr, Cmp, Int, Stage, Truth, names, withheld
from engine.lang.types import Attribute, Schema

SCORE: Final = "score"  # what perks name the score by
AMOUNT: Final = "request.amount"  # the deposit the merchant asks about, in the perk's currency
HELD: Final = "held"  # whether a perk with `hold` is held
ORDERS: Final = "orders"  # the stage that orders are asked in
STATE: Final = "order.state"
NONE: Final = "none"  # the state of an order that is not there yet
ASKED: Final = "event.kind"
PERSON: Final = "person."  # what names of how many orders the person has begin with


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
    """Waives a `share` percent of the deposit, rounded down, and at most `up_to` minor units; `up_to` alone is of the whole."""

    id: str
    when: Truth
    share: int
    up_to: int | None


@dataclass(frozen=True)
class Hold:
    """Held from when `granted` is met for as long as `kept` is, and for `days` at least."""

    granted: Truth
    kept: Truth
    days: int


@dataclass(frozen=True)
class Cap:
    """The most of one person: `waived` minor units or `times`, in the last `days`, or of what is open when None."""

    waived: int | None
    times: int | None
    days: int | None
    reason: str


@dataclass(frozen=True)
class Perk:
    """One perk; amounts in minor units of `currency`. `caps` are its own, `shared` those over all perks in the currency."""

    id: str
    about: str
    currency: str
    digits: int
    most: int
    valid_hours: int
    partial: bool
    step: int  # what is waived in part is a whole number of these
    request: tuple[Attribute, ...]
    hold: Hold | None
    caps: tuple[Cap, ...]
    shared: tuple[Cap, ...]
    knockouts: tuple[KnockOut, ...]
    tiers: tuple[Tier, ...]

    @property
    def capped(self) -> tuple[Cap, ...]:
        """The caps that hold for it, its own first: the order of `caps.left`."""
        return (*self.caps, *self.shared)


@dataclass(frozen=True)
class Step:
    """One event of a pattern: its kind, the side of it that the person is on, and what must hold of its fields."""

    kind: str
    role: str  # subject, other or either
    where: Truth


@dataclass(frozen=True)
class Pattern:
    """A flag: raised by events of these steps, one after the other within `within` seconds and alike in the fields `same`,
    for `lasts` seconds after the last of them, or for as long as they are seen when None.
    """

    id: str
    about: str
    steps: tuple[Step, ...]
    within: int
    same: tuple[str, ...]
    lasts: int | None
    classes: frozenset[str]

    @property
    def flag(self) -> str:
        """The attribute by which rules read it."""
        return f"watch.{self.id}"


@dataclass(frozen=True)
class Refusal:
    """Refuses what is asked of an order when met; when unknown, only if `unknown_refuses`."""

    id: str
    when: Truth
    unknown_refuses: bool
    code: str


def stands(refusal: Refusal, status: bool | None) -> bool:
    """Whether a refusal stands, by the status of its condition."""
    return bool(status) or (status is None and refusal.unknown_refuses)


@dataclass(frozen=True)
class Move:
    """The state that an order comes to when the condition, which names the states and the event, is met."""

    id: str
    when: Truth
    to: str


@dataclass(frozen=True)
class Orders:
    """The life cycle of orders: the first refusal that stands stops, else the first move that is met is made."""

    states: tuple[str, ...]
    initial: str
    final: tuple[str, ...]
    events: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    moves: tuple[Move, ...]

    @cached_property
    def limits(self) -> tuple[Refusal, ...]:
        """The refusals that depend on nothing but the person's other orders and on what is asked."""
        return tuple(r for r in self.refusals if all(n == ASKED or n.startswith(PERSON) for n in names(r.when)))

    @property
    def stage(self) -> Stage:
        """What is asked of an order and an event."""
        return {r.id: r.when for r in self.refusals} | {m.id: m.when for m in self.moves}


@dataclass(frozen=True)
class Program:
    """What the rule files mean from the day `since` on (days since 1970-01-01; None: from ever) up to the next program."""

    release: str  # the id of the release that it is of
    since: int | None
    schema: Schema  # features and flags
    scorecard: Scorecard
    perks: tuple[Perk, ...]
    reasons: Mapping[str, Mapping[str, str]]  # code -> language -> wording
    languages: tuple[str, ...]
    relationships: frozenset[str]  # attributes that come from relationships
    watch: tuple[Pattern, ...] = ()
    orders: Orders | None = None
    timezone: str = UTC_NAME  # the IANA name of the zone whose days are meant

    def day(self, moment: datetime) -> int:
        """The day of a moment, as the rules count days: from 1970-01-01, on the clocks of their zone."""
        return day_in(self.timezone, moment)

    def start_of(self, day: int) -> datetime:
        """The first moment of such a day."""
        return start_of(self.timezone, day)

    def perk(self, name: str) -> Perk | None:
        """The perk of that id."""
        return next((p for p in self.perks if p.id == name), None)

    def attribute(self, name: str) -> Attribute:
        """A feature or flag by name."""
        return self.schema[name]

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The features and flags that the scorecard and the perks read, sorted."""
        return tuple(sorted(self.scored_by.union(*(self.asked_by(perk) for perk in self.perks))))

    @cached_property
    def scored_by(self) -> frozenset[str]:
        """The features and flags that the scorecard reads."""
        used = set(names(self.scorecard.scorable))
        for item in self.scorecard.items:
            used |= {item.feature} if isinstance(item, Characteristic) else set(names(item.when))
        return frozenset(used & set(self.schema))

    def asked_by(self, perk: Perk) -> frozenset[str]:
        """The features and flags that a perk reads."""
        asked = (*perk_stage(perk).values(), *hold_stage(perk).values())
        return frozenset(name for truth in asked for name in names(truth) if name in self.schema)

    @cached_property
    def stages(self) -> Mapping[str, Stage]:
        """Everything an engine is asked, by stage: `score`, each perk by its id, `PERK~hold`, `orders`."""
        found: dict[str, Stage] = {SCORE: score_stage(self.scorecard, self.relationships)}
        for perk in self.perks:
            found[perk.id] = perk_stage(perk)
            if perk.hold:
                found[held_by(perk.id)] = hold_stage(perk)
        return found | ({ORDERS: self.orders.stage} if self.orders else {})

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Those of them that are features of the catalogue."""
        flags = {p.flag for p in self.watch}
        return tuple(n for n in self.reads if n not in flags)

    @cached_property
    def flags(self) -> tuple[Pattern, ...]:
        """The patterns whose flags are read."""
        return tuple(p for p in self.watch if p.flag in self.reads)


@dataclass(frozen=True)
class Release:
    """A set of rule files that check. `id` is the hash of their canonical form; a decision is made under one release."""

    id: str
    files: Mapping[str, str]
    programs: tuple[Program, ...]  # by their days; the first is from ever

    @property
    def timezone(self) -> str:
        """The IANA name of the zone whose days are meant: that of every program."""
        return self.programs[0].timezone

    def day(self, moment: datetime) -> int:
        """The day of a moment, as the rules count days: from 1970-01-01, on the clocks of their zone."""
        return self.programs[0].day(moment)

    def at(self, day: int) -> Program:
        """The program in force on a day of the rules' zone, counted from 1970-01-01. There always is one."""
        days = [p.since for p in self.programs[1:] if p.since is not None]
        return self.programs[bisect_right(days, day)]


def is_bin(id_: str) -> bool:
    """Whether the condition is a bin: only whether it is met matters, for one of its bins is when the feature is known."""
    return "#" in id_


def alone(id_: str) -> str:
    """The id under which a rule is asked as it would be without relationships."""
    return f"{id_}~"


def score_stage(card: Scorecard, related: frozenset[str]) -> dict[str, Truth]:
    """What the scorecard asks: `scorable`, each rule by its id, each bin as `id#n` (see `is_bin`); and each rule that reads
    of relationships once more as it would be without them (see `alone`).
    """
    asked: dict[str, Truth] = {"scorable": card.scorable}
    for item in card.items:
        if isinstance(item, Characteristic):
            asked |= {f"{item.id}#{n}": truth for n, truth in enumerate(item.bins())}
            continue
        asked[item.id] = item.when
        if related & set(names(item.when)):
            asked[alone(item.id)] = withheld(item.when, related)
    return asked


def perk_stage(perk: Perk) -> dict[str, Truth]:
    """What a perk asks, of the features, the score, the request and whether it is held."""
    return {k.id: k.when for k in perk.knockouts} | {t.id: t.when for t in perk.tiers}


def hold_stage(perk: Perk) -> dict[str, Truth]:
    """What is asked beforehand of a perk that is held."""
    return {"granted": perk.hold.granted, "kept": perk.hold.kept} if perk.hold else {}


def held_by(perk: str) -> str:
    """The name of the stage in which `hold_stage` is asked."""
    return f"{perk}~hold"
