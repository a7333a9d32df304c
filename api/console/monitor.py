"""*Monitor*: answers, admit rates, drift of the population, overdue orders by band, latencies and callbacks."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.console import figures
from api.console.calls import CallProblem
from api.console.figures import FigurePanel, Translate, translate_to
from api.console.render import HEADERS
from api.console.visits import PageRoute, ReviewerVisit, Visit
from api.render.charts import Chart, ChartTable, csv_of, number, percent

router = APIRouter(route_class=PageRoute, include_in_schema=False)

WINDOWS: Final = (7, 30, 90, 365)  # days
MAX_LATENCIES: Final = 12  # rows
Days = Annotated[int, Query(ge=1, le=366)]
Draw = Callable[[Any, Translate], Chart]
# The charts of the window and of the population: the figures that each draws, how it shows numbers.
WINDOW_CHARTS: Final[dict[str, tuple[str, Draw, Callable[[float], str]]]] = {
    "answers": ("answers", figures.answers_by_outcome, number),
    "admit-rates": ("answers", figures.admit_rates, percent),
    "overdue": ("outcomes", figures.overdue_by_band, percent),
}
POPULATION_CHARTS: Final[dict[str, tuple[Draw, Callable[[float], str]]]] = {
    "scores": (figures.scores, percent),
    "shifts": (figures.characteristic_shifts, number),
}


@router.get("/monitor")
async def show_monitor(visit: ReviewerVisit, days: Days = 30) -> Response:
    """The charts of a window of days."""
    window = await visit.api.get("/v1/monitor", days=days)
    population = await _population(visit)
    answers = window["answers"]
    return visit.page(
        "monitor.html",
        days=days,
        windows=WINDOWS,
        window=window,
        population=population,
        total=_total(answers),
        admit_rate=_admit_rate(answers),
        has_answers=any(sum(day["outcomes"].values()) for day in answers["days"]),
        panels=_panels(visit, window, population, days),
        hidden_bands=window["outcomes"]["hidden"],
        has_shifts=bool(population) and any(one["shift"] for one in population["characteristics"]),
        latencies=[row for row in window["latencies"] if not row["route"].startswith("/static")][:MAX_LATENCIES],
    )


@router.get("/monitor/{name}.csv")
async def get_csv(visit: ReviewerVisit, name: str, days: Days = 30) -> Response:
    """The rows behind a chart, as a file."""
    if name == "latencies":
        return _file(name, _latencies((await visit.api.get("/v1/monitor", days=days))["latencies"]))
    if name in WINDOW_CHARTS:
        chart = _window_chart(visit, name, await visit.api.get("/v1/monitor", days=days))
    elif name in POPULATION_CHARTS and (population := await _population(visit)) is not None:
        chart = _population_chart(visit, name, population)
    else:
        raise HTTPException(404)
    return _file(name, chart.csv)


async def _population(visit: Visit) -> Any:
    """The drift of the population; None before the first build."""
    try:
        return (await visit.api.get("/v1/monitor/population"))["drift"]
    except CallProblem as problem:
        if problem.code == "not_ready":
            return None
        raise


def _panels(visit: Visit, window: Any, population: Any, days: int) -> dict[str, FigurePanel]:
    panels = {
        name: figures.panel(_window_chart(visit, name, window), f"/monitor/{name}.csv?days={days}", show)
        for name, (_, _draw, show) in WINDOW_CHARTS.items()
    }
    if population is not None:
        panels |= {
            name: figures.panel(_population_chart(visit, name, population), f"/monitor/{name}.csv", show)
            for name, (_draw, show) in POPULATION_CHARTS.items()
        }
    return panels


def _window_chart(visit: Visit, name: str, window: Any) -> Chart:
    part, draw, _ = WINDOW_CHARTS[name]
    return draw(window[part], translate_to(visit.language))


def _population_chart(visit: Visit, name: str, population: Any) -> Chart:
    return POPULATION_CHARTS[name][0](population, translate_to(visit.language))


def _total(answers: Any) -> int:
    return sum(sum(day["outcomes"].values()) for day in answers["days"])


def _admit_rate(answers: Any) -> float | None:
    """The share of the answers by the rules that admit in full."""
    admitted = sum(day["outcomes"]["ADMIT"] for day in answers["days"])
    decided = _total(answers) - sum(day["outcomes"]["REFUSED"] for day in answers["days"])
    return admitted / decided if decided else None


def _latencies(rows: list[dict[str, Any]]) -> str:
    columns = ("method", "route", "requests", "median", "p95", "p99")
    return csv_of(ChartTable(columns, tuple(tuple(row[column] for column in columns) for row in rows)))


def _file(name: str, text: str) -> Response:
    headers = {**HEADERS, "Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response("\ufeff" + text, headers=headers, media_type="text/csv; charset=utf-8")
