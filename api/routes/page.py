"""The one form of every list in an answer: `items`, and `next` for the page that follows."""

from collections.abc import Sequence
from typing import Annotated, Generic, Self, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

T = TypeVar("T")

NEXT = "`next` of the page before"
# The cursor of a list whose items are numbered.
After = Annotated[str | None, Query(pattern="^[0-9]{1,18}$", description=NEXT)]


class Page(BaseModel, Generic[T]):
    """A list, or a page of it."""

    items: list[T]
    next: str | None = Field(
        None, description="ask again with this as `after` for the next page; null: this is the last"
    )

    @classmethod
    def cut(cls, items: Sequence[T], limit: int, cursor: str) -> Self:
        """The first `limit` items, with the attribute `cursor` of the last as `next` if there are more."""
        shown = list(items[:limit])
        return cls(items=shown, next=str(getattr(shown[-1], cursor)) if len(items) > limit else None)
