"""What is computed from evidence: builds, everyone's features and scores in them, what waits; and the rules by which."""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from api.tables.evidence import SEQ


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
    timezone: str  # the IANA name of the zone whose days, months and nights are meant


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


class ScoreChange(SQLModel, table=True):
    """A score that differs from the person's last one, or is the first: what the person sees as the score's history."""

    __tablename__: ClassVar[str] = "score_history"
    __table_args__ = (Index("history_of_person", "person", "seq"), {"sqlite_autoincrement": True})

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQ)
    person: str
    at: int = Field(sa_type=BigInteger)
    release: str
    score: int | None = None
    band: str | None = None


class Release(SQLModel, table=True):
    """A set of rule files, named by the hash of its canonical form."""

    __tablename__: ClassVar[str] = "releases"

    id: str = Field(primary_key=True)
    files: str  # JSON: name -> text
    loaded_at: int = Field(sa_type=BigInteger)


BUILDS: Final = SQLModel.metadata.tables["builds"]
FEATURES: Final = SQLModel.metadata.tables["features"]
MARKS: Final = SQLModel.metadata.tables["marks"]
WAITING: Final = SQLModel.metadata.tables["waiting"]
SCORES: Final = SQLModel.metadata.tables["scores"]
SCORE_HISTORY: Final = SQLModel.metadata.tables["score_history"]
RELEASES: Final = SQLModel.metadata.tables["releases"]
