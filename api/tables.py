"""The tables, one class each. Every column named `*_at`, and `until`, is a time: microseconds since 1970-01-01 UTC in a
BIGINT; `due` is a day: days since 1970-01-01. Integers, because both databases load, compare and sort them fastest and
neither can shift them by a time zone. Money is an integer in minor units of `currency`.

`events` and `decisions` are append-only: triggers of the first migration refuse UPDATE and DELETE in the database itself.

`events` has three indexes. The unique key makes sending twice harmless. The two on `subject` and `other` find one
person's evidence; they cost about as much as the rest of an insert together, so a bulk load into a small ledger
drops these two and builds them once at its end (`api/load.py`). There is none on times: `extent` keeps the last ones.
Four more are of few events each, and stay: what is said about an event; ties, consents and enrolments by person.
"""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, Index, Integer, UniqueConstraint, text
from sqlmodel import Field, SQLModel

# SQLite numbers rows by itself only in a column of exactly the type INTEGER, which holds 64 bits there.
_SEQ = BigInteger().with_variant(Integer, "sqlite")

# Conditions of the indexes on few events. SQLite uses one only where a query says its condition in these very words.
REFERRING: Final = "ref_event IS NOT NULL"
STANDING: Final = "kind IN ('person.enrolled', 'consent.granted', 'consent.withdrawn')"
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
        _few("ties_of_subject", "subject", TIED),
        _few("ties_of_other", "other", TIED),
        {"sqlite_autoincrement": True},
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=_SEQ)
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


class Token(SQLModel, table=True):
    """A key to the API: whose it is and what it may do. Only the SHA-256 of its secret is kept."""

    __tablename__: ClassVar[str] = "tokens"
    __table_args__ = (UniqueConstraint("digest", name="one_token_per_digest"),)

    id: str = Field(primary_key=True)
    name: str
    role: str
    party: str | None = None  # the merchant, contributor or subject it speaks for
    digest: str
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)
    last_used_at: int | None = Field(default=None, sa_type=BigInteger)


class Build(SQLModel, table=True):
    """One computation of everyone's features: as of when, knowing what, for which purpose, by which catalogue."""

    __tablename__: ClassVar[str] = "builds"
    __table_args__ = {"sqlite_autoincrement": True}  # SQLAlchemy reads it off the class

    id: int | None = Field(default=None, primary_key=True)
    as_of: int = Field(sa_type=BigInteger)
    known_at: int = Field(sa_type=BigInteger)
    purpose: str
    computed_at: int = Field(sa_type=BigInteger)
    catalogue: str  # the catalogue's hash
    events: int = Field(sa_type=BigInteger)
    people: int = Field(sa_type=BigInteger)
    follows: bool  # the clock: a refresh looks from now; otherwise from the build's own moment
    seq: int = Field(sa_type=BigInteger)  # the last event that the rows of everyone take into account
    seen: int = Field(sa_type=BigInteger)  # how many events that are
    later: int = Field(sa_type=BigInteger)  # how many of them happened after the moment of a build that does not follow
    refreshed_at: int | None = Field(default=None, sa_type=BigInteger)


class Features(SQLModel, table=True):
    """A person's feature values in a build, as JSON text. Times that are null are the build's; a refreshed row has its own."""

    __tablename__: ClassVar[str] = "features"

    build: int = Field(primary_key=True, foreign_key="builds.id")
    person: str = Field(primary_key=True)
    values: str
    as_of: int | None = Field(default=None, sa_type=BigInteger)
    known_at: int | None = Field(default=None, sa_type=BigInteger)
    computed_at: int | None = Field(default=None, sa_type=BigInteger)


class Mark(SQLModel, table=True):
    """A person whose row in a build is not refreshed yet: one of too many, or with too many events to be done with others."""

    __tablename__: ClassVar[str] = "marks"

    build: int = Field(primary_key=True, foreign_key="builds.id")
    person: str = Field(primary_key=True)
    seq: int = Field(sa_type=BigInteger)  # of the last event that touched the person
    astray: str  # classes, comma-separated, of which what the whole graph says must be withheld


class Waiting(SQLModel, table=True):
    """An event that a refresh saw before its time: what it says begins, or ends, at `at`."""

    __tablename__: ClassVar[str] = "waiting"
    __table_args__ = (Index("waiting_until", "build", "at"), Index("waiting_of_kind", "build", "kind"))

    build: int = Field(primary_key=True, foreign_key="builds.id")
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    at: int = Field(primary_key=True, sa_type=BigInteger)
    kind: str


class Score(SQLModel, table=True):
    """A person's score in a build under a release; null where there is too little to score."""

    __tablename__: ClassVar[str] = "scores"

    build: int = Field(primary_key=True, foreign_key="builds.id")
    person: str = Field(primary_key=True)
    release: str
    score: int | None = None
    band: str | None = None
    flags: str | None = None  # JSON: the flags that the release's rules read


class Release(SQLModel, table=True):
    """A set of rule files, named by the hash of its canonical form."""

    __tablename__: ClassVar[str] = "releases"

    id: str = Field(primary_key=True)
    files: str  # JSON: name -> text
    loaded_at: int = Field(sa_type=BigInteger)


class DecisionRecord(SQLModel, table=True):
    """One decision with all it depended on (`record`, canonical JSON), chained to the one before it by its hash."""

    __tablename__: ClassVar[str] = "decisions"
    __table_args__ = (
        UniqueConstraint("id", name="one_decision_per_id"),
        UniqueConstraint("merchant", "transaction_id", name="one_decision_per_transaction"),
        UniqueConstraint("hash", name="one_decision_per_hash"),
        Index("decisions_of_subject", "subject"),
        {"sqlite_autoincrement": True},
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=_SEQ)
    id: str
    merchant: str
    transaction_id: str | None = None
    subject: str
    perk: str
    amount: int = Field(sa_type=BigInteger)
    currency: str
    outcome: str
    waived: int = Field(sa_type=BigInteger)
    deposit: int = Field(sa_type=BigInteger)
    decided_at: int = Field(sa_type=BigInteger)
    valid_until: int | None = Field(default=None, sa_type=BigInteger)
    release: str
    context: str | None = None  # JSON: the request's own fields
    held_since: int | None = Field(default=None, sa_type=BigInteger)
    record: str
    previous_hash: str
    hash: str


# The same tables as SQLAlchemy Core has them, for statements.
EVENTS: Final = SQLModel.metadata.tables["events"]
TOKENS: Final = SQLModel.metadata.tables["tokens"]
BUILDS: Final = SQLModel.metadata.tables["builds"]
FEATURES: Final = SQLModel.metadata.tables["features"]
MARKS: Final = SQLModel.metadata.tables["marks"]
MOVES: Final = SQLModel.metadata.tables["moves"]
WAITING: Final = SQLModel.metadata.tables["waiting"]
SCORES: Final = SQLModel.metadata.tables["scores"]
RELEASES: Final = SQLModel.metadata.tables["releases"]
DECISIONS: Final = SQLModel.metadata.tables["decisions"]
