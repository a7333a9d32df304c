"""What is said of a dispute or a review, to the person and to whoever answers it."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from api.people import person
from api.routes.schema import DisputeOutcome, ReviewOutcome


class Dispute(BaseModel):
    """An objection to an item of evidence. The item says nothing against the person until the objection is rejected."""

    dispute_id: str
    contributor: str
    event_id: str
    statement: str | None
    opened_at: datetime
    due_at: datetime = Field(description="when it will have been answered; unanswered, the item stays out")
    outcome: DisputeOutcome | None
    note: str | None
    resolved_at: datetime | None

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """What a row of the table says."""
        return cls(**person.disputed(row))


class Review(BaseModel):
    """A request that a human looks at a decision again."""

    review_id: str
    decision_id: str
    statement: str | None
    asked_at: datetime
    due_at: datetime
    outcome: ReviewOutcome | None
    note: str | None
    answered_at: datetime | None

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """What a row of the table says."""
        return cls(**person.reviewed(row))
