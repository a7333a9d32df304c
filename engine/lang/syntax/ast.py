"""Define a record for each kind of line in rule files. We have not checked the lines against each other yet."""

from dataclasses import dataclass

from engine.lang.model.problems import SourceSpan
from engine.lang.syntax.dated_record import DatedRecord
from engine.lang.syntax.evidence_ast import EvidenceFile
from engine.lang.syntax.expression_tree import Expr, Name, Number, Word
from engine.lang.syntax.feature_lines import FeaturesFile
from engine.lang.syntax.source import Node


@dataclass(frozen=True)
class CharacteristicLine(DatedRecord):
    """A characteristic of a scorecard: the bin of the feature's value gives the points."""

    feature: Name
    dimension: Word
    cuts: tuple[Number, ...]
    points: tuple[Number, ...]
    missing: Number
    reason: Word
    baseline: Number | None
    id: Word
    at: SourceSpan


@dataclass(frozen=True)
class RuleLine(DatedRecord):
    """A rule of a scorecard: a condition that gives points if it is met."""

    dimension: Word
    when: Expr
    points: Number
    unknown: Number | None
    reason: Word
    baseline: Number | None
    id: Word
    at: SourceSpan


@dataclass(frozen=True)
class BandLine:
    """A band's name and its lowest score."""

    name: Word
    lowest: Number
    at: SourceSpan


@dataclass(frozen=True)
class RangeLine:
    """The lowest and highest score, and the score of a person without points."""

    lowest: Number
    highest: Number
    base: Number
    at: SourceSpan


@dataclass(frozen=True)
class ScorableLine:
    """The condition that a person must meet to get a score, and the reason if it is not met."""

    when: Expr
    reason: Word
    at: SourceSpan


@dataclass(frozen=True)
class ScorecardFile(DatedRecord):
    """The content of trust.yaml."""

    score: RangeLine
    consent: tuple[Word, ...]
    scorable: ScorableLine
    bands: tuple[BandLine, ...]
    dimensions: tuple[tuple[Word, Number], ...]
    define: tuple[tuple[Word, Expr | None], ...]
    characteristics: tuple[CharacteristicLine, ...]
    rules: tuple[RuleLine, ...]
    at: SourceSpan


@dataclass(frozen=True)
class KnockOutLine(DatedRecord):
    """A condition that declines at any score, and its effect if it is unknown."""

    when: Expr
    unknown: Word
    reason: Word
    id: Word
    at: SourceSpan


@dataclass(frozen=True)
class WaiveLine:
    """The waived part of a deposit: a `fixed` amount, or a `share` in percent, `up_to` an amount."""

    fixed: Number | None
    share: Number | None
    up_to: Number | None
    at: SourceSpan


@dataclass(frozen=True)
class TierLine(DatedRecord):
    """A tier: the first one with a met condition defines the waiver."""

    when: Expr
    waive: WaiveLine
    id: Word
    at: SourceSpan


@dataclass(frozen=True)
class FieldLine:
    """A field of the request: its type, and its bounds or words."""

    type: Word
    digits: Number | None
    values: tuple[Word, ...]
    low: Number | None
    high: Number | None
    at: SourceSpan


@dataclass(frozen=True)
class HoldLine:
    """A perk that a person can hold: one condition grants it, a weaker one keeps it, for a minimum of days."""

    granted: Expr
    kept: Expr
    days: Number
    at: SourceSpan


@dataclass(frozen=True)
class CapLine:
    """The maximum for one person: `waived` in all, or `times`; at one time, or within `days`."""

    waived: Number | None
    times: Number | None
    days: Number | None
    reason: Word
    at: SourceSpan


@dataclass(frozen=True)
class PerkLine(DatedRecord):
    """One perk."""

    id: Word
    about: Word
    currency: Word
    most: Number
    valid_hours: Number
    partial: bool
    step: Number | None
    request: tuple[tuple[Word, FieldLine | None], ...]
    hold: HoldLine | None
    caps: tuple[CapLine, ...]
    knockouts: tuple[KnockOutLine, ...]
    tiers: tuple[TierLine, ...]
    at: SourceSpan


@dataclass(frozen=True)
class PerksFile(DatedRecord):
    """The content of perks.yaml. `caps` limit a person over all perks in a currency."""

    consent: tuple[Word, ...]
    caps: tuple[tuple[Word, tuple[CapLine, ...]], ...]
    define: tuple[tuple[Word, Expr | None], ...]
    perks: tuple[PerkLine, ...]
    at: SourceSpan


@dataclass(frozen=True)
class ReasonsFile(DatedRecord):
    """The content of reasons.yaml: the wording of each reason by language."""

    languages: tuple[Word, ...]
    reasons: tuple[tuple[Word, tuple[tuple[Word, Word], ...]], ...]
    at: SourceSpan


@dataclass(frozen=True)
class EntryLine:
    """A value of a list. From the day `until` on, it is no longer in the list."""

    value: Word
    until: Word | None
    at: SourceSpan


