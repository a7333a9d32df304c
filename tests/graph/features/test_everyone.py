"""Everyone's features do not depend on the partitions of people, on the files, or on the batches in which we read events."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.evidence import codes
from tests.effort import by_effort
from tests.graph.features.test_features import with_people
from tests.graph.story import story
from tests.shipped_features import features
from tests.strategies import MOMENTS, NOW, ledgers


@settings(max_examples=by_effort(4, 120), deadline=None)
@given(ledgers(max_events=40), st.sampled_from(MOMENTS), st.integers(2, 7))
def test_partitions_of_people_together_give_what_the_whole_gives(events, as_of, count):
    events = with_people(events)
    whole = features(events, as_of, NOW, "perks", partitions=1)
    assert_frame_equal(features(events, as_of, NOW, "perks", partitions=count), whole)


@settings(max_examples=by_effort(4, 120), deadline=None)
@given(ledgers(max_events=40), st.integers(1, 9), st.data())
def test_files_and_batches_together_give_what_the_whole_gives(events, batch, data):
    events = with_people(events)
    cut = data.draw(st.integers(0, events.height))
    files = [events[:cut].lazy(), events[cut:].drop("channel", "service").lazy()]
    whole = features(events, NOW, NOW, "perks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codes, "BATCH_EVENTS", batch)
        # A file without a column has null in it: with no service, a consent is to all of them.
        expected = features(pl.concat([f.collect() for f in files], how="diagonal"), NOW, NOW, "perks")
        assert_frame_equal(features(files, NOW, NOW, "perks"), expected)
        assert_frame_equal(features(events, NOW, NOW, "perks"), whole)


REFUND = """
2024-01-01 person.enrolled ann identity_level=3
2024-01-01 person.enrolled bob identity_level=3
2024-01-01 consent.granted ann purpose=perks classes=identity,behaviour
2024-01-01 consent.granted bob purpose=perks classes=identity
2024-01-05 payment.made ann > bob #p amount=100 currency=CNY
2024-01-09 payment.refunded ann > bob #r ref_event=p amount=40 currency=CNY
"""


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_refund_is_in_the_partition_of_the_payment_that_it_takes_back(count):
    events = story(REFUND)
    assert_frame_equal(
        features(events, NOW, NOW, "perks", partitions=count), features(events, NOW, NOW, "perks", partitions=1)
    )


def test_nobody_has_features_without_events():
    assert features(story(REFUND).clear(), NOW, NOW, "perks", partitions=3).is_empty()
