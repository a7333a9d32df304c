"""Cases: objections and requests for a review, by deadline; each with its evidence, the effect of an answer, and the answer."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from api.console.calls import CallProblem
from api.console.case_queue import KINDS, CaseKind, case_row, next_address, waiting_cases
from api.console.labels import BANDS
from api.console.navigation import N_
from api.console.person_words import FIELDS
from api.console.visits import OperatorVisit, PageRoute, Visit, form_of

router = APIRouter(prefix="/cases", route_class=PageRoute, include_in_schema=False)

CaseId = Annotated[str, Path(pattern="^[0-9A-Za-z]{1,64}$")]
After = Annotated[str | None, Query(pattern="^[0-9A-Za-z-]{1,100}$")]
Feature = Annotated[str | None, Query(max_length=80)]
LookId = Annotated[str | None, Query(max_length=64)]
PAGE: Final = 50
NOTE_MISSING: Final = "note_missing"
CHOICE_MISSING: Final = "choice_missing"


# What an answer was, in a badge: its text and its colour.
OUTCOME_BADGES: Final = {
    "upheld": (N_("Person was right"), "good"),
    "rejected": (N_("Item was right"), "quiet"),
    "stands": (N_("Decision stands"), "quiet"),
    "mistaken": (N_("Decision mistaken"), "warn"),
}
# Why there are no numbers beside a case, by the code of the API.
NUMBER_PROBLEMS: Final = {
    "features_stale": N_("The person's numbers are being computed again. Look again in a moment."),
    "unknown_person": N_("The person has no score: not enrolled, no consent, or the enrolment itself is disputed."),
    "not_ready": N_("Nothing has been built yet, so there are no numbers."),
    "no_lineage": N_("This number comes from the evidence of many people, so no event of this person makes it."),
    "unknown_feature": N_("The rules have no number of this name."),
    "look_needed": N_("Your look at this case has ended. Open the evidence again."),
    "erased": N_("The record was erased, because the person left."),
    "not_replayable": N_("The decision holds no values by rules: it was refused before."),
}


@router.get("")
async def list_cases(visit: OperatorVisit, kind: str = "waiting", after: After = None) -> Response:
    """Cases that wait, by deadline; or all of one kind."""
    today = await visit.api.get("/v1/today", days=1)
    if kind in KINDS:
        rows = await visit.api.get(f"/v1/{kind}", after=after, limit=PAGE)
        cases, following = [case_row(kind, case) for case in rows["items"]], rows["next"]
    else:
        kind = "waiting"
        cases, following = await waiting_cases(visit, after, PAGE)
    return visit.page("cases.html", kind=kind, cases=cases, following=following, today=today, badges=OUTCOME_BADGES)


@router.get("/next")
async def open_next(visit: OperatorVisit, skip: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Open the most urgent case, or the one that follows the case `skip`."""
    response = visit.see_other(await next_address(visit, skip))
    response.headers["Cache-Control"] = "no-store"
    return response


@router.get("/{kind}/{name}")
async def show_case(
    visit: OperatorVisit, kind: str, name: CaseId, feature: Feature = None, look: LookId = None
) -> Response:
    """One case with its evidence, the effect of an answer, and the form for the answer."""
    case = await _case(visit, _kind(kind), name)
    return await _page(visit, _kind(kind), case, feature=feature, look=look)


@router.post("/reviews/{name}/look")
async def open_evidence(visit: OperatorVisit, name: CaseId) -> Response:
    """Record that the operator looks at the person's data for this review, and show the data."""
    case = await _case(visit, KINDS["reviews"], name)
    body = {"kind": "review", "purpose": f"review {name}"}
    look = await visit.api.post(f"/v1/decisions/{case['decision_id']}/looks", body)
    return visit.see_other(f"/cases/reviews/{name}", look=look["id"])


