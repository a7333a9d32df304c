"""The two halves of a picture of a circle: its ties, and its money with direction. Each is drawn around the person."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final
from xml.etree.ElementTree import Element

from rich.cells import cell_len

from api.currency import money
from api.pictures.markup import element
from api.pictures.radial import Place, Room, places
from graph.circle import Circle, Edge, Layer, Node, Payments, Tie

STEPS: Final = (50, 100, 150, 200)  # where the next colour of trust begins, in hundredths
COLOURS: Final = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")  # viridis, readable for the colour-blind
GREY: Final = "#c4c8ce"  # no trust to show
INK: Final = "#1f2933"
TIE: Final = "#3e4c59"  # the person's own
FAINT: Final = "#a9b4c0"  # a tie of others
PAID: Final = {"out": "#d55e00", "in": "#0072b2", "other": "#7b8794"}  # by the person, to the person, among others
LETTER: Final = 6.4  # a letter's width, in pixels
SHORT: Final = 18  # letters of a label
RADIUS: Final = {"centre": 11.0, "named": 7.0, "nameless": 4.5}
EDGE: Final = 14.0  # pixels kept free around a node, and around the panel
FEW: Final = 8  # on a ring with so few, labels are level
LEVEL: Final = 0.1  # of the cosine: one so far above or below the middle has its label there
THIN, THICK = 1.0, 5.0  # of a line, in pixels
SOME: Final = 50  # lines that can be as thick as that
NAMELESS: Final = "somebody whose name is not yours to see"


@dataclass(frozen=True)
class Panel:
    """A drawing, and the box it fills: left, top, width, height."""

    drawing: Element
    box: tuple[float, float, float, float]


def ties(found: Circle) -> Panel:
    """The ties: a line's width is the tie's strength."""
    layer, where = found.ties, _places(found.ties)
    most = max((edge.weight or 0 for edge in layer.edges), default=0)
    thick = _thickest(layer.edges)
    lines = [_line(edge, layer.nodes, where, most, thick[0 in _ends(edge)]) for edge in _own_last(layer.edges)]
    return _panel(layer.nodes, where, lines)


def payments(found: Circle) -> Panel:
    """The money: an arrow from payer to payee, its width the sum beside the largest of its currency."""
    most: dict[str, int] = {}
    for total in chain.from_iterable(edge.totals for edge in found.money.edges):
        most[total.currency] = max(total.amount, most.get(total.currency, 0))
    layer, where = found.money, _places(found.money)
    thick = _thickest(layer.edges)
    arrows = [_arrow(edge, layer.nodes, where, most, thick[0 in _ends(edge)]) for edge in _own_last(layer.edges)]
    return _panel(layer.nodes, where, arrows)


def colour(trust: int | None) -> str:
    """The colour of a trust in hundredths; grey for none."""
    return GREY if trust is None else COLOURS[bisect_right(STEPS, trust)]


def shape(node: Node, x: float, y: float) -> Element:
    """A disc for a person, a square for a merchant; in the middle larger, with a thick rim."""
    size = RADIUS["nameless" if node.name is None else "named" if node.hop else "centre"]
    rim = 1.0 if node.hop else 2.5
    if node.kind == "person":
        return element("circle", cx=x, cy=y, r=size, fill=colour(node.trust), stroke=INK, stroke_width=rim)
    left, top, side = x - size + 1, y - size + 1, 2 * size - 2
    return element("rect", x=left, y=top, width=side, height=side, rx=2, fill="#ffffff", stroke=INK, stroke_width=rim)


def shortened(name: str, most: int = SHORT) -> str:
    """The name in at most so many letters' width: its beginning and its end, which tell most ids apart."""
    if cell_len(name) <= most:
        return name
    tail = _fitting(reversed(name), most // 3)[::-1]
    return _fitting(name, most - 1 - cell_len(tail)) + "…" + tail


def _fitting(letters: Iterable[str], most: int) -> str:
    kept = ""
    for letter in letters:
        if cell_len(kept + letter) > most:
            break
        kept += letter
    return kept


def trust_told(node: Node) -> str:
    """The node's trust in words, or nothing."""
    return "" if node.trust is None else f"trust {node.trust / 100:.2f}"


def called(node: Node) -> str:
    """The name, or that it has none."""
    return NAMELESS if node.name is None else node.name


def tie_told(edge: Tie, nodes: Sequence[Node]) -> str:
    """What a tie is, as far as it may be told."""
    if edge.weight is None:
        return "a tie between others"
    return f"{called(nodes[edge.a])} and {called(nodes[edge.b])}: {', '.join(edge.kinds)}; strength {edge.weight}"


def payments_told(edge: Payments, nodes: Sequence[Node]) -> str:
    """Who paid whom how much, how often."""
    sums = "; ".join(f"{money(t.amount, t.currency)} in {t.count:,}" for t in edge.totals)
    return f"{called(nodes[edge.payer])} paid {called(nodes[edge.payee])} {sums}"


def direction(edge: Payments) -> str:
    """Whose payment it is: `out` of the person, `in` to them, or an `other`'s."""
    return "out" if edge.payer == 0 else "in" if edge.payee == 0 else "other"


def _own_last(edges: Sequence[Edge]) -> list[Edge]:
    """So that the person's own lie above those of others."""
    return sorted(edges, key=lambda edge: 0 in _ends(edge))


def _ends(edge: Tie | Payments) -> tuple[int, int]:
    return (edge.a, edge.b) if isinstance(edge, Tie) else (edge.payer, edge.payee)


def _thickest(edges: Sequence[Tie | Payments]) -> dict[bool, float]:
    """The widest line of the person's own and of others: the more there are, the thinner, or they would hide one another."""
    own = sum(0 in _ends(edge) for edge in edges)
    counts = {True: own, False: len(edges) - own}
    return {whose: max(1.5, THICK * min(1.0, SOME / max(count, 1))) for whose, count in counts.items()}


def _places(layer: Layer[Tie] | Layer[Payments]) -> list[Place]:
    hops = [n.hop for n in layer.nodes]
    rooms = [_room([n for n in layer.nodes if n.hop == ring]) for ring in range(max(hops) + 1)]
    return places(hops, {(min(pair), max(pair)) for pair in map(_ends, layer.edges)}, rooms)


def _room(ring: Sequence[Node]) -> Room:
    if ring[0].hop == 0:
        return Room(0, 95)
    widest = max(_width(n) for n in ring)
    return Room((44 if len(ring) <= FEW else 15) if widest else 12, widest + 45)


def _width(node: Node) -> float:
    return 0 if node.name is None else LETTER * cell_len(shortened(node.name))


def _line(edge: Tie, nodes: Sequence[Node], where: Sequence[Place], most: int, thick: float) -> Element:
    a, b = where[edge.a], where[edge.b]
    width = 0.8 if edge.weight is None else THIN + (thick - THIN) * edge.weight / most
    title, stroke = element("title", tie_told(edge, nodes)), FAINT if edge.a else TIE
    return element("line", title, x1=a.x, y1=a.y, x2=b.x, y2=b.y, stroke=stroke, stroke_width=width, class_="tie")


def _arrow(
    edge: Payments, nodes: Sequence[Node], where: Sequence[Place], most: Mapping[str, int], thick: float
) -> Element:
    """Bent to one side, so that what goes both ways is seen as two."""
    a, b = where[edge.payer], where[edge.payee]
    bend_x, bend_y = (a.x + b.x) / 2 - (b.y - a.y) / 8, (a.y + b.y) / 2 + (b.x - a.x) / 8
    x1, y1 = _outside(a, nodes[edge.payer], bend_x, bend_y)
    x2, y2 = _outside(b, nodes[edge.payee], bend_x, bend_y)
    share = max((t.amount / most[t.currency] for t in edge.totals if most[t.currency]), default=0.0)
    way, width = direction(edge), THIN + (thick - THIN) * math.sqrt(share)
    return element(
        "path",
        element("title", payments_told(edge, nodes)),
        d=f"M{x1:.1f} {y1:.1f}Q{bend_x:.1f} {bend_y:.1f} {x2:.1f} {y2:.1f}",
        stroke=PAID[way],
        stroke_width=width,
        fill="none",
        marker_end=f"url(#{way})",
        class_=f"payments {way}",
    )


def _outside(at: Place, node: Node, x: float, y: float) -> tuple[float, float]:
    """The point where what comes from (x, y) meets the node's edge."""
    away = RADIUS["named" if node.hop else "centre"] + 2
    far = math.hypot(x - at.x, y - at.y) or 1
    return at.x + away * (x - at.x) / far, at.y + away * (y - at.y) / far


def _panel(nodes: Sequence[Node], where: Sequence[Place], edges: Sequence[Element]) -> Panel:
    shapes, labels, xs, ys = [], [], [0.0], [0.0]
    for node, place in zip(nodes, where, strict=True):
        title = element("title", ", ".join(filter(None, (called(node), trust_told(node)))))
        shapes.append(element("g", title, shape(node, place.x, place.y), class_=f"node {node.kind}"))
        xs += [place.x - EDGE, place.x + EDGE]
        ys += [place.y - EDGE, place.y + EDGE]
        if node.name is not None:
            label, (x, y) = _label(node, shortened(node.name), place)
            labels.append(label)
            xs.append(x)
            ys.append(y)
    parts = {"edges": edges, "nodes": shapes, "labels": labels}
    drawing = element("g", *(element("g", *part, class_=name) for name, part in parts.items()))
    left, top = min(xs) - EDGE, min(ys) - EDGE
    return Panel(drawing, (left, top, max(xs) + EDGE - left, max(ys) + EDGE - top))


def _label(node: Node, text: str, place: Place) -> tuple[Element, tuple[float, float]]:
    """The label, outwards of its node, and the point where it ends. On a crowded ring it is turned to leave room."""
    width, away, angle = _width(node), RADIUS["named"] + 5, place.angle
    right = math.cos(angle) > -1e-9
    anchor = "start" if right else "end"
    if node.hop == 0:
        trust = element("tspan", trust_told(node), x=0, dy=13, font_weight="normal")
        made = element("text", text, trust, x=0, y=26, text_anchor="middle", font_weight="bold", class_="label")
        return made, (width / 2, 42)
    if place.crowd > FEW:
        turn = f"translate({place.x:.1f} {place.y:.1f}) rotate({math.degrees(angle) + (0 if right else 180):.1f})"
        made = element(
            "text", text, x=away if right else -away, y=4, transform=turn, text_anchor=anchor, class_="label"
        )
        return made, (place.x + (away + width) * math.cos(angle), place.y + (away + width) * math.sin(angle))
    if abs(math.cos(angle)) < LEVEL:
        y = place.y + 4 + (away + 4) * math.copysign(1, math.sin(angle))
        made = element("text", text, x=place.x, y=y, text_anchor="middle", class_="label")
        return made, (place.x + width / 2, y)
    x = place.x + (away if right else -away)
    made = element("text", text, x=x, y=place.y + 4, text_anchor=anchor, class_="label")
    return made, (x + (width if right else -width), place.y)
