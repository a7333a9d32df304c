"""The two panels of a picture: the ties, and the payments with their direction. We draw each around the person."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final
from xml.etree.ElementTree import Element

from rich.cells import cell_len

from api.render.currency import money
from api.render.markup import element
from api.render.network_words import ENGLISH, NetworkWords
from api.render.radial import NodePosition, Room, place_nodes
from graph.network.ego_network import Edge, EgoLayer, EgoNetwork, Node, PaymentEdge, Tie

TRUST_STEPS: Final = (50, 100, 150, 200)  # limits between the colours of trust, in hundredths
COLOURS: Final = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")  # viridis, readable for the colour-blind
GREY: Final = "#c4c8ce"  # no trust to show
INK: Final = "#1f2933"
OWN_TIE_COLOUR: Final = "#3e4c59"  # a tie of the person
OTHER_TIE_COLOUR: Final = "#a9b4c0"  # a tie of others
PAYMENT_COLOURS: Final = {
    "out": "#d55e00",
    "in": "#0072b2",
    "other": "#7b8794",
}  # by the person, to the person, among others
LETTER_WIDTH: Final = 6.4  # pixels
MAX_LABEL_LETTERS: Final = 18
RADII: Final = {"centre": 11.0, "named": 7.0, "nameless": 4.5}
CLEARANCE: Final = 14.0  # pixels of free space around a node, and around the panel
MAX_LEVEL_LABELS: Final = 8  # labels are horizontal on a ring with at most so many nodes
MIN_SIDE_COSINE: Final = 0.1  # a node with a smaller cosine of its angle has its label above or below
THIN, THICK = 1.0, 5.0  # widths of lines, in pixels
MAX_THICK_LINES: Final = 50  # with more lines, each is thinner than `THICK`


@dataclass(frozen=True)
class Panel:
    """A drawing, and its box: left, top, width, height."""

    drawing: Element
    box: tuple[float, float, float, float]


def ties(ego_network: EgoNetwork, words: NetworkWords = ENGLISH) -> Panel:
    """Draw the ties. A line's width shows the tie's strength."""
    layer, positions = ego_network.ties, _positions(ego_network.ties)
    max_weight = max((edge.weight or 0 for edge in layer.edges), default=0)
    max_widths = _max_widths(layer.edges)
    lines = [
        _line(edge, tie_text(edge, layer.nodes, words), positions, max_weight, max_widths[0 in _ends(edge)])
        for edge in _own_last(layer.edges)
    ]
    return _panel(layer.nodes, positions, lines, words)


def payments(ego_network: EgoNetwork, words: NetworkWords = ENGLISH) -> Panel:
    """Draw the payments: an arrow from payer to payee. Its width shows the sum relative to the largest in the currency."""
    max_amounts: dict[str, int] = {}
    for total in chain.from_iterable(edge.totals for edge in ego_network.money.edges):
        max_amounts[total.currency] = max(total.amount, max_amounts.get(total.currency, 0))
    layer, positions = ego_network.money, _positions(ego_network.money)
    max_widths = _max_widths(layer.edges)
    arrows = [
        _arrow(edge, layer.nodes, positions, max_amounts, max_widths[0 in _ends(edge)], words)
        for edge in _own_last(layer.edges)
    ]
    return _panel(layer.nodes, positions, arrows, words)


def colour(trust: int | None) -> str:
    """The colour of a trust in hundredths; grey for None."""
    return GREY if trust is None else COLOURS[bisect_right(TRUST_STEPS, trust)]


def shape(node: Node, x: float, y: float) -> Element:
    """A disc for a person, a square for a merchant. The centre is larger, with a thick rim."""
    size = RADII["nameless" if node.name is None else "named" if node.hop else "centre"]
    rim = 1.0 if node.hop else 2.5
    if node.kind == "person":
        return element("circle", cx=x, cy=y, r=size, fill=colour(node.trust), stroke=INK, stroke_width=rim)
    left, top, side = x - size + 1, y - size + 1, 2 * size - 2
    return element("rect", x=left, y=top, width=side, height=side, rx=2, fill="#ffffff", stroke=INK, stroke_width=rim)


def shorten(name: str, max_letters: int = MAX_LABEL_LETTERS) -> str:
    """Shorten a name to the width of `max_letters`: we keep its beginning and its end, which distinguish most ids."""
    if cell_len(name) <= max_letters:
        return name
    tail = _fit(reversed(name), max_letters // 3)[::-1]
    return _fit(name, max_letters - 1 - cell_len(tail)) + "…" + tail


def _fit(letters: Iterable[str], max_letters: int) -> str:
    prefix = ""
    for letter in letters:
        if cell_len(prefix + letter) > max_letters:
            break
        prefix += letter
    return prefix


def trust_text(node: Node, words: NetworkWords = ENGLISH) -> str:
    """The node's trust in words, or an empty text."""
    return "" if node.trust is None else words.trust.format(value=node.trust / 100)


