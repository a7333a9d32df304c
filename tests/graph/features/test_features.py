from datetime import timedelta

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.evidence.visibility import visible, visible_with_consents
from graph.features.pipeline import LOCAL_NAMES as CATALOGUE_NAMES
from graph.features.pipeline import local_expressions, relevant_events
from graph.network.build import ties_in_force
from iftah.shipped import shipped_definitions
from tests.effort import by_effort, only_in_full
from tests.graph.features.ask_features import AS_OF, BASE, expect, features_of, on_duckdb, on_polars
from tests.graph.story import enrol, moment, story
from tests.shipped_features import FEATURES, compute, features
from tests.strategies import NOW, event_rows, frame, ledgers

LOCAL_NAMES = {*CATALOGUE_NAMES, *(d.name for d in shipped_definitions() if not d.is_internal)}
TYPES = {
    "int": pl.Int64,
    "decimal": pl.Int64,
    "bool": pl.Boolean,
    "enum": pl.String,
    "date": pl.Date,
    "duration": pl.Int64,
    "money": pl.Int64,
}


def test_identity_is_the_highest_level_and_the_days_since_the_first():
    text = "2024-01-01 person.enrolled ann identity_level=3\n2024-02-01 person.enrolled ann identity_level=1"
    expect(features_of("ann", text), identity__level=3, identity__tenure_days=8932)
    expect(features_of("ann", text, "2000-01-02"), identity__level=2, identity__tenure_days=1)
    assert features(story(f"{BASE}\n{text}"), moment("1999-01-01"), AS_OF, "perks").is_empty()


SPENDING = """
    2022-06-15 payment.made ann > shop amount=9999 currency=CNY category=groceries
    2022-06-15T00:00:00.000001 payment.made ann > shop amount=100 currency=CNY category=groceries
    2023-08-01 payment.made ann > bob amount=200 currency=CNY category=transfer
    2023-08-31 payment.made ann > cy amount=200 currency=CNY
    2024-06-10T12:00 payment.made ann > kiosk amount=50 currency=CNY category=groceries
    2024-06-11 payment.made bob > ann amount=30 currency=CNY category=transfer
    2024-06-12 payment.made acme > ann amount=70 currency=CNY category=wage"""


def test_behaviour_counts_payments_of_twenty_four_months():
    expect(
        features_of("ann", SPENDING),
        behaviour__payments=4,
        behaviour__payment_total=550,
        behaviour__active_months=3,
        behaviour__payees=4,
        behaviour__categories=2,
        behaviour__recency_days=4,
        behaviour__out_counterparties=2,
        behaviour__in_counterparties=1,
        behaviour__reciprocity=25,
        capacity__distinct_payers=2,
        capacity__income_cover=18,  # 100 / 550 = 0.1818
        capacity__spending_steadiness=8,  # last 12 full months: 400 in August 2023 alone: 400 / (12 x 400) = 0.083
    )


def test_without_payments_counts_are_zero_and_the_rest_is_missing():
    expect(
        features_of("ann", ""),
        behaviour__payments=0,
        behaviour__payment_total=0,
        behaviour__payees=0,
        behaviour__recency_days=None,
        behaviour__reciprocity=None,
        capacity__income_months=0,
        capacity__income_total=0,
        capacity__income_regularity=0,
        capacity__income_cover=None,
        capacity__spending_steadiness=None,
        capacity__balance_low_share=None,
        capacity__balance_months=None,
    )


def test_two_currencies_make_sums_and_their_ratios_missing():
    text = """
    2024-05-01 payment.made ann > shop amount=100 currency=CNY
    2024-05-02 payment.made ann > shop amount=100 currency=EUR
    2024-05-03 account.balance ann amount=100 currency=CNY
    2024-05-04 payment.made acme > ann amount=5 currency=CNY category=wage
    2024-05-05 payment.made acme > ann amount=5 currency=EUR category=wage"""
    expect(
        features_of("ann", text),
        behaviour__payments=2,
        behaviour__payment_total=None,
        capacity__income_total=None,
        capacity__income_months=1,
        capacity__income_cover=None,
        capacity__spending_steadiness=None,
        capacity__balance_months=None,
    )


def test_income_in_another_currency_than_spending_gives_a_missing_cover():
    text = "2024-05-01 payment.made ann > shop amount=100 currency=CNY\n2024-05-02 payment.made bob > ann amount=100 currency=EUR"
    expect(features_of("ann", text), capacity__income_cover=None, behaviour__payment_total=100)
    expect(features_of("ann", text.splitlines()[0]), capacity__income_cover=0)


