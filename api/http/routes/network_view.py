"""The ego network of a person as JSON: the nodes and edges that the viewer may see, and a drawing of each layer."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from api.http.fields import Money, PartyKind
from api.render import network_panels
from api.render.network_words import WORDS
from api.render.picture import Picture
from graph.network.ego_network import EgoLayer, Node, Omitted, PaymentEdge, Tie

DRAWING = "a drawing of the layer: SVG in the caller's language, without script and style"


class NetworkNode(BaseModel):
    """A person or a merchant."""

    name: str | None = Field(description="null: hidden from you")
    steps: int = Field(description="from the person")
    kind: PartyKind
    trust: int | None = Field(description="in hundredths, where it is yours to know")

    @classmethod
    def of(cls, node: Node) -> Self:
        """A node of a layer."""
        return cls(name=node.name, steps=node.hop, kind=node.kind, trust=node.trust)


class NetworkTie(BaseModel):
    """A tie between two nodes, by their places in the list."""

    a: int
    b: int
    kinds: list[str] = Field(description="empty for a tie between other people")
    strength: int | None

    @classmethod
    def of(cls, edge: Tie) -> Self:
        """An edge of the layer of ties."""
        return cls(a=edge.a, b=edge.b, kinds=list(edge.kinds), strength=edge.weight)


class NetworkPayment(BaseModel):
    """The payments from one node to another in one currency."""

    payer: int
    payee: int
    currency: str
    amount: Money
    count: int

    @classmethod
    def of_edge(cls, edge: PaymentEdge) -> list[Self]:
        """One for each currency."""
        return [
            cls(payer=edge.payer, payee=edge.payee, currency=t.currency, amount=t.amount, count=t.count)
            for t in edge.totals
        ]


class Omission(BaseModel):
    """What did not fit into the drawing."""

    people: int
    merchants: int
    edges: int = Field(description="ties, or single payments")

    @classmethod
    def of(cls, omitted: Omitted) -> Self:
        """The numbers of a layer."""
        return cls(people=omitted.people, merchants=omitted.merchants, edges=omitted.edges)


class TieLayer(BaseModel):
    """The ties around the person, who is the first node."""

    nodes: list[NetworkNode]
    ties: list[NetworkTie]
    omitted: Omission
    drawing: str = Field(description=DRAWING)


class PaymentLayer(BaseModel):
    """The payments of the person, who is the first node."""

    nodes: list[NetworkNode]
    payments: list[NetworkPayment]
    omitted: Omission
    drawing: str = Field(description=DRAWING)


class NetworkView(BaseModel):
    """The people and merchants around a person, as the person may see them: only those who consent."""

    person: str
    steps: int
    as_of: datetime
    purpose: str
    ties: TieLayer
    money: PaymentLayer

    @classmethod
    def of(cls, picture: Picture, language: str) -> Self:
        """The network of a picture, with drawings in a language."""
        network, words = picture.ego_network, WORDS.get(language, WORDS["en"])
        ties, money = network.ties, network.money
        return cls(
            person=network.person,
            steps=network.hops,
            as_of=picture.build.as_of,
            purpose=picture.build.purpose,
            ties=TieLayer(
                nodes=_nodes(ties),
                ties=[NetworkTie.of(edge) for edge in ties.edges],
                omitted=Omission.of(ties.omitted),
                drawing=network_panels.ties_svg(network, words),
            ),
            money=PaymentLayer(
                nodes=_nodes(money),
                payments=[payment for edge in money.edges for payment in NetworkPayment.of_edge(edge)],
                omitted=Omission.of(money.omitted),
                drawing=network_panels.payments_svg(network, words),
            ),
        )


def _nodes(layer: EgoLayer[Tie] | EgoLayer[PaymentEdge]) -> list[NetworkNode]:
    return [NetworkNode.of(node) for node in layer.nodes]
