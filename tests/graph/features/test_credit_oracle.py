"""Credit features against a plain reading row by row, and the laws of what leaves and of what is disputed."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.events import SCHEMA
from graph.features import credit, features
from graph.view import visible
from tests.effort import pairs
from tests.graph.credit_ledgers import PEOPLE, credit_ledgers
from tests.graph.plain_credit import five_years_after, is_adverse, is_credit, plain_features
from tests.graph.plain_view import plain_visible
from tests.strategies import NOW

NAMES = tuple(plain_features([], NOW))
HIGHER_IS_BETTER = ("credit.kept", "credit.orders_kept", "credit.history_days")
Row = dict[str, Any]


def rows(events: pl.DataFrame) -> list[Row]:
    return events.filter(pl.col("contributor") != "desk").rows(named=True)


def plain(events: pl.DataFrame, as_of: datetime = NOW, *, forgetting: bool = True) -> dict[str, dict[str, int | None]]:
    view = plain_visible(events, as_of, NOW, "perks", forgetting=forgetting)
    return {p: plain_features([r for r in view if r["subject"] == p and is_credit(r)], as_of) for p in PEOPLE}


def expected(events: pl.DataFrame) -> pl.DataFrame:
    found = [{"person": p, **values} for p, values in plain(events).items()]
    return pl.DataFrame(found, schema={"person": pl.String, **dict.fromkeys(NAMES, pl.Int64)})


@settings(max_examples=pairs(30, 3000), deadline=None)
@given(credit_ledgers())
def test_the_view_of_credit_is_what_a_plain_reading_gives(events):
    assert visible(events, NOW, NOW, "perks").rows(named=True) == plain_visible(events, NOW, NOW, "perks")


@settings(max_examples=pairs(6, 900), deadline=None)
@given(credit_ledgers(most=20))
def test_the_credit_features_are_what_a_plain_reading_gives(events):
    assert_frame_equal(features(events, NOW, NOW, "perks", PEOPLE, NAMES), expected(events))


@settings(max_examples=pairs(2, 60), deadline=None)
@given(credit_ledgers(most=20))
def test_they_are_so_with_codes_for_ids(events):
    assert_frame_equal(features(events, NOW, NOW, "perks", None, NAMES), expected(events))


@settings(max_examples=pairs(4, 200), deadline=None)
@given(credit_ledgers(most=20))
def test_they_are_so_on_duckdb(events):
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("seen", visible(events, NOW, NOW, "perks").to_arrow())
        told = credit.promised(nw.from_native(db.sql("FROM seen")).lazy())
        parts = (
            credit.promises(told, NOW, UTC),
            credit.still_open(told),
            credit.orders(told),
            credit.delays(told, NOW),
        )
        found = [part.to_native().pl() for part in parts]
    people = pl.DataFrame({"person": PEOPLE})
    for part in found:
        people = people.join(part, on="person", how="left")
    zeros = [name for name in NAMES if name != "credit.history_days"]
    filled = people.with_columns(pl.col(NAMES).cast(pl.Int64)).with_columns(pl.col(zeros).fill_null(0))
    assert_frame_equal(filled.select("person", *NAMES), expected(events))


@settings(max_examples=pairs(60, 3000), deadline=None)
@given(credit_ledgers(), st.integers(0, 2**32))
def test_the_order_in_which_events_arrive_does_not_matter(events, seed):
    assume(not events["kind"].is_in(["event.corrected", "dispute.resolved"]).any())  # of these the last one holds
    order = list(range(events.height))
    Random(seed).shuffle(order)
    assert plain(events[order]) == plain(events)


@settings(max_examples=pairs(60, 3000), deadline=None)
@given(credit_ledgers(changed=0))
def test_nothing_adverse_outlives_five_years_from_the_end_of_its_obligation(events):
    told = rows(events)
    closings = [r for r in told if r["kind"] in ("obligation.settled", "obligation.written_off")]
    for row in plain_visible(events, NOW, NOW, "perks"):
        if not is_adverse(row) or row["obligation"] is None:
            continue
        if not any(r["kind"] == "obligation.opened" and same(r, row) for r in told):  # it may have been opened again
            ends = [r["happened_at"] for r in closings if same(r, row)]
            assert not ends or five_years_after(min(ends)) > NOW


def same(one: Row, other: Row) -> bool:
    return all(one[k] == other[k] for k in ("contributor", "subject", "obligation"))


@settings(max_examples=pairs(60, 3000), deadline=None)
@given(credit_ledgers())
def test_leaving_the_view_never_costs_anything(events):
    for moment in {NOW, *(five_years_after(r["happened_at"]) for r in rows(events))}:
        if moment <= NOW:
            for person, after in plain(events, moment).items():
                no_worse(after, plain(events, moment, forgetting=False)[person])


@settings(max_examples=pairs(100, 9000), deadline=None)
@given(credit_ledgers(changed=2), st.data())
def test_while_something_is_disputed_nobody_is_worse_off_than_with_it_or_without_it(events, data):
    item = data.draw(st.sampled_from([r for r in rows(events) if is_credit(r)]))
    ref = {"ref_contributor": item["contributor"], "ref_event": item["event_id"], "happened_at": NOW}
    word = {"contributor": "iftah", "subject": item["subject"], "recorded_at": NOW, **ref}
    opened = {**word, "event_id": "x", "kind": "dispute.opened"}
    rejected = {**word, "event_id": "z", "kind": "dispute.resolved", "outcome": "rejected"}
    taken_back = {**word, "event_id": "y", "kind": "event.retracted", "contributor": item["contributor"]}
    disputed = plain(told(events, opened))
    for other in (told(events, opened, rejected), told(events, taken_back)):
        for person, before in plain(other).items():
            no_worse(disputed[person], before)


def no_worse(now: dict[str, int | None], then: dict[str, int | None]) -> None:
    for name, before in then.items():
        if before is not None:  # a history that begins is no loss
            after = now[name]
            assert after is not None, name
            assert after >= before if name in HIGHER_IS_BETTER else after <= before, name


def told(events: pl.DataFrame, *more: Row) -> pl.DataFrame:
    return pl.concat(
        [events, pl.DataFrame([{**dict.fromkeys(SCHEMA), **r} for r in more], schema=SCHEMA, orient="row")]
    )
