"""Decide about one person, one perk and one amount, by the rules in force on a day.

A decision is a pure function of its question and the release. So you can repeat it, and must get the same result. It
records everything that it depended on.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import orjson

from engine.decide.caps import PriorWaiver, parse_moment, perk_is_held, remaining_by_cap, seconds_between
from engine.decide.perks import Outcome, PerkOutcome, perk_outcome, unscorable_outcome
from engine.decide.questions import check_context, require_perk
from engine.decide.scorecard import MAX_REASONS, ScoreResult, score
from engine.errors import EngineError
from engine.lang.engines.reference import evaluate
from engine.lang.engines.trace import causes
from engine.lang.model.conditions import AS_OF, Stage, Statuses, Values
from engine.lang.model.program import (
    AMOUNT,
    EVENT_KIND,
    NO_ORDER,
    ORDER_STATE,
    ORDERS_STAGE,
    PERK_HELD,
    SCORE,
    Perk,
    Program,
    hold_stage_name,
    is_bin,
    refusal_applies,
)
from engine.lang.model.timezones import UTC_NAME, day_in
from engine.lang.model.types import Value, fits

FIRST_RECORD_VERSION: Final = 2  # the first version of the record
# The fields that a question has since a version of the record.
FIELD_BY_VERSION: Final = {3: "global_as_of", 4: "timezone", 5: "in_service", 6: "definitions", 7: "linked"}
RATES_VERSION: Final = 8  # the version of a record with the rates that the rules used
OPTIONAL_FIELDS: Final = (
    *("global_as_of", "global_known_at", "timezone", "in_service", "unpaid", "overdue"),
    *("definitions", "linked"),
)
# Records keep these old names of fields, because we compare records byte by byte in a replay.
RECORD_KEYS: Final = {"without_relationships": "alone", "score_without_relationships": "alone"}
LIMITED_EVENT: Final = "create"  # the event that follows an accepted question

JsonObject = Mapping[str, Any]  # as the json module reads it


class Evaluator(Protocol):
    """Evaluates the conditions of a program, for one person at a time."""

    program: Program

    def statuses(self, stage: str, values: Values) -> Statuses:
        """The status of each condition in that stage."""


class ReferenceEvaluator:
    """The reference engine as an evaluator: slow, but always right."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def statuses(self, stage: str, values: Values) -> Statuses:
        return evaluate(self.program.stages[stage], values)


@dataclass(frozen=True)
class DecisionInputs:
    """The inputs of a decision. `amount` is in minor units of the perk's currency; times are ISO 8601 UTC.

    - `as_of` and `known_at` are those of the person's own evidence. Features of the whole graph can have an earlier
      moment.
    - `values` are those of features and flags. `definitions` is the hash of the features' definitions by which they were computed. `context` has the request's own fields, by their short names.
    - `linked`: the ids that the caller read as this person, in a form that names nobody.
    - `used`: earlier waivers. `held_since`: since when the person holds the perk.
    - `in_service`, `unpaid`, `overdue`: the counts of the person's orders (those overdue are also unpaid). The caller
      keeps these accounts; None if it keeps none.
    """

    subject: str
    perk: str
    amount: int
    currency: str
    as_of: str
    known_at: str
    asked_at: str
    purpose: str
    values: Values
    context: Values = field(default_factory=dict)
    global_as_of: str | None = None
    global_known_at: str | None = None
    used: tuple[PriorWaiver, ...] = ()
    held_since: str | None = None
    timezone: str | None = None  # the rules' time zone; None: UTC, as in all records before rules had one
    in_service: int | None = None
    unpaid: int | None = None
    overdue: int | None = None
    definitions: str | None = None  # None: unknown, as in all records before rules declared features
    linked: tuple[str, ...] | None = None  # None: the person has one id

    @property
    def day(self) -> int:
        """The day of `as_of` in `timezone`, counted from 1970-01-01. Raises EngineError if `as_of` is not a moment."""
        return day_in(self.timezone or UTC_NAME, parse_moment(self.as_of))


def question_from_record(record: JsonObject) -> DecisionInputs:
    """The inputs of a decision, from its record, so that you can decide again."""
    payload = dict(record["question"])
    payload["used"] = tuple(PriorWaiver(**waiver) for waiver in payload["used"])
    payload["linked"] = tuple(payload["linked"]) if payload.get("linked") else None
    return DecisionInputs(**payload)


