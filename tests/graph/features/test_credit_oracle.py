"""Credit features equal a plain evaluation row by row, and obey the rules for expired and disputed evidence."""

from datetime import datetime
from random import Random
from typing import Any

import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.evidence.events import SCHEMA
from graph.evidence.visibility import visible, visible_with_consents
from tests.effort import by_effort, only_in_full
from tests.graph.credit_ledgers import PEOPLE, credit_ledgers
from tests.graph.credit_oracle import five_years_after, is_adverse, is_credit, plain_features
from tests.graph.features.ask_features import on_duckdb
from tests.graph.visibility_oracle import plain_visible
from tests.shipped_features import features
from tests.strategies import NOW

NAMES = tuple(plain_features([], NOW))
HIGHER_IS_BETTER = ("credit.kept", "credit.orders_kept", "credit.history_days")
Row = dict[str, Any]


def rows(events: pl.DataFrame) -> list[Row]:
    return events.filter(pl.col("contributor") != "desk").rows(named=True)


def plain_by_person(
    events: pl.DataFrame, as_of: datetime = NOW, *, forgetting: bool = True
) -> dict[str, dict[str, int | None]]:
    view = plain_visible(events, as_of, NOW, "perks", forgetting=forgetting)
    return {p: plain_features([r for r in view if r["subject"] == p and is_credit(r)], as_of) for p in PEOPLE}


def expected(events: pl.DataFrame) -> pl.DataFrame:
    records = [{"person": p, **values} for p, values in plain_by_person(events).items()]
    return pl.DataFrame(records, schema={"person": pl.String, **dict.fromkeys(NAMES, pl.Int64)})


@settings(max_examples=by_effort(30, 3000), deadline=None)
@given(credit_ledgers())
def test_the_view_of_credit_equals_a_plain_evaluation(events):
    assert visible(events, NOW, NOW, "perks").rows(named=True) == plain_visible(events, NOW, NOW, "perks")


@settings(max_examples=by_effort(3, 900), deadline=None)
@given(credit_ledgers(most=20))
def test_the_credit_features_equal_a_plain_evaluation(events):
    assert_frame_equal(features(events, NOW, NOW, "perks", PEOPLE, NAMES).select("person", *NAMES), expected(events))


@settings(max_examples=by_effort(2, 60), deadline=None)
@given(credit_ledgers(most=20))
def test_the_credit_features_are_equal_with_codes(events):
    assert_frame_equal(features(events, NOW, NOW, "perks", None, NAMES).select("person", *NAMES), expected(events))


@only_in_full
@settings(max_examples=by_effort(2, 200), deadline=None)
@given(credit_ledgers(most=20))
def test_the_credit_features_are_equal_on_duckdb(events):
    view, consents = visible_with_consents(events, NOW, NOW, "perks")
    assert_frame_equal(on_duckdb(view, consents, NOW).select("person", *NAMES), expected(events))


@settings(max_examples=by_effort(60, 3000), deadline=None)
@given(credit_ledgers(), st.integers(0, 2**32))
def test_the_order_in_which_events_arrive_does_not_matter(events, seed):
    assume(not events["kind"].is_in(["event.corrected", "dispute.resolved"]).any())  # of these the last one holds
    order = list(range(events.height))
    Random(seed).shuffle(order)
    assert plain_by_person(events[order]) == plain_by_person(events)


@settings(max_examples=by_effort(60, 3000), deadline=None)
@given(credit_ledgers(changed=0))
def test_nothing_adverse_outlives_five_years_from_the_end_of_its_obligation(events):
    records = rows(events)
    closings = [r for r in records if r["kind"] in ("obligation.settled", "obligation.written_off")]
    for row in plain_visible(events, NOW, NOW, "perks"):
        if not is_adverse(row) or row["obligation"] is None:
            continue
        if not any(
            r["kind"] == "obligation.opened" and is_same_obligation(r, row) for r in records
        ):  # it may have been opened again
            ends = [r["happened_at"] for r in closings if is_same_obligation(r, row)]
            assert not ends or five_years_after(min(ends)) > NOW


def is_same_obligation(one: Row, other: Row) -> bool:
    return all(one[k] == other[k] for k in ("contributor", "subject", "obligation"))


@settings(max_examples=by_effort(60, 3000), deadline=None)
@given(credit_ledgers())
def test_evidence_that_leaves_the_view_never_makes_a_person_worse_off(events):
    for moment in {NOW, *(five_years_after(r["happened_at"]) for r in rows(events))}:
        if moment <= NOW:
            for person, after in plain_by_person(events, moment).items():
                no_worse(after, plain_by_person(events, moment, forgetting=False)[person])


@settings(max_examples=by_effort(100, 9000), deadline=None)
@given(credit_ledgers(changed=2), st.data())
def test_an_open_dispute_never_makes_a_person_worse_off(events, data):
    item = data.draw(st.sampled_from([r for r in rows(events) if is_credit(r)]))
    ref = {"ref_contributor": item["contributor"], "ref_event": item["event_id"], "happened_at": NOW}
    word = {"contributor": "iftah", "subject": item["subject"], "recorded_at": NOW, **ref}
    opened = {**word, "event_id": "x", "kind": "dispute.opened"}
    rejected = {**word, "event_id": "z", "kind": "dispute.resolved", "outcome": "rejected"}
    taken_back = {**word, "event_id": "y", "kind": "event.retracted", "contributor": item["contributor"]}
    disputed = plain_by_person(with_rows(events, opened))
    for other in (with_rows(events, opened, rejected), with_rows(events, taken_back)):
        for person, before in plain_by_person(other).items():
            no_worse(disputed[person], before)


def no_worse(now: dict[str, int | None], then: dict[str, int | None]) -> None:
    for name, before in then.items():
        if before is not None:  # a history that begins is no loss
            after = now[name]
            assert after is not None, name
            assert after >= before if name in HIGHER_IS_BETTER else after <= before, name


def with_rows(events: pl.DataFrame, *more: Row) -> pl.DataFrame:
    return pl.concat(
        [events, pl.DataFrame([{**dict.fromkeys(SCHEMA), **r} for r in more], schema=SCHEMA, orient="row")]
    )
