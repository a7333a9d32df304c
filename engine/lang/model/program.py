"""Define the compiled form of rule files: a scorecard, perks, flags and transitions of orders.

A date at which something begins or ends divides time into periods. A release has one program for each period.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final

from engine.lang.model.conditions import And, Attr, Cmp, Int, Stage, Truth, names, without_attributes
from engine.lang.model.evidence import Evidence
from engine.lang.model.features import DeclaredFeature
from engine.lang.model.patterns import Pattern
from engine.lang.model.rates import ExchangeRates
from engine.lang.model.timezones import UTC_NAME, day_in, start_of
from engine.lang.model.types import Attribute, Schema, Type

SCORE: Final = "score"  # the name of the score in the conditions of perks
AMOUNT: Final = "request.amount"  # the deposit in the merchant's question, in the perk's currency
PERK_HELD: Final = "held"  # the name in conditions for: the person holds the perk
ORDERS_STAGE: Final = "orders"  # the stage of the conditions of orders
ORDER_STATE: Final = "order.state"
NO_ORDER: Final = "none"  # the state before an order exists
EVENT_KIND: Final = "event.kind"
PERSON_PREFIX: Final = "person."  # the prefix of the counts of a person's orders


@dataclass(frozen=True)
class Part:
    """The points of one characteristic or rule.

    `status` is met, not met or unknown (None); `bin` is set for a characteristic.
    """

    id: str
    dimension: str
    status: bool | None
    bin: int | None
    points: int
    baseline: int
    reason: str


@dataclass(frozen=True)
class Characteristic:
    """A characteristic: n ascending cuts and n + 1 points.

    The first points are for values below the first cut, the next for values from each cut to the next one, the last for
    values from the last cut on.
    """

    id: str
    dimension: str
    feature: str
    cuts: tuple[int, ...]
    points: tuple[int, ...]
    missing: int
    baseline: int
    reason: str

    def bins(self) -> tuple[Truth, ...]:
        """The condition of each of the n + 1 bins. Exactly one is met if the feature is known, none otherwise."""
        value = Attr(self.feature)
        at_least = [Cmp(">=", value, Int(c)) for c in self.cuts]
        below = [Cmp("<", value, Int(c)) for c in self.cuts]
        inner = [And((a, b)) for a, b in zip(at_least, below[1:], strict=False)]
        return (below[0], *inner, at_least[-1])

    @cached_property
    def parts(self) -> tuple[tuple[str, Part], ...]:
        """The part that each bin gives, by the id of the bin in `score_stage`."""
        return tuple((f"{self.id}#{n}", self._part(n, points)) for n, points in enumerate(self.points))

    @cached_property
    def part_when_missing(self) -> Part:
        """The part that we give if the feature is missing."""
        return self._part(None, self.missing)

    def _part(self, met: int | None, points: int) -> Part:
        status = None if met is None else True
        return Part(self.id, self.dimension, status, met, points, self.baseline, self.reason)


@dataclass(frozen=True)
class PointRule:
    """A rule that gives `points` if met, `unknown` if unknown, and 0 if not met."""

    id: str
    dimension: str
    when: Truth
    points: int
    unknown: int
    baseline: int
    reason: str

    @cached_property
    def parts(self) -> Mapping[bool | None, Part]:
        """The part for each status."""
        points_by_status = {True: self.points, False: 0, None: self.unknown}
        return {
            s: Part(self.id, self.dimension, s, None, n, self.baseline, self.reason)
            for s, n in points_by_status.items()
        }


@dataclass(frozen=True)
class Band:
    """A range of scores: from `lowest` up to the next band."""

    name: str
    lowest: int


@dataclass(frozen=True)
class Scorecard:
    """A scorecard: base plus points, clamped to lowest..highest. `items` are in file order."""

    lowest: int
    highest: int
    base: int
    scorable: Truth
    unscorable: str  # the reason if `scorable` is not met
    bands: tuple[Band, ...]
    weights: tuple[tuple[str, int], ...]
    items: tuple[Characteristic | PointRule, ...]


@dataclass(frozen=True)
class KnockOut:
    """A condition that declines if met; if unknown, only with `unknown_declines`."""

    id: str
    when: Truth
    unknown_declines: bool
    reason: str


@dataclass(frozen=True)
class Tier:
    """A tier: it waives `share` percent of the deposit, rounded down, but at most `up_to` minor units.

    With `up_to` alone in the rule file, `share` is 100.
    """

    id: str
    when: Truth
    share: int
    up_to: int | None


@dataclass(frozen=True)
class Hold:
    """A perk that a person can hold. We grant it when `grant_condition` is met.

    The person then holds it for at least `days`, and for as long as `keep_condition` is met.
    """

    grant_condition: Truth
    keep_condition: Truth
    days: int


@dataclass(frozen=True)
class Cap:
    """The maximum for one person: `waived` minor units or `times`, of the last `days`, or of the open waivers if None."""

    waived: int | None
    times: int | None
    days: int | None
    reason: str


@dataclass(frozen=True)
class Perk:
    """One perk. Amounts are in minor units of `currency`. `caps` are its own, `shared` those of all perks in the currency."""

    id: str
    about: str
    currency: str
    digits: int
    most: int
    valid_hours: int
    partial: bool
    step: int  # a partial waiver is a multiple of this
    request: tuple[Attribute, ...]
    hold: Hold | None
    caps: tuple[Cap, ...]
    shared: tuple[Cap, ...]
    knockouts: tuple[KnockOut, ...]
    tiers: tuple[Tier, ...]

    @property
    def money(self) -> Type:
        """The type of its amounts."""
        return Type("money", self.digits, currency=self.currency)

    @property
    def all_caps(self) -> tuple[Cap, ...]:
        """The caps that apply to the perk, its own first: the order of `caps.remaining_by_cap`."""
        return (*self.caps, *self.shared)


@dataclass(frozen=True)
class Refusal:
    """A condition that rejects a request about an order if met; if unknown, only with `unknown_refuses`."""

    id: str
    when: Truth
    unknown_refuses: bool
    code: str


def refusal_applies(refusal: Refusal, status: bool | None) -> bool:
    """Whether the refusal applies, by the status of its condition."""
    return bool(status) or (status is None and refusal.unknown_refuses)


@dataclass(frozen=True)
class OrderMove:
    """A transition of an order to the state `to`. The condition includes the current state and the event."""

    id: str
    when: Truth
    to: str


@dataclass(frozen=True)
class OrderLifecycle:
    """The life cycle of orders. The first refusal that applies rejects; otherwise we take the first move that is met."""

    states: tuple[str, ...]
    initial: str
    final: tuple[str, ...]
    events: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    moves: tuple[OrderMove, ...]

    @cached_property
    def limits(self) -> tuple[Refusal, ...]:
        """The refusals that read only the counts of the person's other orders and the kind of the event."""
        return tuple(
            r for r in self.refusals if all(n == EVENT_KIND or n.startswith(PERSON_PREFIX) for n in names(r.when))
        )

    @property
    def stage(self) -> Stage:
        """The conditions of the refusals and the moves, by id."""
        return {r.id: r.when for r in self.refusals} | {m.id: m.when for m in self.moves}


