"""What a contributor sees again: its sendings, what was refused of them, and its events with what was said of them since."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, RowMapping, and_, delete, func, or_, select, text

from api.clock import micros, moment
from api.database import reading, writing
from api.evidence import withheld
from api.tables import EVENTS, MOVES, REFERRING, SUBMISSIONS
from engine.errors import Refused

KEPT: Final = timedelta(days=90)  # how long a sending is told of; what was accepted of it is in the ledger
_SAID: Final = {  # of an event by another: the kind -> the word
    "event.corrected": "corrected",
    "event.retracted": "retracted",
    "dispute.opened": "disputed",
    "dispute.resolved": "dispute_resolved",
}


@dataclass(frozen=True)
class Submission:
    """A sending. `problems`: of each row refused for its own sake its `row`, `event_id` and `reason`."""

    id: str
    received_at: datetime
    rows: int
    accepted: int
    duplicates: int
    refused: int
    problems: list[dict[str, Any]]


@dataclass(frozen=True)
class Said:
    """What was said of an event."""

    what: str
    recorded_at: datetime
    outcome: str | None = None


@dataclass(frozen=True)
class Recorded:
    """That an event was recorded, and what was said of it since, in order. Not what it says: that is the contributor's own, and
    is not kept of somebody who has left.
    """

    event_id: str
    recorded_at: datetime
    since: list[Said]


def sent(engine: Engine, contributor: str, most: int, before: str | None = None) -> list[Submission]:
    """The contributor's sendings, newest first; those older than `before`. Raises Refused `unknown_submission`."""
    at = (SUBMISSIONS.c.received_at, SUBMISSIONS.c.id)
    query = select(SUBMISSIONS).where(SUBMISSIONS.c.contributor == contributor)
    with reading(engine) as connection:
        if before is not None:
            last = _row(connection, contributor, before)
            received, name = last["received_at"], last["id"]
            query = query.where(or_(at[0] < received, and_(at[0] == received, at[1] < name)))
        rows = connection.execute(query.order_by(*(c.desc() for c in at)).limit(most)).mappings()
        return [_submission(row) for row in rows]


def submission(engine: Engine, contributor: str, name: str) -> Submission:
    """One of them. Raises Refused `unknown_submission`: whether another's is called so is not told."""
    with reading(engine) as connection:
        return _submission(_row(connection, contributor, name))


def drop_old(engine: Engine, now: datetime) -> int:
    """Take away the sendings that were kept for long enough; how many that were."""
    old = SUBMISSIONS.c.received_at <= micros(now - KEPT)
    with reading(engine) as connection:
        if not connection.execute(select(func.count()).where(old)).scalar_one():
            return 0
    with writing(engine) as connection:
        return connection.execute(delete(SUBMISSIONS).where(old)).rowcount


def _row(connection: Connection, contributor: str, name: str) -> RowMapping:
    query = select(SUBMISSIONS).where(SUBMISSIONS.c.id == name, SUBMISSIONS.c.contributor == contributor)
    found = None if "\0" in name else connection.execute(query).mappings().first()
    if found is None:
        hint = "GET /v1/events/submissions lists yours"
        raise Refused("unknown submission", where="submission", hint=hint, code="unknown_submission")
    return found


def _submission(row: RowMapping) -> Submission:
    counts = {c: row[c] for c in ("rows", "accepted", "duplicates", "refused")}
    return Submission(row["id"], moment(row["received_at"]), problems=json.loads(row["problems"]), **counts)


def recorded(engine: Engine, contributor: str, event_id: str) -> Recorded:
    """The contributor's own event. Raises Refused `unknown_event`: whether another's is called so is not told."""
    own = select(EVENTS).where(EVENTS.c.contributor == contributor, EVENTS.c.event_id == event_id)
    key = contributor, event_id
    with reading(engine) as connection:
        row = None if "\0" in event_id else connection.execute(own).mappings().first()
        parties = set() if row is None else {row["subject"], row["other"], *_moved_to(connection, key)}
        row = row or withheld.of(connection, key)
        if row is None:
            hint = "it is your own event's id, as it was accepted"
            raise Refused("unknown event", where="event_id", hint=hint, code="unknown_event")
        since = _since(connection, key, parties)
    return Recorded(event_id, moment(row["recorded_at"]), since)


def _moved_to(connection: Connection, key: withheld.Key) -> Iterable[str]:
    same = (MOVES.c.contributor == key[0]) & (MOVES.c.event_id == key[1])
    return connection.execute(select(MOVES.c.other).where(same)).scalars()


def _since(connection: Connection, key: withheld.Key, parties: Collection[str]) -> list[Said]:
    """What counts of what was said: the contributor's own word, and the disputes of the event's parties."""
    whose = func.coalesce(EVENTS.c.ref_contributor, EVENTS.c.contributor)
    about = select(EVENTS).where(text(REFERRING), EVENTS.c.ref_event == key[1], whose == key[0])
    rows = connection.execute(about.order_by(EVENTS.c.seq)).mappings().all()
    told = [row for row in rows if _counts(row, key[0], parties)]
    here = [(row["contributor"], row["event_id"]) for row in rows]
    told = sorted([*told, *withheld.about(connection, key, here)], key=lambda row: int(row["recorded_at"]))
    return [Said(_SAID[row["kind"]], moment(row["recorded_at"]), row["outcome"]) for row in told]


def _counts(row: RowMapping, contributor: str, parties: Collection[str]) -> bool:
    if row["kind"].startswith("event."):
        return bool(row["contributor"] == contributor)
    return row["kind"].startswith("dispute.") and row["subject"] in parties
