import pytest

from tests.graph.features.ask_features import expect, features_of


def payment_lines(*lines: str) -> str:
    """`moment payer payee amount [currency]` a line."""
    split = ((*line.split(), "CNY")[:5] for line in lines)
    return "\n".join(f"{at} payment.made {a} > {b} amount={n} currency={c}" for at, a, b, n, c in split)


WAGE = "2024-05-10T09:30 acme ann 1000"


def test_money_counts_as_passed_through_within_its_hour_and_the_next_24():
    """Of 1000 received at 09:30: 300 paid in the hour from 09:00, 200 in the 24th hour after it; 400 come too late. 500/1000."""
    inside = ("2024-05-10T09:05 ann shop 300", "2024-05-11T09:59:59.999999 ann shop 200")
    outside = ("2024-05-11T10:00 ann shop 400", "2024-05-10T08:59:59.999999 ann shop 400")
    expect(features_of("ann", payment_lines(WAGE, *inside, *outside)), capacity__pass_through_share=50)
    expect(features_of("ann", payment_lines(WAGE, *outside)), capacity__pass_through_share=0)
    expect(features_of("ann", payment_lines(WAGE, "2024-05-10T10:00 ann bob 5000")), capacity__pass_through_share=100)
    expect(features_of("bob", payment_lines(WAGE, "2024-05-10T10:00 ann bob 5000")), capacity__pass_through_share=0)


@pytest.mark.parametrize(("paid", "share"), [(100, 50), (200, 100), (900, 100), (30, 15)])
def test_a_payment_passes_on_no_more_than_it_is(paid, share):
    """100 at nine and 100 at ten, and a payment of 100 at eleven: each receipt is followed by 100, the payment is of 100."""
    lines = ("2024-05-10T09:00 acme ann 100", "2024-05-10T10:00 bob ann 100", f"2024-05-10T11:00 ann shop {paid}")
    expect(features_of("ann", payment_lines(*lines)), capacity__pass_through_share=share)


def test_a_receipt_is_passed_on_no_more_than_once():
    """100 received, and 100 paid at ten and at eleven: each payment had 100 before it, the receipt was of 100. Of all 400
    received, that is 0.25."""
    lines = ("2024-05-10T09:00 acme ann 100", "2024-05-10T10:00 ann shop 100", "2024-05-10T11:00 ann shop 100")
    expect(features_of("ann", payment_lines(*lines, "2024-02-01 acme ann 300")), capacity__pass_through_share=25)


def test_the_balance_of_in_and_out_is_half_where_they_are_even():
    out, back = "2024-05-10 ann shop 550", "2024-05-10 acme ann 100"
    expect(features_of("ann", payment_lines(out, back)), capacity__net_inflow_share=15)  # 100 / 650 = 0.154
    expect(features_of("ann", payment_lines(out, "2024-01-10 bob ann 550")), capacity__net_inflow_share=50)
    expect(features_of("ann", payment_lines(out)), capacity__net_inflow_share=0)
    expect(features_of("ann", payment_lines(back)), capacity__net_inflow_share=100, capacity__pass_through_share=0)
    expect(features_of("ann", ""), capacity__net_inflow_share=None, capacity__pass_through_share=None)


@pytest.mark.parametrize(
    "lines",
    [
        ("2024-05-10 ann shop 100 EUR", "2024-05-10 acme ann 100"),
        ("2024-05-10 ann shop 100 EUR", "2024-05-10 ann shop 100", "2024-05-10 acme ann 100"),
        ("2024-05-10 acme ann 100 EUR", "2024-05-10 acme ann 100"),
        ("2024-05-10 ann shop 0", "2024-05-10 acme ann 0"),
    ],
)
def test_flow_is_missing_for_two_currencies_or_no_money(lines):
    expect(
        features_of("ann", payment_lines(*lines)), capacity__net_inflow_share=None, capacity__pass_through_share=None
    )
