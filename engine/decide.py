"""Decide: one person, one perk, one amount, under the rules in force on a day.

A decision is a function of its question and the release, so it can be made again and must come out the same. It
records everything that it depended on.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from engine.caps import Used, held, left, moment, seconds_between
from engine.errors import EngineError, Refused
from engine.lang.program import (
    AMOUNT,
    ASKED,
    HELD,
    NONE,
    ORDERS,
    SCORE,
    STATE,
    Perk,
    Program,
    held_by,
    is_bin,
    stands,
)
from engine.lang.quantities import an
from engine.lang.reference import evaluate
from engine.lang.timezones import UTC_NAME, day_in
from engine.lang.trace import causes
from engine.lang.truths import AS_OF, Stage, Statuses, Values
from engine.lang.types import LARGEST, Type, Value, day_of, fits, value_of
from engine.perks import Answer, Outcome, answer, unscorable
from engine.scorecard import MOST_REASONS, Scored, score

FIRST_VERSION: Final = 2  # of the record
# What a question says from which version of the record on.
SINCE: Final = {3: "global_as_of", 4: "timezone", 5: "in_service"}
LATER: Final = ("global_as_of", "global_known_at", "timezone", "in_service", "unpaid", "overdue")
LIMITED: Final = "create"  # the event that a question is a step towards


class Engine(Protocol):
    """What answers the conditions of a program, one person at a time."""

    program: Program

    def statuses(self, stage: str, values: Values) -> Statuses:
        """Each condition's status in that stage."""


class Reference:
    """The reference as an engine: slow, and always right."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def statuses(self, stage: str, values: Values) -> Statuses:
        return evaluate(self.program.stages[stage], values)


@dataclass(frozen=True)
class Question:
    """What is asked: `amount` in minor units of the perk's currency; times are ISO 8601 UTC.

    `as_of` and `known_at` are those of the person's own evidence; features of the whole graph may look from an earlier moment.

    `values` are those of the features and flags, `context` those of the request's own fields by their short names. What
    was waived before (`used`), since when the perk is held, and how many orders the person has in service, unpaid and, of
    those, overdue come from whoever keeps the account; None where nobody does.
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
    used: tuple[Used, ...] = ()
    held_since: str | None = None
    timezone: str | None = None  # of the rules; None: UTC, as everywhere before rules had one
    in_service: int | None = None
    unpaid: int | None = None
    overdue: int | None = None

    @property
    def day(self) -> int:
        """The day from which it is looked, in `timezone`, counted from 1970-01-01. Raises EngineError when `as_of` is no
        moment.
        """
        return day_in(self.timezone or UTC_NAME, moment(self.as_of))


def question_of(record: Mapping[str, Any]) -> Question:
    """The question of a decision, from its record, so that it can be decided again."""
    asked = dict(record["question"])
    return Question(**{**asked, "used": tuple(Used(**u) for u in asked["used"])})


@dataclass(frozen=True)
class Decision:
    """An answer and all that it depended on.

    `unknown` names for each unknown rule what made it so; `held_since` is since when the perk is held from now on;
    `alone` is the answer as it would have been without relationships: a refusal is one there too.
    """

    release: str
    question: Question
    scored: Scored
    statuses: Mapping[str, bool | None]  # the perk's knock-outs and tiers
    unknown: Mapping[str, tuple[str, ...]]
    answer: Answer
    alone: Answer
    reasons: tuple[str, ...]
    held_since: str | None
    valid_hours: int

    @property
    def outcome(self) -> Outcome:
        return self.answer.outcome

    @property
    def same_without_relationships(self) -> bool:
        """Whether ties to other people made no difference to outcome and amount."""
        return (self.answer.outcome, self.answer.waived) == (self.alone.outcome, self.alone.waived)

    def parts(self) -> dict[str, Any]:
        """All of it, for `as_json`. A question of before it said as much comes out as it did then."""
        asked = dict(vars(self.question))
        version = max((v for v, key in SINCE.items() if asked[key] is not None), default=FIRST_VERSION)
        for key in LATER:
            if asked[key] is None:
                del asked[key]
        said = {**vars(self), "question": asked, "same_without_relationships": self.same_without_relationships}
        return {"version": version, **said}

    def canonical(self) -> str:
        """The record in the one form that is hashed."""
        return as_json(self.parts())

    def record(self) -> dict[str, Any]:
        """The record as JSON has it."""
        found: dict[str, Any] = json.loads(self.canonical())
        return found


