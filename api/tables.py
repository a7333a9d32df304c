"""The tables, one class each. Every column named `*_at`, and `until`, is a time: microseconds since 1970-01-01 UTC in a
BIGINT; `due` is a day: days since 1970-01-01. Integers, because both databases load, compare and sort them fastest and
neither can shift them by a time zone. Money is an integer in minor units of `currency`.

`events` and `decisions` are append-only: triggers of the first migration refuse UPDATE and DELETE in the database itself.

`events` has three indexes. The unique key makes sending twice harmless. The two on `subject` and `other` find one
person's evidence; they cost about as much as the rest of an insert together, so a bulk load into a small ledger
drops these two and builds them once at its end (`api/load.py`). There is none on times: `extent` keeps the last ones.
"""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, Index, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

# SQLite numbers rows by itself only in a column of exactly the type INTEGER, which holds 64 bits there.
_SEQ = BigInteger().with_variant(Integer, "sqlite")


class Event(SQLModel, table=True):
    """One event, in the columns of `graph.events.SCHEMA`; `seq` is the order of appending and is never used twice."""

    __tablename__: ClassVar[str] = "events"
    __table_args__ = (
        UniqueConstraint("contributor", "event_id", name="one_event_id_per_contributor"),
        Index("events_of_subject", "subject"),
        Index("events_of_other", "other"),
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


class Features(SQLModel, table=True):
    """A person's feature values in a build, as JSON text."""

    __tablename__: ClassVar[str] = "features"

    build: int = Field(primary_key=True, foreign_key="builds.id")
    person: str = Field(primary_key=True)
    values: str


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
SCORES: Final = SQLModel.metadata.tables["scores"]
RELEASES: Final = SQLModel.metadata.tables["releases"]
DECISIONS: Final = SQLModel.metadata.tables["decisions"]
