"""A person's circle: the ties and the payments around one person, as one who looks may see them, few enough to draw.

What the person may see of others is what goes into the person's own score: who is tied with them and how, and whom they paid
or were paid by. That their people are tied among themselves, and have others behind them, goes into it too
(`relationships.clustering`, `core`, `trust`), but not who those others are, nor what ties them, nor anyone else's trust
or payments. What may not be seen is not in the value at all: a nameless node has no id, and its place says nothing of one.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, Literal, TypeVar

import networkx as nx
import polars as pl

from graph.build import social_of, tie_rows

Viewer = Literal["person", "supervisor"]
MOST: Final = 200  # nodes of both layers together
TIES: Final = ("tie.formed", "tie.ended")
PEOPLE_SAY: Final = ("person.enrolled", "consent.granted", "consent.withdrawn", *TIES)
SHOWN: Final = ("person.enrolled", "payment.made", *TIES)  # the kinds of events that a circle is made from


@dataclass(frozen=True)
class Node:
    """Somebody in a layer. `name` None: not the viewer's to know. `hop`: steps from the person. `trust` in hundredths."""

    name: str | None
    hop: int
    kind: Literal["person", "merchant"] = "person"
    trust: int | None = None


@dataclass(frozen=True)
class Tie:
    """A pair who are tied, by their places among the nodes. No `kinds` and `weight` None: a tie of others, not told."""

    a: int
    b: int
    kinds: tuple[str, ...] = ()
    weight: int | None = None


@dataclass(frozen=True)
class Total:
    """Payments in one currency: their sum in minor units, and how many."""

    currency: str
    amount: int
    count: int


@dataclass(frozen=True)
class Payments:
    """What one node paid another, by their places among the nodes; a total for each currency, by its name."""

    payer: int
    payee: int
    totals: tuple[Total, ...]


@dataclass(frozen=True)
class LeftOut:
    """What there was no room for: people, merchants, and the ties of a layer or its payments, each one."""

    people: int = 0
    merchants: int = 0
    edges: int = 0


Edge = TypeVar("Edge", Tie, Payments)


