"""What is stored about a person and from whom, objections to items, and the numbers that we compute from them."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.console import labels
from api.console.calls import CallProblem, part
from api.console.person_words import window_text
from api.console.visits import PageRoute, SubjectVisit, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE_SIZE = 20
After = Annotated[str | None, Query(max_length=20)]


@router.get("/me/evidence")
async def list_my_evidence(visit: SubjectVisit, after: After = None) -> Response:
    """Items of evidence, oldest first, with their contributors."""
    return await _page(visit, after)


@router.post("/me/evidence/objections")
async def object_to_item(visit: SubjectVisit) -> Response:
    """Object to an item: it stops counting against the person at once."""
    form = await form_of(visit)
    body = {name: str(form.get(name, "")) for name in ("contributor", "event_id")}
    statement = str(form.get("statement", "")).strip()
    try:
        await visit.api.post("/v1/me/disputes", body | {"statement": statement or None})
    except CallProblem as error:
        return await _page(visit, None, error)
    return visit.see_other("/me/evidence", "objected")


@router.post("/me/evidence/objections/{dispute_id}/statement")
async def add_statement(visit: SubjectVisit, dispute_id: str) -> Response:
    """Add a statement to an objection, also after its answer."""
    form = await form_of(visit)
    body = {"statement": str(form.get("statement", "")).strip()}
    try:
        await visit.api.post(f"/v1/me/disputes/{part(dispute_id)}/statement", body)
    except CallProblem as error:
        if error.status == 404:
            raise
        return await _page(visit, None, error)
    return visit.see_other("/me/evidence", "statement_added")


@router.get("/me/evidence/numbers")
async def list_my_numbers(visit: SubjectVisit) -> Response:
    """The features of the person in words."""
    try:
        items, problem = (await visit.api.get("/v1/me/features"))["items"], None
    except CallProblem as error:
        items, problem = [], error.document
    return visit.page(
        "my_numbers.html", items=items, problem=problem, labels=labels, window_text=partial(window_text, visit.language)
    )


async def _page(visit: Visit, after: str | None, problem: CallProblem | None = None) -> Response:
    page = await visit.api.get("/v1/me/evidence", after=after, limit=PAGE_SIZE)
    disputes: list[dict[str, Any]] = [] if after else (await visit.api.get("/v1/me/disputes"))["items"]
    return visit.page(
        "my_evidence.html",
        problem.status if problem else 200,
        items=page["items"],
        next=page["next"],
        disputes=disputes,
        titles={(item["contributor"], item["event_id"]): item["about"] for item in page["items"]},
        problem=problem.document if problem else None,
        labels=labels,
    )