@dataclass(frozen=True)
class BriefDecision:
    """What a decision comes to. `waived` is in minor units; `reasons` are at most four."""

    release: str
    outcome: str
    waived: int
    score: int | None
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """A decision and everything that it depended on.

    `unknown` names, for each unknown rule, the attributes that made it unknown. `held_since` is since when the person
    holds the perk after this decision. `without_relationships` is the outcome without relationships: if `answer` is a
    decline, so is this.
    """

    release: str
    question: DecisionInputs
    scored: ScoreResult
    statuses: Mapping[str, bool | None]  # of the perk's knock-outs and tiers
    unknown: Mapping[str, tuple[str, ...]]
    answer: PerkOutcome
    without_relationships: PerkOutcome
    reasons: tuple[str, ...]
    held_since: str | None
    valid_hours: int
    rates: Mapping[str, object] | None = None  # by which the rules converted amounts; None: they convert nothing

    @property
    def outcome(self) -> Outcome:
        return self.answer.outcome

    def brief(self) -> BriefDecision:
        """The decision without what only a record needs."""
        return BriefDecision(self.release, self.outcome, self.answer.waived, self.scored.score, self.reasons)

    @property
    def same_without_relationships(self) -> bool:
        """Whether ties to other people made no difference to outcome and amount."""
        return (self.answer.outcome, self.answer.waived) == (
            self.without_relationships.outcome,
            self.without_relationships.waived,
        )

    def as_dict(self) -> JsonObject:
        """All fields, for `as_json`. A question from an older version keeps the form of that version."""
        question = dict(vars(self.question))
        version = max(
            (v for v, key in FIELD_BY_VERSION.items() if question[key] is not None), default=FIRST_RECORD_VERSION
        )
        for key in OPTIONAL_FIELDS:
            if question[key] is None:
                del question[key]
        fields = {RECORD_KEYS.get(name, name): value for name, value in vars(self).items()}
        if self.rates is None:
            del fields["rates"]
        else:
            version = RATES_VERSION
        score = {RECORD_KEYS.get(name, name): value for name, value in vars(self.scored).items()}
        same = self.same_without_relationships
        return {"version": version, **fields, "question": question, "scored": score, "same_without_relationships": same}

    def canonical(self) -> str:
        """The record in the canonical form that we hash."""
        return as_json(self.as_dict())

    def record(self) -> JsonObject:
        """The record as plain JSON values."""
        record: JsonObject = json.loads(self.canonical())
        return record


def as_json(value: JsonObject) -> str:
    """Canonical JSON: sorted keys, no spaces, no escapes for other scripts, and a dataclass as its fields.

    We do not copy dataclasses to dicts first, because that took longer than the decision.
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=vars)


def integer_json(value: JsonObject) -> str:
    """The bytes of `as_json`, in a fifth of the time, for a value whose numbers are integers: the two write floats differently.

    Integers beyond 64 bits and lone surrogates are left to `as_json`.
    """
    try:
        return orjson.dumps(value, default=vars, option=_CANONICAL).decode()
    except orjson.JSONEncodeError:
        return as_json(value)


_CANONICAL: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


@dataclass(frozen=True)
class _PerkResult:
    """The result of the conditions of a perk.

    `is_held` is None if the perk has no hold. `held_since` is since when the person holds it after this decision.
    """

    statuses: Statuses
    answer: PerkOutcome
    is_held: bool | None
    held_since: str | None


def assess(evaluator: Evaluator, values: Values, day: int) -> ScoreResult:
    """The score of a person with these feature values. Raises EngineError if a value does not fit the catalogue."""
    inputs = validate_values(evaluator.program, values) | {AS_OF: day}
    return score(evaluator.program.scorecard, evaluator.statuses(SCORE, inputs), evaluator.program.relationships)


def decide(evaluator: Evaluator, question: DecisionInputs) -> Decision:
    """Make the decision.

    Raises Rejected for an unknown perk, or for an amount or a field that we cannot answer. Raises EngineError if an
    engine fails.
    """
    program = evaluator.program
    perk = require_perk(program, question.perk, question.amount, question.currency)
    values, context = validate_values(program, question.values), check_context(perk, question.context)
    day = question.day
    statuses = evaluator.statuses(SCORE, values | {AS_OF: day})
    scored = score(program.scorecard, statuses, program.relationships)
    question = replace(question, values=values, context=context)
    inputs = _inputs(question, day, values, context)
    result, answer, without_relationships = _answers(evaluator, perk, question, inputs, scored)
    unknown = _unknown_causes(program.stages[SCORE], statuses, inputs)
    perk_inputs = inputs | {SCORE: scored.score, PERK_HELD: result.is_held}
    unknown |= _unknown_causes(program.stages[perk.id], result.statuses, perk_inputs)
    return Decision(
        release=program.release,
        question=question,
        scored=scored,
        statuses=result.statuses,
        unknown=unknown,
        answer=answer,
        without_relationships=without_relationships,
        reasons=_decision_reasons(answer, scored),
        held_since=result.held_since,
        valid_hours=perk.valid_hours,
        rates=program.rates.record() if program.rates else None,
    )


def decide_outcome(
    evaluator: Evaluator, question: DecisionInputs, scored: ScoreResult | None = None, values: Values | None = None
) -> BriefDecision:
    """The outcome that `decide` gives, without what a record needs, in less time.

    `scored`: the score, if another evaluator with the same scorecard found it. `values`: those of `validate_values`, if
    another program that reads the same names, of the same types, has validated them. Raises as `decide`.
    """
    program = evaluator.program
    perk = require_perk(program, question.perk, question.amount, question.currency)
    values = validate_values(program, question.values) if values is None else values
    day = question.day
    if scored is None:
        statuses = evaluator.statuses(SCORE, {**values, AS_OF: day})
        scored = score(program.scorecard, statuses, program.relationships)
    inputs = _inputs(question, day, values, check_context(perk, question.context))
    _, answer, _ = _answers(evaluator, perk, question, inputs, scored)
    reasons = _decision_reasons(answer, scored)
    return BriefDecision(program.release, answer.outcome, answer.waived, scored.score, reasons)


def _inputs(question: DecisionInputs, day: int, values: Values, context: Values) -> dict[str, Value | None]:
    """The values that conditions read, before there is a score."""
    inputs = {**values, AS_OF: day, AMOUNT: question.amount}
    return inputs | {f"request.{name}": value for name, value in context.items()}


def _answers(
    evaluator: Evaluator, perk: Perk, question: DecisionInputs, inputs: Values, scored: ScoreResult
) -> tuple[_PerkResult, PerkOutcome, PerkOutcome]:
    """The result of the perk, the answer, and the answer without relationships."""
    result, without_relationships = _perk_results(evaluator, perk, question, inputs, scored)
    # Relationships are never the only ground of a decline: if they would be, we give the outcome without them.
    is_eased = result.answer.outcome == "DECLINE" != without_relationships.outcome
    answer = without_relationships if is_eased else result.answer
    answer, without_relationships = _apply_order_limits(evaluator, question, answer, without_relationships)
    return result, answer, without_relationships


def _perk_results(
    evaluator: Evaluator, perk: Perk, question: DecisionInputs, inputs: Values, scored: ScoreResult
) -> tuple[_PerkResult, PerkOutcome]:
    """The result at the person's score, and the outcome at the score without relationships."""
    if scored.score is None or scored.score_without_relationships is None:
        outcome = unscorable_outcome(question.amount, evaluator.program.scorecard.unscorable)
        return _PerkResult({}, outcome, None, question.held_since), outcome
    result = _decide_perk(evaluator, perk, question, {**inputs, SCORE: scored.score})
    if scored.score_without_relationships == scored.score:
        return result, result.answer
    without = _decide_perk(evaluator, perk, question, {**inputs, SCORE: scored.score_without_relationships})
    return result, without.answer


