"""What waits for a human of the house: disputes and reviews, by when they are due."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.clock import micros
from api.database import reading
from api.deps import InWorld, Now, Operator
from api.lanes import LanedRoute
from api.people import disputes, evidence, person, reviews
from api.people.languages import chosen
from api.problems import documented
from api.routes.cases import Dispute, Review
from api.routes.me import Inquiry, Item, Language
from api.routes.my_disputes import Id, Said
from api.routes.page import Page
from api.routes.schema import DisputeOutcome, ReviewOutcome
from api.world import World

router = APIRouter(prefix="/v1", tags=["operators"], route_class=LanedRoute)

Open = Annotated[bool, Query(alias="open", description="only those that wait for an answer")]


class DisputeCase(Dispute):
    """A dispute as whoever answers it sees it."""

    subject: str
    item: Item | None = Field(description="what is objected to, as the person sees it; null: it is stored no more")
    overdue: bool = Field(description="unanswered past its day; the item stays out of the score meanwhile")
    resolved_by: str | None


class ReviewCase(Review):
    """A review as whoever answers it sees it."""

    subject: str
    decision: Inquiry | None = Field(description="what was asked and answered, and why, as the person sees it")
    overdue: bool
    answered_by: str | None


class DisputeCases(Page[DisputeCase]):
    """Disputes, what is due first comes first."""


class ReviewCases(Page[ReviewCase]):
    """Reviews, what is due first comes first."""


class Resolution(BaseModel):
    """The answer to a dispute: upheld, and the item stays out; rejected, and it counts again."""

    model_config = ConfigDict(extra="forbid", strict=True)
    outcome: DisputeOutcome
    note: Said | None = Field(None, description="for the person")


class ReviewAnswer(BaseModel):
    """The answer to a review."""

    model_config = ConfigDict(extra="forbid", strict=True)
    outcome: ReviewOutcome
    note: Said | None = Field(None, description="for the person")


@router.get("/disputes")
def list_disputes(world: InWorld, _: Operator, now: Now, waiting: Open = False) -> DisputeCases:
    """Disputes, what is due first comes first."""
    return DisputeCases(items=_disputes(world, disputes.listed(world.database, waiting=waiting), now))


@router.post(
    "/disputes/{dispute_id}/resolve",
    responses=documented("unknown_dispute", "already_answered"),
)
def resolve_dispute(dispute_id: Id, body: Resolution, world: InWorld, operator: Operator, now: Now) -> DisputeCase:
    """Answer a dispute."""
    row = disputes.resolved(world.database, dispute_id, body.outcome, body.note, operator.party, now)
    return _disputes(world, [row], now)[0]


@router.get("/reviews")
def list_reviews(
    world: InWorld, _: Operator, now: Now, waiting: Open = False, language: Language = None
) -> ReviewCases:
    """Reviews, what is due first comes first."""
    return ReviewCases(items=_reviews(world, reviews.listed(world.database, waiting=waiting), language, now))


@router.post(
    "/reviews/{review_id}/answer",
    responses=documented("unknown_review", "already_answered"),
)
def answer_review(
    review_id: Id, body: ReviewAnswer, world: InWorld, operator: Operator, now: Now, language: Language = None
) -> ReviewCase:
    """Answer a review. The recorded decision stays; a merchant who asks anew is answered anew."""
    row = reviews.answered(world.database, review_id, body.outcome, body.note, operator.party, now)
    return _reviews(world, [row], language, now)[0]


def _disputes(world: World, rows: list[dict[str, Any]], now: datetime) -> list[DisputeCase]:
    cases = []
    with reading(world.database) as connection:
        for row in rows:
            about = row["subject"], row["contributor"], row["event_id"]
            late = row["resolved_at"] is None and row["due_at"] < micros(now)
            more = {"subject": row["subject"], "resolved_by": row["resolved_by"], "overdue": late}
            more["item"] = evidence.item(connection, *about, row["outcome"] or "open")
            cases.append(DisputeCase(**Dispute.of(row).model_dump(), **more))
    return cases


def _reviews(world: World, rows: list[dict[str, Any]], language: str | None, now: datetime) -> list[ReviewCase]:
    program, cases = world.release.programs[-1], []
    words = chosen(language, program.languages)
    with reading(world.database) as connection:
        for row in rows:
            late = row["answered_at"] is None and row["due_at"] < micros(now)
            more = {"subject": row["subject"], "answered_by": row["answered_by"], "overdue": late}
            more["decision"] = person.inquiry(connection, program, row["subject"], row["decision"], words)
            cases.append(ReviewCase(**Review.of(row).model_dump(), **more))
    return cases
