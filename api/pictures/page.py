"""A picture of a circle as a page by itself: the drawing, and the same in words for those who read rather than look."""

from collections.abc import Iterable, Iterator
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from api.currency import money
from api.pictures.drawing import about, heading, svg
from api.pictures.markup import element
from api.pictures.panels import called, trust_told
from api.pictures.picture import Picture, money_told, ties_told
from graph.circle import Circle, Node

STYLE: Final = (
    "body{font:15px system-ui,sans-serif;color:#1f2933;background:#ffffff;margin:1.5rem;max-width:90rem} "
    "svg{max-width:100%;height:auto} table{border-collapse:collapse;margin:1rem 0} caption{text-align:left;font-weight:bold} "
    "th,td{text-align:left;padding:.2rem 1rem .2rem 0;border-bottom:1px solid #d0d6dd}"
)
NONE: Final = "–"
Row = tuple[str, ...]


def text(made: Picture) -> str:
    """The picture as the text of an HTML file which needs no other, and no script."""
    found = made.circle
    head = element("head", element("meta", charset="utf-8"), element("title", heading(made)), element("style", STYLE))
    body = element(
        "body",
        svg(made),
        element("h1", f"{heading(made)}, in words"),
        element("p", about(made)),
        _table("People", ("who", "steps away", "trust, times the mean"), _people(found)),
        element("p", " ".join(ties_told(found))),
        _table("Ties", ("who", "and whom", "how", "strength"), _ties(found)),
        element("p", " ".join(money_told(found))),
        _table("Payments", ("who paid", "whom", "how often", "altogether"), _payments(found)),
    )
    page = ElementTree.tostring(element("html", head, body, lang="en"), encoding="unicode")
    return f"<!DOCTYPE html>\n{page}\n"


def _table(name: str, columns: Row, rows: Iterable[Row]) -> Element:
    head = element("tr", *(element("th", column, scope="col") for column in columns))
    body = [element("tr", *(element("td", cell) for cell in row)) for row in rows]
    return element("table", element("caption", name), element("thead", head), element("tbody", *body))


def _people(found: Circle) -> Iterator[Row]:
    """Those named in the ties, and how many are not."""
    nameless = sum(n.name is None for n in found.ties.nodes)
    for node in found.ties.nodes:
        if node.name is not None:
            yield called(node), str(node.hop), trust_told(node).removeprefix("trust ") or NONE
    if nameless:
        yield f"{nameless} whose names are not yours to see", "2 or more", NONE


def _ties(found: Circle) -> Iterator[Row]:
    nodes, untold = found.ties.nodes, 0
    for edge in found.ties.edges:
        if edge.weight is None:
            untold += 1
        else:
            yield called(nodes[edge.a]), called(nodes[edge.b]), ", ".join(edge.kinds), str(edge.weight)
    if untold:
        yield f"{untold} between others", NONE, NONE, NONE


def _payments(found: Circle) -> Iterator[Row]:
    def party(node: Node) -> str:
        return f"{called(node)} (merchant)" if node.kind == "merchant" else called(node)

    nodes = found.money.nodes
    for edge in found.money.edges:
        for total in edge.totals:
            yield (
                party(nodes[edge.payer]),
                party(nodes[edge.payee]),
                f"{total.count:,}",
                money(total.amount, total.currency),
            )
