"""Decisions: search them, and read one with the rule that decided, its values, a replay and a proof."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api.console.calls import CallProblem
from api.console.labels import BANDS
from api.console.people import LOOK_KINDS, Key, purpose_page
from api.console.visits import OperatorVisit, PageProblem, PageRoute, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE: Final = 50
OUTCOMES: Final = ("ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE", "REFUSED")
Text = Annotated[str, Query(max_length=128)]


@dataclass(frozen=True)
class DecisionSearch:
    """The fields of the search form, as texts; empty: any."""

    since: Annotated[str, Query(alias="from", max_length=10)] = ""
    until: Annotated[str, Query(alias="to", max_length=10)] = ""
    merchant: Text = ""
    perk: Text = ""
    outcome: Text = ""
    release: Text = ""

    def query(self, zone: str) -> dict[str, str | None]:
        """The query of the API. Raises PageProblem for what is no day."""
        texts = {name: getattr(self, name).strip() or None for name in ("merchant", "perk", "outcome", "release")}
        return texts | {"from_": _midnight(self.since, zone), "to": _midnight(self.until, zone, days=1)}

    def address(self, base: str) -> str:
        """The address of this search; it ends in ? or &."""
        fields = {"from": self.since, "to": self.until} | {
            name: getattr(self, name) for name in ("merchant", "perk", "outcome", "release")
        }
        chosen = {name: value for name, value in fields.items() if value}
        return f"{base}?{urlencode(chosen)}&" if chosen else f"{base}?"


Search = Annotated[DecisionSearch, Depends()]
After = Annotated[str | None, Query(pattern="^[0-9]{1,18}$")]


@router.get("/decisions")
async def show_decisions(visit: OperatorVisit, search: Search, after: After = None) -> Response:
    """The search of decisions."""
    return await search_page(visit, search, after, "/decisions", "/decisions")


@router.post("/decisions/{decision}/look")
async def open_decision(visit: OperatorVisit, decision: str) -> Response:
    """Record why somebody opens the record of a decision, and go there."""
    form = await form_of(visit)
    body: dict[str, Any] = {"kind": str(form.get("kind", "")), "purpose": str(form.get("purpose", "")).strip()}
    try:
        look = await visit.api.post(f"/v1/decisions/{decision}/looks", body)
    except CallProblem as refusal:
        if refusal.code != "bad_request":
            raise
        return purpose_page(visit, f"/decisions/{decision}/look", decision=decision, problem=refusal, **body)
    return visit.see_other(f"/decisions/{decision}", look=look["id"])


@router.get("/decisions/{decision}")
async def show_decision(
    visit: OperatorVisit, decision: str, look: Key = None, check: Annotated[str, Query(max_length=10)] = ""
) -> Response:
    """One decision; without a look, its entry and the question for the purpose."""
    try:
        return await decision_page(visit, decision, "/decisions", look, check)
    except CallProblem as refusal:
        if refusal.code != "look_needed":
            raise
        return purpose_page(visit, f"/decisions/{decision}/look", 403, decision=decision, has_ended=True)


async def search_page(visit: Visit, search: DecisionSearch, after: str | None, base: str, entries: str) -> Response:
    """The page of a search. `base`: its address; `entries`: the folder of one decision's address."""
    problem: Any = None
    page: Any = {"items": [], "next": None}
    try:
        page = await visit.api.get("/v1/audit/decisions", **search.query(visit.zone), after=after, limit=PAGE)
    except CallProblem as refusal:
        problem = refusal.document
    return visit.page(
        "decisions.html",
        search=search,
        page=page,
        is_stopped=page["next"] is not None and len(page["items"]) < PAGE,
        problem=problem,
        outcomes=OUTCOMES,
        base=base,
        entries=entries,
        address=search.address(base),
    )


async def decision_page(visit: Visit, decision: str, base: str, look: str | None, check: str) -> Response:
    """The page of one decision."""
    path = f"/v1/audit/decisions/{decision}"
    entry = await visit.api.get(path, look=look)
    is_open = not entry["withheld"] and not entry["erased"]
    own_address = f"{base}/{decision}"
    return visit.page(
        "decision.html",
        entry=entry,
        explanation=await _explanation(visit, path, look) if is_open else None,
        replay=await visit.api.get(f"{path}/replay", look=look) if check == "replay" and is_open else None,
        proof=await _proof(visit, path) if check == "proof" else None,
        check=check,
        base=base,
        address=own_address,
        query=f"look={look}&" if look else "",
        action=f"/decisions/{decision}/look",
        kinds=LOOK_KINDS,
        bands=BANDS,
    )


async def _explanation(visit: Visit, path: str, look: str | None) -> Any:
    """Why it came out so; None for a refusal, which asked no rule."""
    try:
        return await visit.api.get(f"{path}/explanation", look=look)
    except CallProblem as refusal:
        if refusal.code != "not_replayable":
            raise
        return None


async def _proof(visit: Visit, path: str) -> Any:
    """The proof, or the problem: today's decisions are in no digest yet."""
    try:
        return await visit.api.get(f"{path}/proof")
    except CallProblem as refusal:
        if refusal.code != "no_digest":
            raise
        return {"problem": refusal.code}


def _midnight(text: str, zone: str, days: int = 0) -> str | None:
    """The beginning of a day in the time zone of the rules."""
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip()) + timedelta(days=days)
        return datetime.combine(day, time(), ZoneInfo(zone)).isoformat()
    except (ValueError, OverflowError):
        raise PageProblem(422, "bad_request", detail=text[:10]) from None
