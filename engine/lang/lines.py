"""Lines: what rule files say, a record for each kind of line, before anyone asks whether it makes sense."""

from dataclasses import dataclass

from engine.lang.problems import Span
from engine.lang.source import Node
from engine.lang.syntax import Expr, Name, Number, Word


@dataclass(frozen=True, kw_only=True)
class Dated:
    """What holds from the day `since` on and no more on the day `until`; None: always."""

    since: Word | None = None
    until: Word | None = None


@dataclass(frozen=True)
class CharacteristicLine(Dated):
    """A characteristic of a scorecard: where the feature's value falls among the cuts gives the points."""

    feature: Name
    dimension: Word
    cuts: tuple[Number, ...]
    points: tuple[Number, ...]
    missing: Number
    reason: Word
    baseline: Number | None
    id: Word
    at: Span


@dataclass(frozen=True)
class RuleLine(Dated):
    """A rule of a scorecard: a condition that gives points when met."""

    dimension: Word
    when: Expr
    points: Number
    unknown: Number | None
    reason: Word
    baseline: Number | None
    id: Word
    at: Span


@dataclass(frozen=True)
class BandLine:
    """A band's name and its lowest score."""

    name: Word
    lowest: Number
    at: Span


@dataclass(frozen=True)
class RangeLine:
    """The lowest and highest score, and where a person without points stands."""

    lowest: Number
    highest: Number
    base: Number
    at: Span


@dataclass(frozen=True)
class ScorableLine:
    """What must be known of a person before a score means anything, and the reason given when it is not."""

    when: Expr
    reason: Word
    at: Span


@dataclass(frozen=True)
class ScorecardFile(Dated):
    """What trust.yaml says."""

    score: RangeLine
    consent: tuple[Word, ...]
    scorable: ScorableLine
    bands: tuple[BandLine, ...]
    dimensions: tuple[tuple[Word, Number], ...]
    define: tuple[tuple[Word, Expr | None], ...]
    characteristics: tuple[CharacteristicLine, ...]
    rules: tuple[RuleLine, ...]
    at: Span


@dataclass(frozen=True)
class KnockOutLine(Dated):
    """A condition that declines whatever the score, and what it does when unknown."""

    when: Expr
    unknown: Word
    reason: Word
    id: Word
    at: Span


@dataclass(frozen=True)
class WaiveLine:
    """How much of a deposit is waived: an amount that is `fixed`, or a `share` in percent, `up_to` an amount."""

    fixed: Number | None
    share: Number | None
    up_to: Number | None
    at: Span


@dataclass(frozen=True)
class TierLine(Dated):
    """The first tier whose condition is met gives what is waived."""

    when: Expr
    waive: WaiveLine
    id: Word
    at: Span


@dataclass(frozen=True)
class FieldLine:
    """A field of the request: its type, and the bounds or words that it keeps to."""

    type: Word
    digits: Number | None
    values: tuple[Word, ...]
    low: Number | None
    high: Number | None
    at: Span


@dataclass(frozen=True)
class HoldLine:
    """A perk that is held: granted by one condition, kept by a weaker one, and for some days at least."""

    granted: Expr
    kept: Expr
    days: Number
    at: Span


@dataclass(frozen=True)
class CapLine:
    """The most that one person may have waived: `waived` in all, or `times`, at one time or within `days`."""

    waived: Number | None
    times: Number | None
    days: Number | None
    reason: Word
    at: Span


@dataclass(frozen=True)
class PerkLine(Dated):
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
    at: Span


@dataclass(frozen=True)
class PerksFile(Dated):
    """What perks.yaml says. `caps` by currency hold for a person over all perks in that currency."""

    consent: tuple[Word, ...]
    caps: tuple[tuple[Word, tuple[CapLine, ...]], ...]
    define: tuple[tuple[Word, Expr | None], ...]
    perks: tuple[PerkLine, ...]
    at: Span


@dataclass(frozen=True)
class ReasonsFile(Dated):
    """What reasons.yaml says: the wording of each reason by language."""

    languages: tuple[Word, ...]
    reasons: tuple[tuple[Word, tuple[tuple[Word, Word], ...]], ...]
    at: Span


