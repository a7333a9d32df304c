"""A person's own orders: confirm one, dispute one."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.console import labels
from api.console.calls import CallProblem, part
from api.console.visits import PageRoute, SubjectVisit, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE_SIZE = 20
After = Annotated[str | None, Query(max_length=64)]


@router.get("/me/orders")
async def list_my_orders(visit: SubjectVisit, after: After = None) -> Response:
    """The person's orders, newest first."""
    return await _page(visit, after)


@router.post("/me/orders/{order_id}/confirm")
async def confirm_order(visit: SubjectVisit, order_id: str) -> Response:
    """Confirm an order, so that it begins."""
    try:
        await visit.api.post(f"/v1/me/orders/{part(order_id)}/confirm")
    except CallProblem as error:
        if error.status == 404:
            raise
        return await _page(visit, None, error)
    return visit.see_other("/me/orders", "order_confirmed")


@router.post("/me/orders/{order_id}/dispute")
async def dispute_order(visit: SubjectVisit, order_id: str) -> Response:
    """Dispute an order with a statement, or withdraw the dispute by none."""
    form = await form_of(visit)
    statement = None if "agree" in form else str(form.get("statement", "")).strip()
    try:
        await visit.api.post(f"/v1/me/orders/{part(order_id)}/dispute", {"statement": statement})
    except CallProblem as error:
        if error.status == 404:
            raise
        return await _page(visit, None, error)
    return visit.see_other("/me/orders", "order_agreed" if statement is None else "order_disputed")


async def _page(visit: Visit, after: str | None, problem: CallProblem | None = None) -> Response:
    page = await visit.api.get("/v1/me/orders", after=after, limit=PAGE_SIZE)
    return visit.page(
        "my_orders.html",
        problem.status if problem else 200,
        orders=page["items"],
        next=page["next"],
        problem=problem.document if problem else None,
        labels=labels,
    )
