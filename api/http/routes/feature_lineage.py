"""The lineage of a feature, as the person and a person who works on a dispute see it."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import Path
from pydantic import BaseModel, Field

from api.features.lineage import Lineage

FeatureName = Annotated[str, Path(max_length=80, description="the name of a feature, such as credit.kept")]


class EventBehind(BaseModel):
    """An event that made a value."""

    contributor: str
    event_id: str
    kind: str
    happened_at: datetime
    value_without: str | None = Field(description="the value without this event; null: missing then")


class FeatureLineage(BaseModel):
    """The value of a feature, and the events without which it would be another."""

    feature: str
    value: str | None = Field(description="as people write it; null: missing")
    as_of: datetime
    events: list[EventBehind] = Field(description="newest first")
    examined: int = Field(description="how many of the person's events we left out, one at a time")
    visible: int = Field(description="how many events count for the person")

    @classmethod
    def of(cls, lineage: Lineage) -> Self:
        """The answer."""
        return cls.model_validate(lineage, from_attributes=True)