def _decide_perk(evaluator: Evaluator, perk: Perk, question: DecisionInputs, inputs: Values) -> _PerkResult:
    is_held: bool | None = None
    if perk.hold:
        held_seconds = None if question.held_since is None else seconds_between(question.held_since, question.asked_at)
        is_held = perk_is_held(perk.hold, evaluator.statuses(hold_stage_name(perk.id), inputs), held_seconds)
        inputs = {**inputs, PERK_HELD: is_held}
    statuses = evaluator.statuses(perk.id, inputs)
    remaining = remaining_by_cap(perk, question.used, question.asked_at) if perk.caps or perk.shared else ()
    answer = perk_outcome(perk, statuses, question.amount, remaining)
    return _PerkResult(statuses, answer, is_held, (question.held_since or question.asked_at) if is_held else None)


def _apply_order_limits(
    evaluator: Evaluator, question: DecisionInputs, *outcomes: PerkOutcome
) -> tuple[PerkOutcome, ...]:
    """The outcomes, or declines if the person's other orders allow no new one. The first such refusal gives the reason."""
    orders = evaluator.program.orders
    if orders is None or not orders.limits or question.in_service is None or not any(a.waived for a in outcomes):
        return outcomes
    counts = {f"person.{name}": getattr(question, name) for name in ("in_service", "unpaid", "overdue")}
    statuses = evaluator.statuses(
        ORDERS_STAGE, {ORDER_STATE: NO_ORDER, EVENT_KIND: LIMITED_EVENT, AS_OF: question.day, **counts}
    )
    refusal = next((r for r in orders.limits if refusal_applies(r, statuses[r.id])), None)
    if refusal is None:
        return outcomes
    decline = PerkOutcome("DECLINE", 0, question.amount, None, (refusal.code,))
    return tuple(decline if a.waived else a for a in outcomes)


def validate_values(program: Program, values: Values) -> dict[str, Value | None]:
    """The values of the names that the rules read, all of the declared types and within bounds. Raises EngineError."""
    for name in program.reads:
        if not fits(values.get(name), program.schema[name].type):
            message = f"the value of `{name}` does not fit {program.schema[name].type}"
            raise EngineError(message, hint="build the features again")
    return {name: values.get(name) for name in program.reads}


def _unknown_causes(stage: Stage, statuses: Statuses, values: Values) -> dict[str, tuple[str, ...]]:
    """For each unknown condition, the attributes that made it unknown.

    We skip bins: their only cause is a missing feature.
    """
    return {i: causes(stage[i], values) for i, status in statuses.items() if status is None and not is_bin(i)}


def _decision_reasons(outcome: PerkOutcome, score_result: ScoreResult) -> tuple[str, ...]:
    """At most four reasons: knock-outs and caps first, then lost points. An ADMIT needs no reasons."""
    if outcome.outcome == "ADMIT":
        return ()
    return tuple(dict.fromkeys((*outcome.because, *score_result.reasons)))[:MAX_REASONS]
