from tests.graph.features.ask_features import expect, features_of
from tests.shipped_features import FEATURES


def payment_lines(payer: str, payee: str, *moments: str) -> str:
    return "\n".join(f"{at} payment.made {payer} > {payee} amount=100 currency=CNY" for at in moments)


def test_a_fan_is_the_most_parties_within_any_seven_days():
    """From 1 May: bob on the 1st and 5th, cy a moment before the 8th, dan at the very moment a week after bob's first. In
    [1, 8) there are bob and cy; in [5, 12) all three."""
    week = "\n".join(
        [payment_lines("bob", "ann", "2024-05-01"), payment_lines("cy", "ann", "2024-05-07T23:59:59.999999")]
    )
    expect(features_of("ann", week), fraud__fan_in=2, fraud__fan_out=0)
    dan = payment_lines("dan", "ann", "2024-05-08")
    expect(features_of("ann", f"{week}\n{dan}"), fraud__fan_in=2)  # cy and dan; bob has gone
    bob = payment_lines("bob", "ann", "2024-05-05")
    expect(features_of("ann", f"{week}\n{dan}\n{bob}"), fraud__fan_in=3)


def test_a_party_counts_once_however_often_it_pays():
    lines = payment_lines("bob", "ann", *(f"2024-05-{d:02}" for d in range(1, 31)), "2024-05-01", "2024-05-01")
    expect(features_of("ann", lines), fraud__fan_in=1)
    expect(features_of("bob", lines), fraud__fan_out=1, fraud__fan_in=0)


def test_fans_cover_the_last_twelve_months():
    lines = "\n".join(
        [payment_lines("ann", "shop", "2023-06-15"), payment_lines("ann", "bob", "2023-06-15T00:00:00.000001")]
    )
    expect(features_of("ann", lines), fraud__fan_out=1)


def test_a_payer_of_a_hundred_at_one_moment_has_a_fan_of_a_hundred():
    expect(
        features_of("ann", "\n".join(payment_lines("ann", f"m-{n}", "2024-05-01") for n in range(100))),
        fraud__fan_out=100,
    )


def test_fraud_features_have_no_better_direction():
    assert {f.direction for f in FEATURES if f.dimension == "fraud"} == {"none"}
