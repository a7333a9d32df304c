"""What contributors sent, what people object to, and who left."""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel


class Submission(SQLModel, table=True):
    """One sending of events by the API, and what was refused of it: row, event id and reason, never the row's content."""

    __tablename__: ClassVar[str] = "submissions"
    __table_args__ = (Index("submissions_of_contributor", "contributor", "received_at"),)

    id: str = Field(primary_key=True)
    contributor: str
    received_at: int = Field(sa_type=BigInteger)
    rows: int
    accepted: int
    duplicates: int
    refused: int
    problems: str  # JSON


class Dispute(SQLModel, table=True):
    """An objection to an item of evidence, with its clock. That it counts meanwhile or not is said by events of the ledger."""

    __tablename__: ClassVar[str] = "disputes"
    __table_args__ = (Index("disputes_of_subject", "subject"), Index("disputes_by_due", "due_at"))

    id: str = Field(primary_key=True)
    subject: str
    contributor: str
    event_id: str
    statement: str | None = None
    opened_at: int = Field(sa_type=BigInteger)
    due_at: int = Field(sa_type=BigInteger)
    outcome: str | None = None  # upheld, rejected
    note: str | None = None
    resolved_by: str | None = None
    resolved_at: int | None = Field(default=None, sa_type=BigInteger)


class Monitored(SQLModel, table=True):
    """An attribute that a person gave for monitoring of outcomes by group. Never read by rules or features."""

    __tablename__: ClassVar[str] = "monitored"

    person: str = Field(primary_key=True)
    attribute: str = Field(primary_key=True)
    value: str


class House(SQLModel, table=True):
    """One row: the house's own secret, under which it is remembered who left; how many were erased, and how many of these
    were swept out of the files too.
    """

    __tablename__: ClassVar[str] = "house"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    key: str
    erased: int = 0
    swept: int = 0


class Departed(SQLModel, table=True):
    """Somebody who left: evidence about them is refused. HMAC-SHA-256 of the id under the house's key."""

    __tablename__: ClassVar[str] = "departed"

    digest: str = Field(primary_key=True)
    left_at: int = Field(sa_type=BigInteger)


class ErasedInquiry(SQLModel, table=True):
    """An amount that a merchant asked about somebody within the day before they left: it is counted on for the rest of that
    day, so that a question after it is answered as if they were still here. `digest`: as in `departed`.
    """

    __tablename__: ClassVar[str] = "erased_inquiries"

    digest: str = Field(primary_key=True)
    merchant: str = Field(primary_key=True)
    amount: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    asked_at: int = Field(sa_type=BigInteger)


class WithheldEvent(SQLModel, table=True):
    """What is remembered of an event that named somebody who has left, so that its contributor is answered as of any other. `key`
    (contributor and event id), `content`, `about` (the key of the event that it is about) and `person` are HMAC-SHA-256 under the
    house's key.
    """

    __tablename__: ClassVar[str] = "withheld_events"
    __table_args__ = (Index("withheld_about", "about"), Index("withheld_of_person", "person"))

    key: str = Field(primary_key=True)
    content: str
    kind: str
    about: str | None = None
    outcome: str | None = None  # of a dispute
    person: str
    recorded_at: int = Field(sa_type=BigInteger)


class Erasing(SQLModel, table=True):
    """Who is being erased by this transaction: only their rows may be deleted. Empty at every commit."""

    __tablename__: ClassVar[str] = "erasing"

    person: str = Field(primary_key=True)


SUBMISSIONS: Final = SQLModel.metadata.tables["submissions"]
DISPUTES: Final = SQLModel.metadata.tables["disputes"]
MONITORED: Final = SQLModel.metadata.tables["monitored"]
HOUSE: Final = SQLModel.metadata.tables["house"]
DEPARTED: Final = SQLModel.metadata.tables["departed"]
ERASED_INQUIRIES: Final = SQLModel.metadata.tables["erased_inquiries"]
WITHHELD_EVENTS: Final = SQLModel.metadata.tables["withheld_events"]
ERASING: Final = SQLModel.metadata.tables["erasing"]
