"""Score history: one row for each change of a person's score."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, literal, or_, select

from api.store.clock import micros
from api.store.tables import SCORE_HISTORY, SCORES


def append_changes(connection: Connection, build: int, at: datetime, people: Collection[str] | None = None) -> None:
    """Append the scores of a build that differ from the person's last one, of everyone or of `people`. One SQL statement."""
    in_build = SCORES.c.build == build
    if people is not None:
        in_build = and_(in_build, SCORES.c.person.in_(sorted(people)))
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
        .where(in_build, differs)
    )
    connection.execute(insert(SCORE_HISTORY).from_select(["person", "at", "release", "score", "band"], changed))


def of_person(connection: Connection, person: str) -> list[dict[str, Any]]:
    """List the person's scores, oldest first, as rows of `score_history`."""
    query = select(SCORE_HISTORY).where(SCORE_HISTORY.c.person == person).order_by(SCORE_HISTORY.c.seq)
    return [dict(row) for row in connection.execute(query).mappings()]
