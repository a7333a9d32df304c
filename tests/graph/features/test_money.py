"""Sums and counts of payments and balances equal their definitions, row by row, on each column engine."""

from dataclasses import replace
from datetime import UTC, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.evidence.visibility import visible_with_consents
from tests.effort import by_effort, only_in_full
from tests.graph.features.ask_features import on_duckdb, on_polars
from tests.graph.features.money_oracle import Balance, CategorisedPayment, plain_features
from tests.graph.features.payments_oracle import months_before
from tests.graph.story import enrol, story
from tests.shipped_features import features
from tests.strategies import NOW, frame

SUBJECTS = ("ann", "bob", "eve")
PEOPLE = {*SUBJECTS, "cy"}  # cy is enrolled, and lets nobody see but that; dan is enrolled and lets nobody see anything
PARTIES = (*SUBJECTS, "cy", "dan", "shop", "kiosk", "acme", "state")
NAMES = list(plain_features([], [], set(), "ann", NOW))
CATEGORIES = st.sampled_from(("wage", "pension", "benefit", "groceries", "transfer", "utilities", None))
CURRENCIES = st.sampled_from(("CNY",) * 19 + ("EUR",))
AMOUNTS = st.one_of(st.integers(0, 300), st.sampled_from((0, 1, 2, 3, 999_999, 10**6, 10**6 + 1, 10**15)))
BALANCES = st.one_of(st.integers(-300, 3000), st.sampled_from((-(10**15), -(10**13) - 1, -1, 0, 1, 10**13 + 1, 10**15)))
ZONES = st.sampled_from((UTC, ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")))
SLIPS = st.sampled_from((-1, 0, 0, 0, 1)).map(lambda microseconds: timedelta(microseconds=microseconds))


class PaymentHistory(NamedTuple):
    payments: list[CategorisedPayment]
    balances: list[Balance]


@st.composite
def moments(draw: st.DrawFn):
    """Days in between, and the edges of every window: 24 months to the moment, months, and twelve that are over."""
    first = NOW.replace(day=1, hour=0)
    ahead = timedelta(hours=draw(st.sampled_from((0, 0, -8, 5))))  # months begin there, too
    edges = [
        months_before(NOW, 24),
        months_before(NOW, 12),
        *(months_before(first, months) + ahead for months in range(14)),
    ]
    days = NOW - timedelta(days=draw(st.integers(0, 740)), hours=draw(st.integers(0, 23)))
    return min(NOW, draw(st.sampled_from((*edges, days, days, days))) + draw(SLIPS))


@st.composite
def payments(draw: st.DrawFn) -> CategorisedPayment:
    payer = draw(st.sampled_from(PARTIES))
    payee = draw(st.sampled_from([party for party in PARTIES if party != payer]))
    return CategorisedPayment(draw(moments()), payer, payee, draw(AMOUNTS), draw(CURRENCIES), draw(CATEGORIES))


@st.composite
def monthly(draw: st.DrawFn) -> list[CategorisedPayment]:
    """Draw a monthly payment, such as a wage or a rent; we leave some months out."""
    first = draw(payments())
    months = draw(st.sets(st.integers(0, 26), max_size=14))
    return [replace(first, at=at) for at in (months_before(first.at, m) for m in months)]


BALANCE = st.builds(Balance, moments(), st.sampled_from(SUBJECTS), BALANCES, CURRENCIES)
HISTORIES = st.tuples(
    st.lists(payments(), max_size=25), st.lists(monthly(), max_size=4), st.lists(BALANCE, max_size=8)
).map(lambda sample: PaymentHistory([*sample[0], *(p for months in sample[1] for p in months)], sample[2]))


def ledger(history: PaymentHistory) -> pl.DataFrame:
    """With everything that production sends of each: a category where there is one, a channel, other contributors."""
    rows: list[dict[str, object]] = [
        {"kind": "payment.made", "subject": p.payer, "other": p.payee, "happened_at": p.at, "channel": "card"}
        | {"amount": p.amount, "currency": p.currency, "category": p.category}
        for p in history.payments
    ]
    rows += [
        {
            "kind": "account.balance",
            "subject": b.person,
            "happened_at": b.at,
            "amount": b.amount,
            "currency": b.currency,
        }
        for b in history.balances
    ]
    for number, row in enumerate(rows):
        row |= {
            "contributor": ("bank", "wallet")[number % 2],
            "event_id": f"p{number}",
            "recorded_at": row["happened_at"],
        }
    enrolled = story(
        f"{enrol(*SUBJECTS)}\n{enrol('cy', classes='identity')}\n2000-01-01 person.enrolled dan identity_level=2"
    )
    return pl.concat([enrolled, frame(rows)]) if rows else enrolled


def expected(history: PaymentHistory, zone: tzinfo) -> pl.DataFrame:
    rows = [{"person": p, **plain_features(*history, PEOPLE, p, NOW, zone)} for p in SUBJECTS]
    return pl.DataFrame(rows, schema={"person": pl.String, **dict.fromkeys(NAMES, pl.Int64)})


@settings(max_examples=by_effort(5, 400), deadline=None)
@given(HISTORIES, ZONES)
def test_sums_and_counts_equal_their_definitions(history, zone):
    actual = features(ledger(history), NOW, NOW, "perks", feature_names=NAMES, zone=zone).select("person", *NAMES)
    assert_frame_equal(actual.filter(pl.col("person").is_in(SUBJECTS)), expected(history, zone))


@only_in_full
@settings(max_examples=by_effort(2, 40), deadline=None)
@given(HISTORIES, ZONES)
def test_sums_and_counts_are_equal_on_duckdb_and_for_one_person(history, zone):
    view, consents = visible_with_consents(ledger(history), NOW, NOW, "perks", zone)
    duck = on_duckdb(view, consents, NOW, zone)
    assert_frame_equal(duck.filter(pl.col("person").is_in(SUBJECTS)).select("person", *NAMES), expected(history, zone))
    assert_frame_equal(duck, on_polars(view, consents, NOW, zone))
    for person in SUBJECTS:
        single = features(ledger(history), NOW, NOW, "perks", [person], NAMES, zone=zone)
        assert_frame_equal(single.select("person", *NAMES), expected(history, zone).filter(pl.col("person") == person))
