"""Looks: a caller who opens a person's data states a purpose first, we record it, and the person can read it.

A look belongs to one caller and one person, or to one decision about the person, and ends after `LOOK_PERIOD`.
"""

import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, exists, insert, or_, select

from api.access.auth import Caller
from api.store.clock import micros, moment
from api.store.database import Database, reading, writing
from api.store.tables import DECISION_SUBJECTS, DECISIONS, EVENTS, LOOKS, is_enrolment_or_consent, is_tie
from engine.errors import Rejected

LOOK_PERIOD: Final = timedelta(minutes=15)
PAGE: Final = 100
MAX_SEARCH_RESULTS: Final = 20
SEARCH: Final = "search"  # the kind and the part of a look that shows an id alone
_LOOK_HINT: Final = "state a purpose first: POST /v1/people/{person}/looks, or POST /v1/decisions/{decision_id}/looks"


@dataclass(frozen=True)
class Look:
    """A look at a person. `part`: person, or decision (then `decision` names it), or search."""

    number: int
    id: str
    person: str
    role: str
    party: str
    kind: str
    purpose: str
    part: str
    decision: str | None
    at: datetime
    until: datetime


@dataclass(frozen=True)
class Purpose:
    """Why a caller looks: a kind, such as dispute, and the caller's own words."""

    kind: str
    text: str


def look_at_person(database: Database, caller: Caller, person: str, purpose: Purpose, now: datetime) -> Look:
    """Record a look at a person. Raises Rejected `unknown_person` if we store nothing about them."""
    with writing(database) as connection:
        if not _is_known(connection, person):
            raise Rejected("unknown person", where="person", hint="check the id", code="unknown_person")
        return _record(connection, caller, person, purpose, "person", None, now)


