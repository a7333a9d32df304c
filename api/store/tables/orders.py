"""Tables of orders: orders, their moves, and the messages about them that we have yet to send."""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from api.store.tables.evidence import SEQ


class OrderRow(SQLModel, table=True):
    """A deposit-free order: made from a decision, moved by `rules/orders.yaml`."""

    __tablename__: ClassVar[str] = "orders"
    __table_args__ = (
        UniqueConstraint("merchant", "out_order_no", name="one_order_per_number"),
        UniqueConstraint("decision", name="one_order_per_decision"),
        Index("orders_of_subject", "subject"),
        Index("orders_by_state", "state", "created_at"),
        Index("orders_by_due", "state", "due_at"),
        Index("orders_of_merchant", "merchant", "created_at"),
    )

    id: str = Field(primary_key=True)
    merchant: str
    out_order_no: str  # the merchant's
    service: str
    service_version: int
    decision: str
    subject: str | None = None  # null after the person's erasure
    perk: str
    currency: str
    mode: str
    waived: int = Field(sa_type=BigInteger)
    ceiling: int | None = Field(default=None, sa_type=BigInteger)
    state: str
    total: int | None = Field(default=None, sa_type=BigInteger)
    starts_at: int | None = Field(default=None, sa_type=BigInteger)
    ends_at: int | None = Field(default=None, sa_type=BigInteger)
    due_at: int | None = Field(default=None, sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    changed_at: int = Field(sa_type=BigInteger)
    closed_at: int | None = Field(default=None, sa_type=BigInteger)
    disputed: bool = False
    content: str  # JSON: the merchant's fields from creation and completion
    digest: str  # of the parameters of its creation


class OrderMoveRow(SQLModel, table=True):
    """One thing that happened to an order. `digest` is that of the request, so that we recognise a repeated request.

    Moves are a chain of their own, in the order of `seq`: `hash` covers the one before it and all else but `digest`, which
    goes when the person leaves.
    """

    __tablename__: ClassVar[str] = "order_moves"
    __table_args__ = (
        Index("moves_of_order", "order"),
        Index("moves_by_time", "at"),
        Index("moves_by_decisions", "decisions", "seq"),
        {"sqlite_autoincrement": True},
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQ)
    order: str
    action: str
    digest: str
    before: str
    after: str
    total: int | None = Field(default=None, sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)
    decisions: int | None = Field(default=None, sa_type=BigInteger)  # `seq` of the newest decision when it was made
    terms: str | None = None  # JSON: the order's columns after it (`api.orders.move_chain.TERM_COLUMNS`)
    previous_hash: str | None = None
    hash: str | None = None
    counts: str | None = (
        None  # JSON: the numbers of the person's orders that the rules read; null: none, or an earlier move
    )


class MessageRow(SQLModel, table=True):
    """A callback that waits, was sent or was given up. We write it in the transaction of the change that it reports."""

    __tablename__: ClassVar[str] = "messages"
    __table_args__ = (
        Index("messages_by_time", "state", "next_at"),
        Index("messages_of_order", "order"),
        Index("messages_of_merchant", "merchant", "created_at"),
    )

    id: str = Field(primary_key=True)  # the `webhook-id`
    merchant: str
    order: str
    event: str  # such as order.completed
    url: str
    body: str
    created_at: int = Field(sa_type=BigInteger)
    next_at: int = Field(sa_type=BigInteger)
    attempts: int = 0
    state: str  # waiting, sent, failed
    status: int | None = None  # of the last answer
    leased_until: int | None = Field(default=None, sa_type=BigInteger)
    sent_at: int | None = Field(default=None, sa_type=BigInteger)


ORDERS: Final = SQLModel.metadata.tables["orders"]
ORDER_MOVES: Final = SQLModel.metadata.tables["order_moves"]
MESSAGES: Final = SQLModel.metadata.tables["messages"]
