"""The table that says that a database holds demo data."""

from typing import ClassVar, Final

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class DemoMarkRow(SQLModel, table=True):
    """One row, in a database that we filled with demo data; none elsewhere."""

    __tablename__: ClassVar[str] = "demo_mark"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})  # 1
    evidence: str  # town, berka
    town_people: int = Field(sa_type=BigInteger)
    loaded_at: int = Field(sa_type=BigInteger)  # by the simulated clock, if activity follows
    events: int | None = Field(
        default=None, sa_type=BigInteger
    )  # of the demo's evidence; null while it is being loaded
    activity_from: int | None = Field(default=None, sa_type=BigInteger)  # null: there is no activity
    activity_to: int | None = Field(default=None, sa_type=BigInteger)  # null: it was not completed
    person: str | None = None  # the person as whom a newcomer signs in


DEMO_MARK: Final = SQLModel.metadata.tables["demo_mark"]
