"""Standing: what may be used about people now, which can be less than what their rows were made from.

A row of features is of a moment; consent and objections are of this one. A class of evidence that a person no longer
consents to is withheld from the values at once, which is just what the next refresh or build would do. Ties whose other end
has withdrawn consent since take the relationship features with them. An item disputed, corrected or retracted since cannot
be taken out of sums that hold it: there is no answer then until the row is made again.

What a row takes into account is what the build's `seq` says. Beyond it are the events that wait until a build looks
from a later moment, and, for whoever is put off, all since the row was made.

All is read for many people by one query each, whoever they are and whether they consent or not: nothing of it shows in how long it takes.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, or_, select
from sqlalchemy.sql import FromClause

from api.catalogue import schema
from api.clock import micros, moment
from api.consent import permissions
from api.consent.permissions import Pair
from api.database import Query, fetched, reading
from api.features import builds
from api.features.builds import Build
from api.features.watching import Kept
from api.tables import CHANGING, EVENTS, WAITING
from engine.errors import Refused
from engine.lang.types import Value
from graph.touched import CHANGES
from graph.vocabulary import CLASSES

UNKNOWN: Final = "unknown_person"
SAID: Final = EVENTS.alias("said")
UNKNOWN_HINT: Final = "check the id, or ask the person for consent"
_KINDS: Final = (*CHANGES, "consent.withdrawn")
_BUILD: Final = "(SELECT max(id) FROM builds)"
_ROW: Final = f"""
SELECT f.person, f."values", f.as_of, f.known_at, f.computed_at,
    (SELECT s.release FROM scores AS s WHERE s.build = f.build AND s.person = f.person),
    (SELECT s.flags FROM scores AS s WHERE s.build = f.build AND s.person = f.person),
    (SELECT m.seq FROM marks AS m WHERE m.build = f.build AND m.person = f.person)
FROM features AS f WHERE f.build = {_BUILD}
"""
_ROWS: Final = f"{_ROW} AND f.person IN {{people}}"
_ANYBODY: Final = f"{_ROW} ORDER BY f.person LIMIT 1"
_LATER: Final = f"""
SELECT 1 WHERE EXISTS (
    SELECT 1 FROM events WHERE seq > (SELECT seq FROM builds WHERE id = {_BUILD}) AND {CHANGING}
) OR EXISTS (SELECT 1 FROM waiting WHERE build = {_BUILD} AND {CHANGING})
"""


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
class Standings:
    """What may be used by (person, service), or why nothing; and somebody to stand in where nothing may."""

    found: dict[Pair, Standing | Refused]
    anybody: Standing


@dataclass(frozen=True)
class _Row:
    values: dict[str, Any]
    at: Build
    kept: Kept | None
    put_off: bool


def standing(engine: Engine, subject: str, now: datetime) -> Standing:
    """What may be used of a person now, by the house itself.

    Raises Refused: `not_ready` before the first build, `unknown_person` for nobody of that id or without consent (the two
    are not told apart), `features_stale` when the person's evidence was changed since the row was made.
    """
    with reading(engine) as connection:
        made = builds.ready(connection)
        rows = fetched(connection, *known_of([subject], now))
        found = standings(connection, made, [(subject, None)], now, rows).found[subject, None]
    if isinstance(found, Refused):
        raise found
    return found


def known_of(people: Collection[str], now: datetime) -> tuple[Query, ...]:
    """What `standings` takes the rows of."""
    rows = Query(_ROWS, {"people": sorted(people)})
    return rows, Query(_ANYBODY), permissions.said(people, now), Query(_LATER)


def standings(
    connection: Connection, made: Build, pairs: Collection[Pair], now: datetime, known: Sequence[list[tuple[Any, ...]]]
) -> Standings:
    """What each service may use of each person now, or why there is no answer: `unknown_person`, `features_stale`."""
    stored, someone, said, later_there = known
    people = sorted({subject for subject, _ in pairs})
    rows = dict(_stored(made, stored))
    # Whoever has no row costs the reading of somebody else's; everyone else's stand-in is read as well.
    instead = [row for _ in range(1 + len(people) - len(rows)) for _, row in _stored(made, someone)]
    classes = permissions.in_force(said, pairs, now)
    any_later = bool(later_there)
    changed, lonely = set(), set()
    for person in people:
        row = rows.get(person)
        if any_later or (row and row.put_off):
            later = _later(made, row)
            changed |= {person} if _changed(connection, later, person) else set()
            lonely |= {person} if _tie_withdrawn(connection, later, person) else set()
    lonely_classes = {person: frozenset({"relationship"}) for person in lonely}
    found: dict[Pair, Standing | Refused] = {}
    for subject, service in pairs:
        agreed = classes[subject, service]
        if "identity" not in agreed or subject not in rows:
            found[subject, service] = unknown(made.purpose)
        elif subject in changed:  # only after consent: whoever gave none is not told apart from nobody
            hint = "try again when the features have been refreshed"
            stale = Refused("the person's evidence has just changed", where="subject", hint=hint, code="features_stale")
            found[subject, service] = stale
        else:
            found[subject, service] = _of(rows[subject], made, agreed - lonely_classes.get(subject, frozenset()))
    stands_in = [_of(row, made, frozenset(CLASSES)) for row in instead]
    anybody = stands_in[0] if stands_in else Standing({}, frozenset(), made, made, None)
    return Standings(found, anybody)


def unknown(purpose: str) -> Refused:
    """What is said of nobody, and of whoever has not consented."""
    return Refused(f"unknown person, or no consent for `{purpose}`", where="subject", hint=UNKNOWN_HINT, code=UNKNOWN)


def _of(row: _Row, made: Build, classes: frozenset[str]) -> Standing:
    attributes = schema()
    values = {n: v for n, v in row.values.items() if v is not None and attributes[n].data_class in classes}
    return Standing(values, classes, row.at, made, row.kept)


def _stored(made: Build, rows: list[tuple[Any, ...]]) -> Iterator[tuple[str, _Row]]:
    for person, values, as_of, known_at, computed_at, release, flags, marked in rows:
        kept = None if flags is None else Kept(release, json.loads(flags))
        yield person, _Row(json.loads(values), _at(made, as_of, known_at, computed_at), kept, marked is not None)


def _at(made: Build, as_of: int | None, known_at: int | None, computed_at: int | None) -> Build:
    """The build with the row's own moments, if it has any."""
    if as_of is None or known_at is None or computed_at is None:
        return made
    return replace(made, as_of=moment(as_of), known_at=moment(known_at), computed_at=moment(computed_at))


def _later(made: Build, row: _Row | None) -> ColumnElement[bool]:
    """Which of the events that change something are not in the person's row. They are few; `said` names them."""
    waiting = select(WAITING.c.seq).where(WAITING.c.build == made.id, WAITING.c.kind.in_(_KINDS))
    beyond = SAID.c.seq > made.seq
    if row is not None and row.put_off:
        beyond = and_(SAID.c.seq > made.events, SAID.c.recorded_at > micros(row.at.known_at))
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
