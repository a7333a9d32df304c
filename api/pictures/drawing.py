"""A picture of a circle as SVG: ties on the left, money on the right, what was left out above, the legend below.

It needs nothing else: no script, no font, no address of anyone's. Hovering over a part says what it is; the whole has a
title and a description for those who do not see it.
"""

from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from api.pictures.legend import HEIGHT, legend
from api.pictures.markup import element
from api.pictures.panels import INK, PAID, Panel, payments, shortened, ties
from api.pictures.picture import Picture, money_told, ties_told

HEAD: Final = 126.0  # of the text above the panels, in pixels
MARGIN: Final = 20.0
LEAST: Final = 500.0  # a panel's width
READ_AT: Final = 1150.0  # a wider picture is seen smaller: the text around it is larger in proportion
STYLE: Final = (
    f"text{{font:11px system-ui,sans-serif;fill:{INK}}} .label{{paint-order:stroke;stroke:#ffffff;stroke-width:3px;pointer-events:none}} "
    "text.title{font-size:20px} text.head{font-size:15px} .edges{stroke-opacity:0.8}"
)


def svg(made: Picture) -> Element:
    """The picture as an element `svg`. Deterministic: the same picture is the same drawing."""
    panels = (ties(made.circle), payments(made.circle))
    unit = max(1.0, sum(panel.box[2] for panel in panels) / READ_AT)
    left, right = (max(panel.box[2], LEAST * unit) for panel in panels)
    top, bottom = HEAD * unit, HEAD * unit + max(panel.box[3] for panel in panels)
    width, height = left + right, bottom + (HEIGHT + 2 * MARGIN) * unit
    below = legend(made.circle)
    below.set("transform", f"translate({MARGIN * unit:.1f} {bottom + MARGIN * unit:.1f}) scale({unit:.3f})")
    return element(
        "svg",
        element("title", heading(made), id="title"),
        element("desc", description(made), id="desc"),
        element("style", STYLE),
        element("defs", *(_arrowhead(way, colour) for way, colour in PAID.items())),
        element("rect", width=width, height=height, fill="#ffffff"),
        element("g", *_headings(made, left / unit), transform=f"scale({unit:.3f})", class_="headings"),
        _put(panels[0], "ties", (0, top, left, bottom)),
        _put(panels[1], "money", (left, top, left + right, bottom)),
        below,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=round(width),
        height=round(height),
        role="img",
        aria_labelledby="title desc",
    )


def text(made: Picture) -> str:
    """The picture as the text of an SVG file."""
    return ElementTree.tostring(svg(made), encoding="unicode") + "\n"


def heading(made: Picture) -> str:
    """What the picture is of."""
    return f"The circle of {made.circle.person}"


def about(made: Picture) -> str:
    """Whose view it is, of which moment."""
    seer = "the person" if made.circle.viewer == "person" else "a supervisor"
    day = f"{made.build.as_of:%Y-%m-%d}"
    return f"As {seer} may see it, as of {day}, for {made.build.purpose}. Only those who consent are shown."


def description(made: Picture) -> str:
    """All that the picture says in whole sentences."""
    return " ".join((about(made), "Ties:", *ties_told(made.circle), "Money:", *money_told(made.circle)))


def _headings(made: Picture, middle: float) -> list[Element]:
    name = f"The circle of {shortened(made.circle.person, 60)}"
    lines = [element("text", name, x=MARGIN, y=34, class_="title"), element("text", about(made), x=MARGIN, y=54)]
    columns = ((MARGIN, "Ties", ties_told(made.circle)), (middle + MARGIN, "Money", money_told(made.circle)))
    for x, head, told in columns:
        lines.append(element("text", head, x=x, y=84, class_="head"))
        lines += [element("text", line, x=x, y=102 + 15 * n, class_="told") for n, line in enumerate(told)]
    return lines


def _put(panel: Panel, name: str, room: tuple[float, float, float, float]) -> Element:
    """The panel in the middle of a room: left, top, right, bottom."""
    left, top, width, height = panel.box
    x = (room[0] + room[2] - width) / 2 - left
    y = (room[1] + room[3] - height) / 2 - top
    panel.drawing.set("transform", f"translate({x:.1f} {y:.1f})")
    panel.drawing.set("class", name)
    return panel.drawing


def _arrowhead(way: str, colour: str) -> Element:
    return element(
        "marker",
        element("path", d="M0 0L8 3.5L0 7z", fill=colour),
        id=way,
        orient="auto",
        markerUnits="userSpaceOnUse",
        markerWidth=8,
        markerHeight=7,
        refX=6,
        refY=3.5,
    )
