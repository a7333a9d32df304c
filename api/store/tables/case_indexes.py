"""Indexes of cases by due date."""

from sqlalchemy import Index, text


def waiting_index(table: str, answered_at: str) -> Index:
    """The cases without an answer, the most urgent first: the answered ones, which are many and older, are not in it."""
    condition = text(f"{answered_at} IS NULL")
    return Index(f"{table}_waiting", "due_at", "id", sqlite_where=condition, postgresql_where=condition)
