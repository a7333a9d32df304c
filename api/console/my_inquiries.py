"""Who asked about a person and what the outcome was, reviews by a human, and who of the operators looked."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.console import labels
from api.console.calls import CallProblem
from api.console.visits import PageRoute, SubjectVisit, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE_SIZE = 20
After = Annotated[str | None, Query(max_length=20)]


@router.get("/me/inquiries")
async def list_my_inquiries(visit: SubjectVisit, after: After = None) -> Response:
    """Questions about the person, newest first."""
    return await _page(visit, after)


@router.post("/me/inquiries/{decision_id}/review")
async def ask_review(visit: SubjectVisit, decision_id: str) -> Response:
    """Ask a human to look at an answer."""
    form = await form_of(visit)
    statement = str(form.get("statement", "")).strip()
    try:
        await visit.api.post("/v1/me/reviews", {"decision_id": decision_id, "statement": statement or None})
    except CallProblem as error:
        return await _page(visit, None, error.document, error.status)
    return visit.see_other("/me/inquiries", "review_asked")


async def _page(visit: Visit, after: str | None, problem: dict[str, Any] | Any = None, status: int = 200) -> Response:
    page = await visit.api.get("/v1/me/inquiries", after=after, limit=PAGE_SIZE)
    reviews = (await visit.api.get("/v1/me/reviews"))["items"]
    return visit.page(
        "my_inquiries.html",
        status,
        inquiries=page["items"],
        next=page["next"],
        reviews={review["decision_id"]: review for review in reversed(reviews)},
        looks=[] if after else await _looks(visit),
        problem=problem,
        labels=labels,
    )


async def _looks(visit: Visit) -> list[dict[str, Any]]:
    """Looks of operators at the person; none where the server does not record them."""
    try:
        page = await visit.api.get("/v1/me/looks", limit=PAGE_SIZE)
    except CallProblem as error:
        if error.status != 404:
            raise
        return []
    items: list[dict[str, Any]] = page["items"]
    return items
