"""A refund takes its amount off the payment that it names, in every sum into which the payment counts."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from graph.evidence.visibility import visible_with_consents
from tests.graph.features.ask_features import AS_OF, BASE, expect, features_of, on_duckdb, on_polars
from tests.graph.story import story
from tests.shipped_features import features

WAGE = "2024-05-01 payment.made acme > ann #w amount=900 currency=CNY category=wage"
TV = "2024-05-02T10:00 payment.made ann > shop #tv amount=500 currency=CNY category=shopping"
HAT = "2024-06-01 payment.made ann > shop #hat amount=300 currency=CNY"
PAID = f"{WAGE}\n{TV}\n{HAT}"


def refund(event: str, amount: int, at: str = "2024-06-03", kind: str = "refunded", **changes: str) -> str:
    fields = {"parties": "ann > shop", "currency": "CNY", **changes}
    return f"{at} payment.{kind} {fields['parties']} ref_event={event} amount={amount} currency={fields['currency']}"


def test_a_refund_takes_its_amount_off_the_spending_and_not_off_the_number_of_payments() -> None:
    expect(
        features_of("ann", f"{PAID}\n{refund('tv', 200)}"),
        behaviour__payment_total=600,
        behaviour__payments=2,
        capacity__income_total=900,
        capacity__income_cover=150,  # 900 / 600
        capacity__net_inflow_share=60,  # 900 / 1500
        capacity__spending_steadiness=8,  # of the full months, May alone: (300 / 12) / 300
    )


def test_the_payee_has_less_income_and_takings() -> None:
    back = refund("w", 400, parties="acme > ann", kind="charged_back")
    expect(
        features_of("ann", f"{PAID}\n{back}"),
        capacity__income_total=500,
        capacity__income_months=1,
        capacity__income_cover=63,  # 500 / 800
    )


def test_several_refunds_add_up_and_leave_nothing_below_zero() -> None:
    parts = f"{refund('tv', 200)}\n{refund('tv', 250, kind='charged_back')}"
    expect(features_of("ann", f"{PAID}\n{parts}"), behaviour__payment_total=350)
    more = f"{parts}\n{refund('tv', 10**15)}\n{refund('tv', 10**15)}"
    expect(features_of("ann", f"{PAID}\n{more}"), behaviour__payment_total=300)


def test_the_money_that_passes_through_is_what_refunds_leave() -> None:
    """900 came on 1 May; 500 were paid a day and ten hours later, and 900 within a day in the second case."""
    soon = "2024-05-01T12:00 payment.made ann > bob #b amount=900 currency=CNY"
    expect(features_of("ann", f"{WAGE}\n{soon}"), capacity__pass_through_share=100)
    expect(
        features_of("ann", f"{WAGE}\n{soon}\n{refund('b', 450, parties='ann > bob')}"), capacity__pass_through_share=50
    )


@pytest.mark.parametrize(
    "line",
    [
        refund("tv", 200, at="2024-05-02T09:59"),  # before the payment
        refund("tv", 200, at="2024-06-15T00:00:00.000001"),  # after the decision
        refund("tv", 200, currency="EUR"),
        refund("tv", 200, parties="ann > kiosk"),
        refund("tv", 200, parties="bob > shop"),
        refund("car", 200),
        refund("tv", 200) + " @club",
        refund("tv", 200) + "\n2024-06-04 dispute.opened ann ref_event=r",
        refund("tv", 200) + "\n2024-06-04 event.retracted ann ref_event=r",
    ],
)
def test_a_refund_that_does_not_fit_or_does_not_count_changes_nothing(line: str) -> None:
    line = line.replace("ann > shop ref", "ann > shop #r ref")
    usual, other = features_of("ann", PAID), features_of("ann", f"{PAID}\n{line}")
    assert usual == other


@pytest.mark.parametrize("statement", ["dispute.opened", "event.retracted"])
def test_the_refund_of_a_payment_that_does_not_count_changes_nothing(statement: str) -> None:
    without = f"{PAID}\n2024-06-04 {statement} ann ref_event=tv"
    assert features_of("ann", f"{without}\n{refund('tv', 200)}") == features_of("ann", without)


def test_a_payment_that_left_the_window_takes_its_refund_along() -> None:
    old = "2022-06-15 payment.made ann > shop #old amount=700 currency=CNY"
    expect(features_of("ann", f"{PAID}\n{old}\n{refund('old', 700)}"), behaviour__payment_total=800)


def test_a_refund_counts_however_much_later_it_came() -> None:
    old = "2022-07-01 payment.made ann > shop #old amount=700 currency=CNY"
    expect(features_of("ann", f"{PAID}\n{old}\n{refund('old', 600)}"), behaviour__payment_total=900)


def test_a_corrected_refund_takes_off_its_corrected_amount() -> None:
    line = refund("tv", 200).replace("ann > shop ref", "ann > shop #r ref")
    fixed = f'{line}\n2024-06-04 event.corrected ann ref_event=r fields={{"amount":120}}'
    expect(features_of("ann", f"{PAID}\n{fixed}"), behaviour__payment_total=680)


def test_every_engine_and_the_computation_with_codes_agree() -> None:
    text = "\n".join([BASE, PAID, refund("tv", 200), refund("hat", 999), refund("w", 100, parties="acme > ann")])
    events = story(text)
    view, consents = visible_with_consents(events, AS_OF, AS_OF, "perks")
    table = on_polars(view, consents, AS_OF)
    whole = features(events, AS_OF, AS_OF, "perks")
    assert table.filter(person="ann")["behaviour.payment_total"].to_list() == [300]
    names = [c for c in table.columns if c != "capacity.pass_through_share"]
    assert_frame_equal(on_duckdb(view, consents, AS_OF).select(names), table.select(names))
    assert_frame_equal(whole.select(names), table.select(names))
    few = pl.concat([features(events, AS_OF, AS_OF, "perks", [p]) for p in whole["person"]])
    assert_frame_equal(few, whole)
