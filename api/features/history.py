"""History: each person's scores as they changed, one row for each that differs from the one before."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, literal, or_, select

from api.clock import micros
from api.tables import SCORE_HISTORY, SCORES


def follow(connection: Connection, build: int, at: datetime, people: Collection[str] | None = None) -> None:
    """Add the scores of a build, of everyone or of these `people`, that differ from their last one. One statement."""
    whom = SCORES.c.build == build
    if people is not None:
        whom = and_(whom, SCORES.c.person.in_(sorted(people)))
    earlier = SCORE_HISTORY.alias("earlier")
    newest = select(func.max(earlier.c.seq)).where(earlier.c.person == SCORES.c.person).scalar_subquery()
    differs = or_(
        SCORE_HISTORY.c.seq.is_(None),
        SCORE_HISTORY.c.score.is_distinct_from(SCORES.c.score),
        SCORE_HISTORY.c.band.is_distinct_from(SCORES.c.band),
    )
    changed = (
        select(SCORES.c.person, literal(micros(at)), SCORES.c.release, SCORES.c.score, SCORES.c.band)
        .select_from(SCORES.outerjoin(SCORE_HISTORY, SCORE_HISTORY.c.seq == newest))
        .where(whom, differs)
    )
    connection.execute(insert(SCORE_HISTORY).from_select(["person", "at", "release", "score", "band"], changed))


def of_person(connection: Connection, person: str) -> list[dict[str, Any]]:
    """The person's scores, oldest first."""
    query = select(SCORE_HISTORY).where(SCORE_HISTORY.c.person == person).order_by(SCORE_HISTORY.c.seq)
    return [dict(row) for row in connection.execute(query).mappings()]
