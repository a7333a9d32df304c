"""Draw an ego network as SVG: ties on the left, payments on the right, a summary above, the legend below.

The file is self-contained: no script, no font, no link. If you hover over a part, you see its description. For screen readers
the picture has a title and a description.
"""

from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from api.render.legend import LEGEND_HEIGHT, legend
from api.render.markup import element
from api.render.panels import INK, PAYMENT_COLOURS, Panel, payments, shorten, ties
from api.render.picture import Picture, money_summary, ties_summary

HEADER_HEIGHT: Final = 126.0  # of the text above the panels, in pixels
MARGIN: Final = 20.0
MIN_PANEL_WIDTH: Final = 500.0  # a panel's width
REFERENCE_WIDTH: Final = 1150.0  # viewers shrink a wider picture, so we enlarge the text around it in proportion
STYLE: Final = (
    f"text{{font:11px system-ui,sans-serif;fill:{INK}}} .label{{paint-order:stroke;stroke:#ffffff;stroke-width:3px;pointer-events:none}} "
    "text.title{font-size:20px} text.head{font-size:15px} .edges{stroke-opacity:0.8}"
)


def svg(picture: Picture) -> Element:
    """Draw the picture as an element `svg`. Deterministic."""
    panels = (ties(picture.ego_network), payments(picture.ego_network))
    unit = max(1.0, sum(panel.box[2] for panel in panels) / REFERENCE_WIDTH)
    left, right = (max(panel.box[2], MIN_PANEL_WIDTH * unit) for panel in panels)
    top, bottom = HEADER_HEIGHT * unit, HEADER_HEIGHT * unit + max(panel.box[3] for panel in panels)
    width, height = left + right, bottom + (LEGEND_HEIGHT + 2 * MARGIN) * unit
    legend_group = legend(picture.ego_network)
    legend_group.set("transform", f"translate({MARGIN * unit:.1f} {bottom + MARGIN * unit:.1f}) scale({unit:.3f})")
    return element(
        "svg",
        element("title", heading(picture), id="title"),
        element("desc", description(picture), id="desc"),
        element("style", STYLE),
        element("defs", *arrowheads()),
        element("rect", width=width, height=height, fill="#ffffff"),
        element("g", *_headings(picture, left / unit), transform=f"scale({unit:.3f})", class_="headings"),
        _place_panel(panels[0], "ties", (0, top, left, bottom)),
        _place_panel(panels[1], "money", (left, top, left + right, bottom)),
        legend_group,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=round(width),
        height=round(height),
        role="img",
        aria_labelledby="title desc",
    )


def svg_text(picture: Picture) -> str:
    """The text of an SVG file of the picture."""
    return ElementTree.tostring(svg(picture), encoding="unicode") + "\n"


def heading(picture: Picture) -> str:
    """The heading of the picture."""
    return f"The network of {picture.ego_network.person}"


def caption(picture: Picture) -> str:
    """The caption: the viewer, the date and the purpose."""
    viewer = "the person" if picture.ego_network.viewer == "person" else "a supervisor"
    day = f"{picture.build.as_of:%Y-%m-%d}"
    return f"As {viewer} may see it, as of {day}, for {picture.build.purpose}. It shows only people who consent."


def description(picture: Picture) -> str:
    """The caption and the summaries in whole sentences."""
    return " ".join(
        (caption(picture), "Ties:", *ties_summary(picture.ego_network), "Money:", *money_summary(picture.ego_network))
    )


def _headings(picture: Picture, middle: float) -> list[Element]:
    name = f"The network of {shorten(picture.ego_network.person, 60)}"
    lines = [element("text", name, x=MARGIN, y=34, class_="title"), element("text", caption(picture), x=MARGIN, y=54)]
    columns = (
        (MARGIN, "Ties", ties_summary(picture.ego_network)),
        (middle + MARGIN, "Money", money_summary(picture.ego_network)),
    )
    for x, head, sentences in columns:
        lines.append(element("text", head, x=x, y=84, class_="head"))
        lines += [element("text", line, x=x, y=102 + 15 * n, class_="told") for n, line in enumerate(sentences)]
    return lines


def _place_panel(panel: Panel, name: str, room: tuple[float, float, float, float]) -> Element:
    """Centre the panel in a rectangle: left, top, right, bottom."""
    left, top, width, height = panel.box
    x = (room[0] + room[2] - width) / 2 - left
    y = (room[1] + room[3] - height) / 2 - top
    panel.drawing.set("transform", f"translate({x:.1f} {y:.1f})")
    panel.drawing.set("class", name)
    return panel.drawing


def arrowheads() -> list[Element]:
    """The heads of the arrows of payments, by the ids that the arrows refer to."""
    return [_arrowhead(way, colour) for way, colour in PAYMENT_COLOURS.items()]


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
