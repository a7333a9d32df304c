"""People: search by the beginning of an id, state a purpose, and read one person's data under it."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query
from markupsafe import Markup
from starlette.responses import Response

from api.console.calls import CallProblem
from api.console.labels import BANDS, VALUES
from api.console.navigation import N_
from api.console.person_charts import score_chart
from api.console.person_words import FIELDS
from api.console.visits import OperatorVisit, PageRoute, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

LOOK_KINDS: Final = (
    ("dispute", N_("A dispute")),
    ("review", N_("A review of a decision")),
    ("enquiry", N_("The person asks")),
    ("supervision", N_("A check")),
)
PARTS: Final = (
    ("score", N_("Score")),
    ("evidence", N_("Evidence")),
    ("network", N_("Network")),
    ("decisions", N_("Decisions")),
    ("records", N_("Orders and cases")),
    ("looks", N_("Who looked")),
)
Key = Annotated[str | None, Query(pattern="^[0-9a-f]{1,64}$")]


@router.get("/people")
async def show_search(visit: OperatorVisit, starts: Annotated[str, Query(max_length=128)] = "") -> Response:
    """The search, and what it found."""
    people, problem = None, None
    if starts.strip():
        try:
            people = [item["person"] for item in (await visit.api.get("/v1/people", starts=starts.strip()))["items"]]
        except CallProblem as refusal:
            problem = refusal.document
    return visit.page("people.html", starts=starts.strip(), people=people, problem=problem)


@router.post("/people/look")
async def open_person(visit: OperatorVisit) -> Response:
    """Record why somebody opens a person, and go there."""
    form = await form_of(visit)
    person = str(form.get("person", "")).strip()
    body: dict[str, Any] = {"kind": str(form.get("kind", "")), "purpose": str(form.get("purpose", "")).strip()}
    try:
        look = await visit.api.post(f"/v1/people/{quote(person, safe='')}/looks", body)
    except CallProblem as refusal:
        if refusal.code not in ("unknown_person", "bad_request"):
            raise
        return purpose_page(visit, "/people/look", person=person, problem=refusal, **body)
    return visit.see_other(f"/people/{quote(person, safe='')}", look=look["id"])


@router.get("/people/{person:path}")
async def show_person(
    visit: OperatorVisit,
    person: str,
    look: Key = None,
    part: Annotated[str, Query(max_length=20)] = "score",
    after: Annotated[str | None, Query(pattern="^[0-9]{1,18}$")] = None,
    steps: Annotated[int, Query(ge=1, le=2)] = 1,
) -> Response:
    """One part of a person's data, under a look; without one, the question for the purpose."""
    if look is None:
        return purpose_page(visit, "/people/look", person=person)
    address = f"/v1/people/{quote(person, safe='')}"
    try:
        records = await visit.api.get(address, look=look)
        more = await _part(visit, address, look, part, after, steps, records)
    except CallProblem as refusal:
        if refusal.code != "look_needed":
            raise
        return purpose_page(visit, "/people/look", 403, person=person, has_ended=True)
    own_address = f"/people/{quote(person, safe='')}?look={look}"
    return visit.page(
        "person.html",
        person=person,
        records=records,
        part=part,
        parts=PARTS,
        address=own_address,
        steps=steps,
        bands=BANDS,
        fields=FIELDS,
        value_words=VALUES,
        **more,
    )


async def _part(
    visit: Visit, address: str, look: str, part: str, after: str | None, steps: int, records: Any
) -> dict[str, Any]:
    """The values that one part needs beside the records."""
    if part == "evidence":
        return {"page": await visit.api.get(f"{address}/evidence", look=look, after=after, limit=50)}
    if part == "decisions":
        return {"page": await visit.api.get(f"{address}/inquiries", look=look, after=after, limit=50)}
    if part == "network":
        return {"network": await _network(visit, address, look, steps)}
    if part == "score":
        chart = score_chart(records["history"], visit.language, visit.zone)
        return {"recourse": await _recourse(visit, address, look, records), "chart": chart}
    return {}


async def _network(visit: Visit, address: str, look: str, steps: int) -> Any:
    """The network with its drawings; None where the person has no consent, or nothing was built."""
    try:
        network = await visit.api.get(f"{address}/network", look=look, steps=steps)
    except CallProblem as refusal:
        if refusal.code not in ("unknown_person", "not_ready"):
            raise
        return None
    for layer in (network["ties"], network["money"]):
        layer["drawing"] = Markup(layer["drawing"])  # noqa: S704 - api.render escapes each name in it
    return network


async def _recourse(visit: Visit, address: str, look: str, records: Any) -> Any:
    """The least change that raises the score; None without a score."""
    if records["score"] is None:
        return None
    try:
        return await visit.api.get(f"{address}/recourse", look=look)
    except CallProblem as refusal:
        if refusal.code not in ("engine_failed", "features_stale", "unknown_person"):
            raise
        return None


def purpose_page(visit: Visit, action: str, status: int = 200, **values: Any) -> Response:
    """The form that asks why somebody opens personal data."""
    problem = values.pop("problem", None)
    defaults = {"person": "", "decision": "", "kind": "enquiry", "purpose": "", "has_ended": False}
    status = problem.status if problem else status
    document = problem.document if problem else None
    return visit.page("purpose.html", status, action=action, kinds=LOOK_KINDS, problem=document, **(defaults | values))