def test_regular_income_is_wages_pensions_and_benefits():
    text = """
    2023-05-31 payment.made acme > ann amount=10 currency=CNY category=wage
    2023-06-01 payment.made acme > ann amount=10 currency=CNY category=wage
    2024-04-01 payment.made acme > ann amount=10 currency=CNY category=wage
    2024-04-02 payment.made state > ann amount=20 currency=CNY category=benefit
    2024-05-31 payment.made state > ann amount=30 currency=CNY category=pension
    2024-05-31 payment.made bob > ann amount=500 currency=CNY category=transfer
    2024-06-01 payment.made acme > ann amount=10 currency=CNY category=wage"""
    expect(
        features_of("ann", text),
        capacity__income_months=5,
        capacity__income_total=90,
        capacity__income_regularity=25,  # June 2023, April and May 2024, of twelve
        capacity__distinct_payers=3,
    )


def test_balances_are_compared_with_spending():
    text = """
    2024-01-01 payment.made ann > shop amount=2400 currency=CNY
    2024-02-01 account.balance ann amount=-50 currency=CNY
    2024-03-01 account.balance ann amount=300 currency=CNY
    2024-04-01 account.balance ann amount=200 currency=CNY"""
    expect(
        features_of("ann", text), capacity__balance_low_share=33, capacity__balance_months=150
    )  # mean 150 over 100 a month
    expect(
        features_of("ann", text + "\n2024-05-01 account.balance ann amount=-900 currency=CNY"),
        capacity__balance_months=0,
    )


@pytest.mark.parametrize(("low", "readings", "share"), [(1, 8, 13), (2, 3, 67), (1, 3, 33), (1, 200, 1), (1, 201, 0)])
def test_a_ratio_is_rounded_half_up(low, readings, share):
    amounts = [-1] * low + [1] * (readings - low)
    text = "\n".join(f"2024-05-01 account.balance ann amount={a} currency=CNY" for a in amounts)
    expect(features_of("ann", text), capacity__balance_low_share=share)


def test_a_mean_balance_below_nothing_is_nothing_and_nothing_is_not_low():
    """Spending of 24 is 1 a month, so a mean of 1 would be one month, 100 hundredths."""
    spent = "2024-01-01 payment.made ann > shop amount=24 currency=CNY"
    for amount, share, balance_months in ((-5, 100, 0), (0, 0, 0), (1, 0, 100)):
        text = f"{spent}\n2024-02-01 account.balance ann amount={amount} currency=CNY"
        expect(features_of("ann", text), capacity__balance_low_share=share, capacity__balance_months=balance_months)


def test_the_mean_of_balances_counts_up_to_ten_million_million():
    """In minor units. The mean of 4 x 10^13 and 0 is 2 x 10^13, and counts as 10^13. Spending of 10^14 in the 24 months is 10^14 / 24
    a month: 2.4 months, in hundredths. The mean of 2 x 10^13 and 0 is just 10^13. With an equal debt in place of the 0 the mean is 0.
    """
    spent = "2024-05-01 payment.made ann > shop amount=100000000000000 currency=CNY"
    for high, low, balance_months in ((4, 0, 240), (2, 0, 240), (1, 0, 120), (4, -4, 0)):
        readings = [
            f"2024-05-0{d} account.balance ann amount={n}{13 * '0'} currency=CNY" for d, n in ((2, high), (3, low))
        ]
        expect(features_of("ann", "\n".join((spent, *readings))), capacity__balance_months=balance_months)


def test_a_miss_paid_at_the_same_moment_was_not_late():
    text = "2024-05-01 obligation.missed ann obligation=loan\n2024-05-01 obligation.paid ann obligation=loan"
    expect(features_of("ann", text), credit__longest_delay_days=0, credit__missed=1)


