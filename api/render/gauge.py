"""A gauge: a score on its range, as half a ring with the bands as segments. The page's style sheet colours its classes."""

from collections.abc import Sequence
from itertools import pairwise
from math import cos, pi, sin
from typing import Final
from xml.etree.ElementTree import Element, tostring

from api.render.markup import element

WIDTH, HEIGHT, RADIUS, THICKNESS = 320, 190, 130, 18
_X, _Y = 160, 155  # of the centre
_GAP: Final = 0.012  # between segments, in parts of the half ring
_NO_SCORE: Final = "–"


def gauge(score: int | None, lowest: int, highest: int, starts: Sequence[int], title: str, caption: str) -> str:
    """The gauge as SVG. `starts`: where each band begins. `caption` stands under the number. Without a score nothing is filled."""
    share = 0.0 if score is None else _share(score, lowest, highest)
    segments = [_share(start, lowest, highest) for start in starts] + [1.0]
    rings: list[Element] = []
    for begin, end in pairwise(segments):
        start, stop = begin + _GAP / 2, end - _GAP / 2
        rings.append(_arc("gauge-track", start, stop))
        if share > start:
            rings.append(_arc("gauge-fill", start, min(stop, share)))
    if score is not None:
        x, y = _point(share)
        rings.append(element("circle", class_="gauge-mark", cx=x, cy=y, r=THICKNESS * 0.7))
    words = [
        element("text", _NO_SCORE if score is None else str(score), class_="gauge-number", x=_X, y=_Y - 32),
        element("text", caption, class_="gauge-caption", x=_X, y=_Y - 4),
        element("text", str(lowest), class_="gauge-end", x=_X - RADIUS, y=_Y + 26),
        element("text", str(highest), class_="gauge-end", x=_X + RADIUS, y=_Y + 26),
    ]
    view = f"0 0 {WIDTH} {HEIGHT}"
    picture = element("svg", element("title", title), *rings, *words, class_="gauge", viewBox=view, role="img")
    return tostring(picture, encoding="unicode")


def _share(score: int, lowest: int, highest: int) -> float:
    return min(1.0, max(0.0, (score - lowest) / (highest - lowest)))


def _point(share: float) -> tuple[float, float]:
    angle = pi * (1 - share)
    return _X + RADIUS * cos(angle), _Y - RADIUS * sin(angle)


def _arc(name: str, begin: float, end: float) -> Element:
    (x, y), (to_x, to_y) = _point(begin), _point(end)
    path = f"M{x:.1f} {y:.1f}A{RADIUS} {RADIUS} 0 0 1 {to_x:.1f} {to_y:.1f}"
    return element("path", class_=name, d=path, stroke_width=THICKNESS)
