"""Charts of the operator's figures, from the answers of the API: each with its table, in the reader's language."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from markupsafe import Markup

from api.console.navigation import N_
from api.console.words import translations
from api.render.charts import (
    Chart,
    ChartText,
    Interval,
    Mark,
    Series,
    bars,
    histogram,
    intervals,
    lines,
    number,
    percent,
    ranking,
)

OUTCOMES: Final = {
    "ADMIT": N_("Admitted"),
    "PARTIAL": N_("Admitted in part"),
    "DECLINE": N_("Declined"),
    "UNSCORABLE": N_("Not scorable"),
    "REFUSED": N_("Not decided"),
}
WATCH, ACT = 0.1, 0.25  # the usual limits of PSI and CSI
MAX_SHIFTS: Final = 10  # bars; the page lists the rest with their bins
MAX_PERKS: Final = 6  # lines that a reader can tell apart
NO_VALUE: Final = "–"
UNSCORABLE: Final = "unscorable"  # the bin of people without a score
# The title of each chart, a sentence that describes it, and the name of its axis.
TEXTS: Final = {
    "answers": (
        N_("Answers by outcome"),
        N_("How many questions had each outcome, by day."),
        N_("Day"),
    ),
    "admit-rates": (
        N_("Admit rate by perk"),
        N_("The share of answers by the rules that admit in full, over the seven days up to each day."),
        N_("Day"),
    ),
    "scores": (
        N_("Score distribution"),
        N_("The share of all people in each bin of the score, with the first score of each band."),
        N_("Score"),
    ),
    "shifts": (
        N_("Largest shifts of characteristics (CSI)"),
        N_("How far the people have moved between the bins of a characteristic since the reference: the ten largest."),
        N_("Characteristic"),
    ),
    "overdue": (
        N_("Overdue orders by band"),
        N_("The share of due orders that became overdue, with the 95 % interval, and the share of the year before."),
        N_("Band"),
    ),
}
Translate = Callable[[str], str]
Figures = Mapping[str, Any]


@dataclass(frozen=True)
class FigurePanel:
    """A chart as the macro `chart` takes it, and its CSV."""

    title: str
    picture: Markup
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    csv: str
    text: str  # the content of the CSV


def translate_to(language: str) -> Translate:
    """The function that translates a text of a page."""
    return translations(language).gettext


def panel(chart: Chart, address: str, show: Callable[[float], str] = number) -> FigurePanel:
    """The panel of a chart. `address`: of its CSV; `show`: as the chart shows numbers."""
    title = chart.svg.find("title")
    rows = [[_cell(cell, show) for cell in row] for row in chart.table.rows]
    picture = Markup(chart.markup)  # noqa: S704 - ElementTree escapes each text
    return FigurePanel(
        title.text or "" if title is not None else "", picture, chart.table.columns, rows, address, chart.csv
    )


def answers_by_outcome(answers: Figures, _: Translate) -> Chart:
    """Answers by day and outcome, stacked."""
    text = _text("answers", _)
    series = [
        Series(_(name), [day["outcomes"][outcome] for day in answers["days"]], outcome.lower())
        for outcome, name in OUTCOMES.items()
    ]
    return bars(text, [day["day"] for day in answers["days"]], [one for one in series if any(one.values)] or series[:1])


def admit_rates(answers: Figures, _: Translate) -> Chart:
    """The admit rate of each perk by day: of the perks that were asked about most."""
    text = _text("admit-rates", _)
    perks = sorted(answers["perks"], key=lambda perk: -sum(perk["outcomes"].values()))[:MAX_PERKS]
    days = [date.fromisoformat(day["day"]) for day in answers["days"]]
    return lines(
        text, days, [Series(p["perk"], p["admit_rates"]) for p in perks if any(p["outcomes"].values())], percent
    )


def scores(drift: Figures, _: Translate) -> Chart:
    """The distribution of the score now and at the reference, as shares of all people."""
    text = _text("scores", _)
    bins = [one for one in drift["score"]["bins"] if one["name"] != UNSCORABLE]
    edges = [int(one["name"]) for one in bins]
    edges.append(edges[-1] + edges[1] - edges[0])
    now = Series(_("Now"), [_share(one["people"], drift["build"]["people"]) for one in bins])
    reference = None
    if drift["reference"]:
        people = drift["reference"]["people"]
        reference = Series(_("Reference"), [_share(one["reference_people"], people) for one in bins])
    marks = [Mark(one["lowest"], one["band"]) for one in drift["band_starts"][1:]]
    return histogram(text, edges, now, reference, marks, percent)


def characteristic_shifts(drift: Figures, _: Translate) -> Chart:
    """The characteristic stability index of each characteristic, the largest first."""
    text = _text("shifts", _)
    compared = [one for one in drift["characteristics"] if one["shift"]]
    rows = sorted(compared, key=lambda one: -one["shift"]["index"])[:MAX_SHIFTS]
    values = Series("CSI", [one["shift"]["index"] for one in rows])
    marks = [Mark(WATCH, _("watch")), Mark(ACT, _("act"))]
    return ranking(text, [one["name"] for one in rows], values, marks)


def overdue_by_band(outcomes: Figures, _: Translate) -> Chart:
    """The share of due orders that became overdue, by band, with its interval and the expected share."""
    text = _text("overdue", _)
    columns = (_("Overdue"), _("At least"), _("At most"), _("Year before"))
    rows = [
        Interval(one["band"], one["rate"], one["low"], one["high"], one["expected"])
        for one in outcomes["calibration"]["bands"]
    ]
    return intervals(text, columns, rows)


def _text(name: str, _: Translate) -> ChartText:
    title, description, axis = TEXTS[name]
    return ChartText(name, _(title), _(description), _(axis))


def _share(count: int | None, people: int) -> float | None:
    return None if count is None or not people else count / people


def _cell(cell: Any, show: Callable[[float], str]) -> str:
    if cell is None:
        return NO_VALUE
    return show(cell) if isinstance(cell, int | float) else str(cell)
