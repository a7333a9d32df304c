"""Routes for merchants: create an order from a decision, and move it through its states."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import Connection

from api.http.dependencies import ContextDep, Merchant, Now
from api.http.fields import MERCHANT_NUMBER
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.order_forms import (
    CancelForm,
    CompleteForm,
    DisputeForm,
    MerchantOrders,
    ModifyForm,
    OrderAnswer,
    OrderDetails,
    OrderForm,
    SyncForm,
)
from api.http.routes.page import NEXT
from api.orders import order_store, orders
from api.orders.actions import actions
from api.orders.order_store import Order
from api.orders.orders import NewOrder, OrderRequest
from api.store.database import reading
from api.store.tables import ORDERS
from engine.errors import Rejected

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=LanedRoute)

OrderNumber = Annotated[str, Path(pattern=MERCHANT_NUMBER, description="the merchant's own number")]
_TRANSITION_CODES: Final = ("unknown_order", "order_mismatch", "wrong_state", "engine_failed")


@router.post(
    "",
    responses={
        201: {"model": OrderAnswer, "description": "a new order"},
        **error_responses(
            "unknown_decision",
            "wrong_service",
            "not_admitted",
            "decision_used",
            "decision_superseded",
            "decision_expired",
            "no_consent",
            "order_mismatch",
            "over_ceiling",
            "bad_time_range",
            "decision_lapsed",
            "engine_failed",
        ),
    },
)
def create_order(body: OrderForm, context: ContextDep, merchant: Merchant, now: Now, response: Response) -> OrderAnswer:
    """Create an order from a decision: 201. If you repeat the number and the parameters, you get the same order: 200.

    A decision lapses if the person's other orders no longer let a new one begin: then ask for a new decision.
    """
    new = NewOrder(
        out_order_no=body.out_order_no,
        service=body.service,
        decision=body.decision_id,
        risk_amount=body.risk_fund.amount,
        starts_at=body.time_range.start_time,
        ends_at=body.time_range.end_time,
        needs_confirming=body.need_user_confirm,
        content=body.to_json(),
    )
    order = orders.create(context, merchant.party, new, now)
    response.status_code = 201 if order.created_at == now else 200
    return OrderAnswer.of(order)


@router.get("", responses=error_responses("unknown_order", "engine_failed"))
def list_orders(
    context: ContextDep,
    merchant: Merchant,
    now: Now,
    state: Annotated[str | None, Query(pattern="^[a-z_]{1,40}$")] = None,
    after: Annotated[str | None, Query(pattern=MERCHANT_NUMBER, description=NEXT)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> MerchantOrders:
    """List the merchant's orders, newest first."""
    if state is not None and state not in (states := orders.states(context, now)):
        hint = f"use one of {', '.join(states)}"
        raise Rejected("no order can be in that state", where="state", hint=hint, code="bad_request")
    own_orders = ORDERS.c.merchant == merchant.party
    with reading(context.database) as connection:
        last = None if after is None else order_store.of_merchant(connection, merchant.party, after)
        condition = own_orders if state is None else own_orders & (ORDERS.c.state == state)
        rows = order_store.list_orders(connection, condition, limit + 1, last)
    return MerchantOrders.cut([OrderAnswer.of(order) for order in rows], limit, "out_order_no")


@router.get("/{out_order_no}", responses=error_responses("unknown_order", "engine_failed"))
def get_order(out_order_no: OrderNumber, context: ContextDep, merchant: Merchant, now: Now) -> OrderDetails:
    """Read one of the merchant's orders. After a time-out of another request, ask here with the same number."""
    with reading(context.database) as connection:
        order = order_store.of_merchant(connection, merchant.party, out_order_no)
    possible = actions(context, order, "merchant", now)
    return OrderDetails(**order_store.merchant_view(order), actions=possible)


@router.post("/{out_order_no}/cancel", responses=error_responses(*_TRANSITION_CODES))
def cancel_order(
    out_order_no: OrderNumber, body: CancelForm, context: ContextDep, merchant: Merchant, now: Now
) -> OrderAnswer:
    """Cancel an order that is not completed."""
    request = OrderRequest("cancel", body.to_json())
    return OrderAnswer.of(orders.apply_request(context, _find_own(merchant.party, out_order_no), request, now))


@router.post(
    "/{out_order_no}/complete",
    responses=error_responses(*_TRANSITION_CODES, "bad_amount", "over_ceiling", "bad_time_range"),
)
def complete_order(
    out_order_no: OrderNumber, body: CompleteForm, context: ContextDep, merchant: Merchant, now: Now
) -> OrderAnswer:
    """Complete an order: give the amount to pay, up to the waived or agreed amount. A total of 0 settles the order at once."""
    times = body.time_range.start_time, body.time_range.end_time
    request = orders.completion(body.to_json(), body.damage_amount, *times, now)
    return OrderAnswer.of(orders.apply_request(context, _find_own(merchant.party, out_order_no), request, now))


@router.post(
    "/{out_order_no}/modify", responses=error_responses(*_TRANSITION_CODES, "bad_amount", "total_may_only_decrease")
)
def modify_order(
    out_order_no: OrderNumber, body: ModifyForm, context: ContextDep, merchant: Merchant, now: Now
) -> OrderAnswer:
    """Lower the amount to pay while the order is due."""
    request = orders.modification(body.to_json())
    return OrderAnswer.of(orders.apply_request(context, _find_own(merchant.party, out_order_no), request, now))


@router.post("/{out_order_no}/pay", responses=error_responses(*_TRANSITION_CODES))
def pay_order(out_order_no: OrderNumber, context: ContextDep, merchant: Merchant, now: Now) -> OrderAnswer:
    """Report that the person has paid now."""
    return OrderAnswer.of(
        orders.apply_request(context, _find_own(merchant.party, out_order_no), OrderRequest("pay"), now)
    )


@router.post("/{out_order_no}/sync", responses=error_responses(*_TRANSITION_CODES, "bad_time_range"))
def sync_order(
    out_order_no: OrderNumber, body: SyncForm, context: ContextDep, merchant: Merchant, now: Now
) -> OrderAnswer:
    """Report an earlier payment by another way. If it was in time, we retract the report that the order was overdue."""
    request = OrderRequest("sync", body.to_json())
    return OrderAnswer.of(orders.apply_request(context, _find_own(merchant.party, out_order_no), request, now))


@router.post("/{out_order_no}/dispute", responses=error_responses(*_TRANSITION_CODES))
def dispute_order(
    out_order_no: OrderNumber, body: DisputeForm, context: ContextDep, merchant: Merchant, now: Now
) -> OrderAnswer:
    """Dispute an order, or withdraw the merchant's own dispute."""
    find = _find_own(merchant.party, out_order_no)
    return OrderAnswer.of(orders.dispute(context, find, "merchant", body.statement, now))


def _find_own(merchant: str, number: str) -> orders.Find:
    def find(connection: Connection) -> Order:
        return order_store.of_merchant(connection, merchant, number)

    return find
