"""Try on: the rules of a draft on one person, real or made up. Each line shows whether it was met, and the value that was there."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.console.calls import CallProblem
from api.console.rule_drafts import Number
from api.console.visits import OperatorVisit, PageRoute, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

VALUE_PREFIX: Final = "v."  # of the fields with the values of a made-up person


@router.get("/rules/drafts/{number}/try")
async def show_trying(visit: OperatorVisit, number: Number) -> Response:
    """The form, and the rules on somebody of whom we know nothing."""
    return await _try_page(visit, number, {"draft": number, "language": visit.language}, {})


@router.post("/rules/drafts/{number}/try")
async def try_on(visit: OperatorVisit, number: Number) -> Response:
    """Try the rules on the person of the form: a real one, if the form names one, or the values."""
    form = await form_of(visit)
    person, purpose = (str(form.get(name, "")).strip() for name in ("person", "purpose"))
    body: dict[str, Any] = {"draft": number, "language": visit.language}
    body |= {"person": person, "purpose": purpose or None} if person else {"values": _values(form)}
    return await _try_page(visit, number, body, {"person": person, "purpose": purpose})


async def _try_page(visit: Visit, number: int, body: Mapping[str, Any], form: Mapping[str, str]) -> Response:
    draft = await visit.api.get(f"/v1/rules/drafts/{number}")
    assessment, problem = None, None
    try:
        assessment = await visit.api.post("/v1/rules/assessment", body)
    except CallProblem as error:
        if error.status >= 500:
            raise
        problem = error
        if error.code != "rules_refused":  # the form needs the names that the rules read
            assessment = await visit.api.post("/v1/rules/assessment", {"draft": number, "language": visit.language})
    written = body.get("values", {})
    page = {
        "draft": draft,
        "form": {"person": "", "purpose": "", **form},
        "is_tried": bool(body.get("person") or written) and problem is None,
        "assessment": assessment,
        "groups": _groups(assessment, written) if assessment else {},
        "parts": _parts(assessment) if assessment else {},
        "sources": _sources(draft["files"], assessment) if assessment else {},
        "problem": problem.document if problem else None,
    }
    return visit.page("rule_trying.html", problem.status if problem else 200, **page)


def _values(form: FormData) -> dict[str, str]:
    fields = {
        name.removeprefix(VALUE_PREFIX): str(form[name]).strip() for name in form if name.startswith(VALUE_PREFIX)
    }
    return {name: text for name, text in fields.items() if text}


def _groups(assessment: Mapping[str, Any], written: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    """The values that the rules read, by dimension. What was typed stays, also if it does not fit."""
    groups = defaultdict[str, list[dict[str, str]]](list)
    for value in assessment["values"]:
        groups[value["name"].partition(".")[0]].append(value | {"value": written.get(value["name"], value["value"])})
    return dict(groups)


def _parts(assessment: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The lines of the rules by dimension or perk."""
    parts = defaultdict[str, list[dict[str, Any]]](list)
    for line in assessment["lines"]:
        parts[line["part"]].append(line)
    return dict(parts)


def _sources(files: Mapping[str, str], assessment: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The text of each file that decides, line by line: what is met, the span that counts, and the value beside it."""
    notes = defaultdict[tuple[str, int], list[dict[str, Any]]](list)
    for line in assessment["lines"]:
        place = line["met_at"] or line["at"]
        if place:
            notes[place["file"], place["line"]].append(line | {"place": place})
    sources = {}
    for file in dict.fromkeys(file for file, _ in notes):
        rows = files[file].removeprefix("\ufeff").split("\n")
        sources[file] = [_row(n, row, notes.get((file, n), [])) for n, row in enumerate(rows, 1)]
    return sources


def _row(number: int, text: str, notes: list[dict[str, Any]]) -> dict[str, Any]:
    """A line of a file, cut around the span that counts."""
    met = next((note for note in notes if note["met_at"] and note["sort"] != "scorable"), None)
    start = met["place"]["column"] - 1 if met else len(text)
    end = start + met["place"]["length"] if met else len(text)
    return {"number": number, "before": text[:start], "marked": text[start:end], "after": text[end:], "notes": notes}
