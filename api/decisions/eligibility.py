"""Eligibility: may these people have these perks without a deposit? One write transaction answers many questions.

Load the inputs, decide, write. While the transaction is open nobody else writes, so two merchants cannot both use
up the rest of a cap.
"""

from collections.abc import Sequence
from typing import Final

from api.decisions import decisions
from api.decisions.batch import Batch
from api.decisions.decisions import DecisionResult
from api.decisions.inputs import ComputedFlags, RulesMoved, compute_flags, load_inputs
from api.decisions.question import EligibilityQuestion
from api.runtime.context import AppContext
from api.store.database import writing
from engine.errors import IftahError, Rejected
from graph.evidence.vocabulary import CLASSES

MAX_ATTEMPTS: Final = 20  # at one batch of questions, while releases and builds change


def answer_questions(
    context: AppContext, questions: Sequence[EligibilityQuestion]
) -> list[DecisionResult | IftahError]:
    """The result of each question, or why there is none. Every result is in the database before this returns.

    Raises Rejected if we cannot answer any question: before the first build, or when the database fails.
    """
    computed: ComputedFlags = {}
    for _ in range(MAX_ATTEMPTS):
        try:
            with writing(context.database, locked=False) as connection:
                inputs = load_inputs(context, connection, questions, computed)
                if not inputs.unflagged:
                    batch = Batch(context, inputs)
                    results = batch.decide_all(questions)
                    if batch.rows:
                        forgetting = batch.forgetting(max(question.asked_at for question in questions))
                        decisions.append_decisions(
                            connection, batch.rows, inputs.chain.newest, batch.shared, forgetting
                        )
                    return results
        except (
            RulesMoved
        ):  # the record names another release: outside the transaction we take its rules, then begin anew
            context, computed = context.catch_up() if context.catch_up else context, {}
            continue
        # Under a release that has not scored everybody yet: we compute the flags outside the transaction, then begin anew.
        computed |= compute_flags(context, inputs.unflagged, CLASSES)
    raise Rejected("the rules change too often", where="the rules", hint="ask again", code="server_busy")


def answer_question(context: AppContext, question: EligibilityQuestion) -> DecisionResult:
    """The result of one question. Raises the error if there is no result."""
    (result,) = answer_questions(context, [question])
    if isinstance(result, IftahError):
        raise result
    return result