def look_at_decision(database: Database, caller: Caller, decision: str, purpose: Purpose, now: datetime) -> Look:
    """Record a look at one decision, and so at its person. Raises Rejected: `unknown_decision`; `erased`."""
    joined = DECISIONS.outerjoin(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    query = select(DECISION_SUBJECTS.c.subject).select_from(joined).where(DECISIONS.c.id == decision)
    with writing(database) as connection:
        row = connection.execute(query).first()
        if row is None:
            raise Rejected("unknown decision", where="decision_id", code="unknown_decision")
        if row.subject is None:
            hint = "its entry can still be verified: the person has left"
            raise Rejected("the record was erased", where="decision_id", hint=hint, code="erased")
        return _record(connection, caller, row.subject, purpose, "decision", decision, now)


def require_look(database: Database, caller: Caller, person: str, look: str | None, now: datetime) -> Look:
    """The caller's own look at this person, in force now. Raises Rejected `look_needed` for any other."""
    own_look = _in_force(database, caller, look, now)
    if own_look is None or own_look.person != person or own_look.part != "person":
        raise _look_needed()
    return own_look


def require_decision_look(
    database: Database, caller: Caller, subject: str, decision: str, look: str | None, now: datetime
) -> Look:
    """The caller's own look at this decision, or at its person. Raises Rejected `look_needed` for any other."""
    own_look = _in_force(database, caller, look, now)
    if (
        own_look is None
        or own_look.person != subject
        or own_look.decision not in (None, decision)
        or own_look.part == SEARCH
    ):
        raise _look_needed()
    return own_look


def search_people(database: Database, caller: Caller, prefix: str, now: datetime) -> list[str]:
    """The first ids of people that begin with `prefix`, at most `MAX_SEARCH_RESULTS`, in order. We record a look at each.

    Cost: one look-up by index for each id.
    """
    with writing(database) as connection:
        ids = list(_ids_from(connection, prefix))
        recent = _recently_searched(connection, caller, ids, now)
        purpose = Purpose(SEARCH, f"searched for ids that begin with {prefix}")
        for person in ids:
            if person not in recent:
                _record(connection, caller, person, purpose, SEARCH, None, now)
    return ids


def of_person(connection: Connection, person: str, before: int | None = None, limit: int | None = PAGE) -> list[Look]:
    """List the looks at a person, newest first, before the number `before`."""
    return _list(connection, LOOKS.c.person == person, before=before, limit=limit)


def list_looks(
    database: Database, before: int | None, limit: int, person: str | None = None, party: str | None = None
) -> list[Look]:
    """List all looks, newest first, or those at a person or of a party."""
    conditions = [LOOKS.c.person == person] if person is not None else []
    conditions += [LOOKS.c.party == party] if party is not None else []
    with reading(database) as connection:
        return _list(connection, *conditions, before=before, limit=limit)


def _list(connection: Connection, *conditions: Any, before: int | None, limit: int | None) -> list[Look]:
    query = select(LOOKS).where(*conditions).order_by(LOOKS.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(LOOKS.c.seq < before)
    return [_look(row) for row in connection.execute(query).mappings()]


def _record(
    connection: Connection,
    caller: Caller,
    person: str,
    purpose: Purpose,
    part: str,
    decision: str | None,
    now: datetime,
) -> Look:
    values = {
        **{"id": secrets.token_hex(16), "person": person, "role": caller.role, "party": caller.party},
        **{"kind": purpose.kind, "purpose": purpose.text, "part": part, "decision": decision},
        **{"at": micros(now), "until": micros(now + LOOK_PERIOD)},
    }
    row = connection.execute(insert(LOOKS).values(values).returning(*LOOKS.c)).mappings().one()
    return _look(row)


def _look(row: Any) -> Look:
    values = {name: value for name, value in row.items() if name != "seq"}
    return Look(**values | {"number": row["seq"], "at": moment(row["at"]), "until": moment(row["until"])})


def _in_force(database: Database, caller: Caller, look: str | None, now: datetime) -> Look | None:
    if look is None:
        return None
    is_own = (LOOKS.c.id == look) & (LOOKS.c.role == caller.role) & (LOOKS.c.party == caller.party)
    with reading(database) as connection:
        row = connection.execute(select(LOOKS).where(is_own, LOOKS.c.until > micros(now))).mappings().first()
    return None if row is None else _look(row)


def _look_needed() -> Rejected:
    """The same error without a look, for an ended look, and for one of another caller or person."""
    return Rejected("no look of yours at this is in force", where="look", hint=_LOOK_HINT, code="look_needed")


def _is_known(connection: Connection, person: str) -> bool:
    """Whether we store anything about a person of this id. A merchant is no person."""
    conditions: tuple[ColumnElement[bool], ...] = (
        exists().where(EVENTS.c.subject == person, is_enrolment_or_consent(EVENTS)),
        exists().where(EVENTS.c.subject == person, is_tie(EVENTS)),
        exists().where(EVENTS.c.other == person, is_tie(EVENTS)),
        exists().where(DECISION_SUBJECTS.c.subject == person),
    )
    return bool(connection.execute(select(or_(*conditions))).scalar())


def _ids_from(connection: Connection, prefix: str) -> Iterator[str]:
    """The ids of people that begin with `prefix`, in order: from each to the next, by index."""
    key: ColumnElement[str] = EVENTS.c.subject
    if connection.dialect.name == "postgresql":
        key = EVENTS.c.subject.collate("C")
    query = select(EVENTS.c.subject).where(is_enrolment_or_consent(EVENTS)).order_by(key).limit(1)
    condition = key >= prefix
    for _ in range(MAX_SEARCH_RESULTS):
        person = connection.execute(query.where(condition)).scalar()
        if person is None or not person.startswith(prefix):
            return
        yield person
        condition = key > person


def _recently_searched(
    connection: Connection, caller: Caller, people: Collection[str], now: datetime
) -> frozenset[str]:
    """The people among these that the same caller saw by a search whose look is still in force: one record is enough."""
    is_own = (LOOKS.c.role == caller.role) & (LOOKS.c.party == caller.party) & (LOOKS.c.part == SEARCH)
    query = select(LOOKS.c.person).where(LOOKS.c.person.in_(sorted(people)), is_own, LOOKS.c.until > micros(now))
    return frozenset(connection.execute(query).scalars())
