"""A picture as an HTML page: the drawing, and the same content as tables and sentences for screen readers."""

from collections.abc import Iterable, Iterator
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from api.render.currency import money
from api.render.drawing import caption, heading, svg
from api.render.markup import element
from api.render.panels import display_name, trust_text
from api.render.picture import Picture, money_summary, ties_summary
from graph.network.ego_network import EgoNetwork, Node

STYLE: Final = (
    "body{font:15px system-ui,sans-serif;color:#1f2933;background:#ffffff;margin:1.5rem;max-width:90rem} "
    "svg{max-width:100%;height:auto} table{border-collapse:collapse;margin:1rem 0} caption{text-align:left;font-weight:bold} "
    "th,td{text-align:left;padding:.2rem 1rem .2rem 0;border-bottom:1px solid #d0d6dd}"
)
NO_VALUE: Final = "–"
Row = tuple[str, ...]


def html_text(picture: Picture) -> str:
    """The text of a self-contained HTML file of the picture, without scripts."""
    ego_network = picture.ego_network
    head = element(
        "head", element("meta", charset="utf-8"), element("title", heading(picture)), element("style", STYLE)
    )
    body = element(
        "body",
        svg(picture),
        element("h1", f"{heading(picture)}, in words"),
        element("p", caption(picture)),
        _table("People", ("person", "steps away", "trust (mean = 1)"), _people(ego_network)),
        element("p", " ".join(ties_summary(ego_network))),
        _table("Ties", ("person", "tied to", "kinds", "strength"), _ties(ego_network)),
        element("p", " ".join(money_summary(ego_network))),
        _table("Payments", ("payer", "payee", "count", "total"), _payments(ego_network)),
    )
    page = ElementTree.tostring(element("html", head, body, lang="en"), encoding="unicode")
    return f"<!DOCTYPE html>\n{page}\n"


def _table(name: str, columns: Row, rows: Iterable[Row]) -> Element:
    head = element("tr", *(element("th", column, scope="col") for column in columns))
    body = [element("tr", *(element("td", cell) for cell in row)) for row in rows]
    return element("table", element("caption", name), element("thead", head), element("tbody", *body))


def _people(ego_network: EgoNetwork) -> Iterator[Row]:
    """A row for each named person of the ties, and one with the number of the others."""
    nameless_count = sum(n.name is None for n in ego_network.ties.nodes)
    for node in ego_network.ties.nodes:
        if node.name is not None:
            yield display_name(node), str(node.hop), trust_text(node).removeprefix("trust ") or NO_VALUE
    if nameless_count:
        yield f"{nameless_count} whose names you may not see", "2 or more", NO_VALUE


def _ties(ego_network: EgoNetwork) -> Iterator[Row]:
    nodes, hidden_count = ego_network.ties.nodes, 0
    for edge in ego_network.ties.edges:
        if edge.weight is None:
            hidden_count += 1
        else:
            yield display_name(nodes[edge.a]), display_name(nodes[edge.b]), ", ".join(edge.kinds), str(edge.weight)
    if hidden_count:
        yield f"{hidden_count} between other people", NO_VALUE, NO_VALUE, NO_VALUE


def _payments(ego_network: EgoNetwork) -> Iterator[Row]:
    def party(node: Node) -> str:
        return f"{display_name(node)} (merchant)" if node.kind == "merchant" else display_name(node)

    nodes = ego_network.money.nodes
    for edge in ego_network.money.edges:
        for total in edge.totals:
            yield (
                party(nodes[edge.payer]),
                party(nodes[edge.payee]),
                f"{total.count:,}",
                money(total.amount, total.currency),
            )
