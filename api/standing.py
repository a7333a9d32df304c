"""Standing: what may be used about a person now, which can be less than what the last build saw.

A build is of a moment; consent and objections are of this one. A class of evidence that the person no longer consents to
is withheld from the values at once, which is just what the next build would do. Ties whose other end has withdrawn
consent since take the relationship features with them. An item disputed, corrected or retracted since the build cannot
be taken out of sums that hold it: there is no answer then until the next build.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import ColumnElement, Connection, Engine, and_, func, or_, select
from sqlalchemy.sql import FromClause

from api.builds import Build
from api.catalogue import schema
from api.clock import micros
from api.database import reading
from api.ledger import read
from api.tables import EVENTS, FEATURES
from engine.errors import Refused
from engine.lang.types import Value
from graph.view import consented

CONSENT: Final = ("consent.granted", "consent.withdrawn")
CHANGING: Final = ("dispute.opened", "dispute.resolved", "event.corrected", "event.retracted")
UNKNOWN_HINT: Final = "check the id, or ask the person for consent"


@dataclass(frozen=True)
class Standing:
    """The feature values of a person that may be used now, missing ones absent, and the classes that are consented to."""

    values: dict[str, Value]
    classes: frozenset[str]


def standing(engine: Engine, made: Build, subject: str, now: datetime) -> Standing:
    """What may be used of a person now.

    Raises Refused: `unknown_person` for nobody of that id or without consent (the two are not told apart),
    `features_stale` when the person's evidence was changed since the build.
    """
    with reading(engine) as connection:
        stored = _stored(connection, made, subject)
        changed = _changed(connection, made, subject)
        lonely = _tie_withdrawn(connection, made, subject)
    classes = _consented(engine, subject, made.purpose, now)
    if stored is None or "identity" not in classes:
        message = f"unknown person, or no consent for `{made.purpose}`"
        raise Refused(message, where="subject", hint=UNKNOWN_HINT, code="unknown_person")
    if changed:  # only after consent: whoever gave none is not told apart from nobody
        hint = "try again after the next build"
        raise Refused("the person's evidence has just changed", where="subject", hint=hint, code="features_stale")
    if lonely:
        classes -= {"relationship"}
    attributes = schema()
    values = {n: v for n, v in stored.items() if v is not None and attributes[n].data_class in classes}
    return Standing(values, frozenset(classes))


def _stored(connection: Connection, made: Build, subject: str) -> dict[str, Any] | None:
    query = select(FEATURES.c["values"]).where(FEATURES.c.build == made.id, FEATURES.c.person == subject)
    text = connection.execute(query).scalar()
    found: dict[str, Any] | None = None if text is None else json.loads(text)
    return found


def _changed(connection: Connection, made: Build, subject: str) -> bool:
    """Whether an event recorded after the build changes evidence to which the person is a party, whoever sent it.

    What is changed is looked at, and what that in turn was about: a correction can be retracted.
    """
    said, item, behind = EVENTS.alias("said"), EVENTS.alias("item"), EVENTS.alias("behind")
    later = (said.c.seq > made.events) & (said.c.recorded_at > micros(made.known_at))
    about = said.outerjoin(item, _referred(said, item)).outerjoin(behind, _referred(item, behind))
    touched = or_(*(t.c[side] == subject for t in (said, item, behind) for side in ("subject", "other")))
    query = select(said.c.seq).select_from(about).where(said.c.kind.in_(CHANGING), later, touched)
    return connection.execute(query.limit(1)).first() is not None


def _referred(said: FromClause, item: FromClause) -> ColumnElement[bool]:
    contributor = func.coalesce(said.c.ref_contributor, said.c.contributor)
    return and_(item.c.event_id == said.c.ref_event, item.c.contributor == contributor)


def _tie_withdrawn(connection: Connection, made: Build, subject: str) -> bool:
    """Whether someone tied with the person has withdrawn a consent since the build."""
    later = (EVENTS.c.seq > made.events) & (EVENTS.c.recorded_at > micros(made.known_at))
    query = select(EVENTS.c.subject).where(EVENTS.c.kind == "consent.withdrawn", later, EVENTS.c.subject != subject)
    gone = set(connection.execute(query).scalars())
    if not gone:
        return False
    ties = select(EVENTS.c.subject, EVENTS.c.other).where(
        EVENTS.c.kind == "tie.formed", or_(EVENTS.c.subject == subject, EVENTS.c.other == subject)
    )
    return any(gone & {a, b} for a, b in connection.execute(ties))


def _consented(engine: Engine, subject: str, purpose: str, now: datetime) -> set[str]:
    events = read(engine, people=[subject], kinds=(*CONSENT, "event.retracted"))
    latest: Any = events["recorded_at"].max()
    if latest is None:
        return set()
    return set(consented(events.filter(pl.col("subject") == subject), now, latest, purpose)["data_class"])