def display_name(node: Node, words: NetworkWords = ENGLISH) -> str:
    """The node's name, or the words for a hidden one."""
    return words.nameless if node.name is None else node.name


def tie_text(edge: Tie, nodes: Sequence[Node], words: NetworkWords = ENGLISH) -> str:
    """The description of a tie, as far as the viewer may know it."""
    if edge.weight is None:
        return words.tie_of_others
    a, b = (display_name(nodes[place], words) for place in (edge.a, edge.b))
    kinds = words.separator.join(words.ties.get(kind, kind) for kind in edge.kinds)
    return words.tie.format(a=a, b=b, kinds=kinds, weight=edge.weight)


def payments_text(edge: PaymentEdge, nodes: Sequence[Node], words: NetworkWords = ENGLISH) -> str:
    """The description of payments: payer, payee, sums and counts."""
    sums = "; ".join(words.sum.format(amount=money(t.amount, t.currency), count=t.count) for t in edge.totals)
    payer, payee = (display_name(nodes[place], words) for place in (edge.payer, edge.payee))
    return words.payments.format(payer=payer, payee=payee, sums=sums)


def direction(edge: PaymentEdge) -> str:
    """The direction of a payment: `out` by the person, `in` to the person, or `other`."""
    return "out" if edge.payer == 0 else "in" if edge.payee == 0 else "other"


def _own_last(edges: Sequence[Edge]) -> list[Edge]:
    """Sort the edges so that we draw the person's own above those of others."""
    return sorted(edges, key=lambda edge: 0 in _ends(edge))


def _ends(edge: Tie | PaymentEdge) -> tuple[int, int]:
    return (edge.a, edge.b) if isinstance(edge, Tie) else (edge.payer, edge.payee)


def _max_widths(edges: Sequence[Tie | PaymentEdge]) -> dict[bool, float]:
    """The maximum width of the person's own lines and of others' lines: more lines are thinner, so they hide each other less."""
    own_count = sum(0 in _ends(edge) for edge in edges)
    counts = {True: own_count, False: len(edges) - own_count}
    return {is_own: max(1.5, THICK * min(1.0, MAX_THICK_LINES / max(count, 1))) for is_own, count in counts.items()}


def _positions(layer: EgoLayer[Tie] | EgoLayer[PaymentEdge]) -> list[NodePosition]:
    hops = [n.hop for n in layer.nodes]
    rooms = [_room([n for n in layer.nodes if n.hop == ring]) for ring in range(max(hops) + 1)]
    return place_nodes(hops, {(min(pair), max(pair)) for pair in map(_ends, layer.edges)}, rooms)


def _room(ring: Sequence[Node]) -> Room:
    if ring[0].hop == 0:
        return Room(0, 95)
    widest = max(_width(n) for n in ring)
    return Room((44 if len(ring) <= MAX_LEVEL_LABELS else 15) if widest else 12, widest + 45)


def _width(node: Node) -> float:
    return 0 if node.name is None else LETTER_WIDTH * cell_len(shorten(node.name))


def _line(edge: Tie, text: str, positions: Sequence[NodePosition], max_weight: int, max_width: float) -> Element:
    a, b = positions[edge.a], positions[edge.b]
    width = 0.8 if edge.weight is None else THIN + (max_width - THIN) * edge.weight / max_weight
    title, stroke = element("title", text), OTHER_TIE_COLOUR if edge.a else OWN_TIE_COLOUR
    return element("line", title, x1=a.x, y1=a.y, x2=b.x, y2=b.y, stroke=stroke, stroke_width=width, class_="tie")


