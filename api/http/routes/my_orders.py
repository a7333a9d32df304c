"""Routes for people: read, confirm and dispute your own orders."""

from datetime import datetime
from typing import Annotated, Final, Self

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from api.access import presence
from api.http.dependencies import ContextDep, Now, Subject
from api.http.fields import Money, RecordId
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.order_forms import DisputeForm, OrderDiscount, OrderDispute, OrderPayment
from api.http.routes.page import NEXT, Page
from api.orders import order_store, orders
from api.orders.actions import actions
from api.orders.order_store import Order
from api.orders.orders import OrderRequest
from api.runtime.context import AppContext
from api.store.database import reading
from api.store.tables import ORDERS

router = APIRouter(prefix="/v1/me/orders", tags=["people"], route_class=LanedRoute)

OrderId = Annotated[RecordId, Path()]
_TRANSITION_CODES: Final = ("unknown_order", "order_mismatch", "wrong_state", "engine_failed")


class MyOrder(BaseModel):
    """An order, as its person sees it."""

    order_id: str
    merchant: str
    service: str
    service_introduction: str
    state: str
    perk: str
    currency: str
    waived_amount: Money = Field(description="the waived deposit")
    total_amount: Money | None = Field(description="the amount to pay")
    post_payments: list[OrderPayment] | None
    post_discounts: list[OrderDiscount] | None
    damage_amount: Money | None
    created_at: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    due_at: datetime | None = Field(
        description="when the payment is due: an unpaid order is then reported as overdue, and counts in the score"
    )
    closed_at: datetime | None
    dispute: OrderDispute | None
    actions: list[str] = Field(description="what you can do with the order now; `agree`: withdraw your dispute")

    @classmethod
    def of(cls, context: AppContext, order: Order, now: datetime) -> Self:
        """The person's view of an order: the merchant, and fields of the merchant's view."""
        possible = actions(context, order, "person", now)
        return cls.model_validate(order_store.merchant_view(order) | {"merchant": order.merchant, "actions": possible})


class MyOrders(Page[MyOrder]):
    """The person's orders, newest first."""


@router.get("", responses=error_responses("unknown_order", "engine_failed"))
def list_my_orders(
    context: ContextDep,
    caller: Subject,
    now: Now,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    after: Annotated[RecordId | None, Query(description=NEXT)] = None,
) -> MyOrders:
    """List your orders, newest first."""
    with reading(context.database) as connection:
        last = None if after is None else order_store.of_person(connection, caller.party, after)
        rows = order_store.list_orders(connection, ORDERS.c.subject == caller.party, limit + 1, last)
    return MyOrders.cut([MyOrder.of(context, order, now) for order in rows], limit, "order_id")


@router.post(
    "/{order_id}/confirm",
    responses=error_responses(*_TRANSITION_CODES, "overdue_outstanding", "due_outstanding", "too_many_open"),
)
def confirm_my_order(order_id: OrderId, context: ContextDep, caller: Subject, now: Now) -> MyOrder:
    """Confirm an order, so that it begins."""
    order = orders.apply_request(context, _find_own(caller.party, order_id), OrderRequest("confirm"), now)
    return MyOrder.of(context, order, now)


@router.post("/{order_id}/dispute", responses=error_responses(*_TRANSITION_CODES))
def dispute_my_order(order_id: OrderId, body: DisputeForm, context: ContextDep, caller: Subject, now: Now) -> MyOrder:
    """Dispute an order, or withdraw your dispute. While you dispute it, the order does not become overdue."""
    order = orders.dispute(context, _find_own(caller.party, order_id), "person", body.statement, now)
    return MyOrder.of(context, order, now)


def _find_own(subject: str, name: str) -> orders.Find:
    def find(connection: Connection) -> Order:
        presence.require(connection, subject)
        return order_store.of_person(connection, subject, name)

    return find
