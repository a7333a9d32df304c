"""The ego network as a value: its nodes, their visible details and the parts left out. We write ties and payments by
hand.
"""

from dataclasses import asdict
from random import Random

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.evidence.events import SCHEMA
from graph.evidence.visibility import SIDES, consents_in_force, visible
from graph.network.ego_network import (
    EgoNetwork,
    Node,
    Omitted,
    PaymentEdge,
    Tie,
    Total,
    build_ego_network,
    known_people,
    trust_subjects,
    with_trust,
)
from tests.effort import by_effort
from tests.graph.story import enrol, moment, story

AS_OF = moment("2024-06-01")
TOWN = """
    2024-01-01 tie.formed ann > bob tie=household
    2024-01-01 tie.formed ann > cy tie=friend strength=2
    2024-01-01 tie.formed bob > cy tie=colleague
    2024-01-01 tie.formed dan > bob tie=friend strength=7
    2024-01-01 tie.formed dan > eve tie=family
    2024-02-01 payment.made ann > shop amount=1000 currency=CNY
    2024-02-02 payment.made ann > shop amount=500 currency=CNY
    2024-02-02 payment.made ann > shop amount=9 currency=EUR
    2024-02-03 payment.made bob > ann amount=70 currency=CNY
    2024-02-03 payment.made bob > cinema amount=30 currency=CNY
    2024-02-03 payment.made dan > shop amount=800 currency=CNY"""
NAMES = ("ann", "bob", "cy", "dan", "eve")


def ego_network_of(
    text: str, person: str = "ann", hops: int = 2, viewer: str = "person", max_nodes: int = 200
) -> EgoNetwork:
    events = story(text)
    view, consents = visible(events, AS_OF, AS_OF, "perks"), consents_in_force(events, AS_OF, AS_OF, "perks")
    return build_ego_network(view, known_people(events), consents, person, hops, viewer, max_nodes)  # type: ignore[arg-type]


def town_network(**options: object) -> EgoNetwork:
    return ego_network_of(f"{enrol(*NAMES)}\n{TOWN}", **options)  # type: ignore[arg-type]


def names(nodes: tuple[Node, ...]) -> list[str | None]:
    return [n.name for n in nodes]


def test_a_person_sees_their_own_ties_and_bare_ties_among_neighbours() -> None:
    ties = town_network().ties
    assert ties.nodes == (Node("ann", 0), Node("bob", 1), Node("cy", 1), Node(None, 2))
    assert ties.edges == (
        Tie(0, 1, ("household",), 10),
        Tie(0, 2, ("friend",), 2),
        Tie(1, 2),  # that bob and cy are tied, not how
        Tie(1, 3),
    )


def test_a_supervisor_sees_all_names_and_ties() -> None:
    ties = town_network(viewer="supervisor").ties
    assert names(ties.nodes) == ["ann", "bob", "cy", "dan"]
    assert ties.edges[2:] == (Tie(1, 2, ("colleague",), 3), Tie(1, 3, ("friend",), 7))


def test_a_person_sees_their_own_payments_only_by_currency_and_direction() -> None:
    money = town_network(hops=3).money
    assert money.nodes == (Node("ann", 0), Node("shop", 1, "merchant"), Node("bob", 1))
    assert money.edges == (
        PaymentEdge(0, 1, (Total("CNY", 1500, 2), Total("EUR", 9, 1))),
        PaymentEdge(2, 0, (Total("CNY", 70, 1),)),
    )
    assert money.omitted == Omitted()


def test_a_supervisor_sees_payments_nearby_but_not_beyond_a_merchant() -> None:
    money = town_network(viewer="supervisor", hops=3).money
    assert names(money.nodes) == ["ann", "shop", "bob", "cinema"]  # not dan, a customer of the same shop
    assert PaymentEdge(2, 3, (Total("CNY", 30, 1),)) in money.edges


def test_hops_are_steps_from_the_person() -> None:
    assert names(town_network(hops=1).ties.nodes) == ["ann", "bob", "cy"]
    assert [n.hop for n in town_network(hops=3).ties.nodes] == [0, 1, 1, 2, 3]


