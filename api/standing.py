"""Standing: what may be used about a person now, which can be less than what the person's row was made from.

A row of features is of a moment; consent and objections are of this one. A class of evidence that the person no longer
consents to is withheld from the values at once, which is just what the next refresh or build would do. Ties whose other end
has withdrawn consent since take the relationship features with them. An item disputed, corrected or retracted since cannot
be taken out of sums that hold it: there is no answer then until the row is made again.

What the row takes into account is what the build's `seq` says. Beyond it are the events that wait until a build looks
from a later moment, and, for whoever is put off, all since the row was made.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import ColumnElement, Connection, Engine, and_, func, or_, select
from sqlalchemy.sql import FromClause

from api import builds, marks
from api.builds import Build
from api.catalogue import schema
from api.clock import micros, moment
from api.database import reading
from api.ledger import read
from api.tables import EVENTS, FEATURES, SCORES, WAITING
from api.watching import Kept
from engine.errors import Refused
from engine.lang.types import Value
from graph.touched import CHANGES, CONSENTS
from graph.view import consented

SAID: Final = EVENTS.alias("said")
UNKNOWN_HINT: Final = "check the id, or ask the person for consent"


@dataclass(frozen=True)
class Standing:
    """The feature values of a person that may be used now, missing ones absent, and the classes that are consented to.

    `at` is the build with the moments of the person's row, `made` with its own: those of the features of the whole graph.
    """

    values: dict[str, Value]
    classes: frozenset[str]
    at: Build
    made: Build
    kept: Kept | None


@dataclass(frozen=True)
class _Row:
    values: dict[str, Any]
    at: Build
    kept: Kept | None


def standing(engine: Engine, subject: str, now: datetime) -> Standing:
    """What may be used of a person now.

    Raises Refused: `not_ready` before the first build, `unknown_person` for nobody of that id or without consent (the two
    are not told apart), `features_stale` when the person's evidence was changed since the row was made.
    """
    with reading(engine) as connection:
        made = builds.ready(connection)
        stored = _stored(connection, made, subject)
        later = _later(connection, made, subject, stored)
        changed = _changed(connection, later, subject)
        lonely = _tie_withdrawn(connection, later, subject)
    classes = _consented(engine, subject, made.purpose, now)
    if stored is None or "identity" not in classes:
        message = f"unknown person, or no consent for `{made.purpose}`"
        raise Refused(message, where="subject", hint=UNKNOWN_HINT, code="unknown_person")
    if changed:  # only after consent: whoever gave none is not told apart from nobody
        hint = "try again when the features have been refreshed"
        raise Refused("the person's evidence has just changed", where="subject", hint=hint, code="features_stale")
    if lonely:
        classes -= {"relationship"}
    attributes = schema()
    values = {n: v for n, v in stored.values.items() if v is not None and attributes[n].data_class in classes}
    return Standing(values, frozenset(classes), stored.at, made, stored.kept)


def _stored(connection: Connection, made: Build, subject: str) -> _Row | None:
    beside = and_(SCORES.c.build == FEATURES.c.build, SCORES.c.person == FEATURES.c.person)
    query = select(FEATURES, SCORES.c.release, SCORES.c.flags).select_from(FEATURES.outerjoin(SCORES, beside))
    found = (
        connection.execute(query.where(FEATURES.c.build == made.id, FEATURES.c.person == subject)).mappings().first()
    )
    if found is None:
        return None
    times = (found["as_of"], found["known_at"], found["computed_at"])
    kept = None if found["flags"] is None else Kept(found["release"], json.loads(found["flags"]))
    return _Row(json.loads(found["values"]), _at(made, *times), kept)


def _at(made: Build, as_of: int | None, known_at: int | None, computed_at: int | None) -> Build:
    """The build with the row's own moments, if it has any."""
    if as_of is None or known_at is None or computed_at is None:
        return made
    return replace(made, as_of=moment(as_of), known_at=moment(known_at), computed_at=moment(computed_at))


def _later(connection: Connection, made: Build, subject: str, stored: _Row | None) -> ColumnElement[bool]:
    """Which of the events that change something are not in the person's row. They are few; `said` names them."""
    kinds = (*CHANGES, "consent.withdrawn")
    waiting = select(WAITING.c.seq).where(WAITING.c.build == made.id, WAITING.c.kind.in_(kinds))
    beyond = SAID.c.seq > made.seq
    if stored is not None and marks.of(connection, made.id, [subject]):
        beyond = and_(SAID.c.seq > made.events, SAID.c.recorded_at > micros(stored.at.known_at))
    return or_(beyond, SAID.c.seq.in_(waiting))


def _changed(connection: Connection, later: ColumnElement[bool], subject: str) -> bool:
    """Whether one of these changes evidence to which the person is a party, whoever sent it.

    What is changed is looked at, and what that in turn was about: a correction can be retracted.
    """
    item, behind = EVENTS.alias("item"), EVENTS.alias("behind")
    about = SAID.outerjoin(item, _referred(SAID, item)).outerjoin(behind, _referred(item, behind))
    touched = or_(*(t.c[side] == subject for t in (SAID, item, behind) for side in ("subject", "other")))
    query = select(SAID.c.seq).select_from(about).where(SAID.c.kind.in_(CHANGES), later, touched)
    return connection.execute(query.limit(1)).first() is not None


def _referred(said: FromClause, item: FromClause) -> ColumnElement[bool]:
    contributor = func.coalesce(said.c.ref_contributor, said.c.contributor)
    return and_(item.c.event_id == said.c.ref_event, item.c.contributor == contributor)


def _tie_withdrawn(connection: Connection, later: ColumnElement[bool], subject: str) -> bool:
    """Whether someone tied with the person is among those who withdraw a consent by one of these."""
    query = select(SAID.c.subject).where(SAID.c.kind == "consent.withdrawn", later, SAID.c.subject != subject)
    gone = set(connection.execute(query).scalars())
    if not gone:
        return False
    ties = select(EVENTS.c.subject, EVENTS.c.other).where(
        EVENTS.c.kind == "tie.formed", or_(EVENTS.c.subject == subject, EVENTS.c.other == subject)
    )
    return any(gone & {a, b} for a, b in connection.execute(ties))


def _consented(engine: Engine, subject: str, purpose: str, now: datetime) -> set[str]:
    events = read(engine, people=[subject], kinds=(*CONSENTS, "event.retracted"))
    latest: Any = events["recorded_at"].max()
    if latest is None:
        return set()
    return set(consented(events.filter(pl.col("subject") == subject), now, latest, purpose)["data_class"])
