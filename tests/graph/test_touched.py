"""Whom an event touches: by hand, and against everything that changed when it came."""

from collections.abc import Iterable
from datetime import timedelta
from random import Random

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.build import social
from graph.events import IDENTITY
from graph.features import NAMES, features
from graph.touched import CHANGES, PAYMENT, TIES, Touched, around, ends, pairs, times, touched
from graph.view import visible
from tests import effort
from tests.graph.happenings import before, happenings
from tests.graph.story import moment, story
from tests.strategies import NOW

EVER = moment("2030-01-01")


def referred(events: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    keys = changes.filter(pl.col("kind").is_in(CHANGES)).select(
        contributor=pl.coalesce("ref_contributor", "contributor"), event_id="ref_event"
    )
    return events.join(keys.unique(), on=IDENTITY, how="semi")


def whom(events: pl.DataFrame, new: pl.DataFrame, lapsed: Iterable[str] = ()) -> Touched:
    """Whom `new` touches, `events` being the whole ledger with these in it."""
    items = referred(events, new)
    behind = referred(events, items)
    ended = ends(pl.concat([new, items, behind]), events)
    known = ends(events, events)
    paid = pairs(known.filter(pl.col("kind") == PAYMENT))
    tied = pairs(known.filter(pl.col("kind").is_in(TIES)))
    of_ties, of_payments = around(ended)
    tied = {p: others for p, others in tied.items() if p in of_ties}
    paid = {p: others for p, others in paid.items() if p in of_payments}
    return touched(ended, ends(pl.concat([items, behind]), events), list(lapsed), tied, paid)


def told(before: str, last: str) -> set[str]:
    """Whom the last line touches."""
    events = story(f"{before}\n{last}")
    return set(whom(events, events[-1]).people)


TRIANGLE = """
    2024-01-01 tie.formed ann > bob #t tie=friend
    2024-01-01 tie.formed bob > cy tie=friend
    2024-01-01 tie.formed cy > dan tie=friend
    2024-01-02 payment.made eve > ann #p amount=5 currency=CNY
    2024-01-02 payment.made ann > shop amount=5 currency=CNY"""


@pytest.mark.parametrize(
    ("last", "people"),
    [
        ("2024-02-01 payment.made ann > bob amount=5 currency=CNY", {"ann", "bob"}),
        ("2024-02-01 obligation.missed ann obligation=loan", {"ann"}),
        ("2024-02-01 tie.formed ann > cy tie=friend", {"ann", "cy", "bob"}),  # bob's two people are tied now
        ("2024-02-01 tie.ended cy > dan tie=friend", {"cy", "dan"}),
        ("2024-02-01 consent.withdrawn ann purpose=perks", {"ann", "bob", "eve", "shop"}),
        ("2024-02-01 consent.withdrawn ann purpose=perks classes=behaviour", {"ann"}),
        ("2024-02-01 consent.granted ann purpose=perks classes=credit,identity", {"ann", "eve", "shop"}),
        ("2024-02-01 consent.granted ann purpose=perks classes=relationship", {"ann", "bob"}),
        ("2024-02-01 person.enrolled ann identity_level=2", {"ann", "eve", "shop"}),
        ("2024-02-01 person.enrolled cy identity_level=2", {"cy"}),
        ("2024-02-01 event.retracted zoe ref_event=t", {"ann", "bob"}),
        ("2024-02-01 dispute.opened zoe @zoe ref_event=p ref_contributor=bank", {"eve", "ann"}),
        ('2024-02-01 event.corrected zoe ref_event=p fields={"other":"dan"}', {"eve", "ann", "dan"}),
        ("2024-02-01 event.retracted zoe ref_event=nothing", set()),
    ],
)
def test_whom_an_event_touches(last: str, people: set[str]) -> None:
    assert told(TRIANGLE, last) == people


def test_taking_back_a_correction_touches_whom_the_item_was_moved_to() -> None:
    moved = f'{TRIANGLE}\n2024-02-01 event.corrected eve #x ref_event=p fields={{"other":"dan"}}'
    assert told(moved, "2024-02-02 event.retracted eve ref_event=x") == {"eve", "ann", "dan"}


def test_a_tie_moved_by_a_correction_touches_who_is_tied_to_both_its_new_ends() -> None:
    moved = 'event.corrected ann ref_event=t fields={"other":"dan"}'
    assert told(TRIANGLE + "\n2024-01-01 tie.formed ann > cy tie=friend", f"2024-02-01 {moved}") == {
        *("ann", "bob", "dan"),
        "cy",  # tied to ann and dan, as she is to ann and bob
    }


def test_an_event_that_comes_after_its_correction_touches_whom_that_moved_it_to() -> None:
    early = '2024-02-01 event.corrected eve ref_event=late fields={"other":"dan"}'
    assert told(early, "2024-01-02 payment.made eve > ann #late amount=5 currency=CNY") == {"eve", "ann", "dan"}


def test_of_whom_the_whole_graph_may_be_believed_no_more() -> None:
    events = story(TRIANGLE + "\n2024-02-01 event.retracted zoe ref_event=t")
    assert whom(events, events[-1]).astray == {("ann", "relationship"), ("bob", "relationship")}
    events = story(TRIANGLE + "\n2024-02-01 dispute.opened eve ref_event=p")
    assert whom(events, events[-1]).astray == {("eve", "behaviour"), ("ann", "behaviour")}
    events = story(TRIANGLE + "\n2024-02-01 consent.withdrawn cy purpose=perks")
    assert whom(events, events[-1], ["cy"]).astray == {("bob", "relationship"), ("dan", "relationship")}
    events = story(TRIANGLE + "\n2024-02-01 payment.made cy > ann amount=5 currency=CNY")
    assert whom(events, events[-1]).astray == set()


def test_what_an_event_says_of_times_to_come() -> None:
    events = story("""
        2024-02-01 consent.granted ann purpose=perks classes=credit until=2024-05-01
        2024-03-02 payment.made ann > shop amount=5 currency=CNY
        2024-02-01 event.corrected ann ref_event=p fields={"happened_at":"2024-04-01T00:00:00Z"}
        2024-02-01 payment.made ann > shop amount=5 currency=CNY""").with_row_index("seq")
    found = times(events.with_columns(pl.col("seq").cast(pl.Int64)), moment("2024-03-01"))
    assert found.rows() == [
        (0, moment("2024-05-01"), "consent.granted"),
        (1, moment("2024-03-02"), "payment.made"),
        (2, moment("2024-04-01"), "event.corrected"),
    ]


Circle = tuple[frozenset[tuple[str, str, int]], dict[str, object] | None]


def circles(events: pl.DataFrame) -> dict[str, Circle]:
    """Of each person all that a feature of the first ring can read: who is tied to them, the ties among these, their own row."""
    layer = social(visible(events, LATER, EVER, "perks"))
    found = features(events, LATER, EVER, "perks").select("person", *NAMES)
    own = {row["person"]: row for row in found.iter_rows(named=True)}
    edges = {
        p: frozenset((min(a, b), max(a, b), w) for a, b, w in nx.ego_graph(layer, p).edges(data="weight"))
        for p in layer
    }
    return {p: (edges.get(p, frozenset()), own.get(p)) for p in {*own, *edges}}


LATER = NOW + timedelta(hours=6)


@settings(max_examples=effort.pairs(10, 400), deadline=None)
@given(st.integers(0, 2**32))
def test_whoever_changes_is_touched(seed: int) -> None:
    """However late an event comes, and whatever was said about it before."""
    chooser = Random(seed)
    events = pl.concat([before(), happenings(chooser)])
    count = chooser.randrange(events.height - 18, events.height)
    first, new = events[:count], events[count : count + 1]
    was, is_ = circles(first), circles(events[: count + 1])
    changed = {p for p in {*was, *is_} if was.get(p) != is_.get(p)}
    assert changed <= whom(events[: count + 1], new).people
