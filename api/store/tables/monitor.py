"""Tables of the monitor: sums without people, kept so that a page over a million decisions costs a few hundred rows."""

from typing import ClassVar, Final

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class PopulationBinRow(SQLModel, table=True):
    """How many people of a build lie in a bin of a measure: the score, the band, or a characteristic of the scorecard."""

    __tablename__: ClassVar[str] = "population_bins"

    build: int = Field(primary_key=True, foreign_key="builds.id")
    measure: str = Field(primary_key=True)  # score, band, or points:ID
    bin: str = Field(primary_key=True)
    release: str
    people: int


class AnswerSumRow(SQLModel, table=True):
    """How many questions about a perk had an outcome on a day."""

    __tablename__: ClassVar[str] = "answer_sums"

    day: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    perk: str = Field(primary_key=True)
    outcome: str = Field(primary_key=True)
    answers: int


class EndingSumRow(SQLModel, table=True):
    """How many due orders ended on a day, by the band in which we admitted the person: settled in time, or overdue."""

    __tablename__: ClassVar[str] = "ending_sums"

    day: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    band: str = Field(primary_key=True)
    orders: int
    overdue: int


class ContributorSumRow(SQLModel, table=True):
    """How many events of a kind a contributor ever sent, and when the newest happened and came."""

    __tablename__: ClassVar[str] = "contributor_sums"

    contributor: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    events: int = Field(sa_type=BigInteger)
    happened_at: int = Field(sa_type=BigInteger)
    recorded_at: int = Field(sa_type=BigInteger)


class SumProgressRow(SQLModel, table=True):
    """One row: the last decision, the last move of an order and the last event that the sums count."""

    __tablename__: ClassVar[str] = "sum_progress"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    decision: int = Field(default=0, sa_type=BigInteger)
    move: int = Field(default=0, sa_type=BigInteger)
    event: int = Field(default=0, sa_type=BigInteger)


POPULATION_BINS: Final = SQLModel.metadata.tables["population_bins"]
ANSWER_SUMS: Final = SQLModel.metadata.tables["answer_sums"]
ENDING_SUMS: Final = SQLModel.metadata.tables["ending_sums"]
CONTRIBUTOR_SUMS: Final = SQLModel.metadata.tables["contributor_sums"]
SUM_PROGRESS: Final = SQLModel.metadata.tables["sum_progress"]
