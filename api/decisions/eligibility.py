"""Eligibility: may these people have these perks without a deposit? One write transaction answers many questions.

Load the inputs, decide, write. While the transaction is open nobody else writes, so two merchants cannot both use
up the rest of a cap.

Where several processes share the database, each decides ahead: before its transaction, from rows that it reads again in it. If they are
the same, so is the decision, which is a pure function of them, and the others have waited only for a reading and a writing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from api.decisions.batch import Batch
from api.decisions.decisions import DecisionResult
from api.decisions.inputs import (
    ComputedFlags,
    InputRows,
    RulesMoved,
    compute_flags,
    inputs_of,
    newest_decision,
    read_rows,
)
from api.decisions.question import EligibilityQuestion
from api.runtime.context import AppContext
from api.store.database import reading, writing
from engine.errors import IftahError, Rejected
from graph.evidence.vocabulary import CLASSES

MIN_AHEAD: Final = (
    2  # questions in a batch that we decide ahead: for one, a second reading takes longer than others would wait
)
MAX_ATTEMPTS: Final = 20  # at one batch of questions, while releases and builds change


def answer_questions(
    context: AppContext, questions: Sequence[EligibilityQuestion]
) -> list[DecisionResult | IftahError]:
    """The result of each question, or why there is none. Every result is in the database before this returns.

    Raises Rejected if we cannot answer any question: before the first build, or when the database fails.
    """
    computed: ComputedFlags = {}
    ahead = _decide_ahead(context, questions) if context.decides_ahead and len(questions) >= MIN_AHEAD else None
    for _ in range(MAX_ATTEMPTS):
        try:
            with writing(context.database, locked=False) as connection:
                rows = read_rows(context, connection, questions)
                changed = None if ahead is None else ahead.rows.moved_people(rows)
                if ahead is not None and changed == set():
                    ahead.batch.append(connection, questions, newest_decision(rows.newest))
                    return ahead.results
                inputs = inputs_of(context, connection, questions, rows, computed)
                if not inputs.unflagged:
                    batch = Batch(context, inputs)
                    if ahead is not None and changed is not None:
                        results = batch.decide_some(questions, ahead.batch, ahead.results, changed)
                    else:
                        results = batch.decide_all(questions)
                    batch.append(connection, questions, inputs.chain.newest)
                    return results
        except (
            RulesMoved
        ):  # the record names another release: outside the transaction we take its rules, then begin anew
            context, computed, ahead = context.catch_up() if context.catch_up else context, {}, None
            continue
        # Under a release that has not scored everybody yet: we compute the flags outside the transaction, then begin anew.
        computed |= compute_flags(context, inputs.unflagged, CLASSES)
    raise Rejected("the rules change too often", where="the rules", hint="ask again", code="server_busy")


@dataclass(frozen=True)
class _DecisionsAhead:
    """Decisions from rows that we read outside a write transaction."""

    rows: InputRows
    batch: Batch
    results: list[DecisionResult | IftahError]


def _decide_ahead(context: AppContext, questions: Sequence[EligibilityQuestion]) -> _DecisionsAhead | None:
    """The decisions, if the rows of one round trip suffice for them."""
    with reading(context.database) as connection:
        rows = read_rows(context, connection, questions, exclusive=False)
        if not rows.are_complete:
            return None
        try:
            inputs = inputs_of(context, connection, questions, rows, {})
        except RulesMoved:
            return None
    if inputs.unflagged:
        return None
    batch = Batch(context, inputs)
    return _DecisionsAhead(rows, batch, batch.decide_all(questions))


def answer_question(context: AppContext, question: EligibilityQuestion) -> DecisionResult:
    """The result of one question. Raises the error if there is no result."""
    (result,) = answer_questions(context, [question])
    if isinstance(result, IftahError):
        raise result
    return result