@dataclass(frozen=True)
class ListFile(DatedRecord):
    """The content of a file in `lists/`."""

    id: Word
    about: Word
    entries: tuple[EntryLine, ...]
    at: SourceSpan


@dataclass(frozen=True)
class StepLine:
    """One event of a pattern: its kind, the person's side, a condition on its fields, and the number of such events."""

    event: Word
    role: Word | None
    where: Expr | None
    times: Number | None
    at: SourceSpan


@dataclass(frozen=True)
class FlagLine(DatedRecord):
    """A pattern over a person's events: steps in order, within a duration, with equal values in the fields `same`."""

    id: Word
    about: Word
    steps: tuple[StepLine, ...]
    within: Word
    same: tuple[Word, ...]
    lasts: Word | None
    at: SourceSpan


@dataclass(frozen=True)
class WatchFile(DatedRecord):
    """The content of watch.yaml."""

    consent: tuple[Word, ...]
    flags: tuple[FlagLine, ...]
    at: SourceSpan


@dataclass(frozen=True)
class RefusalLine(DatedRecord):
    """A condition that rejects a request about an order, in any state."""

    id: Word
    on: tuple[Word, ...]
    when: Expr
    unknown: Word
    code: Word
    at: SourceSpan


@dataclass(frozen=True)
class MoveLine(DatedRecord):
    """A move of an order: the event, the states, a condition, and the state it leads to."""

    id: Word
    on: Word
    states: tuple[Word, ...]
    when: Expr | None
    to: Word
    at: SourceSpan


@dataclass(frozen=True)
class OrdersFile(DatedRecord):
    """The content of orders.yaml: the life cycle of an order as a table."""

    states: tuple[Word, ...]
    initial: Word
    final: tuple[Word, ...]
    events: tuple[Word, ...]
    define: tuple[tuple[Word, Expr | None], ...]
    refusals: tuple[RefusalLine, ...]
    moves: tuple[MoveLine, ...]
    at: SourceSpan


@dataclass(frozen=True)
class PolicyFile(DatedRecord):
    """The content of policy.yaml: guardrails that no other file can bypass."""

    forbidden_classes: tuple[Word, ...]
    forbidden_names: tuple[Word, ...]
    restricted: tuple[Word, ...]
    relationships: tuple[Word, ...]
    relationships_share: Number
    alarms: tuple[Word, ...]
    timezone: Word
    at: SourceSpan


@dataclass(frozen=True)
class ExpectLine:
    """The expectations of a case. We do not check absent keys."""

    score: Number | None
    band: Word | None
    met: tuple[Word, ...]
    not_met: tuple[Word, ...]
    unknown: tuple[Word, ...]
    reasons: tuple[Word, ...] | None
    outcome: Word | None
    waived: Number | None
    because: tuple[Word, ...] | None
    held: bool | None
    raised: tuple[Word, ...]
    not_raised: tuple[Word, ...]
    features: tuple[tuple[Word, Node], ...]
    to: Word | None
    code: Word | None
    at: SourceSpan


@dataclass(frozen=True)
class PriorWaiverLine:
    """A waiver that the person of a case got before: the perk, the amount, the day, and whether it is still open."""

    perk: Word
    waived: Number
    on: Word
    open: bool
    at: SourceSpan


@dataclass(frozen=True)
class EventLine:
    """An event of the person of a case: its kind, its time, and its fields."""

    event: Word
    on: Word
    role: Word | None
    fields: tuple[tuple[Word, Node], ...]
    at: SourceSpan


@dataclass(frozen=True)
class CaseLine:
    """An example beside the rules: the values of a person, and the expected result."""

    name: Word
    as_of: Word | None
    given: tuple[tuple[Word, Node], ...]
    events: tuple[EventLine, ...]
    score: Number | None
    perk: Word | None
    amount: Number | None
    used: tuple[PriorWaiverLine, ...]
    held_since: Word | None
    order: tuple[tuple[Word, Node], ...]
    expect: ExpectLine
    at: SourceSpan


@dataclass(frozen=True)
class ChangeLine:
    """A change of a rule file (the text `replace` becomes `by`), and the problems that the checker must find in it."""

    name: Word
    file: Word
    replace: Word
    by: Word
    problems: tuple[Word, ...]
    at: SourceSpan


@dataclass(frozen=True)
class RatesFile(DatedRecord):
    """The content of rates.yaml: the worth of one unit of each currency in the base currency."""

    base: Word
    date: Word
    rates: tuple[tuple[Word, Number], ...]
    at: SourceSpan


@dataclass(frozen=True)
class CasesFile:
    """The content of a `.cases.yaml`. `as_of` is the day of the cases, `base` the values that every case starts from."""

    as_of: Word | None
    base: tuple[tuple[Word, Node], ...]
    cases: tuple[CaseLine, ...]
    changes: tuple[ChangeLine, ...]
    at: SourceSpan


DatedFile = (
    ScorecardFile
    | PerksFile
    | ReasonsFile
    | PolicyFile
    | OrdersFile
    | WatchFile
    | ListFile
    | EvidenceFile
    | FeaturesFile
    | RatesFile
)
RuleFile = DatedFile | CasesFile
