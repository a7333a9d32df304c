"""Decisions: a chain of entries without names, and beside each entry, until the person's erasure, its subject and
inputs.

`decisions` is append-only and each row's `hash` covers the one before it. The inputs of a decision are in
`decision_subjects`. The entry has only its salted `commitment`, so you cannot guess anything from it once that row is
deleted.
"""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, ColumnElement, Index, String, UniqueConstraint, literal_column, text
from sqlmodel import Field, SQLModel

from api.store.statements import REPLACES
from api.store.tables.case_indexes import waiting_index
from api.store.tables.evidence import SEQ


def _search_index(column: str) -> Index:
    """An index for the search of decisions. It is on an expression, so that no plan of another query uses it: the databases'
    statistics of a growing table are stale.
    """
    return Index(f"decisions_of_{column}", text(f"({column} || '')"), "decided_at")


def search_key(column: str) -> ColumnElement[str]:
    """The expression of such an index, for the condition of a search."""
    return literal_column(f"({column} || '')", String)


class DecisionRecord(SQLModel, table=True):
    """One decision, or refusal to make one, without the person; chained to the one before it by its hash."""

    __tablename__: ClassVar[str] = "decisions"
    __table_args__ = (
        UniqueConstraint("id", name="one_decision_per_id"),
        UniqueConstraint("hash", name="one_decision_per_hash"),
        Index("decisions_by_time", "decided_at"),
        *map(_search_index, ("merchant", "perk", "outcome", "release")),
        {"sqlite_autoincrement": True},
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQ)
    id: str
    merchant: str
    service: str | None = None
    service_version: int | None = None
    perk: str
    amount: int = Field(sa_type=BigInteger)
    currency: str
    outcome: str
    waived: int = Field(sa_type=BigInteger)
    deposit: int = Field(sa_type=BigInteger)
    decided_at: int = Field(sa_type=BigInteger)
    valid_until: int = Field(sa_type=BigInteger)
    release: str
    commitment: str  # SHA-256 of salt and record
    previous_hash: str
    hash: str


class DecisionSubjectRow(SQLModel, table=True):
    """The subject of a decision and all its inputs (`record`, canonical JSON). We delete it at the person's erasure."""

    __tablename__: ClassVar[str] = "decision_subjects"
    __table_args__ = (
        UniqueConstraint("merchant", "transaction_id", name="one_decision_per_transaction"),
        Index("decisions_of_subject", "subject"),
    )

    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    merchant: str
    transaction_id: str | None = None
    subject: str
    context: str | None = None  # JSON: the request's own fields
    held_since: int | None = Field(default=None, sa_type=BigInteger)
    salt: str
    record: str


class SharedDecisionRow(SQLModel, table=True):
    """A decision about linked ids, or one that it counted: it goes on counting for each of the ids when the link has ended.

    We name each id by its pseudonym, and delete its rows at its erasure.
    """

    __tablename__: ClassVar[str] = "shared_decisions"
    __table_args__ = (Index("shares_of_decision", "seq"),)

    pseudonym: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})


class CountingDecisionRow(SQLModel, table=True):
    """A decision that a later answer can still count (`api.decisions.counting_decisions`).

    `subject` is the person's id as in `decision_subjects`, or the pseudonym as in `shared_decisions`. The other columns repeat those
    of the decision, so that one look-up reads a person's. An audit reads the decisions themselves. We delete the rows at the person's
    erasure.
    """

    __tablename__: ClassVar[str] = "counting_decisions"
    # If somebody truncated the chain, a decision takes the place of a lost one, and questions go on.
    __table_args__ = ({"sqlite_with_rowid": False, "info": {REPLACES: True}},)

    subject: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    id: str
    merchant: str
    perk: str
    currency: str
    amount: int = Field(sa_type=BigInteger)
    outcome: str
    waived: int = Field(sa_type=BigInteger)
    decided_at: int = Field(sa_type=BigInteger)
    valid_until: int = Field(sa_type=BigInteger)
    held_since: int | None = Field(default=None, sa_type=BigInteger)


class ChainHeadRow(SQLModel, table=True):
    """The length and the last hash of a chain. Each append changes it, so it contradicts a truncated chain.

    Row 1 is for the decisions, row 2 for the moves of orders.
    """

    __tablename__: ClassVar[str] = "chain_head"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    length: int = Field(sa_type=BigInteger)  # decisions, or moves
    hash: str  # of the last


class DayDigestRow(SQLModel, table=True):
    """The digest over the entries of one day (UTC), which you may publish. `format` names the fields that its root
    covers.
    """

    __tablename__: ClassVar[str] = "day_digests"

    day: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})  # counted from 1970-01-01
    first: int = Field(sa_type=BigInteger)  # seq
    last: int = Field(sa_type=BigInteger)
    root: str
    made_at: int = Field(sa_type=BigInteger)
    format: int = 2  # 1: the Merkle root alone; 2: the Merkle root, the day and how many leaves


class ReviewRow(SQLModel, table=True):
    """A person's request that a human looks at a decision again, and its outcome."""

    __tablename__: ClassVar[str] = "reviews"
    __table_args__ = (
        Index("reviews_of_subject", "subject"),
        Index("reviews_by_due", "due_at", "id"),
        waiting_index("reviews", "answered_at"),
    )

    id: str = Field(primary_key=True)
    decision: str
    subject: str
    statement: str | None = None
    asked_at: int = Field(sa_type=BigInteger)
    due_at: int = Field(sa_type=BigInteger)
    outcome: str | None = None  # upheld, changed
    note: str | None = None
    answered_by: str | None = None
    answered_at: int | None = Field(default=None, sa_type=BigInteger)


DECISIONS: Final = SQLModel.metadata.tables["decisions"]
DECISION_SUBJECTS: Final = SQLModel.metadata.tables["decision_subjects"]
SHARED_DECISIONS: Final = SQLModel.metadata.tables["shared_decisions"]
COUNTING_DECISIONS: Final = SQLModel.metadata.tables["counting_decisions"]
CHAIN_HEAD: Final = SQLModel.metadata.tables["chain_head"]
DAY_DIGESTS: Final = SQLModel.metadata.tables["day_digests"]
REVIEWS: Final = SQLModel.metadata.tables["reviews"]
