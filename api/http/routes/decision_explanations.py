"""Routes for operators and supervisors: why a decision came out as it did, and the replay that proves it."""

import logging
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.access.auth import Caller
from api.http.dependencies import Auditor, ContextDep, Now
from api.http.fields import Outcome
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.audit import DecisionId, DecisionLook, require_decision_access
from api.http.routes.me import Language
from api.http.routes.score_views import Reason
from api.people import person
from api.people.languages import choose_language
from api.releases.feature_lines import feature_line
from api.supervision import replay
from api.supervision.decision_explanation import (
    DecisionExplanation,
    DecisionRule,
    FileLine,
    explain_decision,
)
from engine.lang.engines.trace import Atom
from engine.lang.model.program import Program

log = logging.getLogger("iftah")

router = APIRouter(prefix="/v1/audit/decisions", tags=["supervisors"], route_class=LanedRoute)

_CODES = ("look_needed", "unknown_decision", "erased", "not_replayable")


class RuleComparison(BaseModel):
    """A comparison in a condition, with the value that was there."""

    text: str
    status: bool | None = Field(description="null: unknown")
    value: str
    distance: str = Field(description="the change of the value that would turn the comparison; empty: there is none")

    @classmethod
    def of(cls, atom: Atom) -> Self:
        """A comparison of the engine."""
        return cls(text=atom.text, status=atom.status, value=atom.value, distance=atom.distance)


class EvaluatedRule(BaseModel):
    """A knock-out, a tier, or the condition for a score, as it was evaluated."""

    id: str
    kind: str = Field(description="knockout, tier or scorable")
    status: bool | None = Field(description="null: unknown")
    decides: bool = Field(description="the outcome follows from it")
    comparisons: list[RuleComparison]
    unknown: list[str] = Field(description="what made it unknown")
    file: str | None
    line: int | None = Field(description="the first line of the rule in the file")

    @classmethod
    def of(cls, rule: DecisionRule) -> Self:
        """A rule with its place."""
        explanation, place = rule.explanation, rule.place
        return cls(
            id=explanation.id,
            kind=rule.kind,
            status=explanation.status,
            decides=rule.decides,
            comparisons=[RuleComparison.of(atom) for atom in explanation.atoms],
            unknown=list(explanation.unknown),
            file=place.file if place else None,
            line=place.first if place else None,
        )


class RuleLineView(BaseModel):
    """A line of a rule file."""

    number: int
    text: str
    decides: bool = Field(description="it belongs to a rule that decided")

    @classmethod
    def of(cls, line: FileLine) -> Self:
        """A line of the excerpt."""
        return cls(number=line.number, text=line.text, decides=line.decides)


class RecordedValue(BaseModel):
    """A value that the rules could read."""

    feature: str
    about: str = Field(description="what it says, in words, in your language; empty for a flag")
    value: str = Field(description="as people write it")


class RecordedPoints(BaseModel):
    """A line of the scorecard as it was evaluated."""

    id: str
    dimension: str
    feature: str | None
    value: str | None = Field(description="null: missing, or a rule of several features")
    status: bool | None
    points: int
    best: int


class ExplainedDecision(BaseModel):
    """A decision with the rules that made it."""

    decision_id: str
    release: str
    perk: str
    outcome: Outcome
    score: int | None
    band: str | None
    score_without_relationships: int | None
    outcome_without_relationships: Outcome
    reasons: list[Reason]
    lacks: list[str] = Field(description="what the nearest tier of a decline lacked")
    rules: list[EvaluatedRule] = Field(description="in the order of the file")
    file: str | None = Field(description="the file that holds the rule that decided")
    lines: list[RuleLineView] = Field(description="an excerpt of the file")
    points: list[RecordedPoints]
    values: list[RecordedValue]

    @classmethod
    def of(cls, decision_id: str, explanation: DecisionExplanation, language: str | None) -> Self:
        """The explanation in a language of its rules."""
        program, record = explanation.program, explanation.record
        words = choose_language(language, program.languages)
        codes = dict.fromkeys((*record["answer"]["because"], *record["reasons"]))
        return cls(
            decision_id=decision_id,
            release=record["release"],
            perk=record["question"]["perk"],
            outcome=record["answer"]["outcome"],
            score=record["scored"]["score"],
            band=record["scored"]["band"],
            score_without_relationships=record["scored"]["alone"],
            outcome_without_relationships=record["alone"]["outcome"],
            reasons=[Reason(code=code, text=person.wording(program, code, words)) for code in codes],
            lacks=list(explanation.lacks),
            rules=[EvaluatedRule.of(rule) for rule in explanation.rules],
            file=explanation.file,
            lines=[RuleLineView.of(line) for line in explanation.lines],
            points=[RecordedPoints.model_validate(line, from_attributes=True) for line in explanation.points],
            values=[
                RecordedValue(feature=name, about=_about(program, name, words), value=value)
                for name, value in explanation.values.items()
            ],
        )


@router.get("/{decision_id}/explanation", responses=error_responses(*_CODES))
def get_decision_explanation(
    decision_id: DecisionId,
    context: ContextDep,
    caller: Auditor,
    now: Now,
    look: DecisionLook = None,
    language: Language = None,
) -> ExplainedDecision:
    """Explain a decision: each rule with the values that were there, and the lines of the rule that decided."""
    require_decision_access(context, caller, decision_id, look, now)
    _log_access("a record was explained", decision_id, caller)
    return ExplainedDecision.of(decision_id, explain_decision(context, decision_id), language)


@router.get("/{decision_id}/replay", responses=error_responses(*_CODES))
def replay_decision(
    decision_id: DecisionId, context: ContextDep, caller: Auditor, now: Now, look: DecisionLook = None
) -> replay.ReplayResult:
    """Decide again under the original release, by the reference and the online engine, and compare bit for bit."""
    require_decision_access(context, caller, decision_id, look, now)
    _log_access("a record was replayed", decision_id, caller)
    return replay.replay(context, decision_id)


def _log_access(message: str, decision_id: str, caller: Caller) -> None:
    log.info(message, extra={"decision": decision_id, "token": caller.token, "role": caller.role})


def _about(program: Program, name: str, language: str) -> str:
    """What a feature says; empty for a flag of the rules."""
    flags = {pattern.flag for pattern in program.watch}
    return "" if name in flags or name not in program.schema else feature_line(program, name, language).about
