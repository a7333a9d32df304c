"""The features of payments equal their definitions, computed slowly, for random payments on each column engine."""

from dataclasses import replace
from datetime import UTC, timedelta, tzinfo
from itertools import chain

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from engine.lang.model.timezones import zone
from graph.evidence.visibility import visible_with_consents
from tests.effort import by_effort, only_in_full
from tests.graph.features.ask_features import on_duckdb, on_polars
from tests.graph.features.payments_oracle import PlainPayment, months_before, plain_features
from tests.graph.story import enrol, story
from tests.shipped_features import features
from tests.strategies import NOW, frame

PEOPLE, PARTIES = ("ann", "bob"), ("ann", "bob", "shop", "kiosk", "Łódź 银行")
NAMES = list(plain_features([], "ann", NOW))
DAYS = st.sampled_from((0, 1, 2, 6, 7, 8, 13, 14, 21, 29, 60, 90, 120, 150, 181, 182, 183, 210, 240, 270, 330))
LONG_AGO = st.sampled_from((364, 365, 366, 380, 396, 729, 730, 731))
CLOCK = st.sampled_from((0, 1, 4, 11, 12, 13, 14, 15, 19, 20, 23, 24))


@st.composite
def payments(draw: st.DrawFn) -> PlainPayment:
    """At moments that meet or just miss each other, and the edges of every window."""
    days, hours = draw(st.one_of(DAYS, DAYS, LONG_AGO)), draw(CLOCK)
    slip = timedelta(microseconds=draw(st.sampled_from((0, 0, 0, 1, -1))), minutes=draw(st.sampled_from((0, 0, 7))))
    at = min(NOW, NOW - timedelta(days=days, hours=hours) + slip)
    payer = draw(st.sampled_from(PARTIES))
    payee = draw(st.sampled_from([p for p in PARTIES if p != payer]))
    return PlainPayment(at, payer, payee, draw(st.sampled_from((0, 1, 2, 3, 50, 100))), draw(CURRENCIES))


@st.composite
def monthly_payments(draw: st.DrawFn) -> list[PlainPayment]:
    """One payment a month for a few months, to and from the same."""
    first = draw(payments())
    months = range(draw(st.integers(0, 7)), draw(st.integers(8, 14)))
    late = [
        replace(first, at=months_before(NOW, m) + timedelta(days=draw(st.sampled_from((-1, 0, 0, 1))))) for m in months
    ]
    return [p for p in late if p.at <= NOW]


@st.composite
def turnover(draw: st.DrawFn) -> list[PlainPayment]:
    """Draw money that ann receives, and money that she pays within about a day of it."""
    begin = NOW - timedelta(days=draw(st.integers(1, 3)) + draw(DAYS))
    hours, amounts = st.sampled_from((0, 0, 1, 2, 23, 24, 25)), st.sampled_from((1, 2, 3, 50, 100))
    parties, sides = st.sampled_from(PARTIES[1:]), st.sampled_from((("ann", None), (None, "ann")))
    flows = []
    for _ in range(draw(st.integers(2, 8))):
        party = draw(parties)
        payer, payee = (side or party for side in draw(sides))
        flows.append(PlainPayment(begin + timedelta(hours=draw(hours)), payer, payee, draw(amounts), "CNY"))
    return [p for p in flows if p.at <= NOW]


ZONES = st.sampled_from(("UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe")).map(zone)
CURRENCIES = st.sampled_from(("CNY",) * 49 + ("EUR",))
HISTORIES = st.tuples(
    st.lists(payments(), max_size=30), st.lists(st.one_of(monthly_payments(), turnover()), max_size=5)
).map(lambda sample: [*sample[0], *chain(*sample[1])])


def ledger(history: list[PlainPayment]) -> pl.DataFrame:
    rows = [
        {"contributor": "bank", "event_id": f"p{n}", "kind": "payment.made", "subject": p.payer, "other": p.payee}
        | {"happened_at": p.at, "recorded_at": p.at, "amount": p.amount, "currency": p.currency}
        for n, p in enumerate(history)
    ]
    enrolled = story(enrol(*PEOPLE))
    return pl.concat([enrolled, frame(rows)]) if rows else enrolled


def expected(history: list[PlainPayment], tz: tzinfo = UTC) -> pl.DataFrame:
    rows = [{"person": p, **plain_features(history, p, NOW, tz)} for p in PEOPLE]
    return pl.DataFrame(rows, schema={"person": pl.String, **dict.fromkeys(NAMES, pl.Int64)})


@settings(max_examples=by_effort(3, 180), deadline=None)
@given(HISTORIES, ZONES)
def test_payment_features_equal_their_definitions(history, tz):
    actual = features(ledger(history), NOW, NOW, "perks", zone=tz)
    assert_frame_equal(actual.select("person", *NAMES), expected(history, tz))


@only_in_full
@settings(max_examples=by_effort(2, 30), deadline=None)
@given(HISTORIES, ZONES)
def test_payment_features_are_equal_on_duckdb(history, tz):
    view, consents = visible_with_consents(ledger(history), NOW, NOW, "perks", tz)
    duck = on_duckdb(view, consents, NOW, tz)
    assert_frame_equal(duck.select("person", *NAMES), expected(history, tz))
    assert_frame_equal(duck, on_polars(view, consents, NOW, tz))
