"""The mark of a database that we filled with demo data. Every page shows it, and only there do we simulate activity, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert, select, update

from api.store.clock import micros, moment
from api.store.database import Database, reading, writing
from api.store.tables import DEMO_MARK

_ID: Final = 1


@dataclass(frozen=True)
class DemoMark:
    """What the database holds. `events`: the number of events of the demo's evidence, None while it is being loaded.

    `activity_from`: when the simulated activity begins, None if there is none; `activity_to` is None if it was not completed.
    `person`: whom a newcomer may sign in as.
    """

    evidence: str
    town_people: int
    loaded_at: datetime
    events: int | None = None
    activity_from: datetime | None = None
    activity_to: datetime | None = None
    person: str | None = None


def read_mark(database: Database) -> DemoMark | None:
    """The mark; None for a database without demo data."""
    with reading(database) as connection:
        row = connection.execute(select(DEMO_MARK)).mappings().first()
    return None if row is None else _mark_of(dict(row))


def begin_load(database: Database, mark: DemoMark) -> None:
    """Mark an empty database, before its evidence is loaded."""
    row = {
        "id": _ID,
        "evidence": mark.evidence,
        "town_people": mark.town_people,
        "loaded_at": micros(mark.loaded_at),
    }
    with writing(database) as connection:
        connection.execute(insert(DEMO_MARK).values(row))


def end_load(database: Database, events: int) -> None:
    """Record how many events the demo's evidence has: more than these are somebody else's."""
    _change(database, {"events": events})


def begin_activity(database: Database, at: datetime) -> bool:
    """Claim the activity. Returns whether it is ours: only one process, once, gets it."""
    is_free = DEMO_MARK.c.activity_from.is_(None)
    with writing(database) as connection:
        changed = connection.execute(update(DEMO_MARK).where(is_free).values(activity_from=micros(at)))
        return changed.rowcount == 1


def end_activity(database: Database, at: datetime, person: str | None) -> None:
    """Record that the activity is complete."""
    _change(database, {"activity_to": micros(at), "person": person})


def _change(database: Database, values: Mapping[str, object]) -> None:
    with writing(database) as connection:
        connection.execute(update(DEMO_MARK).values(values))


def _mark_of(row: Mapping[str, Any]) -> DemoMark:
    at = {name: None if row[name] is None else moment(row[name]) for name in ("activity_from", "activity_to")}
    return DemoMark(
        row["evidence"], row["town_people"], moment(row["loaded_at"]), row["events"], **at, person=row["person"]
    )
