import pytest

from engine.lang.model.timezones import zone
from tests.graph.features.ask_features import expect, features_of

SHANGHAI = zone("Asia/Shanghai")


def payment_lines(*payments: str, payer: str = "ann") -> str:
    """Lines of payments of 1 CNY, each `moment party`."""
    split = (p.split() for p in payments)
    return "\n".join(f"{at} payment.made {payer} > {party} amount=100 currency=CNY" for at, party in split)


def test_payees_kept_is_the_share_of_the_half_year_before_last_that_is_paid_again():
    """As of 15 June 2024 the halves are (15 June, 15 December 2023] and from there on. Of bob, cy, shop and kiosk, paid in
    the first, shop and cy are paid in the second: 2/4. The butcher is new, the baker was paid a moment too early."""
    first = ("2023-06-15 baker", "2023-06-15T00:00:00.000001 bob", "2023-07-01 shop", "2023-08-01 kiosk")
    edge = ("2023-12-15 cy", "2023-12-15T00:00:00.000001 shop")
    last = ("2024-01-01 butcher", "2024-01-02 baker", "2024-06-15 cy")
    expect(features_of("ann", payment_lines(*first, *edge, *last)), behaviour__payee_retention=50)
    expect(features_of("ann", payment_lines(*last)), behaviour__payee_retention=None)
    expect(features_of("ann", payment_lines(*first)), behaviour__payee_retention=0)


def test_regularity_is_the_share_of_payments_to_parties_paid_in_six_of_twelve_months():
    """The full months are June 2023 to May 2024. The landlord is paid in six of them, twice in one: 7 payments; the shop in
    five: 5. 7/12 = 0.583. A payment of June 2024 is not looked at: it would be the shop's sixth month."""
    landlord = tuple(f"2023-{m:02}-01 landlord" for m in range(6, 12))
    shop = tuple(f"2024-{m:02}-01 shop" for m in range(1, 6))
    rest = ("2023-07-31 landlord", "2024-06-01 shop", "2023-05-31 shop")
    expect(features_of("ann", payment_lines(*landlord, *shop, *rest)), behaviour__regularity=58)
    expect(features_of("ann", payment_lines(*landlord)), behaviour__regularity=100)
    expect(features_of("ann", payment_lines("2024-06-01 shop")), behaviour__regularity=None)


def test_night_is_from_midnight_to_six_in_the_time_zone_of_the_rules():
    """Which is 16:00 to 22:00 UTC. Of the five with a time, two are in it: 2/5. At 00:00 there, 16:00 UTC, there is none: a date
    without a time is written so. 08:00 there is a time like any other."""
    night = ("2024-05-01T16:00:00.000001 a", "2024-05-01T21:59:59.999999 a")
    day = ("2024-05-01T15:59:59.999999 a", "2024-05-01T22:00 a", "2024-05-01T00:00 a")
    dates = ("2024-05-01T16:00 a", "2024-05-02T16:00 a")
    expect(features_of("ann", payment_lines(*night, *day, *dates), zone=SHANGHAI), behaviour__night_share=40)
    expect(features_of("ann", payment_lines(*dates), zone=SHANGHAI), behaviour__night_share=None)


@pytest.mark.parametrize(
    ("name", "at", "night"),
    [
        ("America/New_York", "2024-03-10T06:30", 100),  # 01:30 of winter
        ("America/New_York", "2024-03-10T09:30", 100),  # 05:30 of summer, since clocks were put on at 07:00 UTC
        ("America/New_York", "2024-03-10T10:30", 0),  # 06:30
        ("America/New_York", "2024-03-09T10:30", 100),  # 05:30 of winter
        ("Asia/Kathmandu", "2024-03-09T18:14:59", 0),  # 23:59:59: clocks are ahead by 5:45
        ("Asia/Kathmandu", "2024-03-09T18:15:01", 100),
    ],
)
def test_night_follows_the_utc_offset_of_that_day(name, at, night):
    expect(features_of("ann", payment_lines(f"{at} a"), zone=zone(name)), behaviour__night_share=night)


def test_months_are_in_the_time_zone_of_the_rules():
    """23:59:59 of 31 May and 00:00 of 1 June in Shanghai are 15:59:59 and 16:00 UTC of 31 May."""
    month_end = ("2024-05-31T15:59:59 shop", "2024-05-31T16:00 shop")
    expect(features_of("ann", payment_lines(*month_end), zone=SHANGHAI), behaviour__active_months=2)
    expect(features_of("ann", payment_lines(*month_end)), behaviour__active_months=1)


def test_windows_of_months_end_at_the_same_local_time_of_the_month():
    """It is 1 March in Shanghai when it is 29 February in UTC: the half-year began on 1 September there, at 16:00 UTC of
    31 August, and a year of 29 February did so on 28 February."""
    at, paid_at = "2024-02-29T16:00", ("2023-03-01 shop", "2023-08-31T16:00:00.000001 shop")
    expect(features_of("ann", payment_lines(*paid_at), at, zone=SHANGHAI), behaviour__payee_retention=100)
    expect(
        features_of("ann", payment_lines(paid_at[0], "2023-08-31T16:00 shop"), at, zone=SHANGHAI),
        behaviour__payee_retention=0,
    )


@pytest.mark.parametrize(
    ("gaps", "burstiness"),
    [
        ((9, 9, 9, 9, 9), -100),  # like a clock: s = 0
        ((1, 1, 1, 1, 6), 0),  # m = 2, s^2 = (4 x 1 + 16) / 5 = 4
        ((0, 0, 0, 0, 10), 33),  # m = 2, s^2 = (4 x 4 + 64) / 5 = 16: (4 - 2) / (4 + 2) = 0.333
        ((1, 3, 1, 3, 2), -38),  # m = 2, s = sqrt(4 / 5) = 0.894: -1.106 / 2.894 = -0.382
        ((0, 0, 0, 0, 0), None),  # all of one minute
        ((1, 1, 1, 6), None),  # too few
        ((1,) * 99 + (901,), 80),  # m = 10, s^2 = (99 x 81 + 891^2) / 100 = 8019: 79.55 / 99.55 = 0.799
    ],
)
def test_burstiness_compares_deviation_and_mean_of_the_minutes_between_payments(gaps, burstiness):
    minutes = [sum(gaps[:n]) for n in range(len(gaps) + 1)]
    times = [f"2024-05-01T{m // 60:02}:{m % 60:02}:{30 + m % 2 * 20}" for m in minutes]
    expect(features_of("ann", payment_lines(*(f"{t} shop" for t in reversed(times)))), behaviour__burstiness=burstiness)


def test_without_payments_patterns_are_missing():
    missing = {f"behaviour__{n}": None for n in ("payee_retention", "regularity", "night_share", "burstiness")}
    expect(features_of("ann", ""), **missing)
    expect(features_of("ann", payment_lines("2022-07-01 shop")), behaviour__payments=1, **missing)
