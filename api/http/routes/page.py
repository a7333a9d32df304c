"""The shape of every list in an answer: `items`, and `next` for the following page."""

from collections.abc import Sequence
from typing import Annotated, Generic, Self, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

T = TypeVar("T")

NEXT = "`next` of the previous page"
# The cursor of a list whose items are numbered.
After = Annotated[str | None, Query(pattern="^[0-9]{1,18}$", description=NEXT)]


class Page(BaseModel, Generic[T]):
    """A list, or a page of it."""

    items: list[T]
    next: str | None = Field(
        None, description="send this as `after` for the following page; null: this is the last page"
    )

    @classmethod
    def cut(cls, items: Sequence[T], limit: int, cursor: str) -> Self:
        """The first `limit` items, with the attribute `cursor` of the last as `next` if there are more."""
        page_items = list(items[:limit])
        return cls(items=page_items, next=str(getattr(page_items[-1], cursor)) if len(items) > limit else None)
