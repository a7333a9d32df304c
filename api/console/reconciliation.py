"""A merchant's reconciliation: the moves of its orders on one day, with their digest, to compare with the books."""

import json
from collections import Counter
from datetime import date, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.console import labels
from api.console.calls import CallProblem, part
from api.console.render import HEADERS
from api.console.visits import MerchantVisit, PageRoute, Visit

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/reconciliation")
async def show_day(visit: MerchantVisit, day: Annotated[str, Query(max_length=10)] = "") -> Response:
    """The moves of a day; without one, of yesterday."""
    chosen = day or (visit.now.astimezone(ZoneInfo(visit.zone)).date() - timedelta(days=1)).isoformat()
    moves, digest, problem = list[dict[str, Any]](), "", None
    try:
        content, headers = await visit.api.file(f"/v1/reconciliation/{part(chosen)}")
        moves, digest = [json.loads(line) for line in content.splitlines()], headers.get("content-digest", "")
    except CallProblem as error:
        problem = error
    return visit.page(
        "reconciliation.html",
        problem.status if problem else 200,
        day=chosen,
        neighbours=_neighbour_days(visit, chosen),
        moves=moves,
        sums=_sums(moves),
        digest=digest,
        problem=problem.document if problem else None,
        labels=labels,
    )


@router.get("/reconciliation/{day}.ndjson")
async def download(visit: MerchantVisit, day: str) -> Response:
    """The same file as the API gives, with its digest."""
    content, headers = await visit.api.file(f"/v1/reconciliation/{part(day)}")
    disposition = f'attachment; filename="reconciliation-{part(day)}.ndjson"'
    extra = {"Content-Digest": headers.get("content-digest", ""), "Content-Disposition": disposition}
    return Response(
        content, headers={**HEADERS, "Cache-Control": "no-store", **extra}, media_type="application/x-ndjson"
    )


def _neighbour_days(visit: Visit, day: str) -> tuple[str | None, str | None]:
    """The day before and the day after, if that is over."""
    try:
        chosen = date.fromisoformat(day)
        before, after = chosen - timedelta(days=1), chosen + timedelta(days=1)
    except (ValueError, OverflowError):
        return None, None
    is_over = after < visit.now.astimezone(ZoneInfo(visit.zone)).date()
    return before.isoformat(), after.isoformat() if is_over else None


def _sums(moves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The number of moves, and their amounts to pay, by action and currency, as the file says."""
    counts, totals = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for move in moves:
        key = move["action"], move["currency"]
        counts[key] += 1
        totals[key] += move["total_amount"] or 0
    return [{"action": a, "currency": c, "count": counts[a, c], "total": totals[a, c]} for a, c in sorted(counts)]
