"""The parts of a chart: the frame with its scale, the legend, textures, and the bands that answer a pointer.

Colours come from the page's style sheet by class, so that a chart fits a light and a dark page. Without a style sheet it is
black on white. Each series has a texture or a dash of its own, so no reader needs the colours.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from typing import Final
from xml.etree.ElementTree import Element

from api.render.markup import element

WIDTH: Final = 400.0  # of the view box: a phone shows it at nearly this width, so that 12 units are 11 pixels
PLOT_HEIGHT: Final = 150.0
TOP, RIGHT = 14.0, 14.0
FONT: Final = 12.0
LINE: Final = 18.0  # the height of a line of text
LABEL_GAP: Final = 4.0  # between two names below the axis
DASHES: Final = ("", "6 3", "2 2", "8 3 2 3", "1 3", "12 3")
TEXTURES: Final = ("", "M0 6L6 0", "M0 0L6 6", "M0 3H6", "M3 0V6", "M0 6L6 0M0 0L6 6")  # in a square of 6
Show = Callable[[float], str]


@dataclass(frozen=True)
class Series:
    """The values of one series, one for each category; null where there is none. `tone` is a class of the style sheet."""

    name: str
    values: Sequence[float | None]
    tone: str = ""


@dataclass(frozen=True)
class Mark:
    """A place on the axis to compare with, and its name."""

    at: float
    name: str


@dataclass(frozen=True)
class ChartText:
    """What names a chart: an id that is unique on the page, its title, a sentence that describes it, the name of its axis."""

    id: str
    title: str
    description: str
    axis: str


@dataclass(frozen=True)
class Frame:
    """The rectangle of the plot and the scale of its values."""

    top_value: float
    left: float
    show: Show
    right: float = WIDTH - RIGHT
    ticks: tuple[float, ...] = ()
    top: float = TOP
    label_lines: int = 1

    @property
    def bottom(self) -> float:
        """The height of the axis."""
        return self.top + PLOT_HEIGHT

    def y(self, value: float) -> float:
        """The height at which a value lies."""
        return self.top + PLOT_HEIGHT * (1 - value / self.top_value)

    def x(self, share: float) -> float:
        """The place at a share of the width, from 0 to 1."""
        return self.left + (self.right - self.left) * share


def frame(values: Iterable[float], show: Show, top: float = TOP) -> Frame:
    """A frame from 0 to a round number at or above the largest value. Values that are not finite or below 0 do not count."""
    largest = max((value for value in values if isfinite(value)), default=0.0)
    step = _step(largest)
    count = max(1, -int(-largest // step))
    ticks = tuple(step * n for n in range(count + 1))
    return Frame(ticks[-1], 10 + max(text_width(show(tick)) for tick in ticks), show, ticks=ticks, top=top)


def _step(largest: float) -> float:
    """A step of 1, 2 or 5 times a power of ten, with two to five steps below the largest value."""
    if largest <= 0:
        return 1.0
    power = 10.0 ** floor(log10(largest / 4))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if largest / step <= 5)


def grid(plot: Frame) -> Element:
    """The lines across the plot, each with its value at the left."""
    parts = []
    for tick in plot.ticks:
        y = plot.y(tick)
        name = "axis" if tick == 0 else "gridline"
        parts.append(element("line", x1=plot.left, x2=plot.right, y1=y, y2=y, class_=name, stroke="currentColor"))
        parts.append(element("text", plot.show(tick), x=plot.left - 6, y=y + 4, text_anchor="end"))
    return element("g", *parts, class_="scale")


def axis_labels(plot: Frame, places: Sequence[tuple[float, str]]) -> Element:
    """The names below the axis: as many of them as fit, evenly; or all of them in the `label_lines` of the plot, by turns."""
    fitting = max(1, int((plot.right - plot.left) // (_widest(places) + 10)))
    every = 1 if plot.label_lines > 1 else max(1, -(-len(places) // fitting))
    texts, ends = list[Element](), [-LABEL_GAP] * plot.label_lines  # where the last name of each line ends
    for n, (place, name) in enumerate(places[::every]):
        half, y = text_width(name) / 2, plot.bottom + LINE * (1 + n % plot.label_lines) - 2
        x = min(max(place, half), WIDTH - half)
        if x - half < ends[n % plot.label_lines] + LABEL_GAP:
            continue  # days are not evenly apart: no name covers another
        ends[n % plot.label_lines] = x + half
        texts.append(element("text", name, x=x, y=y, text_anchor="middle"))
    return element("g", *texts, class_="labels")


def label_lines(plot: Frame, names: Sequence[str]) -> int:
    """How many lines the names need so that all of them show."""
    room = (plot.right - plot.left) / max(1, len(names))
    return 1 if all(text_width(name) + 6 <= room for name in names) else 2


def _widest(places: Sequence[tuple[float, str]]) -> float:
    return max((text_width(name) for _, name in places), default=0.0)


def legend_rows(plot: Frame, samples: Sequence[tuple[Element, str]]) -> tuple[Element, float]:
    """The legend below the plot, and where it ends. Each sample has its origin at the upper left, 20 by 12."""
    x, y, parts = 4.0, plot.bottom + LINE * plot.label_lines + 8, []
    for sample, name in samples:
        width = 26 + text_width(name) + 14
        if x > 4 and x + width > WIDTH:
            x, y = 4.0, y + LINE
        sample.set("transform", f"translate({x:g} {y:g})")
        parts += [sample, element("text", name, x=x + 26, y=y + 10)]
        x += width
    return element("g", *parts, class_="legend"), y + LINE


def textures(chart: str, count: int) -> Element:
    """The textures of the first `count` series, named `CHART-texture-N`."""
    patterns = [
        element(
            "pattern",
            element("path", d=line, stroke="white", stroke_width=0.9, class_="texture"),
            id=f"{chart}-texture-{n}",
            width=6,
            height=6,
            patternUnits="userSpaceOnUse",
        )
        for n, line in enumerate(TEXTURES[:count])
        if line
    ]
    return element("defs", *patterns)


def area(chart: str, n: int, series: Series, path: str) -> Element:
    """A filled path of series `n`, with its texture."""
    parts = [element("path", d=path, class_=tone(n, series))]
    if TEXTURES[n % len(TEXTURES)]:
        parts.append(element("path", d=path, fill=f"url(#{chart}-texture-{n % len(TEXTURES)})"))
    return element("g", *parts, class_="area")


def tone(n: int, series: Series) -> str:
    """The class of series `n`: its own, or that of its place."""
    return f"tone-{series.tone or n + 1}"


def pointer_bands(plot: Frame, bounds: Sequence[tuple[float, float]], texts: Sequence[str]) -> Element:
    """A band across the plot for each category, from left to right, whose title shows its values under a pointer."""
    bands = [
        element(
            "rect",
            element("title", text),
            x=start,
            y=plot.top,
            width=end - start,
            height=PLOT_HEIGHT,
            fill="transparent",
        )
        for (start, end), text in zip(bounds, texts, strict=True)
    ]
    return element("g", *bands, class_="bands")


def picture(text: ChartText, height: float, *parts: Element) -> Element:
    """The element `svg`, with its title and description for a screen reader."""
    labels = [
        element("title", text.title, id=f"{text.id}-title"),
        element("desc", text.description, id=f"{text.id}-desc"),
    ]
    return element(
        "svg",
        *labels,
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {round(height)}",
        role="img",
        class_="plot",
        font_size=FONT,
        fill="currentColor",
        aria_labelledby=f"{text.id}-title",
        aria_describedby=f"{text.id}-desc",
    )


def text_width(text: str) -> float:
    """How wide a text is, nearly: a Chinese character is twice as wide as a Latin letter."""
    return sum(FONT if unicodedata.east_asian_width(c) in "WF" else FONT * 0.56 for c in text)