def as_json(value: Mapping[str, Any]) -> str:
    """Canonical JSON: sorted keys, no spaces, text as it is; of a dataclass, its fields. Dataclasses are not copied first, which took longer than
    to decide.
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=vars)


@dataclass(frozen=True)
class _Asked:
    """What came of asking a perk: its statuses, the answer, and whether it is held (None: it has no hold)."""

    statuses: Statuses
    answer: Answer
    held: bool | None


def assess(engine: Engine, values: Values, day: int) -> Scored:
    """The score of a person with these feature values. Raises EngineError when a value does not fit the catalogue."""
    asked = fitting(engine.program, values) | {AS_OF: day}
    return score(engine.program.scorecard, engine.statuses(SCORE, asked), engine.program.relationships)


def decide(engine: Engine, question: Question) -> Decision:
    """The decision. Raises Refused for an unknown perk, an amount or a field that it cannot answer, EngineError when an
    engine fails.
    """
    program = engine.program
    perk = askable(program, question.perk, question.amount, question.currency)
    values = fitting(program, question.values)
    seen = values | {AS_OF: question.day}
    statuses = engine.statuses(SCORE, seen)
    scored = score(program.scorecard, statuses, program.relationships)
    exact = replace(question, values=values, context=context(perk, question.context))
    if scored.score is None or scored.alone is None:
        given = unscorable(question.amount, program.scorecard.unscorable)
        found, other, since = _Asked({}, given, None), given, question.held_since
    else:
        seen |= {AMOUNT: question.amount} | {f"request.{name}": value for name, value in exact.context.items()}
        found = _ask(engine, perk, question, seen | {SCORE: scored.score})
        same = scored.alone == scored.score
        other = found.answer if same else _ask(engine, perk, question, seen | {SCORE: scored.alone}).answer
        since = (question.held_since or question.asked_at) if found.held else None
    unknown = _unknown(program.stages[SCORE], statuses, seen)
    unknown |= _unknown(program.stages[perk.id], found.statuses, seen | {SCORE: scored.score, HELD: found.held})
    # Relationships are never the only ground of a refusal: where one would be, the answer without them is given.
    final = other if found.answer.outcome == "DECLINE" != other.outcome else found.answer
    final, other = _limited(engine, question, final, other)
    because = _because(final, scored)
    return Decision(
        program.release, exact, scored, found.statuses, unknown, final, other, because, since, perk.valid_hours
    )


def _ask(engine: Engine, perk: Perk, question: Question, seen: Values) -> _Asked:
    keeps: bool | None = None
    if perk.hold:
        so_far = None if question.held_since is None else seconds_between(question.held_since, question.asked_at)
        keeps = held(perk.hold, engine.statuses(held_by(perk.id), seen), so_far)
        seen = {**seen, HELD: keeps}
    statuses = engine.statuses(perk.id, seen)
    rest = left(perk, question.used, question.asked_at) if perk.caps or perk.shared else ()
    return _Asked(statuses, answer(perk, statuses, question.amount, rest), keeps)


def _limited(engine: Engine, question: Question, *answers: Answer) -> tuple[Answer, ...]:
    """The answers, declined where the person's other orders let no new one begin: the first such refusal says why."""
    orders = engine.program.orders
    if orders is None or not orders.limits or question.in_service is None or not any(a.waived for a in answers):
        return answers
    counts = {f"person.{name}": getattr(question, name) for name in ("in_service", "unpaid", "overdue")}
    statuses = engine.statuses(ORDERS, {STATE: NONE, ASKED: LIMITED, AS_OF: question.day, **counts})
    standing = next((r for r in orders.limits if stands(r, statuses[r.id])), None)
    if standing is None:
        return answers
    declined = Answer("DECLINE", 0, question.amount, None, (standing.code,))
    return tuple(declined if a.waived else a for a in answers)


