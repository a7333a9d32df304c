"""*Evidence*: who sends it, what arrived, what was refused and why, and the import of a file after a dry run."""

import base64
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.datastructures import UploadFile
from starlette.responses import Response

from api.console.calls import CallProblem
from api.console.visits import OperatorVisit, PageRoute, Visit, form_of

router = APIRouter(prefix="/evidence", route_class=PageRoute, include_in_schema=False)

MAX_CARRIED_BYTES: Final = 64 * 1024  # a larger file is chosen again for the import: the page must stay small
After = Annotated[str | None, Query(max_length=128)]


@dataclass(frozen=True)
class ChosenFile:
    """A file and a map as a form has them. `content` is Base64."""

    name: str
    content: str
    map: str

    @property
    def body(self) -> dict[str, str]:
        """The body for the API."""
        return {"name": self.name, "content": self.content, "map": self.map}

    @property
    def carried(self) -> str:
        """The content, if it is small enough to stay in the page until the import."""
        return self.content if len(self.content) <= MAX_CARRIED_BYTES else ""


@router.get("")
async def show_evidence(
    visit: OperatorVisit,
    after: After = None,
    contributor: Annotated[str | None, Query(max_length=128)] = None,
    refused: Annotated[bool, Query()] = False,
) -> Response:
    """Contributors, and what arrived."""
    contributors = await visit.api.get("/v1/evidence/contributors")
    submissions = await visit.api.get(
        "/v1/evidence/submissions", after=after, contributor=contributor or None, refused=refused
    )
    return visit.page(
        "evidence.html",
        contributors=contributors["items"],
        submissions=submissions,
        contributor=contributor or "",
        refused=refused,
    )


@router.get("/submissions/{submission}")
async def show_submission(visit: OperatorVisit, submission: Annotated[str, Path(max_length=128)]) -> Response:
    """One submission with the rows that were refused."""
    details = await visit.api.get(f"/v1/evidence/submissions/{submission}")
    return visit.page("evidence_submission.html", submission=details)


@router.get("/import")
async def choose_file(visit: OperatorVisit) -> Response:
    """The form for a file and a map."""
    return _import_page(visit, None, None)


@router.post("/import")
async def try_file(visit: OperatorVisit) -> Response:
    """The dry run: nothing is written, so the answer is the page itself."""
    chosen = await _chosen(visit)
    if not chosen.content:
        return _import_page(visit, chosen, None, problem={"detail": "", "code": "no_file"})
    try:
        report = await visit.api.post("/v1/evidence/imports/dry-run", chosen.body)
    except CallProblem as problem:
        return _import_page(visit, chosen, None, problem=problem.document)
    return _import_page(visit, chosen, report)


@router.post("/import/confirm")
async def import_file(visit: OperatorVisit) -> Response:
    """The import, with the receipt of the dry run."""
    chosen, form = await _chosen(visit), await form_of(visit)
    body = chosen.body | {"receipt": str(form.get("receipt", ""))[:200]}
    try:
        await visit.api.post("/v1/evidence/imports", body)
    except CallProblem as problem:
        return _import_page(visit, chosen, None, problem=problem.document)
    return visit.see_other("/evidence", "file_imported")


async def _chosen(visit: Visit) -> ChosenFile:
    form = await form_of(visit)
    file = form.get("file")
    map_text = str(form.get("map", "")).replace("\r\n", "\n")
    if isinstance(file, UploadFile) and file.filename:
        return ChosenFile(file.filename[-200:], base64.b64encode(await file.read()).decode(), map_text)
    return ChosenFile(str(form.get("name", ""))[:200], str(form.get("content", "")), map_text)


def _import_page(visit: Visit, chosen: ChosenFile | None, report: Any, problem: Any = None) -> Response:
    status = 422 if problem else 200
    return visit.page("evidence_import.html", status, chosen=chosen, report=report, problem=problem)
