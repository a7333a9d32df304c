"""The record of a decision and the proof of its digest, as supervisors read them.

An entry commits to its record, so we answer a record exactly as it is stored. These types describe it; nothing is
converted. Records of earlier versions lack some keys (`api.supervision.records`).
"""

from typing import NotRequired

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from api.http.fields import Int64, MomentText, Money, Outcome, ProofFormat, RecordedOutcome

FeatureValue = Int64 | str | bool | None  # a decimal is a whole number of its last digit
FeatureValues = dict[str, FeatureValue]  # by name


class RecordedWaiver(TypedDict):
    """An earlier waiver that counted against the caps."""

    perk: str
    currency: str
    waived: Money
    at: MomentText
    open: bool


class RecordedQuestion(TypedDict):
    """The inputs of the rules. Optional keys came with later versions of the record."""

    subject: str
    perk: str
    amount: Money
    currency: str
    as_of: MomentText
    known_at: MomentText
    asked_at: MomentText
    purpose: str
    values: FeatureValues
    context: FeatureValues
    used: list[RecordedWaiver]
    held_since: MomentText | None
    global_as_of: NotRequired[MomentText]
    global_known_at: NotRequired[MomentText]
    timezone: NotRequired[str]
    definitions: NotRequired[str]
    in_service: NotRequired[int]
    unpaid: NotRequired[int]
    overdue: NotRequired[int]


class RecordedPart(TypedDict):
    """The points of one line of the scorecard. `status`: met, not met, or null for unknown."""

    id: str
    dimension: str
    status: bool | None
    bin: int | None
    points: int
    baseline: int
    reason: str


class RecordedScore(TypedDict):
    """The score; `alone` is the score without relationships."""

    score: int | None
    alone: int | None
    band: str | None
    parts: list[RecordedPart]
    reasons: list[str]


class RecordedAnswer(TypedDict):
    """The waived amount and the deposit; `because` has the codes of knock-outs and caps."""

    outcome: Outcome
    waived: Money
    deposit: Money
    tier: str | None
    because: list[str]


class RecordedRates(TypedDict):
    """The exchange rates that the rules used: the worth of one unit of each currency in the base currency."""

    base: str
    date: str
    rates: dict[str, str]


class RecordedDecision(TypedDict):
    """The inputs and results of the rules; `alone` is the answer without relationships."""

    version: int
    release: str
    question: RecordedQuestion
    scored: RecordedScore
    statuses: dict[str, bool | None]
    unknown: dict[str, list[str]]
    answer: RecordedAnswer
    alone: RecordedAnswer
    reasons: list[str]
    held_since: MomentText | None
    valid_hours: int
    same_without_relationships: bool
    rates: NotRequired[RecordedRates]


class AuditRecord(TypedDict):
    """Everything that a decision depended on. A refusal has `refused` and `padding` in place of `decision`."""

    id: str
    merchant: str
    transaction_id: str | None
    service: str | None
    subject: NotRequired[str]
    context: NotRequired[FeatureValues]
    decided_at: MomentText
    valid_until: MomentText
    order_moves: NotRequired[str]
    shared: NotRequired[list[int]]
    decision: NotRequired[RecordedDecision]
    refused: NotRequired[str]
    padding: NotRequired[str]
    purpose: NotRequired[str]


class DecisionTerms(BaseModel):
    """The answer to a merchant and what it answers, without the person."""

    id: str
    merchant: str
    service: str | None
    service_version: int | None
    perk: str
    amount: Money
    currency: str
    outcome: RecordedOutcome
    waived: Money
    deposit: Money


class ProofEntry(DecisionTerms):
    """The chained part of a decision. Times are microseconds since 1970-01-01 UTC, as the hash covers them."""

    decided_at: Int64
    valid_until: Int64
    release: str
    commitment: str


class Proof(BaseModel):
    """The proof that a decision is in its day's digest."""

    format: ProofFormat
    entry: ProofEntry
    previous_hash: str
    day: str
    index: Int64 = Field(description="the entry's place in the day, from 0")
    size: Int64 = Field(description="the number of entries of the day")
    path: list[str] = Field(description="the hashes beside the path from the entry to the root")
    root: str
