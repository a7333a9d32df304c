"""Decide while a release is on trial: by the release in force, by the candidate, or by both."""

from collections.abc import Iterable
from time import perf_counter_ns
from typing import Final

from sqlalchemy import Connection, delete, select

from api.decisions.decisions import TrialAnswer
from api.runtime.context import AppContext, Trial
from api.store.tables import DECISION_SUBJECTS, TRIAL_ANSWERS
from engine.decide.decide import BriefDecision, Decision, DecisionInputs, decide, decide_outcome
from engine.errors import IftahError

CHAMPION: Final = "champion"  # the release in force
CANDIDATE: Final = "candidate"  # the release on trial
FAILED: Final = "FAILED"  # the outcome of a candidate in shadow that could not answer


def decide_on_trial(
    context: AppContext, inputs: DecisionInputs, merchant: str, pseudonyms: Iterable[str]
) -> tuple[Decision, tuple[TrialAnswer, ...]]:
    """The decision, and what each arm answered if a trial is about such questions.

    In a shadow the release in force decides, and the candidate answers beside it; an error of the candidate changes nothing.
    `pseudonyms` are those of all ids of the person.
    """
    trial = context.trial
    if trial is None or not trial.covers(merchant, inputs.perk):
        return decide(context.evaluators.at(inputs.day), inputs), ()
    arm = CANDIDATE if trial.takes_part(pseudonyms) else CHAMPION
    evaluators = trial.evaluators if arm == CANDIDATE else context.evaluators
    started_at = perf_counter_ns()
    decision = decide(evaluators.at(inputs.day), inputs)
    brief = decision.brief()
    answer = _answer(trial, arm, brief, inputs, started_at)
    return decision, (answer, _shadow(trial, inputs, decision)) if trial.is_shadow else (answer,)


def _answer(trial: Trial, arm: str, decision: BriefDecision, inputs: DecisionInputs, started_at: int) -> TrialAnswer:
    return TrialAnswer(
        arm=arm,
        proposal=trial.proposal,
        stage=trial.stage,
        release=decision.release,
        outcome=decision.outcome,
        waived=decision.waived,
        currency=inputs.currency,
        score=decision.score,
        reasons=",".join(decision.reasons),
        micros=(perf_counter_ns() - started_at) // 1_000,
    )


def _shadow(trial: Trial, inputs: DecisionInputs, decision: Decision) -> TrialAnswer:
    """The candidate's answer. It takes from the champion what both would compute alike: the score, the valid values."""
    started_at = perf_counter_ns()
    scored = decision.scored if trial.has_same_score else None
    values = decision.question.values if trial.has_same_values else None
    try:
        brief = decide_outcome(trial.evaluators.at(inputs.day), inputs, scored, values)
    except IftahError as error:  # such as a perk that the candidate no longer has
        brief = BriefDecision(trial.release.id, FAILED, 0, None, (error.code,))
    return _answer(trial, CANDIDATE, brief, inputs, started_at)


def erase(connection: Connection, person: str) -> None:
    """Delete what the arms of trials answered about a person."""
    seqs = select(DECISION_SUBJECTS.c.seq).where(DECISION_SUBJECTS.c.subject == person)
    connection.execute(delete(TRIAL_ANSWERS).where(TRIAL_ANSWERS.c.seq.in_(seqs)))
