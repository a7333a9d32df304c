"""Everyone's features are computed with codes in place of ids: that, and nothing else, is different."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.codes import IDS, coded, names
from graph.events import SCHEMA
from graph.features import compute, features
from graph.view import SIDES, seen, seen_apart
from tests.effort import pairs
from tests.graph.features.test_features import enrolled
from tests.graph.story import story, willing
from tests.strategies import MOMENTS, NOW, ledgers


@settings(max_examples=pairs(16, 300), deadline=None)
@given(ledgers(), st.sampled_from(MOMENTS), st.sampled_from(MOMENTS))
def test_the_view_with_codes_is_the_view_with_ids(events, as_of, known_at):
    made = coded(events.lazy())
    view, consents = seen_apart(made.evidence, made.about, as_of, known_at, "perks", made.coding)
    known, agreed = seen(events, as_of, known_at, "perks")
    code = names(made.coding)
    texts = [c for c in view.columns if c in IDS and c != "event_id"]
    decoded = view.with_columns(
        pl.col(c).replace_strict(code["code"], code["id"], return_dtype=pl.String) for c in texts
    )
    decoded = decoded.drop("event_id")
    shown = decoded.cast({c: SCHEMA[c] for c in SCHEMA if c in decoded.columns})  # type: ignore[arg-type]
    assert_frame_equal(shown, known.select(shown.columns))
    assert set(SIDES) <= set(shown.columns)
    assert sorted(consents.join(code, left_on="person", right_on="code").select("id", "data_class").rows()) == sorted(
        agreed.rows()
    )


@settings(max_examples=pairs(3, 60), deadline=None)
@given(ledgers(most=30))
def test_features_of_everyone_are_those_that_ids_give(events):
    events = enrolled(events)
    view, consents = seen(events, NOW, NOW, "perks")
    assert_frame_equal(features(events, NOW, NOW, "perks"), compute(view, NOW, consents))


def test_a_correction_that_names_somebody_new_reaches_them_by_codes_too():
    text = f"{willing('ann', 'zoë')}\n2024-01-10 payment.made ann > shop #p amount=100 currency=CNY\n"
    events = story(text + '2024-02-01 event.corrected ann ref_event=p fields={"other":"zoë"}')
    found = features(events, NOW, NOW, "perks").select("person", "behaviour.in_counterparties")
    assert found.rows() == [("ann", 0), ("zoë", 1)]


@settings(max_examples=pairs(4, 90), deadline=None)
@given(ledgers(most=40), st.sampled_from(MOMENTS), st.sampled_from(MOMENTS))
def test_features_as_of_a_past_moment_are_those_that_were_built_at_that_moment(events, as_of, known_at):
    events = enrolled(events)
    then = events.filter(pl.col("recorded_at") <= known_at)  # all that a ledger held at that moment
    assert_frame_equal(features(events, as_of, known_at, "perks"), features(then, as_of, known_at, "perks"))
