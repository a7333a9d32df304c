"""Syntax: what rule files say, before anyone asks whether it makes sense.

Expressions are a tree with a place at every node; a file is a record of what its keys held.
"""

from dataclasses import dataclass
from typing import Literal

from engine.lang.problems import Span
from engine.lang.source import Node

Comparison = Literal["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True)
class Name:
    """A feature, a definition, or a field of the request."""

    name: str
    at: Span


@dataclass(frozen=True)
class Constant:
    """A constant as written; `kind` says how it was written."""

    text: str
    kind: Literal["bool", "number", "word", "date", "duration"]
    at: Span


@dataclass(frozen=True)
class Compare:
    """left op right."""

    op: Comparison
    left: "Expr"
    right: "Expr"
    at: Span


@dataclass(frozen=True)
class Member:
    """item in [constants], or not in."""

    item: "Expr"
    among: tuple[Constant, ...]
    negated: bool
    at: Span


@dataclass(frozen=True)
class IsKnown:
    """known(name), or missing(name)."""

    name: Name
    negated: bool
    at: Span


@dataclass(frozen=True)
class Join:
    """parts joined by `and` or by `or`."""

    op: Literal["and", "or"]
    parts: tuple["Expr", ...]
    at: Span


@dataclass(frozen=True)
class Negate:
    """Not part."""

    part: "Expr"
    at: Span


@dataclass(frozen=True)
class Arithmetic:
    """left op right, exact."""

    op: Literal["+", "-", "*"]
    left: "Expr"
    right: "Expr"
    at: Span


Expr = Name | Constant | Compare | Member | IsKnown | Join | Negate | Arithmetic


@dataclass(frozen=True)
class Word:
    """An id or other word, and where it stands."""

    text: str
    at: Span


@dataclass(frozen=True)
class Number:
    """A number as written, and where it stands. `digits` are those after the point."""

    text: str
    at: Span

    @property
    def whole(self) -> int:
        """The number, where the parser has seen to it that it is whole."""
        return int(self.text)


@dataclass(frozen=True)
class CharacteristicLine:
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
class RuleLine:
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
class ScorecardFile:
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
class KnockOutLine:
    """A condition that declines whatever the score, and what it does when unknown."""

    when: Expr
    unknown: Word
    reason: Word
    id: Word
    at: Span


@dataclass(frozen=True)
class WaiveLine:
    """How much of a deposit is waived: `up_to` an amount, or a `share` in percent."""

    up_to: Number | None
    share: Number | None
    at: Span


@dataclass(frozen=True)
class TierLine:
    """The first tier whose condition is met gives what is waived."""

    when: Expr
    waive: WaiveLine
    id: Word
    at: Span


@dataclass(frozen=True)
class PerkLine:
    """One perk."""

    id: Word
    about: Word
    currency: Word
    most: Number
    valid_hours: Number
    partial: bool
    knockouts: tuple[KnockOutLine, ...]
    tiers: tuple[TierLine, ...]
    at: Span


@dataclass(frozen=True)
class PerksFile:
    """What perks.yaml says."""

    consent: tuple[Word, ...]
    define: tuple[tuple[Word, Expr | None], ...]
    perks: tuple[PerkLine, ...]
    at: Span


@dataclass(frozen=True)
class ReasonLine:
    """A reason's wording by language, and what the person can do."""

    en: Word
    zh: Word | None
    at: Span


@dataclass(frozen=True)
class ReasonsFile:
    """What reasons.yaml says."""

    reasons: tuple[tuple[Word, ReasonLine], ...]
    at: Span


@dataclass(frozen=True)
class PolicyFile:
    """What policy.yaml says: guardrails that no other file gets round."""

    forbidden_classes: tuple[Word, ...]
    forbidden_names: tuple[Word, ...]
    restricted: tuple[Word, ...]
    relationships: tuple[Word, ...]
    relationships_share: Number
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
    at: Span


@dataclass(frozen=True)
class CaseLine:
    """An example beside the rules: what is known of a person, and what follows."""

    name: Word
    given: tuple[tuple[Word, Node], ...]
    score: Number | None
    perk: Word | None
    amount: Number | None
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
    """What a `.cases.yaml` says. `base` is what every case starts from."""

    base: tuple[tuple[Word, Node], ...]
    cases: tuple[CaseLine, ...]
    changes: tuple[ChangeLine, ...]
    at: Span


RuleFile = ScorecardFile | PerksFile | ReasonsFile | PolicyFile | CasesFile