@dataclass(frozen=True)
class Layer(Generic[Edge]):
    """One layer of the circle. The person is its first node; the edges are in order of their places."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    left_out: LeftOut


@dataclass(frozen=True)
class Circle:
    """Ties and money around `person`, as `viewer` may see them."""

    person: str
    viewer: Viewer
    hops: int
    ties: Layer[Tie]
    money: Layer[Payments]


def people_known(events: pl.DataFrame) -> pl.Series:
    """Everybody whom the events know as a person, consenting or not: it serves to leave people out, never to show them.

    A person enrolled, is a party to a tie, or said something of consent. Any other party to a payment is a merchant.
    """
    said = events.filter(pl.col("kind").is_in(PEOPLE_SAY))
    tied = said.filter(pl.col("kind").is_in(TIES))["other"].drop_nulls()
    return pl.concat([said["subject"], tied]).unique()


def circle(
    view: pl.DataFrame,
    people: pl.Series,
    consents: pl.DataFrame,
    person: str,
    hops: int,
    viewer: Viewer,
    most: int = MOST,
) -> Circle:
    """The circle of `person` within `hops` steps, in at most `most` (at least 2) nodes.

    `view` is what `visible` gives, `people` what `people_known` gives. `consents` (`person`, `data_class`) are those in force
    as one looks, which may be fewer than the view was made with: an edge is there only when each person at its ends agrees.
    A way leads over ties in one layer and over payments in the other. It ends at a merchant, whose customers are nobody's
    circle; of the money the person sees their own payments alone.

    When there are too many, the nearer are kept before the farther, and of one ring those with the strongest ties to the
    ring within, or with the largest sums (in any currency: sums of different ones are not compared), then by name. A layer
    that needs less than half of the nodes leaves the rest to the other. Cost: hops x (ties + pairs who pay) + payments.
    """
    tied, strength = _tied(view, consents, person, hops)
    totals = _totals(view, people, consents)
    if viewer == "person":
        totals = totals.filter((pl.col("payer") == person) | (pl.col("payee") == person))
    merchants = {*totals["payer"], *totals["payee"]} - {*people}
    paid = _steps(totals.select(a="payer", b="payee"), person, hops, merchants)
    totals = totals.filter(pl.col("payer").is_in([*paid]), pl.col("payee").is_in([*paid]))
    first, second = _shares(len(tied), len(paid), most)
    ties = _tie_layer(strength, tied, _by_strength(strength, tied)[:first], viewer)
    money = _money_layer(totals, paid, _by_amount(totals, paid)[:second], merchants)
    return Circle(person, viewer, hops, ties, money)


def trust_shown(found: Circle) -> tuple[str, ...]:
    """Whose trust the viewer may see: everybody's who is drawn, or the person's own."""
    nodes = (*found.ties.nodes, *found.money.nodes)
    names = {n.name for n in nodes if n.name is not None and n.kind == "person"}
    return tuple(sorted(names if found.viewer == "supervisor" else {found.person}))


def with_trust(found: Circle, trust: Mapping[str, int]) -> Circle:
    """The circle with the trust (hundredths) of those whose trust the viewer may see."""
    seen = {name: trust[name] for name in trust_shown(found) if name in trust}

    def coloured(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        return tuple(n if n.name is None else replace(n, trust=seen.get(n.name)) for n in nodes)

    ties = replace(found.ties, nodes=coloured(found.ties.nodes))
    return replace(found, ties=ties, money=replace(found.money, nodes=coloured(found.money.nodes)))


def _steps(pairs: pl.DataFrame, person: str, hops: int, ends: Collection[str] = ()) -> dict[str, int]:
    """How many steps from the person each is, up to `hops`; `ends` are reached and not passed."""
    both = pl.concat([pairs.select("a", "b"), pairs.select(a="b", b="a")]).unique()
    found, ring = {person: 0}, [person]
    for hop in range(1, hops + 1):
        near = both.filter(pl.col("a").is_in(ring))["b"].unique()
        ring = [name for name in near if name not in found]
        found.update(dict.fromkeys(ring, hop))
        ring = [name for name in ring if name not in ends]
    return found


def _agreeing(consents: pl.DataFrame, data_class: str) -> pl.Series:
    return consents.filter(pl.col("data_class") == data_class)["person"].implode()


def _tied(view: pl.DataFrame, consents: pl.DataFrame, person: str, hops: int) -> tuple[dict[str, int], nx.Graph]:
    """The steps to everyone within `hops`, and the social layer among them."""
    agreeing = _agreeing(consents, "relationship")
    ties = tie_rows(view).filter(pl.col("a").is_in(agreeing), pl.col("b").is_in(agreeing))
    steps = _steps(ties, person, hops)
    layer: nx.Graph = social_of(ties.filter(pl.col("a").is_in([*steps]), pl.col("b").is_in([*steps]))).copy()
    layer.add_node(person)
    return steps, layer


def _totals(view: pl.DataFrame, people: pl.Series, consents: pl.DataFrame) -> pl.DataFrame:
    """`payer`, `payee`, `currency`, `amount`, `count` of the payments to which each person at their ends agrees."""
    agreeing, persons = _agreeing(consents, "behaviour"), people.implode()

    def agrees(end: str) -> pl.Expr:
        return ~pl.col(end).is_in(persons) | (pl.col(f"for_{end}") & pl.col(end).is_in(agreeing))

    paid = view.filter(pl.col("kind") == "payment.made").filter(agrees("subject"), agrees("other"))
    return (
        paid.group_by(pl.col("subject").alias("payer"), pl.col("other").alias("payee"), "currency")
        .agg(pl.col("amount").cast(pl.Int128).sum(), pl.len().alias("count"))
        .sort("payer", "payee", "currency")
    )


def _shares(first: int, second: int, most: int) -> tuple[int, int]:
    """How many nodes each of two layers gets: what it needs, or half, or what the other leaves."""
    kept = min(first, max(most // 2, most - second))
    return kept, min(second, most - kept)


def _by_strength(layer: nx.Graph, steps: Mapping[str, int]) -> list[str]:
    def strength(name: str) -> int:
        return sum(edge["weight"] for other, edge in layer[name].items() if steps[other] < steps[name])

    return sorted(steps, key=lambda name: (steps[name], -strength(name), name))


def _by_amount(totals: pl.DataFrame, steps: Mapping[str, int]) -> list[str]:
    """Nearest first; of one ring by the best place that anyone has in any currency."""
    amounts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for payer, payee, currency, amount, _ in totals.iter_rows():
        near, far = sorted((payer, payee), key=lambda name: steps[name])
        if steps[near] < steps[far]:
            amounts[currency][far] += amount
    best: dict[str, int] = {}
    for of_currency in amounts.values():
        ranked = sorted(of_currency, key=lambda name: (steps[name], -of_currency[name], name))
        for place, name in enumerate(ranked):
            best[name] = min(place, best.get(name, place))
    return sorted(steps, key=lambda name: (steps[name], best.get(name, len(best)), name))


def _tie_layer(layer: nx.Graph, steps: Mapping[str, int], chosen: Sequence[str], viewer: Viewer) -> Layer[Tie]:
    drawn = layer.subgraph(chosen)
    named = [name for name in chosen if viewer == "supervisor" or steps[name] < 2]
    names = {*named}
    order = [*named, *_by_structure(drawn, steps, named)]
    place = {name: n for n, name in enumerate(order)}
    edges = []
    for a, b, edge in drawn.edges(data=True):
        told = viewer == "supervisor" or 0 in (steps[a], steps[b])
        first, second = sorted((place[a], place[b]))
        edges.append(Tie(first, second, tuple(edge["ties"]), edge["weight"]) if told else Tie(first, second))
    nodes = tuple(Node(name if name in names else None, steps[name]) for name in order)
    left_out = LeftOut(len(steps) - len(chosen), 0, layer.number_of_edges() - len(edges))
    return Layer(nodes, tuple(sorted(edges, key=lambda t: (t.a, t.b))), left_out)


def _by_structure(drawn: nx.Graph, steps: Mapping[str, int], named: Sequence[str]) -> list[str]:
    """The nameless in an order that anyone could find who sees the picture: by how they are tied, not by their ids.

    Individualisation and refinement (McKay and Piperno, Practical graph isomorphism II, 2014), along one path: of those who
    look alike one is set apart, and all are looked at again. Which one it is does not show. Cost: nodes x edges.
    """
    colours = {name: n for n, name in enumerate(named)}
    colours |= {name: len(named) + steps[name] for name in drawn if name not in colours}
    while True:
        colours = _refined(drawn, colours)
        alike = min((c for c, n in Counter(colours.values()).items() if n > 1), default=None)
        if alike is None:
            return sorted(colours.keys() - {*named}, key=colours.__getitem__)
        one = min(name for name, colour in colours.items() if colour == alike)
        colours = {name: 2 * c + (c == alike and name != one) for name, c in colours.items()}


def _refined(drawn: nx.Graph, colours: Mapping[str, int]) -> dict[str, int]:
    """Colours such that those of one colour have neighbours of the same colours."""
    while True:
        seen = {name: (colour, *sorted(colours[n] for n in drawn[name])) for name, colour in colours.items()}
        rank = {around: n for n, around in enumerate(sorted({*seen.values()}))}
        finer = {name: rank[around] for name, around in seen.items()}
        if len(rank) == len({*colours.values()}):
            return finer
        colours = finer


def _money_layer(
    totals: pl.DataFrame, steps: Mapping[str, int], chosen: Sequence[str], merchants: Collection[str]
) -> Layer[Payments]:
    place = {name: n for n, name in enumerate(chosen)}
    between: dict[tuple[int, int], list[Total]] = defaultdict(list)
    for payer, payee, *total in totals.iter_rows():
        if payer in place and payee in place:
            between[place[payer], place[payee]].append(Total(*total))
    nodes = tuple(Node(name, steps[name], "merchant" if name in merchants else "person") for name in chosen)
    without = [name for name in steps if name not in place]
    shops = sum(name in merchants for name in without)
    drawn = sum(total.count for of_pair in between.values() for total in of_pair)
    left_out = LeftOut(len(without) - shops, shops, int(totals["count"].sum()) - drawn)
    return Layer(nodes, tuple(Payments(*ends, tuple(of_pair)) for ends, of_pair in sorted(between.items())), left_out)
