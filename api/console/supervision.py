"""The supervisor's pages: decisions, releases and their records, the chain with its digests, the yearly report, and looks."""

from difflib import unified_diff
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.console import release_views, release_words
from api.console.calls import CallProblem
from api.console.decisions import After, Search, decision_page, search_page
from api.console.visits import PageRoute, SupervisorVisit

STATES: Final = {state: words[0] for state, words in release_words.STATES.items()}
router = APIRouter(prefix="/audit", route_class=PageRoute, include_in_schema=False)


@router.get("")
async def show_audit(visit: SupervisorVisit, search: Search, after: After = None) -> Response:
    """The search of decisions."""
    return await search_page(visit, search, after, "/audit", "/audit/decisions")


@router.get("/decisions/{decision}")
async def show_audited_decision(
    visit: SupervisorVisit, decision: str, check: Annotated[str, Query(max_length=10)] = ""
) -> Response:
    """One decision with its record."""
    return await decision_page(visit, decision, "/audit/decisions", None, check)


@router.get("/releases")
async def show_releases(visit: SupervisorVisit, after: After = None) -> Response:
    """Every release that was ever in force, and every change that somebody proposed."""
    releases = await visit.api.get("/v1/audit/releases")
    changes = await visit.api.get("/v1/audit/changes", after=after, limit=50)
    return visit.page("audit_releases.html", releases=releases["items"], changes=changes, states=STATES)


@router.get("/releases/{release}")
async def show_release(
    visit: SupervisorVisit, release: str, against: Annotated[str | None, Query(pattern="^[0-9a-f]{1,64}$")] = None
) -> Response:
    """The files of a release, or their differences from another one."""
    content = await visit.api.get(f"/v1/audit/releases/{release}")
    other_releases = [item for item in (await visit.api.get("/v1/audit/releases"))["items"] if item["id"] != release]
    differences = None
    if against:
        other = await visit.api.get(f"/v1/audit/releases/{against}")
        differences = _differences(other["files"], content["files"])
    return visit.page(
        "audit_release.html", release=content, other_releases=other_releases, against=against, differences=differences
    )


@router.get("/changes/{number}")
async def show_change(visit: SupervisorVisit, number: int) -> Response:
    """The record of a change: who asked, who agreed, whom it moved, and what happened."""
    record = await visit.api.get(f"/v1/audit/changes/{number}")
    return visit.page(
        "audit_change.html",
        record=record,
        proposal=record["proposal"],
        states=STATES,
        step_words=release_words.STEPS,
        measures=release_words.MEASURES,
        guard_words=release_words.GUARDS,
        diffs=release_views.file_diffs(record["text_differences"]),
    )


@router.get("/chain")
async def show_chain(visit: SupervisorVisit, verify: bool = False) -> Response:
    """The digests of all days, and the chain verified on request."""
    result = await visit.api.get("/v1/audit/chain") if verify else None
    digests = (await visit.api.get("/v1/audit/digests"))["items"]
    return visit.page("audit_chain.html", result=result, digests=digests[::-1])


@router.get("/report")
async def show_report(visit: SupervisorVisit, year: Annotated[int | None, Query(ge=1970, le=9999)] = None) -> Response:
    """A year's outcomes by perk and month, and by group."""
    chosen = year or visit.now.year
    report, problem = None, None
    try:
        report = await visit.api.get(f"/v1/audit/report/{chosen}")
    except CallProblem as refusal:
        problem = refusal.document
    months = _months(report["counts"]) if report else []
    return visit.page("audit_report.html", year=chosen, report=report, months=months, problem=problem)


@router.get("/looks")
async def show_looks(
    visit: SupervisorVisit,
    person: Annotated[str, Query(max_length=128)] = "",
    party: Annotated[str, Query(max_length=128)] = "",
    after: After = None,
) -> Response:
    """Who looked at whom, and why."""
    query = {"person": person.strip() or None, "party": party.strip() or None, "after": after}
    page = await visit.api.get("/v1/audit/looks", **query, limit=50)
    return visit.page("audit_looks.html", page=page, person=person.strip(), party=party.strip())


def _differences(before: dict[str, str], after: dict[str, str]) -> list[tuple[str, list[str]]]:
    """The changed files, each with the lines of its unified diff."""
    names = sorted({*before, *after})
    texts = [(name, before.get(name, "").splitlines(), after.get(name, "").splitlines()) for name in names]
    return [(name, list(unified_diff(old, new, lineterm=""))[2:]) for name, old, new in texts if old != new]


def _months(counts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each perk and month, with the number of each outcome."""
    rows: dict[tuple[str, int], dict[str, int]] = {}
    for count in counts:
        rows.setdefault((count["perk"], count["month"]), {})[count["outcome"]] = count["decisions"]
    return [{"perk": perk, "month": month, "outcomes": outcomes} for (perk, month), outcomes in sorted(rows.items())]
