"""Evidence: what is in the ledger. `events` is append-only: triggers in the database itself refuse UPDATE, and DELETE but of
whoever is being erased.

`events` has three indexes. The unique key makes sending twice harmless. The two on `subject` and `other` find one
person's evidence; they cost about as much as the rest of an insert together, so a bulk load into a small ledger
drops these two and builds them once at its end (`api/evidence/load.py`). There is none on times: `extent` keeps the last ones.
Five more are of few events each, and stay: what is said about an event; what changes others; ties, consents and enrolments by
person.
"""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, Index, Integer, UniqueConstraint, text
from sqlmodel import Field, SQLModel

# SQLite numbers rows by itself only in a column of exactly the type INTEGER, which holds 64 bits there.
SEQ = BigInteger().with_variant(Integer, "sqlite")

# Conditions of the indexes on few events. SQLite uses one only where a query says its condition in these very words.
REFERRING: Final = "ref_event IS NOT NULL"
STANDING: Final = "kind IN ('person.enrolled', 'consent.granted', 'consent.withdrawn')"
CHANGING: Final = (
    "kind IN ('consent.withdrawn', 'dispute.opened', 'dispute.resolved', 'event.corrected', 'event.retracted')"
)
TIED: Final = "kind IN ('tie.formed', 'tie.ended')"


def _few(name: str, column: str, condition: str) -> Index:
    return Index(name, column, sqlite_where=text(condition), postgresql_where=text(condition))


class Event(SQLModel, table=True):
    """One event, in the columns of `graph.events.SCHEMA`; `seq` is the order of appending and is never used twice."""

    __tablename__: ClassVar[str] = "events"
    __table_args__ = (
        UniqueConstraint("contributor", "event_id", name="one_event_id_per_contributor"),
        Index("events_of_subject", "subject"),
        Index("events_of_other", "other"),
        _few("events_about", "ref_event", REFERRING),
        _few("events_of_standing", "subject", STANDING),
        _few("events_that_change", "seq", CHANGING),
        _few("ties_of_subject", "subject", TIED),
        _few("ties_of_other", "other", TIED),
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


class Extent(SQLModel, table=True):
    """One row: how many events there are and the latest times among them. Kept by each append, so that asking is cheap."""

    __tablename__: ClassVar[str] = "extent"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    events: int = Field(sa_type=BigInteger)
    recorded_at: int | None = Field(default=None, sa_type=BigInteger)
    happened_at: int | None = Field(default=None, sa_type=BigInteger)


class Move(SQLModel, table=True):
    """An event that a correction gives another `other`: so that it is found from whom it was moved to. Kept by each append."""

    __tablename__: ClassVar[str] = "moves"

    other: str = Field(primary_key=True)
    contributor: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)


EVENTS: Final = SQLModel.metadata.tables["events"]
MOVES: Final = SQLModel.metadata.tables["moves"]
