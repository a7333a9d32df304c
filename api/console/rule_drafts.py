"""A draft of rules: the editor, with the checker's problems and the cases beside it. Without scripts it is a form."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from starlette.datastructures import FormData
from starlette.responses import JSONResponse, Response

from api.console.calls import CallProblem
from api.console.rule_texts import meaning_lines, presence_line, saved_line
from api.console.rules import CASES_SUFFIX, FileQuery, file_order
from api.console.visits import OperatorVisit, PageRoute, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

Number = Annotated[int, Path(ge=1, le=10**9)]
FIRST_FILE: Final = "trust.yaml"
MAX_PROBLEMS: Final = 50  # that a page shows


@router.get("/rules/drafts/{number}")
async def show_draft(visit: OperatorVisit, number: Number, file: FileQuery = "", check: str = "") -> Response:
    """One file of a draft, to edit. `check`: with the problems and cases, for a reader without scripts."""
    draft = await visit.api.get(f"/v1/rules/drafts/{number}")
    return await _draft_page(visit, draft, file, checks=bool(check))


async def _draft_page(
    visit: Visit, draft: Mapping[str, Any], file: str, status: int = 200, *, checks: bool = False, **values: Any
) -> Response:
    in_force = (await visit.api.get("/v1/rules"))["files"]
    files = draft["files"]
    current = file if file in files else FIRST_FILE if FIRST_FILE in files else min(files)
    findings = await _findings(visit, draft["id"], current, {}, None) if checks else None
    names = sorted(files, key=file_order)
    page = {
        "draft": draft,
        "files": [(name, files[name] != in_force.get(name)) for name in names],
        "removed": sorted(set(in_force) - set(files), key=file_order),
        "file": current,
        "text": files[current],
        "saved": saved_line(draft, visit.language, visit.zone),
        "findings": findings,
        "problem": None,
    }
    return visit.page("rule_draft.html", status, **page | values)


@router.post("/rules/drafts/{number}")
async def save_draft(visit: OperatorVisit, number: Number) -> Response:
    """Save the file of the form, and show it with its problems. A draft that moved on comes beside what was typed."""
    form = await form_of(visit)
    file, text = str(form.get("file", "")), _text(form)
    try:
        await _save(visit, number, file, text, str(form.get("version", "")))
    except CallProblem as problem:
        if problem.code not in ("draft_moved", "no_rules", "bad_request"):
            raise
        draft = await visit.api.get(f"/v1/rules/drafts/{number}")
        return await _draft_page(visit, draft, file, problem.status, text=text, problem=problem.document)
    return visit.see_other(f"/rules/drafts/{number}", file=file, check="1")


@router.post("/rules/drafts/{number}/text")
async def save_text(visit: OperatorVisit, number: Number) -> Response:
    """Save the file of the form, for the editor."""
    form = await form_of(visit)
    try:
        draft = await _save(visit, number, str(form.get("file", "")), _text(form), str(form.get("version", "")))
    except CallProblem as problem:
        message = " ".join(filter(None, (problem.document.get("detail"), problem.document.get("hint"))))
        return JSONResponse({"message": message}, problem.status)
    return JSONResponse({"version": draft["version"], "message": saved_line(draft, visit.language, visit.zone)})


async def _save(visit: Visit, number: int, file: str, text: str | None, version: str) -> Any:
    body = {"version": int(version) if version.isdigit() else 0, "files": {file: text}}
    return await visit.api.replace(f"/v1/rules/drafts/{number}", body)


@router.post("/rules/drafts/{number}/file")
async def change_files(visit: OperatorVisit, number: Number) -> Response:
    """Add a file to a draft, or take one out."""
    form = await form_of(visit)
    file, is_removal = str(form.get("file", "")).strip(), "remove" in form
    text = None if is_removal else _first_text(file)
    await _save(visit, number, file, text, str(form.get("version", "")))
    return visit.see_other(f"/rules/drafts/{number}", **({} if is_removal else {"file": file}))


@router.post("/rules/drafts/{number}/deletion")
async def delete_draft(visit: OperatorVisit, number: Number) -> Response:
    """Delete a draft of one's own."""
    await visit.api.delete(f"/v1/rules/drafts/{number}")
    return visit.see_other("/rules", "draft_deleted")


