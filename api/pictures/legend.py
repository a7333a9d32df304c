"""What the colours, signs and lines in a picture of a circle mean: three rows, of the size of the text."""

from typing import Final
from xml.etree.ElementTree import Element

from api.pictures.markup import element
from api.pictures.panels import COLOURS, FAINT, GREY, INK, PAID, STEPS, TIE, shape
from graph.circle import Circle, Node

FIRST: Final = 170  # pixels to the first column
ROW: Final = 28
HEIGHT: Final = 3 * ROW


def legend(found: Circle) -> Element:
    """The legend as a group, from its upper left corner; `HEIGHT` pixels high."""
    return element("g", *_trust(found), *_signs(found), *_lines(found), class_="legend")


def _row(n: int, name: str) -> tuple[float, Element]:
    middle = ROW * (n + 0.5)
    return middle, element("text", name, x=0, y=middle + 4, font_weight="bold")


def _trust(found: Circle) -> list[Element]:
    none = "no value" if found.viewer == "supervisor" else "no value, or another's: theirs alone to see"
    starts, ends = [_written(step) for step in STEPS], [_written(step - 1) for step in STEPS]
    between = (f"{start} to {end}" for start, end in zip(starts, ends[1:], strict=False))
    words = (f"up to {ends[0]}", *between, f"{starts[-1]} or more", none)
    middle, head = _row(0, "Trust, times the mean")
    made = [head]
    for n, (colour, said) in enumerate(zip((*COLOURS, GREY), words, strict=True)):
        x = FIRST + 105 * n
        made.append(element("rect", x=x - 7, y=middle - 7, width=14, height=14, fill=colour, stroke=INK))
        made.append(element("text", said, x=x + 13, y=middle + 4))
    return made


def _written(hundredths: int) -> str:
    return f"{hundredths / 100:.2f}"


def _signs(found: Circle) -> list[Element]:
    signs = [(Node("", 0), "the person"), (Node("", 1), "a person"), (Node("", 1, "merchant"), "a merchant")]
    if found.viewer == "person":
        signs.append((Node(None, 2), "somebody whose name is not yours to see"))
    middle, head = _row(1, "Signs")
    made = [head]
    for n, (node, said) in enumerate(signs):
        x = FIRST + 105 * n
        made += [shape(node, x, middle), element("text", said, x=x + 16, y=middle + 4)]
    return made


def _lines(found: Circle) -> list[Element]:
    kinds: list[tuple[str, str | None, str]] = [(TIE, None, "a tie of the person"), (FAINT, None, "a tie of others")]
    kinds += [(PAID["out"], "out", "paid by the person"), (PAID["in"], "in", "paid to the person")]
    if found.viewer == "supervisor":
        kinds.append((PAID["other"], "other", "paid among others"))
    middle, head = _row(2, "Lines, wider for more")
    made = [head]
    for n, (colour, way, said) in enumerate(kinds):
        x = FIRST - 7 + 165 * n
        line = element("line", x1=x, y1=middle, x2=x + 26, y2=middle, stroke=colour, stroke_width=3)
        if way:
            line.set("marker-end", f"url(#{way})")
        made += [line, element("text", said, x=x + 34, y=middle + 4)]
    return made