@router.post("/{kind}/{name}")
async def answer_case(visit: OperatorVisit, kind: str, name: CaseId) -> Response:
    """Answer a case, and open the next one."""
    words, form = _kind(kind), await form_of(visit)
    outcome, note = str(form.get("outcome", "")), str(form.get("note", "")).strip()
    draft = {"outcome": outcome, "note": note}
    fault = CHOICE_MISSING if outcome not in {code for code, *_ in words.outcomes} else "" if note else NOTE_MISSING
    look = str(form.get("look", "")) or None
    if fault:
        return await _page(visit, words, await _case(visit, words, name), 422, look=look, draft=draft, fault=fault)
    following = await next_address(visit, name)
    try:
        case = await visit.api.post(f"/v1/{words.path}/{name}/{words.answer}", draft)
    except CallProblem as problem:
        if problem.code != "already_answered":
            raise
        case = await _case(visit, words, name)
        return await _page(visit, words, case, 409, draft=draft, is_late=True)
    if case[words.answered_by] != _party(visit):  # the same answer, which somebody else gave first
        return await _page(visit, words, case, draft=draft, is_late=True)
    address = following if following != f"/cases/{words.path}/{name}" else "/cases"
    return visit.see_other(address, "case_answered" if address != "/cases" else "all_answered")


async def _case(visit: Visit, kind: CaseKind, name: str) -> Mapping[str, Any]:
    case: Mapping[str, Any] = await visit.api.get(f"/v1/{kind.path}/{name}")
    return case


async def _page(
    visit: Visit,
    kind: CaseKind,
    case: Mapping[str, Any],
    status: int = 200,
    *,
    feature: str | None = None,
    look: str | None = None,
    **more: Any,
) -> Response:
    values: dict[str, Any] = {"draft": {"outcome": "", "note": ""}, "fault": "", "is_late": False} | more
    numbers = await (_effect(visit, case, feature) if kind.path == "disputes" else _explanation(visit, case, look))
    template = "case_dispute.html" if kind.path == "disputes" else "case_review.html"
    answered_by, answered_at = case[kind.answered_by], case[kind.answered_at]
    return visit.page(
        template,
        status,
        **values,
        **numbers,
        case=case,
        name=case[kind.id_field],
        kind=kind,
        answered_by=answered_by,
        answered_at=answered_at,
        is_mine=answered_by == _party(visit),
        badges=OUTCOME_BADGES,
        number_problems=NUMBER_PROBLEMS,
        band_words=BANDS,
        field_words=FIELDS,
        bands=BANDS,
        feature=feature,
        look=look,
    )


async def _effect(visit: Visit, case: Mapping[str, Any], feature: str | None) -> dict[str, Any]:
    """What the answer to a dispute changes, and the lineage of one number."""
    path = f"/v1/disputes/{case['dispute_id']}"
    effect, problem = await _read(visit, f"{path}/effect")
    lineage, lineage_problem = await _read(visit, f"{path}/features/{feature}") if feature else (None, "")
    return {"effect": effect, "problem": problem, "lineage": lineage, "lineage_problem": lineage_problem}


async def _explanation(visit: Visit, case: Mapping[str, Any], look: str | None) -> dict[str, Any]:
    """The rules and values of a decision, once the operator has opened them."""
    if look is None:
        return {"explanation": None, "problem": ""}
    path = f"/v1/audit/decisions/{case['decision_id']}/explanation"
    explanation, problem = await _read(visit, path, look=look)
    return {"explanation": explanation, "problem": problem}


async def _read(visit: Visit, path: str, **query: Any) -> tuple[Any, str]:
    """The answer, and the code of the problem in its place if the page explains it."""
    try:
        return await visit.api.get(path, **query), ""
    except CallProblem as problem:
        if problem.code not in NUMBER_PROBLEMS:
            raise
        return None, problem.code


def _kind(name: str) -> CaseKind:
    if name not in KINDS:
        raise CallProblem(404, {"code": "not_found"})
    return KINDS[name]


def _party(visit: Visit) -> str:
    return visit.session.caller.party if visit.session else ""
