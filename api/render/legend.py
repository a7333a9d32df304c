"""The legend of a picture: the meaning of colours, signs and lines, in three rows."""

from typing import Final
from xml.etree.ElementTree import Element

from api.render.markup import element
from api.render.panels import COLOURS, GREY, INK, OTHER_TIE_COLOUR, OWN_TIE_COLOUR, PAYMENT_COLOURS, TRUST_STEPS, shape
from graph.network.ego_network import EgoNetwork, Node

FIRST_COLUMN_X: Final = 170  # pixels to the first column
ROW_HEIGHT: Final = 28
LEGEND_HEIGHT: Final = 3 * ROW_HEIGHT


def legend(ego_network: EgoNetwork) -> Element:
    """Draw the legend as a group with its origin at the upper left; `LEGEND_HEIGHT` pixels high."""
    return element("g", *_trust(ego_network), *_signs(ego_network), *_lines(ego_network), class_="legend")


def _row(n: int, name: str) -> tuple[float, Element]:
    middle = ROW_HEIGHT * (n + 0.5)
    return middle, element("text", name, x=0, y=middle + 4, font_weight="bold")


def _trust(ego_network: EgoNetwork) -> list[Element]:
    none = "no value" if ego_network.viewer == "supervisor" else "no value, or hidden from you"
    starts, ends = [_written(step) for step in TRUST_STEPS], [_written(step - 1) for step in TRUST_STEPS]
    between = (f"{start} to {end}" for start, end in zip(starts, ends[1:], strict=False))
    words = (f"up to {ends[0]}", *between, f"{starts[-1]} or more", none)
    middle, head = _row(0, "Trust (mean = 1)")
    elements = [head]
    for n, (colour, label) in enumerate(zip((*COLOURS, GREY), words, strict=True)):
        x = FIRST_COLUMN_X + 105 * n
        elements.append(element("rect", x=x - 7, y=middle - 7, width=14, height=14, fill=colour, stroke=INK))
        elements.append(element("text", label, x=x + 13, y=middle + 4))
    return elements


def _written(hundredths: int) -> str:
    return f"{hundredths / 100:.2f}"


def _signs(ego_network: EgoNetwork) -> list[Element]:
    signs = [(Node("", 0), "the person"), (Node("", 1), "a person"), (Node("", 1, "merchant"), "a merchant")]
    if ego_network.viewer == "person":
        signs.append((Node(None, 2), "a person whose name you may not see"))
    middle, head = _row(1, "Signs")
    elements = [head]
    for n, (node, label) in enumerate(signs):
        x = FIRST_COLUMN_X + 105 * n
        elements += [shape(node, x, middle), element("text", label, x=x + 16, y=middle + 4)]
    return elements


def _lines(ego_network: EgoNetwork) -> list[Element]:
    kinds: list[tuple[str, str | None, str]] = [
        (OWN_TIE_COLOUR, None, "a tie of the person"),
        (OTHER_TIE_COLOUR, None, "a tie among others"),
    ]
    kinds += [
        (PAYMENT_COLOURS["out"], "out", "paid by the person"),
        (PAYMENT_COLOURS["in"], "in", "paid to the person"),
    ]
    if ego_network.viewer == "supervisor":
        kinds.append((PAYMENT_COLOURS["other"], "other", "paid among others"))
    middle, head = _row(2, "Lines, wider for more")
    elements = [head]
    for n, (colour, way, label) in enumerate(kinds):
        x = FIRST_COLUMN_X - 7 + 165 * n
        line = element("line", x1=x, y1=middle, x2=x + 26, y2=middle, stroke=colour, stroke_width=3)
        if way:
            line.set("marker-end", f"url(#{way})")
        elements += [line, element("text", label, x=x + 34, y=middle + 4)]
    return elements
