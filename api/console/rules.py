"""Rules: the files in force, and the drafts of everyone who writes."""

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from api.console.calls import CallProblem
from api.console.navigation import N_
from api.console.rule_texts import meaning_lines
from api.console.visits import OperatorVisit, PageProblem, PageRoute, ReviewerVisit, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

CASES_SUFFIX: Final = ".cases.yaml"
_KIND: Final = re.compile(r"^kind:[ ]*([a-z]+)", re.MULTILINE)
ABOUT: Final = {
    "scorecard": N_("from values to a score"),
    "perks": N_("what a person may have without a deposit"),
    "features": N_("what we count in the evidence"),
    "evidence": N_("what can happen"),
    "orders": N_("the life of an order"),
    "watch": N_("patterns that raise flags"),
    "reasons": N_("the wording of reasons"),
    "policy": N_("guardrails that hold in every file"),
    "rates": N_("exchange rates"),
    "list": N_("a list that conditions read"),
    "cases": N_("examples, run as tests"),
}
FileQuery = Annotated[str, Query(alias="file", max_length=200)]


def file_order(name: str) -> tuple[bool, str, bool]:
    """Files beside their cases, lists at the end."""
    return "/" in name, name.removesuffix(CASES_SUFFIX).removesuffix(".yaml"), name.endswith(CASES_SUFFIX)


@router.get("/rules")
async def show_rules(visit: ReviewerVisit, after: str | None = None) -> Response:
    """The files in force, and drafts."""
    return await _rules_page(visit, after=after)


async def _rules_page(visit: Visit, status: int = 200, /, after: str | None = None, **values: Any) -> Response:
    rules = await visit.api.get("/v1/rules")
    drafts = await visit.api.get("/v1/rules/drafts", after=after, limit=20)
    files = [_entry(name, rules["files"][name]) for name in sorted(rules["files"], key=file_order)]
    return visit.page("rules.html", status, files=files, release=rules["release"], drafts=drafts, **values)


def _entry(name: str, text: str) -> dict[str, str]:
    kind = _KIND.search(text)
    return {"name": name, "about": ABOUT.get(kind[1], "") if kind else ""}


@router.post("/rules/drafts")
async def begin_draft(visit: OperatorVisit) -> Response:
    """Begin a draft with the files in force, and open it."""
    form = await form_of(visit)
    name = str(form.get("name", "")).strip()
    try:
        draft = await visit.api.post("/v1/rules/drafts", {"name": name})
    except CallProblem as problem:
        if problem.status >= 500:
            raise
        return await _rules_page(visit, problem.status, problem=problem.document, name=name)
    file = str(form.get("file", ""))
    return visit.see_other(f"/rules/drafts/{draft['id']}", **({"file": file} if file else {}))


@router.get("/rules/file")
async def show_file(visit: ReviewerVisit, file: FileQuery = "trust.yaml") -> Response:
    """A file in force."""
    rules = await visit.api.get("/v1/rules")
    if file not in rules["files"]:
        raise PageProblem(404, "not_found")
    files = sorted(rules["files"], key=file_order)
    return visit.page("rule_file.html", files=files, file=file, text=rules["files"][file], release=rules["release"])


@router.post("/rules/explanation")
async def explain_in_force(visit: ReviewerVisit) -> Response:
    """The meaning of a word of a file in force, for the editor."""
    form = await form_of(visit)
    place = {name: int(str(form.get(name, "1"))) for name in ("line", "column")}
    body = {"release": True, "file": str(form.get("file", "")), "language": visit.language, **place}
    meaning = await visit.api.post("/v1/rules/explanation", body)
    return JSONResponse(meaning | {"lines": meaning_lines(meaning, visit.language)})
