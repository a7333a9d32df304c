"""What holds for evidence holds for every kind that a rules folder can declare: shown over random declarations and random ledgers."""

from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.evidence.event_checks import problems
from graph.evidence.events import SCHEMA, conform
from graph.evidence.visibility import visible
from tests.effort import by_effort
from tests.graph.visibility_oracle import plain_visible
from tests.strategies import MOMENTS, ledgers, vocabularies

EXAMPLES = by_effort(30, 20_000)
LATEST = MOMENTS[-1]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data(), st.sampled_from(MOMENTS), st.sampled_from(MOMENTS))
def test_the_view_equals_a_plain_evaluation_row_by_row(data, as_of, known_at):
    """Consent, retractions, corrections, disputes, retention and both moments, against `tests.graph.visibility_oracle`."""
    vocabulary = data.draw(vocabularies())
    events = data.draw(ledgers(vocabulary=vocabulary))
    view = visible(events, as_of, known_at, "perks", vocabulary=vocabulary)
    expected = plain_visible(events, as_of, known_at, "perks", vocabulary=vocabulary)
    assert view.rows(named=True) == expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_an_event_that_happens_or_is_recorded_later_changes_nothing(data):
    vocabulary = data.draw(vocabularies())
    events = data.draw(ledgers(vocabulary=vocabulary))
    as_of, known_at = data.draw(st.sampled_from(MOMENTS)), data.draw(st.sampled_from(MOMENTS))
    past = events.filter(events["happened_at"] <= as_of, events["recorded_at"] <= known_at)
    whole, cut = (visible(e, as_of, known_at, "perks", vocabulary=vocabulary) for e in (events, past))
    assert_frame_equal(whole, cut)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_without_consent_nothing_of_a_declared_kind_is_visible(data):
    vocabulary = data.draw(vocabularies())
    events = data.draw(ledgers(vocabulary=vocabulary))
    view = visible(events.filter(events["kind"] != "consent.granted"), LATEST, LATEST, "perks", vocabulary=vocabulary)
    assert view.is_empty()
    assert visible(events, LATEST, LATEST, "another purpose", vocabulary=vocabulary).is_empty()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_every_event_of_a_declared_kind_passes_the_check_of_the_ledger(data):
    """The strategy writes what the declaration allows; the check asks for nothing else."""
    vocabulary = data.draw(vocabularies())
    events = data.draw(ledgers(vocabulary=vocabulary))
    declared = events.filter(events["kind"].str.starts_with("declared."))
    assert problems(conform(declared).select(*SCHEMA), LATEST, vocabulary).rows() == []
