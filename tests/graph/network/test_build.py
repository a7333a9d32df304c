from typing import Any

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings

from graph.evidence.visibility import visible
from graph.network.build import TIE_WEIGHT, money, social, social_layer, tie_rating_rows, tie_rows, trust
from tests.effort import by_effort
from tests.graph.features.random_crowds import tie_ledgers
from tests.graph.story import enrol, moment, story
from tests.strategies import NOW

PEOPLE = enrol("ann", "bob", "cy", "dan")
AS_OF = moment("2024-06-01")


def view(text: str):
    return visible(story(f"{PEOPLE}\n{text}"), AS_OF, AS_OF, "perks")


def test_a_tie_is_an_edge_with_the_weight_of_its_kind_or_its_own():
    graph = social(
        view("""
        2024-01-01 tie.formed bob > ann tie=household
        2024-01-01 tie.formed ann > cy tie=friend strength=2
        2024-01-02 tie.formed cy > ann tie=colleague
        2024-01-01 tie.formed ann > shop tie=friend""")
    )
    assert list(graph.edges(data=True)) == [
        ("ann", "bob", {"weight": 10, "ties": ("household",)}),
        ("ann", "cy", {"weight": 5, "ties": ("colleague", "friend")}),
    ]
    assert list(graph) == ["ann", "bob", "cy"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("2024-02-01 tie.ended bob > ann tie=friend", False),
        ("2024-02-01 tie.ended bob > ann tie=household", True),
        ("2023-12-31 tie.ended bob > ann tie=friend", True),
        ("2024-01-01 tie.ended bob > ann tie=friend", False),
        ("2024-02-01 tie.ended bob > ann tie=friend\n2024-03-01 tie.formed bob > ann tie=friend", True),
    ],
)
def test_a_tie_lasts_until_either_end_reports_its_end(more, expected):
    assert social(view(f"2024-01-01 tie.formed ann > bob tie=friend\n{more}")).has_edge("ann", "bob") is expected


def test_a_vouch_gives_trust_to_its_recipient_and_a_mutual_tie_to_both():
    evidence = view("""
        2024-01-01 tie.formed ann > bob tie=vouch strength=7
        2024-01-01 tie.formed bob > cy tie=family""")
    assert sorted(trust(evidence).edges(data="weight")) == [("ann", "bob", 7), ("bob", "cy", 8), ("cy", "bob", 8)]
    assert social(evidence).edges["ann", "bob"] == {"weight": 7, "ties": ("vouch",)}


def test_the_latest_vouch_replaces_the_earlier_and_a_negative_one_is_no_edge():
    text = "2024-01-01 tie.formed ann > bob tie=vouch strength=7\n2024-02-01 tie.formed ann > bob tie=vouch strength="
    assert trust(view(text + "3")).edges["ann", "bob"] == {"weight": 3}
    assert social(view(text + "-3")).number_of_nodes() == 0


def test_of_two_vouches_at_one_moment_the_lower_counts():
    text = "2024-01-01 tie.formed ann > bob tie=vouch strength=7\n2024-01-01 tie.formed ann > bob tie=vouch strength=2"
    assert trust(view(text)).edges["ann", "bob"] == {"weight": 2}


OWN = """
    2024-01-01 tie.formed ann > bob @a tie=household
    2024-01-01 tie.formed cy > bob @a tie=vouch strength=8"""


@pytest.mark.parametrize(
    "other_lines",
    [
        "2024-02-01 tie.ended ann > bob @b tie=household",
        "2024-02-01 tie.ended bob > ann @b tie=household\n2024-02-01 tie.ended cy > bob @b tie=vouch",
        "2024-02-01 tie.formed cy > bob @b tie=vouch strength=-10",
        "2024-02-01 tie.formed cy > bob @b tie=vouch strength=-10\n2024-02-02 tie.formed ann > bob @b tie=household strength=1",
        "2024-02-01 tie.formed bob > ann @b tie=household",
    ],
)
def test_contributors_do_not_end_weaken_or_add_to_each_others_ties(other_lines):
    evidence = view(f"{OWN}\n{other_lines}")
    assert social(evidence).edges["ann", "bob"]["weight"] == 10
    assert trust(evidence).edges["cy", "bob"] == {"weight": 8}