def test_a_person_without_consent_is_left_out() -> None:
    withdrawn = f"{enrol(*NAMES)}\n{TOWN}\n2024-03-01 consent.withdrawn bob purpose=perks"
    for viewer in ("person", "supervisor"):
        network = ego_network_of(withdrawn, viewer=viewer)
        assert names(network.ties.nodes) == ["ann", "cy"]
        assert names(network.money.nodes) == ["ann", "shop"]
        assert network.ties.omitted == network.money.omitted == Omitted()


def test_a_person_known_only_by_a_tie_is_not_a_merchant() -> None:
    text = f"{enrol('ann')}\n2024-01-01 tie.formed ann > zoe tie=friend\n2024-01-02 payment.made ann > zoe amount=1 currency=CNY"
    network = ego_network_of(text)
    assert names(network.ties.nodes) == names(network.money.nodes) == ["ann"]


def test_consent_to_one_layer_permits_only_that_layer() -> None:
    text = f"{enrol('ann')}\n{enrol('bob', classes='identity,relationship')}\n{TOWN}"
    network = ego_network_of(text)
    assert names(network.ties.nodes) == ["ann", "bob"]
    assert names(network.money.nodes) == ["ann", "shop"]


def test_consent_withdrawn_after_the_view_counts_at_once() -> None:
    events = story(f"{enrol(*NAMES)}\n{TOWN}\n2024-07-01 consent.withdrawn bob purpose=perks")
    later = moment("2024-08-01")
    view, consents = visible(events, AS_OF, AS_OF, "perks"), consents_in_force(events, later, later, "perks")
    network = build_ego_network(view, known_people(events), consents, "ann", 2, "supervisor")
    assert "bob" not in {*names(network.ties.nodes), *names(network.money.nodes)}


def test_an_isolated_person_is_one_node() -> None:
    network = ego_network_of(enrol("ann"))
    assert network.ties.nodes == network.money.nodes == (Node("ann", 0),)
    assert network.ties.edges == network.money.edges == ()


STAR = "\n".join(f"2024-01-01 tie.formed hub > p{n} tie=friend strength={1 + n % 3}" for n in range(6))


def test_of_too_many_ties_the_strongest_are_kept_and_the_rest_is_counted() -> None:
    text = f"{enrol('hub', *(f'p{n}' for n in range(6)), 'far')}\n{STAR}\n2024-01-01 tie.formed p0 > far tie=household"
    network = ego_network_of(text, "hub", max_nodes=6)
    # strengths: p0 1, p1 2, p2 3, p3 1, p4 2, p5 3; money needs one node, so that ties have five
    assert names(network.ties.nodes) == ["hub", "p2", "p5", "p1", "p4"]
    assert network.ties.omitted == Omitted(people=3, edges=3)


def test_of_too_many_parties_the_largest_in_each_currency_are_kept() -> None:
    payments = (("a", 900, "CNY"), ("b", 5, "EUR"), ("c", 800, "CNY"), ("d", 4, "EUR"), ("e", 700, "CNY"))
    text = "\n".join(f"2024-01-01 payment.made hub > {m} amount={n} currency={c}" for m, n, c in payments)
    network = ego_network_of(f"{enrol('hub')}\n{text}", "hub", max_nodes=5)
    # first places a and b, second c and d; ties need one node of five
    assert names(network.money.nodes) == ["hub", "a", "b", "c"]
    assert network.money.omitted == Omitted(merchants=2, edges=2)


@pytest.mark.parametrize(
    ("ties", "shops", "sizes"), [(3, 3, (4, 4)), (30, 3, (16, 4)), (3, 30, (4, 16)), (30, 30, (10, 10))]
)
def test_a_small_layer_leaves_room_for_the_other(ties: int, shops: int, sizes: tuple[int, int]) -> None:
    people = [f"p{n}" for n in range(ties)]
    lines = [f"2024-01-01 tie.formed hub > {p} tie=friend" for p in people]
    lines += [f"2024-01-01 payment.made hub > m{n} amount=1 currency=CNY" for n in range(shops)]
    network = ego_network_of("\n".join((enrol("hub", *people), *lines)), "hub", max_nodes=20)
    assert (len(network.ties.nodes), len(network.money.nodes)) == sizes
    assert network.ties.omitted.people == 1 + ties - sizes[0]
    assert network.money.omitted.merchants == 1 + shops - sizes[1]


