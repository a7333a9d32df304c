"""The disputes and reviews that wait for an answer: how many, how many of them past their due date, and the most urgent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, func, select, tuple_

from api.store.clock import micros, moment
from api.store.tables import DISPUTES, REVIEWS

MAX_FIRST: Final = 5
Cursor = tuple[int, str]  # a case's due date in microseconds, and its id


@dataclass(frozen=True)
class OpenCase:
    """A case that waits: its id and when its answer is due."""

    id: str
    due_at: datetime


@dataclass(frozen=True)
class OpenCases:
    """The cases of one kind that wait, the most urgent first."""

    waiting: int
    overdue: int
    first: tuple[OpenCase, ...]


def by_due_date(query: Select[Any], table: Table, after: Cursor | None) -> Select[Any]:
    """The query with the cases in the order of their due dates, after one of them."""
    due_at, name = table.c.due_at, table.c.id
    if after is not None:
        query = query.where(tuple_(due_at, name) > after)  # as a pair, an index finds the place
    return query.order_by(due_at, name)


def open_disputes(connection: Connection, now: datetime) -> OpenCases:
    """The disputes without an answer."""
    return _open(connection, DISPUTES, "resolved_at", now)


def open_reviews(connection: Connection, now: datetime) -> OpenCases:
    """The requests for a review without an answer."""
    return _open(connection, REVIEWS, "answered_at", now)


def _open(connection: Connection, table: Table, answer_column: str, now: datetime) -> OpenCases:
    is_open = table.c[answer_column].is_(None)
    count = select(func.count()).where(is_open)
    rows = connection.execute(
        select(table.c.id, table.c.due_at).where(is_open).order_by(table.c.due_at, table.c.id).limit(MAX_FIRST)
    )
    return OpenCases(
        connection.execute(count).scalar_one(),
        connection.execute(count.where(table.c.due_at < micros(now))).scalar_one(),
        tuple(OpenCase(name, moment(due)) for name, due in rows),
    )