def _arrow(
    edge: PaymentEdge,
    nodes: Sequence[Node],
    positions: Sequence[NodePosition],
    max_amounts: Mapping[str, int],
    max_width: float,
    words: NetworkWords,
) -> Element:
    """Draw an arrow bent to one side, so that you see payments in both directions as two arrows."""
    a, b = positions[edge.payer], positions[edge.payee]
    bend_x, bend_y = (a.x + b.x) / 2 - (b.y - a.y) / 8, (a.y + b.y) / 2 + (b.x - a.x) / 8
    x1, y1 = _boundary_point(a, nodes[edge.payer], bend_x, bend_y)
    x2, y2 = _boundary_point(b, nodes[edge.payee], bend_x, bend_y)
    share = max((t.amount / max_amounts[t.currency] for t in edge.totals if max_amounts[t.currency]), default=0.0)
    way, width = direction(edge), THIN + (max_width - THIN) * math.sqrt(share)
    return element(
        "path",
        element("title", payments_text(edge, nodes, words)),
        d=f"M{x1:.1f} {y1:.1f}Q{bend_x:.1f} {bend_y:.1f} {x2:.1f} {y2:.1f}",
        stroke=PAYMENT_COLOURS[way],
        stroke_width=width,
        fill="none",
        marker_end=f"url(#{way})",
        class_=f"payments {way}",
    )


def _boundary_point(place: NodePosition, node: Node, x: float, y: float) -> tuple[float, float]:
    """The point where a line from (x, y) meets the node's edge."""
    away = RADII["named" if node.hop else "centre"] + 2
    distance = math.hypot(x - place.x, y - place.y) or 1
    return place.x + away * (x - place.x) / distance, place.y + away * (y - place.y) / distance


def _panel(
    nodes: Sequence[Node], positions: Sequence[NodePosition], edges: Sequence[Element], words: NetworkWords
) -> Panel:
    shapes, labels, xs, ys = [], [], [0.0], [0.0]
    for node, place in zip(nodes, positions, strict=True):
        title = element(
            "title", words.separator.join(filter(None, (display_name(node, words), trust_text(node, words))))
        )
        shapes.append(element("g", title, shape(node, place.x, place.y), class_=f"node {node.kind}"))
        xs += [place.x - CLEARANCE, place.x + CLEARANCE]
        ys += [place.y - CLEARANCE, place.y + CLEARANCE]
        if node.name is not None:
            label, (x, y) = _label(node, shorten(node.name), place, words)
            labels.append(label)
            xs.append(x)
            ys.append(y)
    parts = {"edges": edges, "nodes": shapes, "labels": labels}
    drawing = element("g", *(element("g", *part, class_=name) for name, part in parts.items()))
    left, top = min(xs) - CLEARANCE, min(ys) - CLEARANCE
    return Panel(drawing, (left, top, max(xs) + CLEARANCE - left, max(ys) + CLEARANCE - top))


def _label(node: Node, text: str, place: NodePosition, words: NetworkWords) -> tuple[Element, tuple[float, float]]:
    """The label outside its node, and the point where it ends. On a crowded ring we rotate it to save room."""
    width, away, angle = _width(node), RADII["named"] + 5, place.angle
    right = math.cos(angle) > -1e-9
    anchor = "start" if right else "end"
    if node.hop == 0:
        trust = element("tspan", trust_text(node, words), x=0, dy=13, font_weight="normal")
        label = element("text", text, trust, x=0, y=26, text_anchor="middle", font_weight="bold", class_="label")
        return label, (width / 2, 42)
    if place.ring_size > MAX_LEVEL_LABELS:
        turn = f"translate({place.x:.1f} {place.y:.1f}) rotate({math.degrees(angle) + (0 if right else 180):.1f})"
        label = element(
            "text", text, x=away if right else -away, y=4, transform=turn, text_anchor=anchor, class_="label"
        )
        return label, (place.x + (away + width) * math.cos(angle), place.y + (away + width) * math.sin(angle))
    if abs(math.cos(angle)) < MIN_SIDE_COSINE:
        y = place.y + 4 + (away + 4) * math.copysign(1, math.sin(angle))
        label = element("text", text, x=place.x, y=y, text_anchor="middle", class_="label")
        return label, (place.x + width / 2, y)
    x = place.x + (away if right else -away)
    label = element("text", text, x=x, y=place.y + 4, text_anchor=anchor, class_="label")
    return label, (x + (width if right else -width), place.y)