@dataclass(frozen=True)
class Program:
    """The rules in force from the day `since` on, up to the next program.

    Days count from 1970-01-01; None: from the beginning.
    """

    release: str  # the id of its release
    since: int | None
    schema: Schema  # features and flags
    scorecard: Scorecard
    perks: tuple[Perk, ...]
    reasons: Mapping[str, Mapping[str, str]]  # code -> language -> wording
    languages: tuple[str, ...]
    relationships: frozenset[str]  # the attributes that come from relationships
    watch: tuple[Pattern, ...] = ()
    orders: OrderLifecycle | None = None
    timezone: str = UTC_NAME  # the IANA name of the zone in which the rules count days
    evidence: Evidence | None = None  # what can happen; None: the shipped kinds of events
    declarations: Mapping[str, DeclaredFeature] = field(default_factory=dict)  # of features.yaml, by name
    rates: ExchangeRates | None = None  # those by which the rules convert amounts; None: they convert nothing

    def day(self, moment: datetime) -> int:
        """The day of a moment, counted from 1970-01-01 in the time zone of the rules."""
        return day_in(self.timezone, moment)

    def start_of(self, day: int) -> datetime:
        """The first moment of a day, counted as in `day`."""
        return start_of(self.timezone, day)

    def perk(self, name: str) -> Perk | None:
        """The perk with this id, if any."""
        return next((p for p in self.perks if p.id == name), None)

    def attribute(self, name: str) -> Attribute:
        """A feature or flag by name."""
        return self.schema[name]

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The features and flags that the scorecard and the perks read, sorted."""
        return tuple(sorted(self.scorecard_reads.union(*(self.perk_reads(perk) for perk in self.perks))))

    @cached_property
    def scorecard_reads(self) -> frozenset[str]:
        """The features and flags that the scorecard reads."""
        read_names = set(names(self.scorecard.scorable))
        for item in self.scorecard.items:
            read_names |= {item.feature} if isinstance(item, Characteristic) else set(names(item.when))
        return frozenset(read_names & set(self.schema))

    def perk_reads(self, perk: Perk) -> frozenset[str]:
        """The features and flags that a perk reads."""
        conditions = (*perk_stage(perk).values(), *hold_stage(perk).values())
        return frozenset(name for truth in conditions for name in names(truth) if name in self.schema)

    @cached_property
    def stages(self) -> Mapping[str, Stage]:
        """All conditions, by stage: `score`, each perk by its id, `PERK~hold`, `orders`."""
        stages: dict[str, Stage] = {SCORE: score_stage(self.scorecard, self.relationships)}
        for perk in self.perks:
            stages[perk.id] = perk_stage(perk)
            if perk.hold:
                stages[hold_stage_name(perk.id)] = hold_stage(perk)
        return stages | ({ORDERS_STAGE: self.orders.stage} if self.orders else {})

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The names in `reads` that are features of the catalogue."""
        flags = {p.flag for p in self.watch}
        return tuple(n for n in self.reads if n not in flags)

    @cached_property
    def flags(self) -> tuple[Pattern, ...]:
        """The patterns with flags that rules read."""
        return tuple(p for p in self.watch if p.flag in self.reads)


