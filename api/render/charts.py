"""Charts as SVG, made on the server: lines, bars, histograms, intervals and sparklines. Pure, deterministic, without scripts.

Each chart has the table behind it. A pointer shows the values of a category; a screen reader reads the title, the description and
the table. The caller gives all words, in the language of the page.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from api.render import chart_parts as parts
from api.render.chart_parts import ChartText, Frame, Mark, Series, Show
from api.render.chart_table import Cell, ChartTable, by_category, csv_of
from api.render.markup import element

__all__ = [
    "Chart",
    "ChartTable",
    "ChartText",
    "Interval",
    "Mark",
    "Series",
    "bars",
    "csv_of",
    "histogram",
    "intervals",
    "lines",
    "number",
    "percent",
    "ranking",
    "sparkline",
]
ROW: Final = 34.0  # the height of a row of a ranking: a name, and its bar below
MARK_LINES: Final = 3
MAX_POINTS: Final = 40  # with more, a line has no dots


@dataclass(frozen=True)
class Chart:
    """A drawing and the table behind it."""

    svg: Element
    table: ChartTable

    @property
    def markup(self) -> str:
        """The drawing as text, to stand in an HTML page."""
        return ElementTree.tostring(self.svg, encoding="unicode")

    @property
    def csv(self) -> str:
        """The table as CSV."""
        return csv_of(self.table)


@dataclass(frozen=True)
class Interval:
    """A measured value of a category with its interval, and the value that was expected; null where there is none."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    expected: float | None = None


