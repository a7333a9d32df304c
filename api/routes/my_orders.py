"""What people see of their own orders, and do with them."""

from datetime import datetime
from typing import Annotated, Final, Self

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from api.access import presence
from api.database import reading
from api.deps import InWorld, Now, Subject
from api.lanes import LanedRoute
from api.orders import order_book, orders
from api.orders.order_book import Order
from api.orders.orders import Request
from api.problems import documented
from api.routes.order_forms import DisputeForm, OrderDiscount, OrderDispute, OrderPayment
from api.routes.page import NEXT, Page
from api.routes.schema import Money
from api.tables import ORDERS

router = APIRouter(prefix="/v1/me/orders", tags=["people"], route_class=LanedRoute)

ORDER: Final = "^[0-9a-f]{1,64}$"
OrderId = Annotated[str, Path(pattern=ORDER)]
_MOVING: Final = ("unknown_order", "order_mismatch", "wrong_state", "engine_failed")


class MyOrder(BaseModel):
    """An order, as the person sees it whom it is about."""

    order_id: str
    merchant: str
    service: str
    service_introduction: str
    state: str
    perk: str
    currency: str
    waived_amount: Money = Field(description="the deposit that was not taken")
    total_amount: Money | None = Field(description="what is to be paid")
    post_payments: list[OrderPayment] | None
    post_discounts: list[OrderDiscount] | None
    damage_amount: Money | None
    created_at: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    due_at: datetime | None = Field(
        description="by when it must be paid: what is not paid then is reported as overdue, and counts in the score"
    )
    closed_at: datetime | None
    dispute: OrderDispute | None

    @classmethod
    def of(cls, order: Order) -> Self:
        """What the person is told of it."""
        return cls(
            merchant=order.merchant, **{k: v for k, v in order_book.told(order).items() if k in cls.model_fields}
        )


class MyOrders(Page[MyOrder]):
    """The person's orders, newest first."""


@router.get("", responses=documented("unknown_order"))
def list_my_orders(
    world: InWorld,
    person: Subject,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    after: Annotated[str | None, Query(pattern=ORDER, description=NEXT)] = None,
) -> MyOrders:
    """Every order that is about the person."""
    with reading(world.database) as connection:
        last = None if after is None else order_book.of_person(connection, person.party, after)
        found = order_book.page(connection, ORDERS.c.subject == person.party, limit + 1, last)
    return MyOrders.cut([MyOrder.of(order) for order in found], limit, "order_id")


@router.post(
    "/{order_id}/confirm", responses=documented(*_MOVING, "overdue_outstanding", "due_outstanding", "too_many_open")
)
def confirm_my_order(order_id: OrderId, world: InWorld, person: Subject, now: Now) -> MyOrder:
    """Confirm an order: it begins."""
    return MyOrder.of(orders.ask(world, _own(person.party, order_id), Request("confirm"), now))


@router.post("/{order_id}/dispute", responses=documented(*_MOVING))
def dispute_my_order(order_id: OrderId, body: DisputeForm, world: InWorld, person: Subject, now: Now) -> MyOrder:
    """Dispute an order, or end the person's own dispute of it. While it is disputed it does not become overdue."""
    return MyOrder.of(orders.dispute(world, _own(person.party, order_id), "person", body.statement, now))


def _own(subject: str, name: str) -> orders.Find:
    def find(connection: Connection) -> Order:
        presence.require(connection, subject)
        return order_book.of_person(connection, subject, name)

    return find
