"""What merchants do with orders."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import Connection

from api.database import reading
from api.deps import InWorld, Merchant, Now
from api.lanes import LanedRoute
from api.orders import order_book, orders
from api.orders.order_book import Order
from api.orders.orders import NewOrder, Request
from api.problems import documented
from api.routes.order_forms import (
    NUMBER,
    CancelForm,
    CompleteForm,
    DisputeForm,
    ModifyForm,
    OrderAnswer,
    OrderForm,
    Orders,
    SyncForm,
)
from api.routes.page import NEXT
from api.tables import ORDERS
from engine.errors import Refused

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=LanedRoute)

Number = Annotated[str, Path(pattern=NUMBER, description="the merchant's own number")]
_MOVING: Final = ("unknown_order", "order_mismatch", "wrong_state", "engine_failed")


@router.post(
    "",
    responses={
        201: {"model": OrderAnswer, "description": "a new order"},
        **documented(
            *("unknown_decision", "wrong_service", "not_admitted", "decision_used", "decision_superseded"),
            *("decision_expired", "no_consent", "order_mismatch", "over_ceiling", "bad_time_range"),
            *("decision_lapsed", "engine_failed"),
        ),
    },
)
def create_order(body: OrderForm, world: InWorld, merchant: Merchant, now: Now, response: Response) -> OrderAnswer:
    """Make an order of a decision: 201. The same number with the same parameters gets the same order again: 200.

    A decision lapses when the person's own orders let no new one begin since: ask again then.
    """
    new = NewOrder(
        out_order_no=body.out_order_no,
        service=body.service,
        decision=body.decision_id,
        risk_amount=body.risk_fund.amount,
        starts_at=body.time_range.start_time,
        ends_at=body.time_range.end_time,
        needs_confirming=body.need_user_confirm,
        content=body.said(),
    )
    made = orders.create(world, merchant.party, new, now)
    response.status_code = 201 if made.created_at == now else 200
    return OrderAnswer.of(made)


@router.get("", responses=documented("unknown_order", "engine_failed"))
def list_orders(
    world: InWorld,
    merchant: Merchant,
    now: Now,
    state: Annotated[str | None, Query(pattern="^[a-z_]{1,40}$")] = None,
    after: Annotated[str | None, Query(pattern=NUMBER, description=NEXT)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Orders:
    """The merchant's orders, newest first."""
    if state is not None and state not in (known := orders.states(world, now)):
        hint = f"use one of {', '.join(known)}"
        raise Refused("no order can be in that state", where="state", hint=hint, code="bad_request")
    mine = ORDERS.c.merchant == merchant.party
    with reading(world.database) as connection:
        last = None if after is None else order_book.of_merchant(connection, merchant.party, after)
        which = mine if state is None else mine & (ORDERS.c.state == state)
        found = order_book.page(connection, which, limit + 1, last)
    return Orders.cut([OrderAnswer.of(order) for order in found], limit, "out_order_no")


@router.get("/{out_order_no}", responses=documented("unknown_order"))
def get_order(out_order_no: Number, world: InWorld, merchant: Merchant) -> OrderAnswer:
    """One of the merchant's orders, as it is now. After a time-out: ask here, under the same number."""
    with reading(world.database) as connection:
        return OrderAnswer.of(order_book.of_merchant(connection, merchant.party, out_order_no))


@router.post("/{out_order_no}/cancel", responses=documented(*_MOVING))
def cancel_order(out_order_no: Number, body: CancelForm, world: InWorld, merchant: Merchant, now: Now) -> OrderAnswer:
    """Cancel an order that is not completed."""
    asked = Request("cancel", body.said())
    return OrderAnswer.of(orders.ask(world, _own(merchant.party, out_order_no), asked, now))


@router.post("/{out_order_no}/complete", responses=documented(*_MOVING, "bad_amount", "over_ceiling", "bad_time_range"))
def complete_order(
    out_order_no: Number, body: CompleteForm, world: InWorld, merchant: Merchant, now: Now
) -> OrderAnswer:
    """The service has ended: what is to be paid, within what was waived or agreed on. Nothing to pay is paid at once."""
    times = body.time_range.start_time, body.time_range.end_time
    asked = orders.completion(body.said(), body.damage_amount, *times, now)
    return OrderAnswer.of(orders.ask(world, _own(merchant.party, out_order_no), asked, now))


@router.post("/{out_order_no}/modify", responses=documented(*_MOVING, "bad_amount", "only_downwards"))
def modify_order(out_order_no: Number, body: ModifyForm, world: InWorld, merchant: Merchant, now: Now) -> OrderAnswer:
    """Lower what is to be paid, while it is due."""
    asked = orders.modification(body.said())
    return OrderAnswer.of(orders.ask(world, _own(merchant.party, out_order_no), asked, now))


@router.post("/{out_order_no}/pay", responses=documented(*_MOVING))
def pay_order(out_order_no: Number, world: InWorld, merchant: Merchant, now: Now) -> OrderAnswer:
    """It was paid now."""
    return OrderAnswer.of(orders.ask(world, _own(merchant.party, out_order_no), Request("pay"), now))


@router.post("/{out_order_no}/sync", responses=documented(*_MOVING, "bad_time_range"))
def sync_order(out_order_no: Number, body: SyncForm, world: InWorld, merchant: Merchant, now: Now) -> OrderAnswer:
    """It was paid in another way, earlier. What was told of it as overdue is taken back when it was in time."""
    asked = Request("sync", body.said())
    return OrderAnswer.of(orders.ask(world, _own(merchant.party, out_order_no), asked, now))


@router.post("/{out_order_no}/dispute", responses=documented(*_MOVING))
def dispute_order(out_order_no: Number, body: DisputeForm, world: InWorld, merchant: Merchant, now: Now) -> OrderAnswer:
    """Dispute an order, or end the merchant's own dispute of it."""
    own = _own(merchant.party, out_order_no)
    return OrderAnswer.of(orders.dispute(world, own, "merchant", body.statement, now))


def _own(merchant: str, number: str) -> orders.Find:
    def find(connection: Connection) -> Order:
        return order_book.of_merchant(connection, merchant, number)

    return find