@dataclass(frozen=True)
class EntryLine:
    """A value of a list; from the day `until` on it is none any more."""

    value: Word
    until: Word | None
    at: Span


@dataclass(frozen=True)
class ListFile(Dated):
    """What a file of `lists/` says."""

    id: Word
    about: Word
    entries: tuple[EntryLine, ...]
    at: Span


@dataclass(frozen=True)
class StepLine:
    """One event of a pattern: its kind, on which side of it the person is, what else must hold of it, how many such."""

    event: Word
    role: Word | None
    where: Expr | None
    times: Number | None
    at: Span


@dataclass(frozen=True)
class FlagLine(Dated):
    """A pattern over a person's events: the steps in their order, within a duration, alike in the fields `same`."""

    id: Word
    about: Word
    steps: tuple[StepLine, ...]
    within: Word
    same: tuple[Word, ...]
    lasts: Word | None
    at: Span


@dataclass(frozen=True)
class WatchFile(Dated):
    """What watch.yaml says."""

    consent: tuple[Word, ...]
    flags: tuple[FlagLine, ...]
    at: Span


@dataclass(frozen=True)
class RefusalLine(Dated):
    """A condition on which something asked of an order is refused, whatever its state."""

    id: Word
    on: tuple[Word, ...]
    when: Expr
    unknown: Word
    code: Word
    at: Span


@dataclass(frozen=True)
class MoveLine(Dated):
    """A move of an order: what is asked, in which states, on what condition, and the state that it leads to."""

    id: Word
    on: Word
    states: tuple[Word, ...]
    when: Expr | None
    to: Word
    at: Span


@dataclass(frozen=True)
class OrdersFile(Dated):
    """What orders.yaml says: the life cycle of an order as a table."""

    states: tuple[Word, ...]
    initial: Word
    final: tuple[Word, ...]
    events: tuple[Word, ...]
    define: tuple[tuple[Word, Expr | None], ...]
    refusals: tuple[RefusalLine, ...]
    moves: tuple[MoveLine, ...]
    at: Span


@dataclass(frozen=True)
class PolicyFile(Dated):
    """What policy.yaml says: guardrails that no other file gets round."""

    forbidden_classes: tuple[Word, ...]
    forbidden_names: tuple[Word, ...]
    restricted: tuple[Word, ...]
    relationships: tuple[Word, ...]
    relationships_share: Number
    alarms: tuple[Word, ...]
    timezone: Word
    at: Span


@dataclass(frozen=True)
class ExpectLine:
    """What a case expects; an absent key is not looked at."""

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
    to: Word | None
    code: Word | None
    at: Span


@dataclass(frozen=True)
class UsedLine:
    """What a case's person had waived before: for which perk, how much, on which day, and whether that is open still."""

    perk: Word
    waived: Number
    on: Word
    open: bool
    at: Span


@dataclass(frozen=True)
class HappenedLine:
    """An event of a case's person: its kind, when, and what it carries."""

    event: Word
    on: Word
    role: Word | None
    fields: tuple[tuple[Word, Node], ...]
    at: Span


@dataclass(frozen=True)
class CaseLine:
    """An example beside the rules: what is known of a person, and what follows."""

    name: Word
    as_of: Word | None
    given: tuple[tuple[Word, Node], ...]
    events: tuple[HappenedLine, ...]
    score: Number | None
    perk: Word | None
    amount: Number | None
    used: tuple[UsedLine, ...]
    held_since: Word | None
    order: tuple[tuple[Word, Node], ...]
    expect: ExpectLine
    at: Span


@dataclass(frozen=True)
class ChangeLine:
    """A change of a rule file (`replace` by `by`, as text) that the checker must find these problems in."""

    name: Word
    file: Word
    replace: Word
    by: Word
    problems: tuple[Word, ...]
    at: Span


@dataclass(frozen=True)
class CasesFile:
    """What a `.cases.yaml` says. `as_of` is the day that cases are of, `base` what every case starts from."""

    as_of: Word | None
    base: tuple[tuple[Word, Node], ...]
    cases: tuple[CaseLine, ...]
    changes: tuple[ChangeLine, ...]
    at: Span


DatedFile = ScorecardFile | PerksFile | ReasonsFile | PolicyFile | OrdersFile | WatchFile | ListFile
RuleFile = DatedFile | CasesFile
