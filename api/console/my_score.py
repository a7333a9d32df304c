"""A person's own first page: the score, its band and reasons, and what would raise it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from markupsafe import Markup
from starlette.responses import Response

from api.console import labels
from api.console.calls import CallProblem
from api.console.visits import PageRoute, SubjectVisit, Visit
from api.console.words import translations
from api.render.gauge import gauge

router = APIRouter(route_class=PageRoute, include_in_schema=False)

NO_SCORE = ("unknown_person", "features_stale", "not_ready")
Goal = Annotated[str | None, Query(max_length=60)]


@router.get("/me")
async def show_my_score(visit: SubjectVisit, goal: Goal = None) -> Response:
    """The score in words and as a gauge; with `goal` also the way to the next band (empty) or to a perk."""
    try:
        score, problem = await visit.api.get("/v1/me"), None
    except CallProblem as error:
        if error.code not in NO_SCORE:
            raise
        score, problem = None, error.document
    consents = await visit.api.get("/v1/me/consents")
    perks = (await visit.api.get("/v1/me/perks"))["items"]
    history = (await visit.api.get("/v1/me/history"))["items"]
    return visit.page(
        "my_score.html",
        score=score,
        picture="" if score is None else _picture(visit, score),
        band=None if score is None else _band(score),
        problem=problem,
        requests=consents["requests"],
        perks=perks,
        goal=goal,
        recourse=None if goal is None or score is None else await _recourse(visit, goal),
        history=history[::-1][:12],
        labels=labels,
    )


async def _recourse(visit: Visit, goal: str) -> dict[str, Any]:
    try:
        return {"plan": await visit.api.get("/v1/me/recourse", perk=goal or None), "problem": None}
    except CallProblem as error:
        return {"plan": None, "problem": error.document}


def _band(score: dict[str, Any]) -> dict[str, Any] | None:
    """Where the person's band stands among all bands, and its range; None without a score."""
    bands = score["bands"]
    number = next((n for n, band in enumerate(bands) if band["name"] == score["band"]), None)
    if number is None:
        return None
    upper = bands[number + 1] if number + 1 < len(bands) else None
    return {
        "name": score["band"],
        "number": number + 1,
        "count": len(bands),
        "lowest": bands[number]["lowest"],
        "highest": upper["lowest"] - 1 if upper else score["highest"],
        "next": upper,
    }


def _picture(visit: Visit, score: dict[str, Any]) -> Markup:
    words = translations(visit.language).gettext
    band = words(labels.BANDS.get(score["band"], score["band"])) if score["band"] else words("Too little known")
    number = score["score"]
    title = words("No score yet") if number is None else f"{number} · {band}"
    starts = [one["lowest"] for one in score["bands"]] or [score["lowest"]]
    return Markup(gauge(number, score["lowest"], score["highest"], starts, title, band))  # noqa: S704 - ElementTree escaped it
