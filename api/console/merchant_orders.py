"""A merchant's orders: find one, and do what its state allows."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.console import labels
from api.console.amounts import local_text, minor_units, moment_text
from api.console.calls import CallProblem, part
from api.console.visits import MerchantVisit, PageProblem, PageRoute, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE_SIZE: Final = 50
MAX_ITEMS: Final = 4  # that the form has room for; the API takes a hundred
ACTIONS: Final = ("cancel", "complete", "modify", "pay", "sync", "dispute", "agree")
Values = Mapping[str, str]


@router.get("/orders")
async def list_orders(
    visit: MerchantVisit,
    state: Annotated[str, Query(max_length=40)] = "",
    after: Annotated[str | None, Query(max_length=32)] = None,
    number: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    """The merchant's orders, newest first, of one state or all; `number` goes to one order."""
    if number.strip():
        return visit.see_other(f"/orders/{part(number.strip())}")
    page = await visit.api.get("/v1/orders", state=state or None, after=after, limit=PAGE_SIZE)
    return visit.page("orders.html", orders=page["items"], next=page["next"], state=state, labels=labels)


@router.get("/orders/{out_order_no}")
async def show_order(visit: MerchantVisit, out_order_no: str) -> Response:
    """One order, and what can be done with it now."""
    return await _page(visit, out_order_no)


@router.post("/orders/{out_order_no}/{action}")
async def move_order(visit: MerchantVisit, out_order_no: str, action: str) -> Response:
    """Move an order on."""
    if action not in ACTIONS:
        raise PageProblem(404, "not_found")
    values = {name: str(value).strip() for name, value in (await form_of(visit)).items()}
    order = await visit.api.get(f"/v1/orders/{part(out_order_no)}")
    body = _body(visit, action, values, order["currency"])
    if isinstance(body, str):
        return await _page(visit, out_order_no, values, error=body, opened=action)
    route = "dispute" if action == "agree" else action
    try:
        await visit.api.post(f"/v1/orders/{part(out_order_no)}/{route}", body)
    except CallProblem as problem:
        return await _page(visit, out_order_no, values, problem=problem, opened=action)
    return visit.see_other(f"/orders/{part(out_order_no)}", "order_moved")


async def _page(
    visit: Visit,
    out_order_no: str,
    values: Values | None = None,
    *,
    error: str = "",
    problem: CallProblem | None = None,
    opened: str = "",
) -> Response:
    order = await visit.api.get(f"/v1/orders/{part(out_order_no)}")
    start = {
        "starts": local_text(visit.now - timedelta(days=1), visit.zone),
        "ends": local_text(visit.now, visit.zone),
        "paid_at": local_text(visit.now, visit.zone),
    }
    return visit.page(
        "order.html",
        problem.status if problem else 422 if error else 200,
        order=order,
        values=start | dict(values or {}),
        items=range(MAX_ITEMS),
        opened=opened,
        error=error,
        problem=problem.document if problem else None,
        labels=labels,
    )


def _body(visit: Visit, action: str, values: Values, currency: str) -> dict[str, Any] | str | None:
    """The body of the action's request, or the code of what is wrong with the form; `pay` has none."""
    if action == "cancel":
        return {"cancel_reason": values.get("reason", "")}
    if action == "dispute":
        return {"statement": values.get("statement", "")}
    if action == "agree":
        return {"statement": None}
    if action == "sync":
        paid_at = moment_text(values.get("paid_at", ""), visit.zone)
        return "no_time" if paid_at is None else {"paid_at": paid_at}
    if action in ("complete", "modify"):
        return _charge(visit, action, values, currency)
    return None


def _charge(visit: Visit, action: str, values: Values, currency: str) -> dict[str, Any] | str:
    rows = [(values.get(f"name{n}", ""), values.get(f"amount{n}", "")) for n in range(MAX_ITEMS)]
    items = [{"name": name, "amount": minor_units(amount, currency)} for name, amount in rows if name or amount]
    discount, damage = (minor_units(values.get(n, "") or "0", currency) for n in ("discount", "damage"))
    if not items or discount is None or damage is None or any(item["amount"] is None for item in items):
        return "no_amount"
    discounts = [{"name": values.get("discount_name") or "discount", "amount": discount}] if discount else []
    body: dict[str, Any] = {"post_payments": items, "post_discounts": discounts}
    if action == "modify":
        return body | {"modify_reason": values.get("reason", "")}
    times = {f"{end}_time": moment_text(values.get(f"{end}s", ""), visit.zone) for end in ("start", "end")}
    if None in times.values():
        return "no_time"
    return body | {"damage_amount": damage, "time_range": times}