def plain_tie_ratings(events: list[dict[str, Any]]) -> dict[tuple[str, str, str], int]:
    """For each contributor the last word on a tie; of several contributors' the strongest."""
    words: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for e in (e for e in events if e["kind"] in ("tie.formed", "tie.ended") and e["for_subject"]):
        ends = (e["subject"], e["other"]) if e["tie"] == "vouch" else sorted((e["subject"], e["other"]))
        words.setdefault((e["contributor"], *ends, e["tie"]), []).append(e)
    ties: dict[tuple[str, str, str], int] = {}
    for (_, a, b, tie), rows in words.items():
        last = [e for e in rows if e["happened_at"] == max(e["happened_at"] for e in rows)]
        if all(e["kind"] == "tie.formed" for e in last):
            strength = min(TIE_WEIGHT.get(tie, 0) if e["strength"] is None else e["strength"] for e in last)
            ties[a, b, tie] = max(strength, ties.get((a, b, tie), strength))
    return ties


@settings(max_examples=by_effort(15, 400), deadline=None)
@given(tie_ledgers())
def test_the_ties_in_force_equal_a_plain_evaluation(events):
    evidence = visible(events, NOW, NOW, "perks")
    actual = {(r["a"], r["b"], r["tie"]): r["strength"] for r in tie_rating_rows(evidence).rows(named=True)}
    assert actual == plain_tie_ratings(evidence.rows(named=True))


def test_a_tie_of_two_contributors_ends_with_the_last_report():
    both = f"{OWN}\n2024-01-05 tie.formed ann > bob @b tie=household strength=4"
    assert social(view(both)).edges["ann", "bob"]["weight"] == 10
    one = f"{both}\n2024-02-01 tie.ended ann > bob @a tie=household"
    assert social(view(one)).edges["ann", "bob"]["weight"] == 4
    none = f"{one}\n2024-02-02 tie.ended ann > bob @b tie=household"
    assert not social(view(none)).has_edge("ann", "bob")


@pytest.mark.parametrize("party", ["ann", "bob"])
def test_either_end_of_a_tie_may_dispute_it(party):
    disputed = view(
        f"2024-01-01 tie.formed ann > bob #t tie=household\n2024-02-01 dispute.opened {party} @iftah ref_event=t ref_contributor=bank"
    )
    assert social(disputed).number_of_nodes() == 0


def test_a_negative_vouch_does_not_reduce_another_tie():
    evidence = view("2024-01-01 tie.formed ann > bob tie=friend\n2024-01-01 tie.formed cy > bob tie=vouch strength=-10")
    assert list(social(evidence).edges) == [("ann", "bob")]


def test_the_money_layer_sums_and_counts_payments_in_the_main_currency():
    evidence = view("""
        2024-01-01 payment.made ann > shop amount=100 currency=CNY
        2024-01-02 payment.made ann > shop amount=50 currency=CNY
        2024-01-03 payment.made bob > ann amount=7 currency=CNY
        2024-01-03 payment.made ann > shop amount=9 currency=EUR""")
    graph = money(evidence)
    assert sorted(graph.edges(data=True)) == [
        ("ann", "shop", {"amount": 150, "count": 2}),
        ("bob", "ann", {"amount": 7, "count": 1}),
    ]
    assert list(money(evidence, "EUR").edges(data="amount")) == [("ann", "shop", 9)]


def test_sums_of_money_beyond_64_bits_are_exact():
    paid = [f"2024-01-01 payment.made ann > shop amount={10**15} currency=CNY"] * 10_000
    graph = money(view("\n".join([*paid, "2024-01-01 payment.made bob > shop amount=0 currency=CNY"])))
    assert graph.edges["ann", "shop"] == {"amount": 10**19, "count": 10_000}
    assert graph.edges["bob", "shop"] == {"amount": 0, "count": 1}


def test_the_layer_by_code_has_the_ties_of_the_layer_by_name():
    text = "2024-01-01 tie.formed ann > bob tie=friend\n2024-01-01 tie.formed cy > bob tie=vouch strength=3"
    numbered = social_layer(tie_rows(view(text)))
    names = dict(enumerate(numbered.people))
    assert nx.utils.edges_equal(
        nx.relabel_nodes(numbered.social, names).edges(data="weight"), social(view(text)).edges(data="weight")
    )
    assert sorted(nx.relabel_nodes(numbered.lending, names).edges(data="weight")) == sorted(
        trust(view(text)).edges(data="weight")
    )
    assert [names[i] for i, reciprocated in enumerate(numbered.reciprocated) if reciprocated] == ["ann", "bob"]


def test_reciprocated_people_are_those_with_mutual_vouches():
    evidence = view("""
        2024-01-01 tie.formed ann > bob tie=vouch strength=3
        2024-01-01 tie.formed bob > ann tie=vouch strength=1
        2024-01-01 tie.formed bob > cy tie=vouch strength=3""")
    result = social_layer(tie_rows(evidence))
    assert result.people.filter(pl.Series(result.reciprocated)).to_list() == ["ann", "bob"]


def test_without_evidence_the_layers_are_empty_graphs():
    assert nx.is_empty(social(view("")))
    assert money(view("")).number_of_nodes() == 0
