"""The sums and counts of payments and balances are what their definitions say, row by row, on each column engine."""

from dataclasses import replace
from datetime import UTC, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.features import features
from graph.view import seen
from tests.effort import pairs
from tests.graph.features.asking import on_duckdb, on_polars
from tests.graph.features.plain_money import Balance, Paid, plain
from tests.graph.features.plain_payments import before
from tests.graph.story import story, willing
from tests.strategies import NOW, frame

ASKED = ("ann", "bob", "eve")
PEOPLE = {*ASKED, "cy"}  # cy is enrolled, and lets nobody see but that; dan is enrolled and lets nobody see anything
PARTIES = (*ASKED, "cy", "dan", "shop", "kiosk", "acme", "state")
NAMES = list(plain([], [], set(), "ann", NOW))
CATEGORIES = st.sampled_from(("wage", "pension", "benefit", "groceries", "transfer", "utilities", None))
CURRENCIES = st.sampled_from(("CNY",) * 19 + ("EUR",))
AMOUNTS = st.one_of(st.integers(0, 300), st.sampled_from((0, 1, 2, 3, 999_999, 10**6, 10**6 + 1, 10**15)))
BALANCES = st.one_of(st.integers(-300, 3000), st.sampled_from((-(10**15), -(10**13) - 1, -1, 0, 1, 10**13 + 1, 10**15)))
ZONES = st.sampled_from((UTC, ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")))
SLIPS = st.sampled_from((-1, 0, 0, 0, 1)).map(lambda microseconds: timedelta(microseconds=microseconds))


class History(NamedTuple):
    payments: list[Paid]
    balances: list[Balance]


@st.composite
def moments(draw: st.DrawFn):
    """Days in between, and the edges of every window: 24 months to the moment, months, and twelve that are over."""
    first = NOW.replace(day=1, hour=0)
    ahead = timedelta(hours=draw(st.sampled_from((0, 0, -8, 5))))  # months begin there, too
    edges = [before(NOW, 24), before(NOW, 12), *(before(first, months) + ahead for months in range(14))]
    days = NOW - timedelta(days=draw(st.integers(0, 740)), hours=draw(st.integers(0, 23)))
    return min(NOW, draw(st.sampled_from((*edges, days, days, days))) + draw(SLIPS))


@st.composite
def payments(draw: st.DrawFn) -> Paid:
    payer = draw(st.sampled_from(PARTIES))
    payee = draw(st.sampled_from([party for party in PARTIES if party != payer]))
    return Paid(draw(moments()), payer, payee, draw(AMOUNTS), draw(CURRENCIES), draw(CATEGORIES))


@st.composite
def monthly(draw: st.DrawFn) -> list[Paid]:
    """A wage, a rent or what else comes every month: some months are left out."""
    first = draw(payments())
    months = draw(st.sets(st.integers(0, 26), max_size=14))
    return [replace(first, at=at) for at in (before(first.at, m) for m in months)]


BALANCE = st.builds(Balance, moments(), st.sampled_from(ASKED), BALANCES, CURRENCIES)
HISTORIES = st.tuples(
    st.lists(payments(), max_size=25), st.lists(monthly(), max_size=4), st.lists(BALANCE, max_size=8)
).map(lambda drawn: History([*drawn[0], *(p for months in drawn[1] for p in months)], drawn[2]))


def ledger(history: History) -> pl.DataFrame:
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
        f"{willing(*ASKED)}\n{willing('cy', classes='identity')}\n2000-01-01 person.enrolled dan identity_level=2"
    )
    return pl.concat([enrolled, frame(rows)]) if rows else enrolled


def expected(history: History, zone: tzinfo) -> pl.DataFrame:
    rows = [{"person": p, **plain(*history, PEOPLE, p, NOW, zone)} for p in ASKED]
    return pl.DataFrame(rows, schema={"person": pl.String, **dict.fromkeys(NAMES, pl.Int64)})


@settings(max_examples=pairs(10, 400), deadline=None)
@given(HISTORIES, ZONES)
def test_sums_and_counts_are_what_their_definitions_say(history, zone):
    found = features(ledger(history), NOW, NOW, "perks", wanted=NAMES, zone=zone).select("person", *NAMES)
    assert_frame_equal(found.filter(pl.col("person").is_in(ASKED)), expected(history, zone))


@settings(max_examples=pairs(2, 40), deadline=None)
@given(HISTORIES, ZONES)
def test_they_are_so_on_duckdb_and_for_one_person_alone(history, zone):
    view, consents = seen(ledger(history), NOW, NOW, "perks", zone)
    duck = on_duckdb(view, consents, NOW, zone)
    assert_frame_equal(duck.filter(pl.col("person").is_in(ASKED)).select("person", *NAMES), expected(history, zone))
    assert_frame_equal(duck, on_polars(view, consents, NOW, zone))
    for person in ASKED:
        alone = features(ledger(history), NOW, NOW, "perks", [person], NAMES, zone=zone)
        assert_frame_equal(alone.select("person", *NAMES), expected(history, zone).filter(pl.col("person") == person))
