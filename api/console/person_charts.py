"""Charts of one person, and of the values of a feature, from the JSON of the API."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from api.console.navigation import N_
from api.console.words import translations
from api.render.charts import Chart, ChartText, Series, bars, lines

MIN_CHANGES: Final = 2  # fewer scores draw no line


def score_chart(history: Sequence[Mapping[str, Any]], language: str, zone: str) -> dict[str, Any] | None:
    """The score over time; None for fewer than two scores. The last change of a day counts."""
    by_time = sorted(history, key=lambda row: str(row["at"]))
    by_day = {datetime.fromisoformat(row["at"]).astimezone(ZoneInfo(zone)).date(): row["score"] for row in by_time}
    if len(by_day) < MIN_CHANGES:
        return None
    say = translations(language).gettext
    text = ChartText(
        "score-history", say(N_("Score over time")), say(N_("Each point is a change of the score.")), say(N_("Day"))
    )
    return chart_parts(lines(text, list(by_day), [Series(say(N_("Score")), list(by_day.values()))]))


def distribution_chart(distribution: Mapping[str, Any], language: str) -> dict[str, Any] | None:
    """How many people have which value; None where every number is hidden."""
    say = translations(language).gettext
    numbers = [bin_["people"] for bin_ in distribution["bins"]]
    if not any(numbers):
        return None
    description = say(N_("A bar without a number stands for so few people that we do not show it."))
    text = ChartText("distribution", say(N_("People by value")), description, say(N_("Value")))
    return chart_parts(
        bars(text, [bin_name(bin_) for bin_ in distribution["bins"]], [Series(say(N_("People")), numbers)])
    )


def bin_name(bin_: Mapping[str, Any]) -> str:
    """A bin as people read it, in any language: `< 5`, `5 – 10`, `≥ 10`."""
    low, high = bin_["low"], bin_["high"]
    if bin_.get("word") is not None:
        return str(bin_["word"])
    if low is None and high is None:
        return "–"
    return f"< {high}" if low is None else f"≥ {low}" if high is None else f"{low} – {high}"


def chart_parts(chart: Chart) -> dict[str, Any]:
    """The picture and the table behind it, for the macro `chart`."""
    return {
        "picture": Markup(chart.markup),  # noqa: S704 - api.render escapes each text in it
        "columns": chart.table.columns,
        "rows": chart.table.rows,
    }
