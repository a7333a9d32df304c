"""Requests for consent and orders as an export holds them: the rows that we store, unchanged."""

from datetime import datetime
from typing import NotRequired

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from api.http.fields import AsStored, ConsentState, FundName, MomentText, Money, PartyKind, ServiceMode


class ConsentRequestExport(BaseModel):
    """A merchant's request for consent, and your answer."""

    id: str
    merchant: str
    service: str
    purpose: str
    classes: str = Field(description="comma-separated")
    until: datetime | None
    asked_at: datetime
    state: ConsentState
    answered_at: datetime | None
    event_id: str | None = Field(description="of the event that records your answer")
    return_url: str | None = Field(description="the merchant's page to which you could go back")


class StoredFund(TypedDict):
    """The amount that the order puts at risk."""

    name: FundName
    amount: Money
    description: NotRequired[str]


class StoredTimes(TypedDict, total=False):
    """When the service begins and ends."""

    start_time: MomentText
    end_time: MomentText


class StoredPlaces(TypedDict, total=False):
    """Where the service begins and ends."""

    start: str
    end: str


class StoredPayment(TypedDict):
    """An item to pay for."""

    name: str
    amount: Money
    description: NotRequired[str]
    count: NotRequired[int]


class StoredDiscount(TypedDict):
    """A discount."""

    name: str
    amount: Money
    description: NotRequired[str]


class StoredDispute(TypedDict):
    """The party that disputes the order, and its statement."""

    by: PartyKind
    statement: str | None


class OrderContent(TypedDict, total=False):
    """What the merchant sent about the order, and its dispute. Absent keys were not sent."""

    out_order_no: str
    service: str
    decision_id: str
    service_introduction: str
    risk_fund: StoredFund
    time_range: StoredTimes
    location: StoredPlaces
    post_payments: list[StoredPayment]
    post_discounts: list[StoredDiscount]
    need_user_confirm: bool
    attach: str
    cancel_reason: str
    damage_amount: Money
    modify_reason: str
    paid_at: MomentText
    dispute: StoredDispute | None


class OrderExport(BaseModel):
    """An order with all that we store of it."""

    id: str
    merchant: str
    out_order_no: str
    service: str
    service_version: int
    decision: str
    perk: str
    currency: str
    mode: ServiceMode
    waived: Money
    ceiling: Money | None
    state: str
    total: Money | None
    starts_at: datetime | None
    ends_at: datetime | None
    due_at: datetime | None
    created_at: datetime
    changed_at: datetime
    closed_at: datetime | None
    disputed: bool
    content: AsStored[OrderContent]
