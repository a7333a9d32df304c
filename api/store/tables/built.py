"""Tables of computed rows: builds, features and scores in them, deferred refreshes, scheduled events; and releases of rules."""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from api.store.tables.evidence import SEQ


class BuildRow(SQLModel, table=True):
    """One computation of everyone's features: as of a day, with the events known by then, for a purpose, by a catalogue."""

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
    events_counted: int = Field(sa_type=BigInteger)  # how many events that are
    future_events: int = Field(
        sa_type=BigInteger
    )  # how many of them happened after the moment of a build that does not follow
    refreshed_at: int | None = Field(default=None, sa_type=BigInteger)
    timezone: str  # the IANA name of the zone whose days, months and nights are meant


class FeaturesRow(SQLModel, table=True):
    """A person's feature values in a build, as JSON text. Times that are null are the build's; a refreshed row has its own."""

    __tablename__: ClassVar[str] = "features"

    build: int = Field(primary_key=True, foreign_key="builds.id")
    person: str = Field(primary_key=True)
    values: str
    as_of: int | None = Field(default=None, sa_type=BigInteger)
    known_at: int | None = Field(default=None, sa_type=BigInteger)
    computed_at: int | None = Field(default=None, sa_type=BigInteger)


class LinkedIdRow(SQLModel, table=True):
    """An id whose events a person's row counts, beside those of `person`: another id of theirs. `linked` is `person` in one row.

    `classes` are the data classes of the id that counted, comma-separated.
    """

    __tablename__: ClassVar[str] = "linked_ids"
    __table_args__ = (Index("linked_ids_of_linked", "build", "linked"),)

    build: int = Field(primary_key=True, foreign_key="builds.id")
    person: str = Field(primary_key=True)
    linked: str = Field(primary_key=True)
    classes: str


class DeferredRefreshRow(SQLModel, table=True):
    """A person whose row in a build is not refreshed yet: one of too many, or with too many events to be done with others."""

    __tablename__: ClassVar[str] = "deferred_refreshes"

    build: int = Field(primary_key=True, foreign_key="builds.id")
    person: str = Field(primary_key=True)
    seq: int = Field(sa_type=BigInteger)  # of the last event that touched the person
    stale_classes: str  # comma-separated: we withhold the features of the whole graph of these classes


class ScheduledEventRow(SQLModel, table=True):
    """An event that a refresh saw before its time: its effect begins, or ends, at `at`."""

    __tablename__: ClassVar[str] = "scheduled_events"
    __table_args__ = (Index("waiting_until", "build", "at"), Index("waiting_of_kind", "build", "kind"))

    build: int = Field(primary_key=True, foreign_key="builds.id")
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    at: int = Field(primary_key=True, sa_type=BigInteger)
    kind: str


class ScoreRow(SQLModel, table=True):
    """A person's score in a build under a release; null where there is too little to score."""

    __tablename__: ClassVar[str] = "scores"

    build: int = Field(primary_key=True, foreign_key="builds.id")
    person: str = Field(primary_key=True)
    release: str
    score: int | None = None
    band: str | None = None
    flags: str | None = None  # JSON: the flags that the release's rules read


class ScoreChangeRow(SQLModel, table=True):
    """A score that differs from the person's last one, or is the first: we show these to the person as the score's history."""

    __tablename__: ClassVar[str] = "score_history"
    __table_args__ = (Index("history_of_person", "person", "seq"), {"sqlite_autoincrement": True})

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQ)
    person: str
    at: int = Field(sa_type=BigInteger)
    release: str
    score: int | None = None
    band: str | None = None


class FeatureFiguresRow(SQLModel, table=True):
    """The distribution of a feature in a build, as counts of people. We keep those of earlier builds, to show drift."""

    __tablename__: ClassVar[str] = "feature_figures"

    build: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    feature: str = Field(primary_key=True)
    figures: str  # JSON


class ReleaseRow(SQLModel, table=True):
    """A set of rule files, named by the hash of its canonical form."""

    __tablename__: ClassVar[str] = "releases"

    id: str = Field(primary_key=True)
    files: str  # JSON: name -> text
    loaded_at: int = Field(sa_type=BigInteger)


BUILDS: Final = SQLModel.metadata.tables["builds"]
FEATURES: Final = SQLModel.metadata.tables["features"]
LINKED_IDS: Final = SQLModel.metadata.tables["linked_ids"]
DEFERRED_REFRESHES: Final = SQLModel.metadata.tables["deferred_refreshes"]
SCHEDULED_EVENTS: Final = SQLModel.metadata.tables["scheduled_events"]
SCORES: Final = SQLModel.metadata.tables["scores"]
SCORE_HISTORY: Final = SQLModel.metadata.tables["score_history"]
FEATURE_FIGURES: Final = SQLModel.metadata.tables["feature_figures"]
RELEASES: Final = SQLModel.metadata.tables["releases"]
