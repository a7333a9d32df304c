"""Everyone's features do not depend on whether we compute with codes or with ids."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.evidence.codes import ID_COLUMNS, code_table, encode_events
from graph.evidence.events import SCHEMA
from graph.evidence.visibility import SIDES, visible_from_parts, visible_with_consents
from tests.effort import by_effort
from tests.graph.features.test_features import with_people
from tests.graph.story import enrol, story
from tests.shipped_features import compute, features
from tests.strategies import MOMENTS, NOW, ledgers


@settings(max_examples=by_effort(16, 300), deadline=None)
@given(ledgers(), st.sampled_from(MOMENTS), st.sampled_from(MOMENTS))
def test_the_view_with_codes_is_the_view_with_ids(events, as_of, known_at):
    encoded = encode_events(events.lazy())
    view, consents = visible_from_parts(encoded.evidence, encoded.statements, as_of, known_at, "perks", encoded.coding)
    expected, expected_consents = visible_with_consents(events, as_of, known_at, "perks")
    code = code_table(encoded.coding)
    texts = [c for c in view.columns if c in ID_COLUMNS and c != "event_id"]
    decoded = view.with_columns(
        pl.col(c).replace_strict(code["code"], code["id"], return_dtype=pl.String) for c in texts
    )
    decoded = decoded.drop("event_id")
    actual = decoded.cast({c: SCHEMA[c] for c in SCHEMA if c in decoded.columns})  # type: ignore[arg-type]
    assert_frame_equal(actual, expected.select(actual.columns))
    assert set(SIDES) <= set(actual.columns)
    assert sorted(consents.join(code, left_on="person", right_on="code").select("id", "data_class").rows()) == sorted(
        expected_consents.rows()
    )


@settings(max_examples=by_effort(2, 60), deadline=None)
@given(ledgers(max_events=30))
def test_features_of_everyone_are_equal_with_codes_and_ids(events):
    events = with_people(events)
    view, consents = visible_with_consents(events, NOW, NOW, "perks")
    assert_frame_equal(features(events, NOW, NOW, "perks"), compute(view, NOW, consents))


def test_a_correction_that_names_a_new_person_works_with_codes():
    text = f"{enrol('ann', 'zoë')}\n2024-01-10 payment.made ann > shop #p amount=100 currency=CNY\n"
    events = story(text + '2024-02-01 event.corrected ann ref_event=p fields={"other":"zoë"}')
    table = features(events, NOW, NOW, "perks").select("person", "behaviour.in_counterparties")
    assert table.rows() == [("ann", 0), ("zoë", 1)]


@settings(max_examples=by_effort(2, 90), deadline=None)
@given(ledgers(max_events=40), st.sampled_from(MOMENTS), st.sampled_from(MOMENTS))
def test_features_as_of_a_past_moment_equal_the_build_of_that_moment(events, as_of, known_at):
    events = with_people(events)
    ledger_then = events.filter(pl.col("recorded_at") <= known_at)  # all that a ledger held at that moment
    assert_frame_equal(features(events, as_of, known_at, "perks"), features(ledger_then, as_of, known_at, "perks"))
