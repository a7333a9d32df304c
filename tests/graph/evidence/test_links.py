"""Two ids of one person: what a link joins, what it needs, and that a link used_ids back leaves no trace."""

import json
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.catalog import FEATURES
from graph.evidence.links import MAX_LINKED_IDS, representatives
from graph.evidence.visibility import linked_people, visible, visible_with_consents
from graph.features.pipeline import features
from graph.network.build import money, social
from tests.effort import by_effort
from tests.graph.features.ask_features import features_of
from tests.graph.story import enrol, moment, story
from tests.graph.visibility_oracle import plain_visible
from tests.strategies import MOMENTS, NOW, PEOPLE, event_rows, frame, ledgers

AS_OF = moment("2024-06-15")
LINK = "2024-01-01 person.same_as ann > bob @registry #link"
EARLY = MOMENTS[0] - timedelta(days=1)
Row = dict[str, object]


def persons(text: str, as_of: str = "2024-06-15") -> dict[str, str]:
    return linked_people(story(text), moment(as_of), moment(as_of), "perks")


def link(subject: str, other: str, name: str = "link", **more: object) -> Row:
    times = {"happened_at": MOMENTS[0], "recorded_at": MOMENTS[0]}
    row = {"contributor": "registry", "event_id": name, "kind": "person.same_as", "subject": subject, "other": other}
    return row | times | more


@st.composite
def link_rows(draw: st.DrawFn, number: int) -> Row:
    subject, other = draw(st.permutations((*PEOPLE, "shop")))[:2]
    at = draw(st.sampled_from(MOMENTS))
    return link(subject, other, f"e{number}", contributor="bank", happened_at=at, recorded_at=at)


@settings(max_examples=by_effort(40, 900), deadline=None)
@given(ledgers(), st.lists(st.integers(0, 15), min_size=1, max_size=4, unique=True), st.data())
def test_the_view_under_links_equals_a_plain_evaluation_row_by_row(events, numbers, data):
    used_ids = set(events.filter(contributor="bank")["event_id"])
    links = [data.draw(link_rows(n)) for n in numbers if f"e{n}" not in used_ids]
    as_of, known_at = data.draw(st.sampled_from(MOMENTS)), data.draw(st.sampled_from(MOMENTS))
    ledger = pl.concat([frame(links), events]) if links else events
    assert visible(ledger, as_of, known_at, "perks").rows(named=True) == plain_visible(ledger, as_of, known_at, "perks")


def all_results(events: pl.DataFrame) -> tuple[str, ...]:
    """The view, the graphs and the features of everyone, to the byte; and of each person alone."""
    view, consents = visible_with_consents(events, NOW, NOW, "perks")
    table = features(events, NOW, NOW, "perks")
    per_person = features(events, NOW, NOW, "perks", people=table["person"].to_list())
    assert_frame_equal(table, per_person)
    graphs = [sorted(g.edges(data=True), key=str) for g in (social(view), money(view))]
    return view.write_ndjson(), table.write_ndjson(), repr(graphs), repr(sorted(consents.rows()))


