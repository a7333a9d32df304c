"""What merchants say of orders and are told of them, in the field names that they know from today's services."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.orders import order_book
from api.orders.order_book import Order
from api.orders.orders import MOST
from api.routes.page import Page
from api.routes.schema import Disputant, FundName, Moment, Money, ServiceMode
from graph.events import LATEST_PLAN
from graph.vocabulary import EARLIEST

NUMBER: Final = r"^[0-9A-Za-z_\-|*]{1,32}$"
SERVICE: Final = r"^[a-z0-9_-]{1,40}$"
PLAIN: Final = r"^[^\x00-\x1f\x7f]+$"

Short = Annotated[str, Field(pattern=PLAIN, max_length=60)]
Long = Annotated[str, Field(pattern=PLAIN, max_length=500)]
Brief = Annotated[str, Field(pattern=PLAIN, max_length=100)]  # a hundred of them are within what a body may be
Minor = Annotated[Money, Field(ge=0, le=MOST, description="minor units")]


def _utc(at: datetime) -> datetime:
    if not EARLIEST < at < LATEST_PLAN:
        raise ValueError(f"lies beyond {EARLIEST.year} to {LATEST_PLAN.year}")
    return at.astimezone(UTC)


When = Annotated[Moment, AfterValidator(_utc)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    def said(self) -> dict[str, Any]:
        """As JSON, without what was not said: by which it is the same again."""
        return self.model_dump(mode="json", exclude_none=True)


class RiskFund(_Form):
    """What the order puts at risk, at most what the decision waives."""

    name: FundName = "DEPOSIT"
    amount: Annotated[Money, Field(gt=0, le=MOST, description="minor units", examples=[50000])]
    description: Long | None = None


class TimeRange(_Form):
    """When the service is to begin and to end, as far as it is known."""

    start_time: When | None = None
    end_time: When | None = None


class TimesTaken(_Form):
    """When the service began and ended."""

    start_time: When
    end_time: When


class Location(_Form):
    """Where the service begins and ends."""

    start: Short | None = None
    end: Short | None = None


class Payment(_Form):
    """Something to pay for."""

    name: Short
    amount: Minor
    description: Brief | None = None
    count: Annotated[int, Field(ge=1, le=10_000)] | None = None


class Discount(_Form):
    """Something taken off."""

    name: Short
    amount: Minor
    description: Brief | None = None


Payments = Annotated[list[Payment], Field(min_length=1, max_length=100)]
Discounts = Annotated[list[Discount], Field(max_length=100)]


class OrderForm(_Form):
    """An order to be made of a decision."""

    out_order_no: str = Field(pattern=NUMBER, description="the merchant's own number", examples=["O-20260131-0001"])
    service: str = Field(pattern=SERVICE, examples=["rooms"])
    decision_id: str = Field(pattern="^[0-9a-f]{1,64}$", description="the newest answer about the person")
    service_introduction: Short
    risk_fund: RiskFund
    time_range: TimeRange = TimeRange()
    location: Location | None = None
    post_payments: Payments | None = Field(None, description="what will be paid for, as far as it is known")
    post_discounts: Discounts | None = None
    need_user_confirm: bool = Field(True, description="whether it begins only when the person has confirmed it")
    attach: Annotated[str, Field(pattern=PLAIN, max_length=256)] | None = Field(
        None, description="told again in each answer and callback"
    )


class CancelForm(_Form):
    """Why an order comes to nothing."""

    cancel_reason: Long


class CompleteForm(_Form):
    """What a service came to."""

    post_payments: Payments
    post_discounts: Discounts = []
    damage_amount: Minor = Field(0, description="how much of the payments is for damage: at most what was waived")
    time_range: TimesTaken
    location: Location | None = None


class ModifyForm(_Form):
    """A lower charge."""

    post_payments: Payments
    post_discounts: Discounts = []
    modify_reason: Long


class SyncForm(_Form):
    """The person paid in another way."""

    paid_at: When = Field(description="between the end of the service and now")


class DisputeForm(_Form):
    """An objection to what is charged; nothing: the objection is taken back."""

    statement: Long | None = Field(description="what is disputed; null: it is disputed no more")


class OrderFund(BaseModel):
    """What an order puts at risk."""

    name: FundName
    amount: Money
    description: str | None


class OrderTimes(BaseModel):
    """When the service begins and ends, as its merchant said."""

    start_time: datetime | None
    end_time: datetime | None


class OrderPlaces(BaseModel):
    """Where the service begins and ends, as its merchant said."""

    start: str | None
    end: str | None


class OrderPayment(BaseModel):
    """Something to pay for."""

    name: str
    amount: Money
    description: str | None
    count: int | None


class OrderDiscount(BaseModel):
    """Something taken off."""

    name: str
    amount: Money
    description: str | None


class OrderDispute(BaseModel):
    """Who disputes an order, and what they say."""

    by: Disputant
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
    due_at: datetime | None = Field(description="by when it must be paid")
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
        """What may be told of an order."""
        return cls(**order_book.told(order))


class Orders(Page[OrderAnswer]):
    """Orders, newest first."""
