"""The ego network of a person: the nearby ties and payments, limited to a viewer's rights and to a size that you can
draw.

A person may see the evidence about others that enters the person's own score: the people tied to them, the kinds of
these ties, and their own payers and payees. The score also depends on ties among these people and on the people behind
them (`relationships.clustering`, `core_number`, `trust`). We show that such people and ties exist, but not their names,
the kinds of their ties, their trust or their payments. The value holds no hidden data at all: a nameless node has no
id, and its position reveals nothing about the id.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, Literal, TypeVar

import networkx as nx
import polars as pl

from graph.network.build import social_of, tie_rows

Viewer = Literal["person", "supervisor"]
MAX_NODES: Final = 200  # nodes of both layers together
TIE_KINDS: Final = ("tie.formed", "tie.ended")
PERSON_KINDS: Final = ("person.enrolled", "consent.granted", "consent.withdrawn", *TIE_KINDS)
EGO_NETWORK_KINDS: Final = (
    "person.enrolled",
    "payment.made",
    *TIE_KINDS,
)  # the kinds of events that an ego network is built from


@dataclass(frozen=True)
class Node:
    """A person or merchant in a layer. `name` None: hidden from the viewer. `hop`: steps from the person. `trust` in
    hundredths.
    """

    name: str | None
    hop: int
    kind: Literal["person", "merchant"] = "person"
    trust: int | None = None


@dataclass(frozen=True)
class Tie:
    """A tie between two nodes, by their positions. Without `kinds` and with `weight` None: a tie of others, whose
    details are hidden.
    """

    a: int
    b: int
    kinds: tuple[str, ...] = ()
    weight: int | None = None


@dataclass(frozen=True)
class Total:
    """Payments in one currency: their sum in minor units and their number."""

    currency: str
    amount: int
    count: int


@dataclass(frozen=True)
class PaymentEdge:
    """The payments from one node to another, by their positions; one total for each currency, in order of its name."""

    payer: int
    payee: int
    totals: tuple[Total, ...]


@dataclass(frozen=True)
class Omitted:
    """Numbers that did not fit: people, merchants, and ties of the layer or single payments."""

    people: int = 0
    merchants: int = 0
    edges: int = 0


Edge = TypeVar("Edge", Tie, PaymentEdge)


@dataclass(frozen=True)
class EgoLayer(Generic[Edge]):
    """One layer of the ego network. The person is its first node; edges are in order of their positions."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    omitted: Omitted


@dataclass(frozen=True)
class EgoNetwork:
    """Ties and payments around `person`, limited to the rights of `viewer`."""

    person: str
    viewer: Viewer
    hops: int
    ties: EgoLayer[Tie]
    money: EgoLayer[PaymentEdge]


def known_people(events: pl.DataFrame) -> pl.Series:
    """Return all ids that the events identify as persons, consenting or not. Use it to leave people out, never to show
    them.

    A person is enrolled, is a party to a tie, or gave or withdrew a consent. Any other party to a payment is a
    merchant.
    """
    rows = events.filter(pl.col("kind").is_in(PERSON_KINDS))
    tie_parties = rows.filter(pl.col("kind").is_in(TIE_KINDS))["other"].drop_nulls()
    return pl.concat([rows["subject"], tie_parties]).unique()


def build_ego_network(
    view: pl.DataFrame,
    people: pl.Series,
    consents: pl.DataFrame,
    person: str,
    hops: int,
    viewer: Viewer,
    max_nodes: int = MAX_NODES,
) -> EgoNetwork:
    """Build the ego network of `person` within `hops` steps, with at most `max_nodes` nodes (at least 2).

    Pass the result of `visible` as `view` and of `known_people` as `people`. `consents` (`person`, `data_class`) are
    those in force now, which may be fewer than those of the view: we draw an edge only if each person at its ends
    consents. Paths follow ties in one layer and payments in the other. A path ends at a merchant, because a merchant's
    customers form no social circle. In the money layer, the person sees only their own payments.

    If there are too many nodes, we keep nearer ones first. At equal distance we prefer the strongest ties to the
    previous distance, or the largest sums (we rank each currency separately and do not compare across currencies), then
    the order of names. A layer that needs less than half of the nodes leaves the rest to the other. Cost: hops x (ties
    + pairs with payments) + payments.
    """
    tie_steps, tie_graph = _tie_graph(view, consents, person, hops)
    totals = _totals(view, people, consents)
    if viewer == "person":
        totals = totals.filter((pl.col("payer") == person) | (pl.col("payee") == person))
    merchants = {*totals["payer"], *totals["payee"]} - {*people}
    payment_steps = _steps(totals.select(a="payer", b="payee"), person, hops, merchants)
    totals = totals.filter(pl.col("payer").is_in([*payment_steps]), pl.col("payee").is_in([*payment_steps]))
    tie_share, payment_share = _shares(len(tie_steps), len(payment_steps), max_nodes)
    ties = _tie_layer(tie_graph, tie_steps, _by_strength(tie_graph, tie_steps)[:tie_share], viewer)
    money = _money_layer(totals, payment_steps, _by_amount(totals, payment_steps)[:payment_share], merchants)
    return EgoNetwork(person, viewer, hops, ties, money)