@dataclass(frozen=True)
class Release:
    """A set of rule files without problems. `id` is the hash of their canonical form. Each decision names its release."""

    id: str
    files: Mapping[str, str]
    programs: tuple[Program, ...]  # by day; the first one has no beginning

    @property
    def timezone(self) -> str:
        """The IANA name of the time zone in which the rules count days: all programs have the same one."""
        return self.programs[0].timezone

    @property
    def evidence(self) -> Evidence | None:
        """The declared kinds of events: all programs have the same ones."""
        return self.programs[0].evidence

    def day(self, moment: datetime) -> int:
        """The day of a moment, counted from 1970-01-01 in the time zone of the rules."""
        return self.programs[0].day(moment)

    def at(self, day: int) -> Program:
        """The program in force on a day, counted from 1970-01-01 in the time zone of the rules. There always is one."""
        days = [p.since for p in self.programs[1:] if p.since is not None]
        return self.programs[bisect_right(days, day)]


def is_bin(id_: str) -> bool:
    """Whether the id is that of a bin. For a bin, only `met` has a meaning: if the feature is known, one bin is met."""
    return "#" in id_


def id_without_relationships(id_: str) -> str:
    """The id of the condition of a rule without relationships."""
    return f"{id_}~"


def score_stage(card: Scorecard, relationship_features: frozenset[str]) -> dict[str, Truth]:
    """The conditions of the scorecard, by id.

    These are `scorable`, each rule by its id, and each bin as `id#n` (see `is_bin`). A rule that reads relationships
    occurs once more, as it is without them (see `id_without_relationships`).
    """
    stage: dict[str, Truth] = {"scorable": card.scorable}
    for item in card.items:
        if isinstance(item, Characteristic):
            stage |= {f"{item.id}#{n}": truth for n, truth in enumerate(item.bins())}
            continue
        stage[item.id] = item.when
        if relationship_features & set(names(item.when)):
            stage[id_without_relationships(item.id)] = without_attributes(item.when, relationship_features)
    return stage


def perk_stage(perk: Perk) -> dict[str, Truth]:
    """The conditions of a perk's knock-outs and tiers, which read features, the score, the request and `held`."""
    return {k.id: k.when for k in perk.knockouts} | {t.id: t.when for t in perk.tiers}


def hold_stage(perk: Perk) -> dict[str, Truth]:
    """The conditions that decide whether a person holds the perk. We evaluate them before `perk_stage`."""
    return {"granted": perk.hold.grant_condition, "kept": perk.hold.keep_condition} if perk.hold else {}


def hold_stage_name(perk: str) -> str:
    """The name of the stage of `hold_stage`."""
    return f"{perk}~hold"
