"""Tables of people: submissions of contributors, disputes, monitored attributes, looks at people, and erasures."""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from api.store.tables.case_indexes import waiting_index
from api.store.tables.evidence import SEQ


class SubmissionRow(SQLModel, table=True):
    """One submission of events by the API, and its refused rows: row, event id and reason, never the row's content."""

    __tablename__: ClassVar[str] = "submissions"
    __table_args__ = (
        Index("submissions_of_contributor", "contributor", "received_at"),
        Index("submissions_by_time", "received_at", "id"),
    )

    id: str = Field(primary_key=True)
    contributor: str
    received_at: int = Field(sa_type=BigInteger)
    rows: int
    accepted: int
    duplicates: int
    refused: int
    problems: str  # JSON


class DisputeRow(SQLModel, table=True):
    """A dispute of an item of evidence, with its deadline. Events of the ledger say whether the item counts meanwhile."""

    __tablename__: ClassVar[str] = "disputes"
    __table_args__ = (
        Index("disputes_of_subject", "subject"),
        Index("disputes_by_due", "due_at"),
        waiting_index("disputes", "resolved_at"),
    )

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


class MonitoredAttributeRow(SQLModel, table=True):
    """An attribute that a person gave for monitoring of outcomes by group. Never read by rules or features."""

    __tablename__: ClassVar[str] = "monitored_attributes"

    person: str = Field(primary_key=True)
    attribute: str = Field(primary_key=True)
    value: str


class LookRow(SQLModel, table=True):
    """A look at a person's data: the caller, the purpose, and the part. The person may read it.

    Append-only: triggers in the database refuse other changes, except during an erasure.
    """

    __tablename__: ClassVar[str] = "looks"
    __table_args__ = (
        UniqueConstraint("id", name="one_look_per_id"),
        Index("looks_at_person", "person", "seq"),
        {"sqlite_autoincrement": True},
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQ)
    id: str
    person: str
    role: str  # of the caller
    party: str  # the caller
    kind: str  # dispute, review, enquiry, supervision, search
    purpose: str  # in the caller's own words
    part: str  # person, decision, search
    decision: str | None = None  # the id of the one decision that it shows
    at: int = Field(sa_type=BigInteger)
    until: int = Field(sa_type=BigInteger)  # when it ends


class SystemRow(SQLModel, table=True):
    """One row: the system's secret, under which we remember erased people; the number of erasures, and how many of these
    we have vacuumed out of the files too.
    """

    __tablename__: ClassVar[str] = "system"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    key: str
    erasures: int = 0
    vacuumed_erasures: int = 0


class ErasureTombstoneRow(SQLModel, table=True):
    """An erased person: we refuse evidence about them. HMAC-SHA-256 of the id under the system's key."""

    __tablename__: ClassVar[str] = "erasure_tombstones"

    digest: str = Field(primary_key=True)
    erased_at: int = Field(sa_type=BigInteger)


class ErasedInquiryRow(SQLModel, table=True):
    """An amount that a merchant asked about a person within the day before the erasure. We count it for the rest of that
    day, so that we answer a later question as if the person were still here. `digest`: as in `erasure_tombstones`.
    """

    __tablename__: ClassVar[str] = "erased_inquiries"

    digest: str = Field(primary_key=True)
    merchant: str = Field(primary_key=True)
    amount: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    asked_at: int = Field(sa_type=BigInteger)


class WithheldEventRow(SQLModel, table=True):
    """The trace of an event that named an erased person, so that we can answer its contributor as about any other event. `key`
    (contributor and event id), `content`, `about` (the key of the event that it is about) and `person` are HMAC-SHA-256 under the
    system's key.
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


class ErasureInProgressRow(SQLModel, table=True):
    """The people that this transaction erases: only their rows may be deleted. Empty at every commit."""

    __tablename__: ClassVar[str] = "erasures_in_progress"

    person: str = Field(primary_key=True)


SUBMISSIONS: Final = SQLModel.metadata.tables["submissions"]
DISPUTES: Final = SQLModel.metadata.tables["disputes"]
MONITORED_ATTRIBUTES: Final = SQLModel.metadata.tables["monitored_attributes"]
LOOKS: Final = SQLModel.metadata.tables["looks"]
SYSTEM: Final = SQLModel.metadata.tables["system"]
ERASURE_TOMBSTONES: Final = SQLModel.metadata.tables["erasure_tombstones"]
ERASED_INQUIRIES: Final = SQLModel.metadata.tables["erased_inquiries"]
WITHHELD_EVENTS: Final = SQLModel.metadata.tables["withheld_events"]
ERASURES_IN_PROGRESS: Final = SQLModel.metadata.tables["erasures_in_progress"]