def number(value: float) -> str:
    """A number as a chart shows it: thousands with commas, at most three decimals."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3f}".rstrip("0")


def percent(value: float) -> str:
    """A share as a percentage with at most one decimal."""
    return f"{value * 100:.1f}".removesuffix(".0") + " %"


def lines(text: ChartText, days: Sequence[date], series: Sequence[Series], show: Show = number) -> Chart:
    """Lines by time, one for each series. A null interrupts the line. The scale begins at 0."""
    table = by_category(text.axis, days, [(one.name, one.values) for one in series])
    plot = parts.frame((value for one in series for value in one.values if value is not None), show)
    places = [plot.x(share) for share in _shares(days)]
    drawings = [_line(plot, places, n, one) for n, one in enumerate(series)]
    labels = parts.axis_labels(plot, list(zip(places, (day.isoformat() for day in days), strict=True)))
    samples = [(_line_sample(n, one), one.name) for n, one in enumerate(series)]
    legend, end = parts.legend_rows(plot, samples)
    bands = parts.pointer_bands(plot, _halfway(places, plot), _pointer_texts(table, show))
    return Chart(parts.picture(text, end, parts.grid(plot), *drawings, labels, legend, bands), table)


def bars(text: ChartText, categories: Sequence[str], series: Sequence[Series], show: Show = number) -> Chart:
    """A bar for each category; several series are stacked, the first one lowest."""
    table = by_category(text.axis, categories, [(one.name, one.values) for one in series])
    totals = [sum(one.values[n] or 0 for one in series) for n in range(len(categories))]
    plot = parts.frame(totals, show)
    bounds = [(plot.x(n / len(categories)), plot.x((n + 1) / len(categories))) for n in range(len(categories))]
    drawings, base = [], [0.0] * len(categories)
    for n, one in enumerate(series):
        tops = [low + (value or 0) for low, value in zip(base, one.values, strict=True)]
        drawings.append(parts.area(text.id, n, one, _boxes(plot, bounds, base, tops)))
        base = tops
    labels = parts.axis_labels(
        plot, [((left + right) / 2, c) for (left, right), c in zip(bounds, categories, strict=True)]
    )
    legend, end = parts.legend_rows(plot, _box_samples(text, series))
    bands = parts.pointer_bands(plot, bounds, _pointer_texts(table, show))
    textures = parts.textures(text.id, len(series))
    return Chart(parts.picture(text, end, textures, parts.grid(plot), *drawings, labels, legend, bands), table)


def histogram(
    text: ChartText,
    edges: Sequence[float],
    now: Series,
    reference: Series | None = None,
    marks: Sequence[Mark] = (),
    show: Show = number,
) -> Chart:
    """Bars between neighbouring edges; the reference as an outline over them; marks as dashed lines with their names."""
    series = [now] if reference is None else [now, reference]
    names = [f"{number(low)} – {number(high)}" for low, high in itertools.pairwise(edges)]
    table = by_category(text.axis, names, [(one.name, one.values) for one in series])
    plot = parts.frame((value for one in series for value in one.values if value is not None), show, _headroom(marks))
    places = [plot.x((edge - edges[0]) / (edges[-1] - edges[0])) for edge in edges]
    bounds = list(itertools.pairwise(places))
    heights = [value or 0.0 for value in now.values]
    drawings = [parts.area(text.id, 0, now, _boxes(plot, bounds, [0.0] * len(heights), heights, gap=0.5))]
    samples = _box_samples(text, [now])
    if reference is not None:
        drawings.append(_outline(plot, bounds, reference))
        samples.append((_line_sample(1, reference), reference.name))
    drawings.append(_marks(plot, [Mark(plot.x((m.at - edges[0]) / (edges[-1] - edges[0])), m.name) for m in marks]))
    labels = parts.axis_labels(plot, list(zip(places, map(number, edges), strict=True)))
    legend, end = parts.legend_rows(plot, samples)
    bands = parts.pointer_bands(plot, bounds, _pointer_texts(table, show))
    return Chart(parts.picture(text, end, parts.grid(plot), *drawings, labels, legend, bands), table)


def ranking(
    text: ChartText, names: Sequence[str], values: Series, marks: Sequence[Mark] = (), show: Show = number
) -> Chart:
    """A horizontal bar for each name, in the order given, with its value; marks as dashed lines through all bars."""
    table = by_category(text.axis, names, [(values.name, values.values)])
    largest = max([1e-9, *(m.at for m in marks), *(value for value in values.values if value is not None)])
    scale = (parts.WIDTH - 70) / largest
    top = 2 * parts.LINE if marks else 4.0
    bottom = top + ROW * len(names)
    drawings = []
    for n, mark in enumerate(marks):
        x, y = 2 + mark.at * scale, 12.0 + parts.LINE * (n % 2)
        drawings += [_dashed(x, y + 4, bottom), _mark_name(mark.name, x, y, end=x > parts.WIDTH / 2)]
    for n, (name, value) in enumerate(zip(names, values.values, strict=True)):
        drawings += _bar(top + ROW * n, name, value, None if value is None else value * scale, values, show)
    return Chart(parts.picture(text, bottom + 4, *drawings), table)


def _bar(y: float, name: str, value: float | None, length: float | None, values: Series, show: Show) -> list[Element]:
    content = [element("text", name, x=2, y=y + 12, class_="name")]
    if length is not None:
        content.append(element("rect", x=2, y=y + 16, width=max(length, 1), height=11, class_=parts.tone(0, values)))
    label = "–" if value is None else show(value)
    return [*content, element("text", label, x=8 + (length or 0), y=y + 26, class_="name")]


def intervals(text: ChartText, columns: Sequence[str], rows: Sequence[Interval], show: Show = percent) -> Chart:
    """A dot with its interval for each category, and a diamond for the expected value. `columns` names value, low, high, expected."""
    table = ChartTable((text.axis, *columns), tuple((r.name, r.value, r.low, r.high, r.expected) for r in rows))
    plot = parts.frame([v for r in rows for v in (r.value, r.high, r.expected) if v is not None], show)
    plot = replace(plot, label_lines=parts.label_lines(plot, [row.name for row in rows]))
    bounds = [(plot.x(n / len(rows)), plot.x((n + 1) / len(rows))) for n in range(len(rows))]
    drawings = [_whisker(plot, (left + right) / 2, row) for (left, right), row in zip(bounds, rows, strict=True)]
    labels = parts.axis_labels(
        plot, [((left + right) / 2, row.name) for (left, right), row in zip(bounds, rows, strict=True)]
    )
    samples = [(element("g", _dot(10, 6)), columns[0])]
    if any(row.expected is not None for row in rows):
        samples.append((element("g", _diamond(10, 6)), columns[-1]))
    legend, end = parts.legend_rows(plot, samples)
    bands = parts.pointer_bands(plot, bounds, _pointer_texts(table, show))
    return Chart(parts.picture(text, end, parts.grid(plot), *drawings, labels, legend, bands), table)


def sparkline(text: ChartText, days: Sequence[date], series: Series) -> Chart:
    """A small line without axes, to stand beside a number."""
    plot = Frame(max([1e-9, *(value for value in series.values if value is not None)]), 2, number, right=118)
    places = [plot.x(share) for share in _shares(days)]
    steps = _path(places, [None if value is None else 28 - 26 * value / plot.top_value for value in series.values])
    drawing = element(
        "path", d=steps, class_=f"line {parts.tone(0, series)}", fill="none", stroke="currentColor", stroke_width=1.5
    )
    svg = parts.picture(text, 30, drawing)
    svg.set("viewBox", "0 0 120 30")
    svg.set("class", "sparkline")
    return Chart(svg, by_category(text.axis, days, [(series.name, series.values)]))


def _shares(days: Sequence[date]) -> list[float]:
    if len(days) == 1:
        return [0.5]
    length = (days[-1] - days[0]).days if days else 1
    return [(day - days[0]).days / length for day in days]


def _halfway(places: Sequence[float], plot: Frame) -> list[tuple[float, float]]:
    """For each place, the bounds halfway to its neighbours."""
    between = [(left + right) / 2 for left, right in itertools.pairwise(places)]
    return list(zip([plot.left, *between], [*between, plot.right], strict=True)) if places else []


def _pointer_texts(table: ChartTable, show: Show) -> list[str]:
    return [", ".join([str(row[0]), *_value_texts(table.columns[1:], row[1:], show)]) for row in table.rows]


def _value_texts(columns: Sequence[str], cells: Sequence[Cell], show: Show) -> list[str]:
    return [f"{name} {show(cell)}" for name, cell in zip(columns, cells, strict=True) if isinstance(cell, int | float)]


def _line(plot: Frame, places: Sequence[float], n: int, series: Series) -> Element:
    heights = [None if value is None else plot.y(value) for value in series.values]
    content = [_stroke(n, series, _path(places, heights))]
    points = [(x, y) for x, y in zip(places, heights, strict=True) if y is not None]
    if len(points) <= MAX_POINTS:
        content += [element("circle", cx=x, cy=y, r=2.2, class_=parts.tone(n, series)) for x, y in points]
    return element("g", *content)


def _stroke(n: int, series: Series, path: str) -> Element:
    line = element(
        "path", d=path, class_=f"line {parts.tone(n, series)}", fill="none", stroke="currentColor", stroke_width=2
    )
    if dash := parts.DASHES[n % len(parts.DASHES)]:
        line.set("stroke-dasharray", dash)
    return line


def _path(places: Sequence[float], heights: Sequence[float | None]) -> str:
    """A path through the points; a null lifts the pen."""
    steps, pen = [], "M"
    for x, y in zip(places, heights, strict=True):
        if y is not None:
            steps.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "M" if y is None else "L"
    return "".join(steps)


def _boxes(
    plot: Frame, bounds: Sequence[tuple[float, float]], low: Sequence[float], high: Sequence[float], gap: float = 0.1
) -> str:
    """One path of all the boxes of a series. `gap`: the share of a place that stays empty, or the pixels if it is 0.5."""
    steps = []
    for (left, right), base, top in zip(bounds, low, high, strict=True):
        empty = gap if gap == 0.5 else (right - left) * gap
        y, height = plot.y(top), plot.y(base) - plot.y(top)
        if height > 0:
            steps.append(
                f"M{left + empty:.1f} {y:.1f}h{right - left - 2 * empty:.1f}v{height:.1f}h{2 * empty - right + left:.1f}z"
            )
    return "".join(steps)


def _outline(plot: Frame, bounds: Sequence[tuple[float, float]], series: Series) -> Element:
    places = [x for bound in bounds for x in bound]
    return _stroke(1, series, _path(places, [plot.y(value or 0) for value in series.values for _ in range(2)]))


def _headroom(marks: Sequence[Mark]) -> float:
    """The room above a plot for the names of its marks, in up to three lines."""
    return parts.TOP + parts.LINE * min(len(marks), MARK_LINES) if marks else parts.TOP


def _marks(plot: Frame, marks: Sequence[Mark]) -> Element:
    """Dashed lines from the axis to the names above the plot."""
    content = []
    for n, mark in enumerate(marks):
        end = mark.at + parts.text_width(mark.name) + 4 > plot.right
        y = parts.FONT + parts.LINE * (n % MARK_LINES)
        content.append(_dashed(mark.at, y - 8, plot.bottom))
        content.append(_mark_name(mark.name, mark.at + (-4 if end else 4), y, end))
    return element("g", *content, class_="bounds")


def _mark_name(name: str, x: float, y: float, end: bool) -> Element:
    return element("text", name, x=x, y=y, text_anchor="end" if end else "start", class_="bound")


def _dashed(x: float, top: float, bottom: float) -> Element:
    return element("line", x1=x, x2=x, y1=top, y2=bottom, class_="bound", stroke="currentColor", stroke_dasharray="4 3")


def _box_samples(text: ChartText, series: Sequence[Series]) -> list[tuple[Element, str]]:
    return [(parts.area(text.id, n, one, "M2 0h16v12h-16z"), one.name) for n, one in enumerate(series)]


def _line_sample(n: int, series: Series) -> Element:
    return element("g", _stroke(n, series, "M0 6L20 6"))


def _whisker(plot: Frame, x: float, row: Interval) -> Element:
    content = []
    if row.low is not None and row.high is not None:
        low, high = plot.y(row.low), plot.y(row.high)
        path = f"M{x:.1f} {low:.1f}V{high:.1f}M{x - 5:.1f} {low:.1f}h10M{x - 5:.1f} {high:.1f}h10"
        content.append(
            element("path", d=path, class_="line tone-1", fill="none", stroke="currentColor", stroke_width=2)
        )
    if row.value is not None:
        content.append(_dot(x, plot.y(row.value)))
    if row.expected is not None:
        content.append(_diamond(x, plot.y(row.expected)))
    return element("g", *content)


def _dot(x: float, y: float) -> Element:
    return element("circle", cx=x, cy=y, r=4, class_="tone-1")


def _diamond(x: float, y: float) -> Element:
    path = f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z"
    return element("path", d=path, class_="line tone-2", fill="none", stroke="currentColor", stroke_width=1.5)