def trust_subjects(network: EgoNetwork) -> tuple[str, ...]:
    """Return the people whose trust the viewer may see: everybody in the picture for a supervisor, otherwise only the
    person.
    """
    nodes = (*network.ties.nodes, *network.money.nodes)
    names = {n.name for n in nodes if n.name is not None and n.kind == "person"}
    return tuple(sorted(names if network.viewer == "supervisor" else {network.person}))


def with_trust(network: EgoNetwork, trust: Mapping[str, int]) -> EgoNetwork:
    """Return the ego network with the trust (hundredths) of the people whose trust the viewer may see."""
    visible_trust = {name: trust[name] for name in trust_subjects(network) if name in trust}

    def add_trust(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        return tuple(n if n.name is None else replace(n, trust=visible_trust.get(n.name)) for n in nodes)

    ties = replace(network.ties, nodes=add_trust(network.ties.nodes))
    return replace(network, ties=ties, money=replace(network.money, nodes=add_trust(network.money.nodes)))


def _steps(pairs: pl.DataFrame, person: str, hops: int, ends: Collection[str] = ()) -> dict[str, int]:
    """Return the number of steps from the person to each node, up to `hops`; paths do not continue beyond `ends`."""
    both = pl.concat([pairs.select("a", "b"), pairs.select(a="b", b="a")]).unique()
    steps, ring = {person: 0}, [person]
    for hop in range(1, hops + 1):
        near = both.filter(pl.col("a").is_in(ring))["b"].unique()
        ring = [name for name in near if name not in steps]
        steps.update(dict.fromkeys(ring, hop))
        ring = [name for name in ring if name not in ends]
    return steps


def _consenting(consents: pl.DataFrame, data_class: str) -> pl.Series:
    return consents.filter(pl.col("data_class") == data_class)["person"].implode()


def _tie_graph(view: pl.DataFrame, consents: pl.DataFrame, person: str, hops: int) -> tuple[dict[str, int], nx.Graph]:
    """Return the steps to everyone within `hops`, and the social layer among them."""
    consenting = _consenting(consents, "relationship")
    ties = tie_rows(view).filter(pl.col("a").is_in(consenting), pl.col("b").is_in(consenting))
    steps = _steps(ties, person, hops)
    layer: nx.Graph = social_of(ties.filter(pl.col("a").is_in([*steps]), pl.col("b").is_in([*steps]))).copy()
    layer.add_node(person)
    return steps, layer


def _totals(view: pl.DataFrame, people: pl.Series, consents: pl.DataFrame) -> pl.DataFrame:
    """Return `payer`, `payee`, `currency`, `amount`, `count` of the payments to which each person involved consents."""
    consenting, persons = _consenting(consents, "behaviour"), people.implode()

    def agrees(end: str) -> pl.Expr:
        return ~pl.col(end).is_in(persons) | (pl.col(f"for_{end}") & pl.col(end).is_in(consenting))

    payments = view.filter(pl.col("kind") == "payment.made").filter(agrees("subject"), agrees("other"))
    return (
        payments.group_by(pl.col("subject").alias("payer"), pl.col("other").alias("payee"), "currency")
        .agg(pl.col("amount").cast(pl.Int128).sum(), pl.len().alias("count"))
        .sort("payer", "payee", "currency")
    )


def _shares(first: int, second: int, max_nodes: int) -> tuple[int, int]:
    """Return the number of nodes for each of two layers: the number it needs, a half, or the rest that the other
    leaves.
    """
    first_share = min(first, max(max_nodes // 2, max_nodes - second))
    return first_share, min(second, max_nodes - first_share)


def _by_strength(layer: nx.Graph, steps: Mapping[str, int]) -> list[str]:
    def strength(name: str) -> int:
        return sum(edge["weight"] for other, edge in layer[name].items() if steps[other] < steps[name])

    return sorted(steps, key=lambda name: (steps[name], -strength(name), name))


def _by_amount(totals: pl.DataFrame, steps: Mapping[str, int]) -> list[str]:
    """Order by distance; at equal distance by the best rank of a node in any currency."""
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


def _tie_layer(layer: nx.Graph, steps: Mapping[str, int], selection: Sequence[str], viewer: Viewer) -> EgoLayer[Tie]:
    subgraph = layer.subgraph(selection)
    visible_names = [name for name in selection if viewer == "supervisor" or steps[name] < 2]
    names = {*visible_names}
    order = [*visible_names, *_by_structure(subgraph, steps, visible_names)]
    place = {name: n for n, name in enumerate(order)}
    edges = []
    for a, b, edge in subgraph.edges(data=True):
        is_visible = viewer == "supervisor" or 0 in (steps[a], steps[b])
        first, second = sorted((place[a], place[b]))
        edges.append(Tie(first, second, tuple(edge["ties"]), edge["weight"]) if is_visible else Tie(first, second))
    nodes = tuple(Node(name if name in names else None, steps[name]) for name in order)
    omitted = Omitted(len(steps) - len(selection), 0, layer.number_of_edges() - len(edges))
    return EgoLayer(nodes, tuple(sorted(edges, key=lambda t: (t.a, t.b))), omitted)


def _by_structure(subgraph: nx.Graph, steps: Mapping[str, int], visible_names: Sequence[str]) -> list[str]:
    """Order the nameless nodes by the structure of their ties, not by their ids, so that any viewer of the picture
    could find the order.

    We use individualisation and refinement (McKay and Piperno, Practical graph isomorphism II, 2014) along one path:
    set one of several equal nodes apart, refine, and repeat. The choice among equal nodes is not visible in the result.
    Cost: nodes x edges.
    """
    colours = {name: n for n, name in enumerate(visible_names)}
    colours |= {name: len(visible_names) + steps[name] for name in subgraph if name not in colours}
    while True:
        colours = _refine(subgraph, colours)
        shared_colour = min((c for c, n in Counter(colours.values()).items() if n > 1), default=None)
        if shared_colour is None:
            return sorted(colours.keys() - {*visible_names}, key=colours.__getitem__)
        individual = min(name for name, colour in colours.items() if colour == shared_colour)
        colours = {name: 2 * c + (c == shared_colour and name != individual) for name, c in colours.items()}


def _refine(subgraph: nx.Graph, colours: Mapping[str, int]) -> dict[str, int]:
    """Refine colours until nodes of one colour have neighbours of the same colours."""
    while True:
        signatures = {name: (colour, *sorted(colours[n] for n in subgraph[name])) for name, colour in colours.items()}
        rank = {signature: n for n, signature in enumerate(sorted({*signatures.values()}))}
        finer = {name: rank[signature] for name, signature in signatures.items()}
        if len(rank) == len({*colours.values()}):
            return finer
        colours = finer


def _money_layer(
    totals: pl.DataFrame, steps: Mapping[str, int], selection: Sequence[str], merchants: Collection[str]
) -> EgoLayer[PaymentEdge]:
    place = {name: n for n, name in enumerate(selection)}
    between: dict[tuple[int, int], list[Total]] = defaultdict(list)
    for payer, payee, *total in totals.iter_rows():
        if payer in place and payee in place:
            between[place[payer], place[payee]].append(Total(*total))
    nodes = tuple(Node(name, steps[name], "merchant" if name in merchants else "person") for name in selection)
    omitted_names = [name for name in steps if name not in place]
    merchant_count = sum(name in merchants for name in omitted_names)
    payment_count = sum(total.count for of_pair in between.values() for total in of_pair)
    omitted = Omitted(len(omitted_names) - merchant_count, merchant_count, int(totals["count"].sum()) - payment_count)
    return EgoLayer(
        nodes, tuple(PaymentEdge(*ends, tuple(of_pair)) for ends, of_pair in sorted(between.items())), omitted
    )
