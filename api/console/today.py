"""*Today*: what waits for you, what is wrong, the answers of the last days, the release in force, the freshness of evidence."""

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from api.console import figures
from api.console.calls import CallProblem
from api.console.figures import panel, translate_to
from api.console.navigation import N_
from api.console.release_words import STATES
from api.console.render import HEADERS
from api.console.visits import PageRoute, ReviewerVisit

router = APIRouter(route_class=PageRoute, include_in_schema=False)

DAYS: Final = 14
# What each alarm says, how bad it is, and where to go.
ALARMS: Final = {
    "trial_held": (N_("A trial of rules is held: a guard is broken"), "bad", "/releases"),
    "rules_refused": (N_("The changed rules folder did not come into force"), "bad", "/rules"),
    "refresh_stuck": (N_("Numbers of people are not being refreshed"), "bad", "/monitor"),
    "callbacks_failed": (N_("Callbacks to merchants were given up"), "warn", "/callers"),
    "callbacks_late": (N_("Callbacks to merchants are late"), "warn", "/callers"),
    "cases_overdue": (N_("Cases are past their deadline"), "bad", "/cases"),
    "evidence_stale": (N_("A contributor has sent nothing for a month"), "warn", "/evidence"),
}
OPERATORS_PAGES: Final = ("/cases", "/callers", "/evidence")


@router.get("/today")
async def show_today(visit: ReviewerVisit) -> Response:
    """What to do first, and how things are."""
    today, health = await visit.api.get("/v1/today", days=DAYS), await _health(visit)
    answers = today["answers"]
    total = sum(sum(day["outcomes"].values()) for day in answers["days"])
    role = visit.session.caller.role if visit.session else ""
    chart = panel(figures.answers_by_outcome(answers, translate_to(visit.language)), "/today/answers.csv")
    proposals = today["proposals"]
    waiting = today["disputes"]["waiting"] + today["reviews"]["waiting"] if role == "operator" else 0
    return visit.page(
        "today.html",
        today=today,
        health=health,
        panel=chart,
        total=total,
        days=DAYS,
        alarms=_alarms(today["alarms"]),
        operators_pages=OPERATORS_PAGES,
        is_operator=role == "operator",
        is_quiet=not (waiting or proposals["own"] or proposals["to_approve"]),
        first_cases=_first_cases(today),
        release_states=STATES,
    )


@router.get("/today/answers.csv")
async def get_csv(visit: ReviewerVisit) -> Response:
    """The rows behind the chart, as a file."""
    today = await visit.api.get("/v1/today", days=DAYS)
    text = figures.answers_by_outcome(today["answers"], translate_to(visit.language)).csv
    headers = {**HEADERS, "Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="answers.csv"'}
    return Response("\ufeff" + text, headers=headers, media_type="text/csv; charset=utf-8")


def _alarms(alarms: list[dict[str, Any]]) -> list[tuple[str, str, str, dict[str, Any]]]:
    """The alarms with their words, the worst first, one for each kind: its details are listed together."""
    rows: dict[str, dict[str, Any]] = {}
    for alarm in alarms:
        row = rows.setdefault(alarm["alarm"], {"alarm": alarm["alarm"], "details": [], "since": None})
        row.update({name: alarm[name] for name in ("count", "until")})
        row["since"] = min(filter(None, (row["since"], alarm["since"])), default=None)
        row["details"] += [alarm["detail"]] if alarm["detail"] else []
    rows_in_words = [(*ALARMS[name], row) for name, row in rows.items() if name in ALARMS]
    return sorted(rows_in_words, key=lambda alarm: alarm[1] != "bad")


def _first_cases(today: Any) -> list[dict[str, Any]]:
    """The most urgent cases of both kinds, by deadline."""
    cases = [case | {"kind": kind} for kind in ("disputes", "reviews") for case in today[kind]["first"]]
    made_at = datetime.fromisoformat(today["made_at"])
    for case in cases:
        case["overdue"] = datetime.fromisoformat(case["due_at"]) < made_at
    return sorted(cases, key=lambda case: (case["due_at"], case["kind"], case["id"]))[:5]


async def _health(visit: ReviewerVisit) -> Any:
    """The health of the server; None before the first build."""
    try:
        return await visit.api.get("/v1/health")
    except CallProblem as problem:
        if problem.status == 503:
            return None
        raise
