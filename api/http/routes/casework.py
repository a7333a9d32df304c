"""Routes for operators: answer disputes and reviews, the earliest due date first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

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
from api.http.routes.page import NEXT, Page
from api.people import disputes, evidence, person, reviews
from api.people.dispute_effect import dispute_effect
from api.people.languages import choose_language
from api.people.open_cases import Cursor
from api.releases.feature_lines import feature_line, feature_names
from api.runtime.context import AppContext
from api.store.clock import micros
from api.store.database import reading

router = APIRouter(prefix="/v1", tags=["operators"], route_class=LanedRoute)

OpenOnly = Annotated[bool, Query(alias="open", description="only cases that wait for an answer")]
AfterCase = Annotated[str | None, Query(pattern="^[0-9]{1,18}-[0-9A-Za-z-]{1,64}$", description=NEXT)]
Limit = Annotated[int, Query(ge=1, le=1000)]
PAGE: Final = 200


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


class FeatureOutcome(BaseModel):
    """A feature that the answer to a dispute changes; null: missing then."""

    feature: str
    about: str = Field(description="what it says, in words, in your language")
    item_out: str | None = Field(description="the value with the item out of the score")
    item_counted: str | None = Field(description="the value with the item counted")


class DisputeOutcomes(BaseModel):
    """What each answer to a dispute does to the person's numbers. Upheld: the item stays out. Rejected: it counts again."""

    as_of: datetime
    score_out: int | None = Field(description="with the item out; null: no score")
    band_out: str | None
    score_counted: int | None = Field(description="with the item counted")
    band_counted: str | None
    features: list[FeatureOutcome] = Field(description="those that the answer changes, of the person's own evidence")


@router.get("/disputes")
def list_disputes(
    context: ContextDep,
    _: Operator,
    now: Now,
    waiting: OpenOnly = False,
    after: AfterCase = None,
    limit: Limit = PAGE,
    language: Language = None,
) -> DisputeCases:
    """List disputes, the earliest due date first, in pages."""
    rows = disputes.list_disputes(context.database, waiting=waiting, after=_cursor(after), limit=limit + 1)
    cases = _dispute_cases(context, rows[:limit], language, now)
    return DisputeCases(items=cases, next=_next(rows, limit))


@router.get("/disputes/{dispute_id}", responses=error_responses("unknown_dispute"))
def get_dispute(
    dispute_id: CaseId, context: ContextDep, _: Operator, now: Now, language: Language = None
) -> DisputeCase:
    """Read one dispute with its item."""
    return _dispute_cases(context, [disputes.find_dispute(context.database, dispute_id)], language, now)[0]


@router.get("/disputes/{dispute_id}/effect", responses=error_responses(*SCORE_CODES, "unknown_dispute"))
def get_dispute_effect(
    dispute_id: CaseId, context: ContextDep, _: Operator, now: Now, language: Language = None
) -> DisputeOutcomes:
    """Show the person's score and features with the item out and with the item counted, before you answer."""
    effect, program = dispute_effect(context, dispute_id, now), context.release.programs[-1]
    words = choose_language(language, program.languages)
    names = set(feature_names(program))
    features = [
        FeatureOutcome(
            feature=one.feature,
            about=feature_line(program, one.feature, words).about if one.feature in names else one.feature,
            item_out=one.item_out,
            item_counted=one.item_counted,
        )
        for one in effect.features
    ]
    return DisputeOutcomes.model_validate(vars(effect) | {"features": features})


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
    dispute_id: CaseId,
    body: Resolution,
    context: ContextDep,
    operator: Operator,
    now: Now,
    language: Language = None,
) -> DisputeCase:
    """Answer a dispute."""
    row = disputes.resolve_dispute(context.database, dispute_id, body.outcome, body.note, operator.party, now)
    return _dispute_cases(context, [row], language, now)[0]


@router.get("/reviews")
def list_reviews(
    context: ContextDep,
    _: Operator,
    now: Now,
    waiting: OpenOnly = False,
    after: AfterCase = None,
    limit: Limit = PAGE,
    language: Language = None,
) -> ReviewCases:
    """List reviews, the earliest due date first, in pages."""
    rows = reviews.list_reviews(context.database, waiting=waiting, after=_cursor(after), limit=limit + 1)
    return ReviewCases(items=_review_cases(context, rows[:limit], language, now), next=_next(rows, limit))


@router.get("/reviews/{review_id}", responses=error_responses("unknown_review"))
def get_review(review_id: CaseId, context: ContextDep, _: Operator, now: Now, language: Language = None) -> ReviewCase:
    """Read one review with its decision."""
    return _review_cases(context, [reviews.find_review(context.database, review_id)], language, now)[0]


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


def _cursor(after: str | None) -> Cursor | None:
    if after is None:
        return None
    due_at, name = after.split("-", 1)
    return int(due_at), name


def _next(rows: Sequence[disputes.Dispute] | Sequence[reviews.Review], limit: int) -> str | None:
    """The cursor of the page that follows, if there is one."""
    return f"{rows[limit - 1]['due_at']}-{rows[limit - 1]['id']}" if len(rows) > limit else None


def _dispute_cases(
    context: AppContext, rows: list[disputes.Dispute], language: str | None, now: datetime
) -> list[DisputeCase]:
    words, cases = choose_language(language, context.release.programs[-1].languages), []
    with reading(context.database) as connection:
        for row in rows:
            item_key = row["subject"], row["contributor"], row["event_id"]
            overdue = row["resolved_at"] is None and row["due_at"] < micros(now)
            extra = {
                "subject": row["subject"],
                "resolved_by": row["resolved_by"],
                "overdue": overdue,
                "item": evidence.find_item(connection, context.vocabulary, *item_key, row["outcome"] or "open", words),
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