def test_obligations_are_kept_missed_and_late_by_the_day():
    text = """
    2021-01-01 obligation.opened ann obligation=loan
    2021-02-01 obligation.paid ann obligation=loan
    2021-03-01 obligation.missed ann obligation=loan
    2021-03-11T12:00 obligation.paid ann obligation=loan
    2024-06-01 obligation.missed ann obligation=loan
    2022-01-01 obligation.opened ann obligation=bill
    2022-02-01 obligation.settled ann obligation=bill
    2022-03-01 obligation.opened ann obligation=phone
    2022-04-01 obligation.written_off ann obligation=phone
    2022-05-01 order.settled ann order=1
    2022-05-02 order.overdue ann order=2
    2022-05-08 order.settled ann order=2 days_late=6
    2022-05-09 order.overdue ann order=3
    2022-05-09 order.cancelled ann order=4"""
    expect(
        features_of("ann", text),
        credit__kept=3,
        credit__missed=2,
        credit__missed_12m=1,
        credit__longest_delay_days=14,  # from 1 June until now, longer than the 10 days of 2021
        credit__written_off_5y=1,
        credit__open=1,
        credit__history_days=1261,
        credit__orders_kept=1,
        credit__orders_late=2,
    )
    expect(
        features_of("ann", text, "2022-06-01"), credit__longest_delay_days=10, credit__missed=1, credit__missed_12m=0
    )


def test_without_credit_evidence_counts_are_zero_and_the_history_is_missing():
    expect(
        features_of("ann", ""), credit__kept=0, credit__longest_delay_days=0, credit__open=0, credit__history_days=None
    )


def test_a_miss_stops_counting_five_years_after_it_was_made_good():
    text = "2019-01-01 obligation.missed ann obligation=loan\n2019-06-15T10:00 obligation.paid ann obligation=loan"
    expect(features_of("ann", text, "2024-06-15T09:59:59.999999"), credit__missed=1, credit__longest_delay_days=165)
    expect(features_of("ann", text, "2024-06-15T10:00"), credit__missed=0, credit__longest_delay_days=0, credit__kept=1)


def test_a_disputed_item_does_not_count_and_a_correction_does():
    text = "2024-01-01 payment.made ann > shop #p amount=100 currency=CNY\n"
    expect(features_of("ann", text + "2024-02-01 dispute.opened ann ref_event=p"), behaviour__payments=0)
    fixed = 'fields={"amount":40,"other":"bob"}'
    expect(features_of("ann", f"{text}2024-02-01 event.corrected ann ref_event=p {fixed}"), behaviour__payment_total=40)
    expect(
        features_of("bob", f"{text}2024-02-01 event.corrected ann ref_event=p {fixed}"), behaviour__in_counterparties=1
    )


@pytest.mark.parametrize("data_class", ["behaviour", "restricted", "credit", "relationship"])
def test_a_class_withdrawn_makes_its_features_missing_and_no_others(data_class):
    often = "\n".join(f"2024-05-0{d}T10:00 payment.made ann > shop amount=1 currency=CNY" for d in range(1, 7))
    text = f"""{SPENDING}\n{often}
    2024-05-01 account.balance ann amount=100 currency=CNY
    2024-05-01 obligation.opened ann obligation=loan
    2023-05-01 tie.formed ann > bob tie=friend
    2024-05-01 tie.formed ann > bob tie=vouch strength=5
    2024-05-01 tie.formed bob > ann tie=vouch strength=5"""
    before, after = (
        features_of("ann", text),
        features_of("ann", f"{text}\n2024-06-14 consent.withdrawn ann purpose=perks classes={data_class}"),
    )
    missing = {n for n in before if before[n] is not None and after[n] is None}
    spends = {"capacity.balance_months"} if data_class == "behaviour" else set()  # it compares balances with spending
    assert missing == {f.name for f in FEATURES if f.data_class == data_class} | spends
    assert {n: v for n, v in after.items() if n not in missing} == {n: v for n, v in before.items() if n not in missing}


def test_without_consent_to_identity_there_is_no_row():
    text = f"{BASE}\n2024-06-14 consent.withdrawn ann purpose=perks classes=identity"
    assert features(story(text), AS_OF, AS_OF, "perks")["person"].to_list() == ["bob", "cy"]
    assert features(story(text), AS_OF, AS_OF, "perks", ["ann", "nobody"]).is_empty()


@settings(max_examples=by_effort(2, 75), deadline=None)
@given(ledgers(), st.data())
def test_later_events_change_no_feature(events, data):
    late = data.draw(event_rows(99))
    field = data.draw(st.sampled_from(("happened_at", "recorded_at")))
    late[field] = NOW + timedelta(microseconds=1)
    more = pl.concat([events, frame([late])])
    assert_frame_equal(features(events, NOW, NOW, "perks"), features(more, NOW, NOW, "perks"))