def askable(program: Program, name: str, amount: int, currency: str) -> Perk:
    """The perk, if it can be asked about for that amount. Raises Refused."""
    perk = program.perk(name)
    if perk is None:
        known = ", ".join(p.id for p in program.perks)
        raise Refused(f"unknown perk `{name[:60]}`", code="unknown_perk", where="perk", hint=f"use one of {known}")
    if currency != perk.currency:
        hint = f"ask in {perk.currency}"
        raise Refused(f"`{perk.id}` is in {perk.currency}", code="wrong_currency", where="currency", hint=hint)
    if not 0 < amount <= perk.most:
        hint = f"from 1 to {perk.most} in minor units of {perk.currency}"
        raise Refused(f"the amount {amount} is out of range", code="bad_amount", where="amount", hint=hint)
    return perk


def context(perk: Perk, given: Values) -> dict[str, Value | None]:
    """The request's own fields as they are held, every one that the perk knows; those not given are missing. Raises Refused."""
    known = {a.name.removeprefix("request."): a for a in perk.request}
    for name, value in given.items():
        if name not in known:
            hint = f"`{perk.id}` takes {', '.join(known) or 'none'}"
            raise Refused(f"unknown field `{name[:60]}`", code="bad_context", where="context", hint=hint)
        if not fits(value, known[name].type):
            text = f"the value of `{name}` is not {an(known[name].type)}, or out of bounds"
            raise Refused(text, code="bad_context", where=f"context.{name}", hint="see rules/perks.yaml")
    return {name: given.get(name) for name in known}


def read_context(perk: Perk, given: Mapping[str, object]) -> dict[str, Value | None]:
    """The request's own fields from what JSON holds: whole numbers and bools as such, all else as text; a decimal that is
    whole may be either. null is missing. Raises Refused.
    """
    known = {a.name.removeprefix("request."): a.type for a in perk.request}

    def read(name: str, value: object) -> Value | None:
        if value is None or name not in known:
            return None
        text, type_ = _text(value, known[name]), known[name]
        # In rule files a day is its first moment there. Of a request we do not guess the hour.
        no_hour = type_.kind == "timestamp" and text is not None and day_of(text) is not None
        found = None if text is None or no_hour else value_of(text, type_)
        if found is not None:
            return found
        said = f"the value of `{name}` is not {an(type_)}, or out of bounds"
        hint = "whole numbers as such, all else as text"
        if type_.kind == "timestamp":
            hint = "write the time and its zone, as 2026-03-01T18:30:00Z"
        raise Refused(said, code="bad_context", where=f"context.{name}", hint=hint)

    return context(perk, {name: read(name, value) for name, value in given.items()})


def _text(value: object, type_: Type) -> str | None:
    """The value as it would be written, if JSON has it as the type wants it."""
    if isinstance(value, bool):
        return str(value).lower() if type_.kind == "bool" else None
    if isinstance(value, int):
        return str(value) if type_.kind in ("int", "decimal") and abs(value) <= LARGEST else None
    return value if isinstance(value, str) and type_.kind not in ("bool", "int") else None


def fitting(program: Program, values: Values) -> dict[str, Value | None]:
    """The values of what the rules read, each seen to fit its declared type and bounds. Raises EngineError."""
    for name in program.reads:
        if not fits(values.get(name), program.schema[name].type):
            message = f"the value of `{name}` does not fit {program.schema[name].type}"
            raise EngineError(message, hint="build the features again")
    return {name: values.get(name) for name in program.reads}


def _unknown(stage: Stage, statuses: Statuses, values: Values) -> dict[str, tuple[str, ...]]:
    """Of each condition that is unknown, what made it so. Of bins nothing is said: their feature is missing."""
    return {i: causes(stage[i], values) for i, status in statuses.items() if status is None and not is_bin(i)}


def _because(given: Answer, scored: Scored) -> tuple[str, ...]:
    """Knock-outs and caps first, then what cost points: at most four. An ADMIT needs no reasons."""
    if given.outcome == "ADMIT":
        return ()
    return tuple(dict.fromkeys((*given.because, *scored.reasons)))[:MOST_REASONS]