def test_a_person_with_a_million_payments_has_an_ego_network() -> None:
    count = 1_000_000
    row = pl.int_range(count, eager=True)
    values = {"kind": "payment.made", "subject": "ann", "currency": "CNY", "for_subject": True, "for_other": False}
    columns = [pl.lit(values.get(c)).cast(SCHEMA.get(c, pl.Boolean)).alias(c) for c in (*SCHEMA, *SIDES)]
    view = (
        pl.select(row.alias("row"))
        .select(*columns, "row")
        .with_columns(pl.format("m{}", pl.col("row") % 1000).alias("other"), pl.lit(10**15).alias("amount"))
    )
    consents = pl.DataFrame({"person": ["ann"], "data_class": ["behaviour"]})
    network = build_ego_network(view, pl.Series(["ann"]), consents, "ann", 2, "person")
    assert len(network.money.nodes) == 199
    assert network.money.edges[0].totals == (Total("CNY", 1000 * 10**15, 1000),)
    assert network.money.omitted == Omitted(merchants=802, edges=802_000)


def test_a_supervisor_sees_all_trust_and_a_person_only_their_own() -> None:
    trust = {"ann": 120, "bob": 80, "stranger": 5}
    network = with_trust(town_network(), trust)
    assert trust_subjects(town_network()) == ("ann",)
    assert [n.trust for n in network.ties.nodes] == [120, None, None, None]
    network = with_trust(town_network(viewer="supervisor"), trust)
    assert trust_subjects(network) == ("ann", "bob", "cy", "dan")
    assert [n.trust for n in network.ties.nodes] == [120, 80, None, None]
    assert [n.trust for n in network.money.nodes] == [120, None, 80, None]  # ann, shop, bob, cinema


PAIRS = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda p: p[0] < p[1]), max_size=30, unique=True
)


def tie_story(pairs: list[tuple[int, int]], names: list[str]) -> str:
    lines = [f"2024-01-01 tie.formed {names[a]} > {names[b]} tie=friend" for a, b in pairs]
    return "\n".join((enrol(*names), *lines))


@settings(max_examples=by_effort(16, 40), deadline=None)
@given(PAIRS, st.randoms(use_true_random=False))
def test_ids_of_nameless_nodes_do_not_change_the_network(pairs: list[tuple[int, int]], random: Random) -> None:
    ids = [f"q{n:02}" for n in range(12)]
    near = {0, *(b for a, b in pairs if a == 0)}
    unnamed = [n for n in range(12) if n not in near]
    mixed = list(unnamed)
    random.shuffle(mixed)
    renamed = [*ids]
    for old, new in zip(unnamed, mixed, strict=True):
        renamed[old] = ids[new]
    first = ego_network_of(tie_story(pairs, ids), "q00", 3)
    assert first == ego_network_of(tie_story(pairs, renamed), "q00", 3)
    assert not {ids[n] for n in unnamed} & {n.name for n in first.ties.nodes}
    assert not [i for i in (ids[n] for n in unnamed) if i in str(asdict(first))]


@settings(max_examples=by_effort(16, 40), deadline=None)
@given(PAIRS, st.integers(1, 3))
def test_the_nodes_equal_networkxs_ego_graph(pairs: list[tuple[int, int]], hops: int) -> None:
    ids = [f"q{n:02}" for n in range(12)]
    graph = nx.Graph([(ids[a], ids[b]) for a, b in pairs])
    graph.add_node("q00")
    ego = nx.ego_graph(graph, "q00", radius=hops)
    ties = ego_network_of(tie_story(pairs, ids), "q00", hops, "supervisor").ties
    place = names(ties.nodes)
    assert {n.name: n.hop for n in ties.nodes} == nx.single_source_shortest_path_length(ego, "q00")
    assert {frozenset((place[t.a], place[t.b])) for t in ties.edges} == {frozenset(e) for e in ego.edges}
