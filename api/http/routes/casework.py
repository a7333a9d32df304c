"""Routes for operators: answer disputes and reviews, the earliest due date first."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.features.lineage import lineage
from api.http.dependencies import ContextDep, Now, Operator
from api.http.fields import DisputeOutcome, ReviewOutcome, StatementText
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.cases import DisputeView, ReviewView
from api.http.routes.feature_lineage import FeatureLineage, FeatureName
from api.http.routes.me import SCORE_CODES, EvidenceItem, Inquiry, Language
from api.http.routes.my_disputes import CaseId
from api.http.routes.page import Page
from api.people import disputes, evidence, person, reviews
from api.people.languages import choose_language
from api.runtime.context import AppContext
from api.store.clock import micros
from api.store.database import reading

router = APIRouter(prefix="/v1", tags=["operators"], route_class=LanedRoute)

OpenOnly = Annotated[bool, Query(alias="open", description="only cases that wait for an answer")]


class DisputeCase(DisputeView):
    """A dispute as the operator sees it."""

    subject: str
    item: EvidenceItem | None = Field(
        description="the disputed item, as the person sees it; null: we no longer store it"
    )
    overdue: bool = Field(description="unanswered past its due date; the item stays out of the score meanwhile")
    resolved_by: str | None


class ReviewCase(ReviewView):
    """A review as the operator sees it."""

    subject: str
    decision: Inquiry | None = Field(description="the question, the answer and its reasons, as the person sees them")
    overdue: bool
    answered_by: str | None


class DisputeCases(Page[DisputeCase]):
    """Disputes, the earliest due date first."""


class ReviewCases(Page[ReviewCase]):
    """Reviews, the earliest due date first."""


class Resolution(BaseModel):
    """The answer to a dispute. Upheld: the item stays out of the score. Rejected: it counts again."""

    model_config = ConfigDict(extra="forbid", strict=True)
    outcome: DisputeOutcome
    note: StatementText | None = Field(None, description="for the person")


class ReviewAnswer(BaseModel):
    """The answer to a review."""

    model_config = ConfigDict(extra="forbid", strict=True)
    outcome: ReviewOutcome
    note: StatementText | None = Field(None, description="for the person")


@router.get("/disputes")
def list_disputes(context: ContextDep, _: Operator, now: Now, waiting: OpenOnly = False) -> DisputeCases:
    """List disputes, the earliest due date first."""
    return DisputeCases(items=_dispute_cases(context, disputes.list_disputes(context.database, waiting=waiting), now))


@router.get(
    "/disputes/{dispute_id}/features/{feature}",
    responses=error_responses(*SCORE_CODES, "unknown_dispute", "unknown_feature", "no_lineage"),
)
def get_feature_of_dispute(
    dispute_id: CaseId, feature: FeatureName, context: ContextDep, _: Operator, now: Now
) -> FeatureLineage:
    """Show the value of a feature of the person who disputes, the events that made it, and the value without each of them."""
    subject = disputes.find_dispute(context.database, dispute_id)["subject"]
    return FeatureLineage.of(lineage(context.database, context.evaluators, subject, feature, now))


@router.post(
    "/disputes/{dispute_id}/resolve",
    responses=error_responses("unknown_dispute", "already_answered"),
)
def resolve_dispute(
    dispute_id: CaseId, body: Resolution, context: ContextDep, operator: Operator, now: Now
) -> DisputeCase:
    """Answer a dispute."""
    row = disputes.resolve_dispute(context.database, dispute_id, body.outcome, body.note, operator.party, now)
    return _dispute_cases(context, [row], now)[0]


@router.get("/reviews")
def list_reviews(
    context: ContextDep, _: Operator, now: Now, waiting: OpenOnly = False, language: Language = None
) -> ReviewCases:
    """List reviews, the earliest due date first."""
    return ReviewCases(
        items=_review_cases(context, reviews.list_reviews(context.database, waiting=waiting), language, now)
    )


@router.post(
    "/reviews/{review_id}/answer",
    responses=error_responses("unknown_review", "already_answered"),
)
def answer_review(
    review_id: CaseId, body: ReviewAnswer, context: ContextDep, operator: Operator, now: Now, language: Language = None
) -> ReviewCase:
    """Answer a review. The recorded decision stays; if the merchant asks again, we decide again."""
    row = reviews.answer_review(context.database, review_id, body.outcome, body.note, operator.party, now)
    return _review_cases(context, [row], language, now)[0]


def _dispute_cases(context: AppContext, rows: list[disputes.Dispute], now: datetime) -> list[DisputeCase]:
    cases = []
    with reading(context.database) as connection:
        for row in rows:
            item_key = row["subject"], row["contributor"], row["event_id"]
            overdue = row["resolved_at"] is None and row["due_at"] < micros(now)
            extra = {
                "subject": row["subject"],
                "resolved_by": row["resolved_by"],
                "overdue": overdue,
                "item": evidence.find_item(connection, context.vocabulary, *item_key, row["outcome"] or "open"),
            }
            cases.append(DisputeCase(**DisputeView.of(row).model_dump(), **extra))
    return cases


def _review_cases(
    context: AppContext, rows: list[reviews.Review], language: str | None, now: datetime
) -> list[ReviewCase]:
    program, cases = context.release.programs[-1], []
    words = choose_language(language, program.languages)
    with reading(context.database) as connection:
        for row in rows:
            overdue = row["answered_at"] is None and row["due_at"] < micros(now)
            extra = {
                "subject": row["subject"],
                "answered_by": row["answered_by"],
                "overdue": overdue,
                "decision": person.inquiry(connection, program, row["subject"], row["decision"], words),
            }
            cases.append(ReviewCase(**ReviewView.of(row).model_dump(), **extra))
    return cases
