"""Disputes and reviews as JSON, for the person and for the operator."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from api.http.fields import DisputeOutcome, ReviewOutcome
from api.people import person
from api.people.disputes import Dispute
from api.people.reviews import Review


class DisputeView(BaseModel):
    """An objection to an item of evidence. The item says nothing against the person until the objection is rejected."""

    dispute_id: str
    contributor: str
    event_id: str
    statement: str | None
    opened_at: datetime
    due_at: datetime = Field(description="when the answer is due; until the answer, the item stays out of the score")
    outcome: DisputeOutcome | None
    note: str | None
    resolved_at: datetime | None

    @classmethod
    def of(cls, row: Dispute) -> Self:
        """From a row of the table."""
        return cls(**person.dispute_view(row))


class ReviewView(BaseModel):
    """A person's request that a human reviews a decision."""

    review_id: str
    decision_id: str
    statement: str | None
    asked_at: datetime
    due_at: datetime
    outcome: ReviewOutcome | None
    note: str | None
    answered_at: datetime | None

    @classmethod
    def of(cls, row: Review) -> Self:
        """From a row of the table."""
        return cls(**person.review_view(row))
