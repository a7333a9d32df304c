"""Bodies and answers about orders, with the field names that merchants know from today's deposit-free services."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.http.fields import (
    MERCHANT_NUMBER,
    PLAIN,
    BriefText,
    FundName,
    LongText,
    Moment,
    Money,
    PartyKind,
    RecordId,
    ServiceMode,
    ServiceName,
    ShortText,
)
from api.http.routes.page import Page
from api.orders import order_store
from api.orders.order_store import Order
from api.orders.orders import MAX_TOTAL
from graph.evidence.events import LATEST_PLANNED_TIME
from graph.evidence.vocabulary import EARLIEST_EVENT_TIME

MinorAmount = Annotated[Money, Field(ge=0, le=MAX_TOTAL, description="minor units")]


def _utc(at: datetime) -> datetime:
    if not EARLIEST_EVENT_TIME < at < LATEST_PLANNED_TIME:
        raise ValueError(f"lies beyond {EARLIEST_EVENT_TIME.year} to {LATEST_PLANNED_TIME.year}")
    return at.astimezone(UTC)


UtcMoment = Annotated[Moment, AfterValidator(_utc)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    def to_json(self) -> dict[str, Any]:
        """As JSON without missing values. We compare repeated requests by it."""
        return self.model_dump(mode="json", exclude_none=True)


class RiskFund(_Form):
    """The amount that the order puts at risk, at most the amount that the decision waives."""

    name: FundName = "DEPOSIT"
    amount: Annotated[Money, Field(gt=0, le=MAX_TOTAL, description="minor units", examples=[50000])]
    description: LongText | None = None


class TimeRange(_Form):
    """When the service will begin and end, as far as you know."""

    start_time: UtcMoment | None = None
    end_time: UtcMoment | None = None


class ServiceTimes(_Form):
    """When the service began and ended."""

    start_time: UtcMoment
    end_time: UtcMoment


class Location(_Form):
    """Where the service begins and ends."""

    start: ShortText | None = None
    end: ShortText | None = None


class PaymentForm(_Form):
    """An item to pay for."""

    name: ShortText
    amount: MinorAmount
    description: BriefText | None = None
    count: Annotated[int, Field(ge=1, le=10_000)] | None = None


class DiscountForm(_Form):
    """A discount."""

    name: ShortText
    amount: MinorAmount
    description: BriefText | None = None


PaymentList = Annotated[list[PaymentForm], Field(min_length=1, max_length=100)]
DiscountList = Annotated[list[DiscountForm], Field(max_length=100)]


class OrderForm(_Form):
    """A new order from a decision."""

    out_order_no: str = Field(
        pattern=MERCHANT_NUMBER, description="the merchant's own number", examples=["O-20260131-0001"]
    )
    service: ServiceName = Field(examples=["rooms"])
    decision_id: RecordId = Field(description="your newest decision about the person")
    service_introduction: ShortText
    risk_fund: RiskFund
    time_range: TimeRange = TimeRange()
    location: Location | None = None
    post_payments: PaymentList | None = Field(None, description="the items to pay for, as far as you know")
    post_discounts: DiscountList | None = None
    need_user_confirm: bool = Field(True, description="true: the order begins when the person confirms it")
    attach: Annotated[str, Field(pattern=PLAIN, max_length=256)] | None = Field(
        None, description="a text of yours that we repeat in each answer and callback"
    )


class CancelForm(_Form):
    """The reason for cancelling an order."""

    cancel_reason: LongText


class CompleteForm(_Form):
    """The final charge of a service."""

    post_payments: PaymentList
    post_discounts: DiscountList = []
    damage_amount: MinorAmount = Field(
        0, description="the part of the payments that is for damage: at most the waived amount"
    )
    time_range: ServiceTimes
    location: Location | None = None


class ModifyForm(_Form):
    """A lower charge."""

    post_payments: PaymentList
    post_discounts: DiscountList = []
    modify_reason: LongText


class SyncForm(_Form):
    """A payment by another way."""

    paid_at: UtcMoment = Field(description="between the end of the service and now")


class DisputeForm(_Form):
    """An objection to the charge, or its withdrawal."""

    statement: LongText | None = Field(description="the objection; null: withdraw it")


class OrderFund(BaseModel):
    """The amount that an order puts at risk."""

    name: FundName
    amount: Money
    description: str | None


class OrderTimes(BaseModel):
    """When the service begins and ends, by its merchant."""

    start_time: datetime | None
    end_time: datetime | None


class OrderPlaces(BaseModel):
    """Where the service begins and ends, by its merchant."""

    start: str | None
    end: str | None


class OrderPayment(BaseModel):
    """An item to pay for."""

    name: str
    amount: Money
    description: str | None
    count: int | None


class OrderDiscount(BaseModel):
    """A discount."""

    name: str
    amount: Money
    description: str | None


class OrderDispute(BaseModel):
    """The party that disputes an order, and its statement."""

    by: PartyKind
    statement: str | None


class OrderAnswer(BaseModel):
    """An order, as its merchant sees it."""

    order_id: str
    out_order_no: str
    service: str
    decision_id: str
    state: str = Field(description="created, in_service, due, overdue, settled, cancelled or expired")
    perk: str
    currency: str
    mode: ServiceMode
    waived_amount: Money
    total_amount: Money | None
    disputed: bool
    created_at: datetime
    changed_at: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    due_at: datetime | None = Field(description="when the payment is due")
    closed_at: datetime | None
    service_introduction: str
    risk_fund: OrderFund
    time_range: OrderTimes
    location: OrderPlaces | None
    post_payments: list[OrderPayment] | None
    post_discounts: list[OrderDiscount] | None
    damage_amount: Money | None
    need_user_confirm: bool
    attach: str | None
    cancel_reason: str | None
    dispute: OrderDispute | None

    @classmethod
    def of(cls, order: Order) -> Self:
        """The merchant's view of an order."""
        return cls(**order_store.merchant_view(order))


class OrderDetails(OrderAnswer):
    """An order, and what its merchant can do with it."""

    actions: list[str] = Field(
        description="the requests that the order's state allows now; `agree`: withdraw the dispute, by its own party"
    )


class MerchantOrders(Page[OrderAnswer]):
    """Orders, newest first."""
