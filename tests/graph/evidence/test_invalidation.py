"""The people that an event invalidates: by hand, and against every feature that changes when the event arrives."""

from collections.abc import Iterable
from datetime import timedelta
from random import Random

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.evidence.events import EVENT_KEY
from graph.evidence.invalidation import (
    STATEMENT_KINDS,
    TIE_KINDS,
    Invalidation,
    adjacency,
    compute_invalidation,
    event_ends,
    future_times,
    people_to_look_up,
)
from graph.evidence.visibility import visible
from graph.features.definitions import structural_diversity
from graph.network.build import social
from tests import effort
from tests.graph.random_ledgers import initial_events, random_events
from tests.graph.story import moment, story
from tests.shipped_features import FEATURES, features
from tests.strategies import NOW

KNOWN_AT = moment("2030-01-01")


def referred(events: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    keys = changes.filter(pl.col("kind").is_in(STATEMENT_KINDS)).select(
        contributor=pl.coalesce("ref_contributor", "contributor"), event_id="ref_event"
    )
    return events.join(keys.unique(), on=EVENT_KEY, how="semi")


def invalidation_of(events: pl.DataFrame, new: pl.DataFrame, lapsed: Iterable[str] = ()) -> Invalidation:
    """Compute the invalidation by `new`; `events` is the whole ledger, including them."""
    items = referred(events, new)
    behind = referred(events, items)
    ends = event_ends(pl.concat([new, items, behind]), events)
    all_ends = event_ends(events, events)
    counterparties = adjacency(all_ends)
    tie_neighbours = adjacency(all_ends.filter(pl.col("kind").is_in(TIE_KINDS)))
    tie_people, standing_people = people_to_look_up(ends)
    tie_neighbours = {p: neighbours for p, neighbours in tie_neighbours.items() if p in tie_people}
    counterparties = {p: neighbours for p, neighbours in counterparties.items() if p in standing_people}
    return compute_invalidation(
        ends, event_ends(pl.concat([items, behind]), events), list(lapsed), tie_neighbours, counterparties
    )


def people_invalidated(before: str, last: str) -> set[str]:
    """Return the people that the last line invalidates."""
    events = story(f"{before}\n{last}")
    return set(invalidation_of(events, events[-1]).people)


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
        ("2024-02-01 consent.granted ann purpose=perks classes=credit,identity", {"ann", "bob", "eve", "shop"}),
        ("2024-02-01 consent.granted ann purpose=perks classes=relationship", {"ann", "bob"}),
        ("2024-02-01 person.enrolled ann identity_level=2", {"ann", "bob", "eve", "shop"}),
        ("2024-02-01 person.enrolled cy identity_level=2", {"bob", "cy", "dan"}),
        ("2024-02-01 event.retracted zoe ref_event=t", {"ann", "bob"}),
        ("2024-02-01 dispute.opened zoe @zoe ref_event=p ref_contributor=bank", {"eve", "ann"}),
        ('2024-02-01 event.corrected zoe ref_event=p fields={"other":"dan"}', {"eve", "ann", "dan"}),
        ("2024-02-01 event.retracted zoe ref_event=nothing", set()),
    ],
)
def test_the_people_that_an_event_affects(last: str, people: set[str]) -> None:
    assert people_invalidated(TRIANGLE, last) == people


def test_retracting_a_correction_affects_the_party_it_moved_the_item_to() -> None:
    corrected = f'{TRIANGLE}\n2024-02-01 event.corrected eve #x ref_event=p fields={{"other":"dan"}}'
    assert people_invalidated(corrected, "2024-02-02 event.retracted eve ref_event=x") == {"eve", "ann", "dan"}


def test_a_tie_moved_by_a_correction_affects_neighbours_of_its_new_ends() -> None:
    correction = 'event.corrected ann ref_event=t fields={"other":"dan"}'
    assert people_invalidated(TRIANGLE + "\n2024-01-01 tie.formed ann > cy tie=friend", f"2024-02-01 {correction}") == {
        *("ann", "bob", "dan"),
        "cy",  # tied to ann and dan, as she is to ann and bob
    }


