"""Tables of evidence: the ledger. `events` is append-only: triggers in the database refuse UPDATE, and DELETE except
during the erasure of a person.

`events` has three indexes. The unique key makes sending twice harmless. The two on `subject` and `other` find one
person's evidence; they cost about as much as the rest of an insert together, so a bulk load into a small ledger
drops these two and builds them once at its end (`api/evidence/load.py`). There is none on times: `extent` keeps the last ones.
Seven more are of few events each, and stay: statements about an event; changes of others; ties, links, consents and
enrolments by person.
"""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, ColumnElement, FromClause, Index, Integer, UniqueConstraint, column, table
from sqlmodel import Field, SQLModel

from api.store.statements import Condition, is_one_of

# SQLite numbers rows by itself only in a column of exactly the type INTEGER, which holds 64 bits there.
SEQ = BigInteger().with_variant(Integer, "sqlite")

# Conditions of the indexes on few events. SQLite uses one only where a query says its condition in these very words.


def has_reference(events: FromClause) -> ColumnElement[bool]:
    """The condition that an event is about another event."""
    return events.c.ref_event.is_not(None)


def is_enrolment_or_consent(events: FromClause) -> ColumnElement[bool]:
    """The condition that an event enrols a person or changes a consent."""
    return is_one_of(events.c.kind, ("person.enrolled", "consent.granted", "consent.withdrawn"))


def is_change(events: FromClause) -> ColumnElement[bool]:
    """The condition that an event can change the effect of other events."""
    return is_one_of(events.c.kind, _CHANGE_KINDS)


def is_tie(events: FromClause) -> ColumnElement[bool]:
    """The condition that an event forms or ends a tie."""
    return is_one_of(events.c.kind, ("tie.formed", "tie.ended"))


def is_link(events: FromClause) -> ColumnElement[bool]:
    """The condition that an event says that two ids are one person."""
    return is_one_of(events.c.kind, ("person.same_as",))


_CHANGE_KINDS: Final = ("consent.withdrawn", "dispute.opened", "dispute.resolved", "event.corrected", "event.retracted")
_CONDITION_COLUMNS: Final = table("events", column("kind"), column("ref_event"))


def _partial_index(name: str, key: str, condition: Condition) -> Index:
    where = condition(_CONDITION_COLUMNS)
    return Index(name, key, sqlite_where=where, postgresql_where=where)


class EventRow(SQLModel, table=True):
    """One event, in the columns of `graph.evidence.events.SCHEMA`; `seq` is the order of appending and is never used twice."""

    __tablename__: ClassVar[str] = "events"
    __table_args__ = (
        UniqueConstraint("contributor", "event_id", name="one_event_id_per_contributor"),
        Index("events_of_subject", "subject"),
        Index("events_of_other", "other"),
        _partial_index("events_about", "ref_event", has_reference),
        _partial_index("events_of_standing", "subject", is_enrolment_or_consent),
        _partial_index("events_that_change", "seq", is_change),
        _partial_index("ties_of_subject", "subject", is_tie),
        _partial_index("ties_of_other", "other", is_tie),
        _partial_index("links_of_subject", "subject", is_link),
        _partial_index("links_of_other", "other", is_link),
        {"sqlite_autoincrement": True},
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQ)
    contributor: str
    event_id: str
    kind: str
    subject: str
    other: str | None = None
    happened_at: int = Field(sa_type=BigInteger)
    recorded_at: int = Field(sa_type=BigInteger)
    identity_level: int | None = None
    tie: str | None = None
    strength: int | None = None
    amount: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = None
    category: str | None = None
    channel: str | None = None
    obligation: str | None = None
    due: int | None = None
    order: str | None = None
    days_late: int | None = None
    purpose: str | None = None
    classes: str | None = None
    service: str | None = None
    until: int | None = Field(default=None, sa_type=BigInteger)
    ref_contributor: str | None = None
    ref_event: str | None = None
    outcome: str | None = None
    statement: str | None = None
    fields: str | None = None
    data: str | None = None  # JSON: the declared fields that have no column


class ExtentRow(SQLModel, table=True):
    """One row: the number of events and the latest times. Each append updates it, so that you can read it cheaply."""

    __tablename__: ClassVar[str] = "extent"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    events: int = Field(sa_type=BigInteger)
    recorded_at: int | None = Field(default=None, sa_type=BigInteger)
    happened_at: int | None = Field(default=None, sa_type=BigInteger)


class MoveRow(SQLModel, table=True):
    """An event that a correction gives another `other`, so that we find it by the new party. Each append updates it."""

    __tablename__: ClassVar[str] = "corrected_parties"

    other: str = Field(primary_key=True)
    contributor: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)


EVENTS: Final = SQLModel.metadata.tables["events"]
CORRECTED_PARTIES: Final = SQLModel.metadata.tables["corrected_parties"]
EXTENT: Final = SQLModel.metadata.tables["extent"]