ENDS = {
    "retraction": {"kind": "event.retracted", "contributor": "registry", "subject": "ann", "ref_event": "link"},
    "dispute of one": {"kind": "dispute.opened", "subject": "ann", "ref_event": "link", "ref_contributor": "registry"},
    "dispute of the other": {
        "kind": "dispute.opened", "subject": "bob", "ref_event": "link", "ref_contributor": "registry"
    },
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
@settings(max_examples=by_effort(2, 200), deadline=None)
@given(events=ledgers(max_events=30), at=st.sampled_from([m for m in MOMENTS if m <= NOW]))
def test_a_link_that_has_ended_leaves_no_trace(end, events, at):
    undo = {"contributor": "desk", "event_id": "undo", "happened_at": at, "recorded_at": at} | ENDS[end]
    ledger = pl.concat([people_of(PEOPLE), events])
    assert all_results(pl.concat([ledger, frame([link("ann", "bob"), undo])])) == all_results(ledger)


def people_of(people: tuple[str, ...]) -> pl.DataFrame:
    """Everyone is enrolled, and consents to everything."""
    return story(enrol(*people)).with_columns(pl.lit(EARLY).alias("happened_at"), pl.lit(EARLY).alias("recorded_at"))


@st.composite
def histories(draw: st.DrawFn) -> pl.DataFrame:
    """A ledger without further consents."""
    rows = [draw(event_rows(n)) for n in range(draw(st.integers(1, 40)))]
    rows = [r for r in rows if not str(r["kind"]).startswith(("consent.", "person.same_as"))]
    return pl.concat([people_of(PEOPLE), frame(rows)]) if rows else people_of(PEOPLE)


def rewritten(events: pl.DataFrame, old: str, new: str) -> pl.DataFrame:
    """The ledger with another id in place of one, everywhere."""
    fields = pl.col("fields").str.replace(json.dumps(old), json.dumps(new), literal=True)
    parties = [pl.when(pl.col(c) == old).then(pl.lit(new)).otherwise(c).alias(c) for c in ("subject", "other")]
    return events.with_columns(fields, *parties)


@settings(max_examples=by_effort(20, 900), deadline=None)
@given(histories(), st.permutations(PEOPLE), st.sampled_from(MOMENTS))
def test_the_view_under_a_link_is_that_of_a_ledger_with_one_id(events, people, as_of):
    first, second = sorted(people[:2])
    linked = pl.concat([events, frame([link(second, first)])])
    for actual, expected in zip(
        visible_with_consents(linked, as_of, as_of, "perks"),
        visible_with_consents(rewritten(events, second, first), as_of, as_of, "perks"),
        strict=True,
    ):
        assert_frame_equal(actual, expected, check_row_order="kind" in actual.columns)


@settings(max_examples=by_effort(3, 300), deadline=None)
@given(histories(), st.permutations(PEOPLE))
def test_linked_ids_are_one_person_as_if_the_ledger_had_one_id_for_them(events, people):
    first, second = sorted(people[:2])
    linked = pl.concat([events, frame([link(second, first)])])
    assert all_results(linked) == all_results(rewritten(events, second, first))
    both = features(linked, NOW, NOW, "perks", people=[first, second])
    assert both.drop("person").row(0) == both.drop("person").row(1), "asking about either id gives the same answer"


@settings(max_examples=by_effort(2, 200), deadline=None)
@given(histories(), st.permutations([("ann", "bob"), ("bob", "cy"), ("cy", "ann")]), st.integers(2, 3))
def test_chains_and_cycles_of_links_join_all_their_ids(events, pairs, number):
    linked = pl.concat([events, frame([link(*pair, f"link-{n}") for n, pair in enumerate(pairs[:number])])])
    assert all_results(linked) == all_results(rewritten(rewritten(events, "cy", "ann"), "bob", "ann"))


def test_the_id_that_stands_for_a_person_does_not_depend_on_the_order_of_links():
    assert representatives([("c", "b"), ("b", "a"), ("x", "y")]) == {"a": "a", "b": "a", "c": "a", "x": "x", "y": "x"}
    assert representatives([("b", "a"), ("c", "b"), ("y", "x")]) == representatives(
        [("c", "b"), ("b", "a"), ("x", "y")]
    )


def test_a_link_that_would_join_too_many_ids_has_no_effect():
    chain = [(f"p{n:02}", f"p{n + 1:02}") for n in range(20)]
    people = representatives(chain)
    assert [people.get(f"p{n:02}") for n in range(20)] == ["p00"] * MAX_LINKED_IDS + ["p16"] * (20 - MAX_LINKED_IDS)


@pytest.mark.parametrize(
    "text",
    [
        f"{enrol('ann')}\n{LINK}",
        f"{enrol('ann')}\n{enrol('bob', classes='relationship,behaviour,credit')}\n{LINK}",
        f"{enrol('ann', 'bob')}\n{LINK}\n2024-02-01 consent.withdrawn bob purpose=perks classes=identity",
        f"{enrol('ann')}\n2000-01-01 consent.granted bob purpose=perks classes=identity until=2024-06-15\n{LINK}",
        f"{enrol('ann', 'bob')}\n{LINK}\n2024-02-01 event.retracted ann @desk ref_event=consent-bob",
        f"{enrol('ann', 'bob')}\n{LINK}\n2024-02-01 event.retracted ann @registry ref_event=link",
        f"{enrol('ann', 'bob')}\n{LINK}\n2024-02-01 dispute.opened bob @desk ref_contributor=registry ref_event=link",
        f'{enrol("ann", "bob")}\n{LINK}\n2024-02-01 event.corrected ann @registry ref_event=link fields={{"other":"cy"}}',
        f"{enrol('ann', 'bob')}\n{LINK} recorded=2024-07-01",
    ],
    ids=[
        *("unknown id", "no consent to identity", "withdrawn", "expired", "consent retracted", "retracted", "disputed"),
        *("corrected", "recorded later"),
    ],
)
def test_a_link_without_both_consents_or_that_was_taken_back_joins_nobody(text):
    assert persons(text) == {}


def test_a_correction_moves_a_link_to_another_id():
    fix = '2024-02-01 event.corrected ann @registry ref_event=link fields={"other":"cy"}'
    assert persons(f"{enrol('ann', 'bob', 'cy')}\n{LINK}\n{fix}") == {"ann": "ann", "cy": "ann"}
    assert persons(f"{enrol('ann', 'bob', 'cy')}\n{LINK}\n{fix}", "2024-01-15") == {"ann": "ann", "bob": "ann"}


def test_a_link_under_dispute_counts_again_when_the_dispute_is_rejected():
    opened = "2024-02-01 dispute.opened bob @desk ref_contributor=registry ref_event=link"
    answer = "2024-02-09 dispute.resolved bob @desk ref_contributor=registry ref_event=link outcome="
    text = f"{enrol('ann', 'bob')}\n{LINK}\n{opened}"
    assert persons(f"{text}\n{answer}rejected") == {"ann": "ann", "bob": "ann"}
    assert persons(f"{text}\n{answer}upheld") == {}


def test_each_ids_own_consents_say_which_of_its_events_count():
    text = f"""{enrol("ann", "shop")}\n{enrol("bob", classes="identity")}
    {LINK}
    2024-03-01 payment.made ann > shop #of-ann amount=100 currency=CNY
    2024-03-02 payment.made bob > shop #of-bob amount=50 currency=CNY
    2024-03-03 obligation.paid bob #kept obligation=loan"""
    view = visible(story(text), AS_OF, AS_OF, "perks").filter(pl.col("contributor") == "bank")
    assert view.select("event_id", "subject", "for_subject", "for_other").rows() == [
        ("of-ann", "ann", True, True),
        ("of-bob", "ann", False, True),
    ]
    assert features_of("ann", text, base="")["behaviour.payments"] == 1


def test_what_linked_ids_did_with_each_other_counts_for_nobody():
    text = f"""{enrol("ann", "bob", "cy")}
    {LINK}
    2024-03-01 tie.formed ann > bob #self-tie tie=friend
    2024-03-01 payment.made bob > ann #self-payment amount=50 currency=CNY
    2024-03-01 tie.formed bob > cy #tie tie=friend"""
    view = visible(story(text), AS_OF, AS_OF, "perks")
    assert view.filter(pl.col("contributor") == "bank")["event_id"].to_list() == ["tie"]
    assert sorted(map(sorted, social(view).edges)) == [["ann", "cy"]]
    assert "person.same_as" not in view["kind"].to_list()


def test_a_dispute_by_one_id_counts_for_the_events_of_the_other():
    text = f"""{enrol("ann", "bob")}
    2024-03-01 payment.made ann > shop #p amount=50 currency=CNY
    2024-03-02 dispute.opened bob @desk ref_contributor=bank ref_event=p"""
    for lines, count in ((text, 1), (f"{text}\n{LINK}", 0)):
        assert visible(story(lines), AS_OF, AS_OF, "perks").filter(event_id="p").height == count


def test_one_report_under_two_ids_counts_once():
    text = f"""{enrol("ann", "bob")}
    2024-03-01 obligation.missed ann obligation=loan due=2024-02-01
    2024-03-02 obligation.missed bob obligation=loan due=2024-02-01"""
    assert features_of("ann", f"{text}\n{LINK}", base="")["credit.missed"] == 1
    assert {f.name for f in FEATURES} <= set(features(story(text), AS_OF, AS_OF, "perks").columns)