def test_an_event_after_its_correction_affects_the_corrected_party() -> None:
    early = '2024-02-01 event.corrected eve ref_event=late fields={"other":"dan"}'
    assert people_invalidated(early, "2024-01-02 payment.made eve > ann #late amount=5 currency=CNY") == {
        "eve",
        "ann",
        "dan",
    }


def test_the_people_with_stale_global_features() -> None:
    events = story(TRIANGLE + "\n2024-02-01 event.retracted zoe ref_event=t")
    assert invalidation_of(events, events[-1]).stale_classes == {("ann", "relationship"), ("bob", "relationship")}
    events = story(TRIANGLE + "\n2024-02-01 dispute.opened eve ref_event=p")
    assert invalidation_of(events, events[-1]).stale_classes == {("eve", "behaviour"), ("ann", "behaviour")}
    events = story(TRIANGLE + "\n2024-02-01 consent.withdrawn cy purpose=perks")
    assert invalidation_of(events, events[-1], ["cy"]).stale_classes == {
        ("bob", "relationship"),
        ("dan", "relationship"),
    }
    events = story(TRIANGLE + "\n2024-02-01 payment.made cy > ann amount=5 currency=CNY")
    assert invalidation_of(events, events[-1]).stale_classes == set()


def test_the_future_times_of_an_event() -> None:
    events = story("""
        2024-02-01 consent.granted ann purpose=perks classes=credit until=2024-05-01
        2024-03-02 payment.made ann > shop amount=5 currency=CNY
        2024-02-01 event.corrected ann ref_event=p fields={"happened_at":"2024-04-01T00:00:00Z"}
        2024-02-01 payment.made ann > shop amount=5 currency=CNY""").with_row_index("seq")
    table = future_times(events.with_columns(pl.col("seq").cast(pl.Int64)), moment("2024-03-01"))
    assert table.rows() == [
        (0, moment("2024-05-01"), "consent.granted"),
        (1, moment("2024-03-02"), "payment.made"),
        (2, moment("2024-04-01"), "event.corrected"),
    ]


LOCAL_NAMES = [f.name for f in FEATURES if f.scope == "local" and f.name not in structural_diversity.NAMES]
Neighbourhood = tuple[frozenset[tuple[str, str, int]], dict[str, object] | None]


def neighbourhoods(events: pl.DataFrame) -> dict[str, Neighbourhood]:
    """Return, for each person, all that a local feature can read: the ties, the ties among the tied people, the
    person's own row.
    """
    layer = social(visible(events, LATER, KNOWN_AT, "perks"))
    table = features(events, LATER, KNOWN_AT, "perks").select("person", *LOCAL_NAMES)
    own = {row["person"]: row for row in table.iter_rows(named=True)}
    edges = {
        p: frozenset((min(a, b), max(a, b), w) for a, b, w in nx.ego_graph(layer, p).edges(data="weight"))
        for p in layer
    }
    return {p: (edges.get(p, frozenset()), own.get(p)) for p in {*own, *edges}}


LATER = NOW + timedelta(hours=6)


@settings(max_examples=effort.by_effort(4, 400), deadline=None)
@given(st.integers(0, 2**32))
def test_every_changed_person_is_among_those_affected(seed: int) -> None:
    """We add events late, and after any statements about them."""
    chooser = Random(seed)
    events = pl.concat([initial_events(), random_events(chooser)])
    count = chooser.randrange(events.height - 18, events.height)
    first, new = events[:count], events[count : count + 1]
    was, is_ = neighbourhoods(first), neighbourhoods(events[: count + 1])
    changed = {p for p in {*was, *is_} if was.get(p) != is_.get(p)}
    assert changed <= invalidation_of(events[: count + 1], new).people