def with_people(events: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([events, story(enrol("ann", "bob"))])


@settings(max_examples=by_effort(2, 75), deadline=None)
@given(ledgers(max_events=25))
def test_one_person_at_a_time_equals_all_at_once(events):
    events = with_people(events)
    full = features(events, NOW, NOW, "perks")
    singles = [features(events, NOW, NOW, "perks", [p]) for p in ("ann", "bob", "cy")]
    assert_frame_equal(pl.concat(singles), full)


@settings(max_examples=by_effort(2, 75), deadline=None)
@given(ledgers(max_events=25))
def test_relevant_events_suffice_for_the_features_of_each_person(events):
    events = with_people(events)
    some = relevant_events(events, ["ann", "bob"])
    for person in ("ann", "bob"):
        expected = features(events, NOW, NOW, "perks", [person])
        assert_frame_equal(features(some, NOW, NOW, "perks", [person]), expected)


def test_relevant_events_leave_out_payments_of_others_unless_corrected_or_for_rings():
    text = """
    2024-01-01 payment.made bob > shop #p amount=100 currency=CNY
    2024-01-02 payment.made bob > shop #q amount=100 currency=CNY
    2024-01-03 account.balance bob amount=1 currency=CNY
    2024-01-04 event.corrected bob ref_event=p fields={"other":"ann"}"""
    relevant = relevant_events(story(f"{BASE}\n{text}"), ["ann"], ["behaviour.payments"])
    assert relevant.filter(pl.col("kind").is_in(["payment.made", "account.balance"]))["event_id"].to_list() == ["p"]
    whole = relevant_events(story(f"{BASE}\n{text}"), ["ann"], ["fraud.rings"])
    assert whole.filter(kind="payment.made")["event_id"].to_list() == ["p", "q"]
    assert relevant.filter(kind="person.enrolled").height == 3


@settings(max_examples=by_effort(2, 75), deadline=None)
@given(ledgers(max_events=25))
def test_given_ties_equal_looked_up_ties(events):
    view, consents = visible_with_consents(with_people(events), NOW, NOW, "perks")
    frame, consent_frame = nw.from_native(view.lazy()), nw.from_native(consents.lazy())
    without_ties, with_ties = (
        local_expressions(frame, consent_frame, NOW),
        local_expressions(frame, consent_frame, NOW, None, ties_in_force(frame)),
    )
    assert_frame_equal(*(f.to_native().collect().sort("person") for f in (without_ties, with_ties)))


@settings(max_examples=by_effort(2, 75), deadline=None)
@given(ledgers(max_events=25))
def test_the_order_of_otherwise_equal_rows_does_not_matter(events):
    events = with_people(events)
    view, consents = visible_with_consents(events, NOW, NOW, "perks")
    assert_frame_equal(compute(view, NOW, consents), compute(view.reverse(), NOW, consents.reverse()))


@settings(max_examples=by_effort(2, 75), deadline=None)
@given(ledgers(max_events=25))
def test_every_feature_is_computed_of_its_type_and_within_its_bounds(events):
    table = features(with_people(events), NOW, NOW, "perks")
    assert table.schema == pl.Schema({"person": pl.String, **{f.name: TYPES[f.type] for f in FEATURES}})
    for f in FEATURES:
        assert table[f.name].drop_nulls().is_between(f.low, f.high).all(), f.name


@only_in_full
@settings(max_examples=by_effort(2, 24), deadline=None)
@given(ledgers(max_events=40))
def test_duckdb_equals_polars_for_every_local_feature(events):
    view, consents = visible_with_consents(with_people(events), NOW, NOW, "perks")
    duck = on_duckdb(view, consents, NOW)
    assert duck.columns == ["person", *(f.name for f in FEATURES if f.name in LOCAL_NAMES)]
    assert_frame_equal(duck, on_polars(view, consents, NOW))


def test_sums_beyond_64_bits_are_clamped_equally_on_both_engines():
    paid = [f"2024-01-01 payment.made ann > shop amount={10**15} currency=CNY"] * 20_000
    view = visible(story(BASE + "\n" + "\n".join(paid)), AS_OF, AS_OF, "perks")
    consents = pl.DataFrame({"person": ["ann"], "data_class": ["behaviour"]})
    for table in (on_polars(view, consents, AS_OF), on_duckdb(view, consents, AS_OF)):
        assert table.filter(person="ann")["behaviour.payment_total"].to_list() == [9 * 10**15]
