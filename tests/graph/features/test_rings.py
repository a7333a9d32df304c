"""Rings as a feature; for the definition of a ring see tests/graph/algorithms/test_rings.py."""

from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.effort import by_effort
from tests.graph.features.ask_features import AS_OF, BASE, expect, features_of
from tests.graph.features.random_crowds import PEOPLE, tie_ledgers
from tests.graph.story import story
from tests.shipped_features import features
from tests.strategies import NOW, frame

RING = """
    2024-05-01 payment.made ann > bob amount=10000 currency=CNY
    2024-05-03 payment.made bob > shell amount=9700 currency=CNY
    2024-05-09 payment.made shell > ann amount=9400 currency=CNY"""


def test_a_ring_counts_for_each_person_and_may_pass_any_party():
    table = features(story(f"{BASE}\n{RING}"), AS_OF, AS_OF, "perks")
    assert table.select("person", "fraud.rings").rows() == [("ann", 1), ("bob", 1), ("cy", 0)]


def test_a_ring_lies_in_the_last_twelve_months_and_one_currency():
    expect(features_of("ann", RING, "2025-05-01"), fraud__rings=0)
    expect(features_of("ann", RING, "2025-04-30"), fraud__rings=1)
    expect(features_of("ann", RING.replace("9700 currency=CNY", "9700 currency=EUR")), fraud__rings=0)
    expect(features_of("ann", f"{RING}\n{RING.replace('CNY', 'EUR')}"), fraud__rings=2)


def test_a_repeated_ring_counts_once():
    second_lap = RING.replace("2024-05", "2024-03")
    expect(features_of("bob", f"{RING}\n{second_lap}"), fraud__rings=1)


def test_without_consent_to_behaviour_a_person_has_no_rings_and_others_keep_theirs():
    text = f"{RING}\n2024-06-01 consent.withdrawn ann purpose=perks classes=behaviour"
    expect(features_of("ann", text), fraud__rings=None)
    expect(features_of("bob", text), fraud__rings=0)  # nobody consents to the use of the payment between ann and shell
    through = RING.replace("shell", "cy")
    expect(
        features_of("bob", f"{through}\n2024-06-01 consent.withdrawn ann purpose=perks classes=behaviour"),
        fraud__rings=1,
    )


def test_a_disputed_payment_closes_no_ring():
    text = RING.replace("bob > shell", "bob > shell #p") + "\n2024-06-01 dispute.opened bob ref_event=p"
    expect(features_of("ann", text), fraud__rings=0)


def test_a_party_with_too_many_payments_is_in_no_ring_and_has_a_missing_count():
    """`shell` and cy: 1,998 sales and two payments of the ring are two thousand of `shell`; one more, and it counts as a shop."""
    ledger = story(f"{BASE}\n{RING}")
    for many, rings in ((1_998, [1, 1, 0]), (1_999, [0, 0, 0]), (2_001, [0, 0, None])):
        assert features(pl.concat([ledger, sales(many)]), AS_OF, AS_OF, "perks")["fraud.rings"].to_list() == rings


def sales(count: int) -> pl.DataFrame:
    """So many payments to `shell`."""
    sold_at = AS_OF - timedelta(days=30)
    sale = {"contributor": "bank", "kind": "payment.made", "subject": "cy", "other": "shell", "amount": 5}
    sale |= {"currency": "CNY", "happened_at": sold_at, "recorded_at": sold_at}
    return frame([{**sale, "event_id": f"s{n}"} for n in range(count)])


@st.composite
def payment_rows(draw: st.DrawFn) -> list[dict[str, object]]:
    """Payments among the crowd and a shop in a fortnight, much alike."""
    parties = (*PEOPLE[:4], "shop")
    rows = []
    for n in range(draw(st.integers(0, 14))):
        payer = draw(st.integers(0, 4))
        at = NOW - timedelta(days=draw(st.integers(1, 10)))
        rows.append(
            {
                **{"contributor": "bank", "event_id": f"m{n}", "kind": "payment.made", "currency": "CNY"},
                **{"subject": parties[payer], "other": parties[(payer + draw(st.sampled_from((1, 1, 2)))) % 5]},
                **{"amount": draw(st.sampled_from((90, 100))), "happened_at": at, "recorded_at": at},
            }
        )
    return rows


@settings(max_examples=by_effort(2, 90), deadline=None)
@given(tie_ledgers(), payment_rows())
def test_payments_do_not_change_relationships_and_ties_do_not_change_fraud(events, payments):
    both = pl.concat([events, frame(payments)])
    payments_only = both.filter(~pl.col("kind").str.starts_with("tie."))
    with_both, without_money, without_ties = (features(e, NOW, NOW, "perks") for e in (both, events, payments_only))
    reputation, fraud = pl.col("person", r"^relationships\..*$"), pl.col("person", r"^fraud\..*$")
    assert_frame_equal(with_both.select(reputation), without_money.select(reputation))
    assert_frame_equal(with_both.select(fraud), without_ties.select(fraud))