@router.post("/rules/drafts/{number}/check")
async def check_draft(visit: OperatorVisit, number: Number) -> Response:
    """The problems and cases of a draft with the text of the form, as a part of the page. `scope`: the cases of the file, or all."""
    form = await form_of(visit)
    file = str(form.get("file", ""))
    cases = None if form.get("scope") == "all" else [_cases_of(file)]
    findings = await _findings(visit, number, file, {file: _text(form)}, cases)
    return visit.page("rule_findings.html", findings=findings, number=number, file=file)


async def _findings(
    visit: Visit, number: int, file: str, files: Mapping[str, str], cases: list[str] | None
) -> dict[str, Any]:
    """The answer of the checker, with what belongs to this file first."""
    check = await visit.api.post("/v1/rules/check", {"draft": number, "files": files, "cases": cases})
    problems = sorted(check["problems"], key=lambda p: p["at"]["file"] != file)
    results = sorted(check["cases"] or [], key=lambda c: (c["file"] != _cases_of(file), not c["red"]))
    return {
        "release": check["release"],
        "problems": problems[:MAX_PROBLEMS],
        "more": max(0, len(problems) - MAX_PROBLEMS),
        "cases": results,
        "is_all": cases is None,
        "own_cases": _cases_of(file),
    }


@router.post("/rules/drafts/{number}/completion")
async def complete_draft(visit: OperatorVisit, number: Number) -> Response:
    """What fits at a place, for the editor."""
    completion = await visit.api.post("/v1/rules/completion", await _place(visit, number))
    options = [
        {
            **{key: option[key] for key in ("label", "apply", "kind", "detail", "boost")},
            "lines": meaning_lines(option, visit.language),
        }
        for option in completion["options"]
    ]
    return JSONResponse({"line": completion["line"], "column": completion["column"], "options": options})


@router.post("/rules/drafts/{number}/explanation")
async def explain_draft(visit: OperatorVisit, number: Number) -> Response:
    """The meaning of a word, for the editor."""
    meaning = await visit.api.post("/v1/rules/explanation", await _place(visit, number))
    return JSONResponse(meaning | {"lines": meaning_lines(meaning, visit.language)})


async def _place(visit: Visit, number: int) -> dict[str, Any]:
    form = await form_of(visit)
    file = str(form.get("file", ""))
    place = {name: int(str(form.get(name, "1"))) for name in ("line", "column")}
    return {"draft": number, "files": {file: _text(form)}, "file": file, "language": visit.language, **place}


@router.post("/rules/drafts/{number}/presence")
async def note_presence(visit: OperatorVisit, number: Number) -> Response:
    """Note that the page is open, and say who else has the draft open."""
    form = await form_of(visit)
    presence = await visit.api.post(f"/v1/rules/drafts/{number}/presence", {"editor": str(form.get("editor", ""))})
    version = str(form.get("version", "0"))
    caller = visit.session.caller.party if visit.session else ""
    return JSONResponse(
        {"message": presence_line(presence, int(version) if version.isdigit() else 0, caller, visit.language)}
    )


def _text(form: FormData) -> str:
    """The text of the form: browsers send line ends of their own."""
    return str(form.get("text", "")).replace("\r\n", "\n")


def _cases_of(file: str) -> str:
    """The file of cases beside a file."""
    return file if file.endswith(CASES_SUFFIX) else file.removesuffix(".yaml") + CASES_SUFFIX


def _first_text(file: str) -> str:
    """What a new file begins with."""
    if file.startswith("lists/"):
        return f"kind: list\nid: {file.removeprefix('lists/').removesuffix('.yaml')}\nabout: A new list\nentries: []\n"
    return "kind: cases\nas_of: 2026-01-01\ncases: []\n" if file.endswith(CASES_SUFFIX) else "kind: "
