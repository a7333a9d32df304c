"""Decide: one person, one perk, one amount, under one release.

A decision is a function of its question and the release, so it can be made again and must come out the same. It
records everything that it depended on.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from engine.errors import EngineError, Refused
from engine.lang.program import AMOUNT, SCORE, Perk, Release, Statuses, Values, stages
from engine.lang.reference import evaluate
from engine.lang.types import Value
from engine.perks import Answer, Outcome, answer, unscorable
from engine.scorecard import MOST_REASONS, Scored, score

RECORD_VERSION: Final = 1


class Engine(Protocol):
    """What answers the conditions of a release, one person at a time."""

    release: Release

    def statuses(self, stage: str, values: Values) -> Statuses:
        """Each condition's status in that stage."""


class Reference:
    """The reference as an engine: slow, and always right."""

    def __init__(self, release: Release) -> None:
        self.release, self._stages = release, stages(release)

    def statuses(self, stage: str, values: Values) -> Statuses:
        return evaluate(self._stages[stage], values)


@dataclass(frozen=True)
class Question:
    """What is asked: `amount` in minor units of the perk's currency; `as_of`, `known_at` ISO 8601 UTC."""

    subject: str
    perk: str
    amount: int
    currency: str
    as_of: str
    known_at: str
    purpose: str
    values: Values


@dataclass(frozen=True)
class Decision:
    """An answer and all that it depended on."""

    release: str
    question: Question
    scored: Scored
    statuses: Mapping[str, bool | None]  # the perk's knock-outs and tiers
    answer: Answer
    reasons: tuple[str, ...]
    valid_hours: int

    @property
    def outcome(self) -> Outcome:
        return self.answer.outcome

    def record(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        return {"version": RECORD_VERSION, **asdict(self)}

    def canonical(self) -> str:
        """The record in the one form that is hashed: sorted keys, no spaces, text as it is."""
        return json.dumps(self.record(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def assess(engine: Engine, values: Values) -> Scored:
    """The score of a person with these feature values. Raises EngineError when a value does not fit the catalogue."""
    return score(engine.release.scorecard, engine.statuses(SCORE, fitting(engine.release, values)))


def decide(engine: Engine, question: Question) -> Decision:
    """The decision. Raises Refused for an unknown perk or an amount that it cannot answer, EngineError when an engine fails."""
    release = engine.release
    perk = askable(release, question.perk, question.amount, question.currency)
    values = fitting(release, question.values)
    scored = score(release.scorecard, engine.statuses(SCORE, values))
    statuses: Statuses = {}
    if scored.score is None:
        given = unscorable(question.amount, release.scorecard.unscorable)
    else:
        asked = {**values, SCORE: scored.score, AMOUNT: question.amount}
        statuses = engine.statuses(perk.id, asked)
        given = answer(perk, statuses, question.amount)
    exact = Question(**{**vars(question), "values": values})
    return Decision(release.id, exact, scored, statuses, given, _because(given, scored), perk.valid_hours)


def askable(release: Release, name: str, amount: int, currency: str) -> Perk:
    """The perk, if it can be asked about for that amount. Raises Refused."""
    perk = release.perk(name)
    if perk is None:
        known = ", ".join(p.id for p in release.perks)
        raise Refused(f"unknown perk `{name[:60]}`", code="unknown_perk", where="perk", hint=f"use one of {known}")
    if currency != perk.currency:
        hint = f"ask in {perk.currency}"
        raise Refused(f"`{perk.id}` is in {perk.currency}", code="wrong_currency", where="currency", hint=hint)
    if not 0 < amount <= perk.most:
        hint = f"from 1 to {perk.most} in minor units of {perk.currency}"
        raise Refused(f"the amount {amount} is out of range", code="bad_amount", where="amount", hint=hint)
    return perk


def fitting(release: Release, values: Values) -> dict[str, Value | None]:
    """The values of the features that the rules read, each seen to fit its declared type and bounds."""
    return {name: _fits(release, name, values.get(name)) for name in release.features}


def _fits(release: Release, name: str, value: Value | None) -> Value | None:
    type_ = release.schema[name].type
    fits = (
        value is None
        or (type_.kind == "bool" and isinstance(value, bool))
        or (type_.kind == "enum" and value in type_.values)
        or (type_.numeric and type(value) is int and type_.low <= value <= type_.high)
    )
    if not fits:
        raise EngineError(f"the value of `{name}` does not fit {type_}", hint="build the features again")
    return value


def _because(given: Answer, scored: Scored) -> tuple[str, ...]:
    """Knock-outs first, then what cost points: at most four. An ADMIT needs no reasons."""
    if given.outcome == "ADMIT":
        return ()
    return tuple(dict.fromkeys((*given.because, *scored.reasons)))[:MOST_REASONS]
