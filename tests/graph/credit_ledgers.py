"""Generate random ledgers of credit evidence in which events refer to each other in every possible way.

We generate two of each thing, and every field that production sends.
"""

import json
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import strategies as st

from tests.graph.story import enrol, story
from tests.strategies import NOW, frame

PEOPLE = ("ann", "bob")
FIVE_YEARS = timedelta(days=1826)
DAYS = (0, 1, 2, 5, 10, 29, 60, 200, 366, 400)
MOMENTS = tuple(NOW - back - timedelta(days=d) for back in (timedelta(0), FIVE_YEARS) for d in DAYS)
DUES = (None, date(2019, 2, 1), date(2024, 2, 1))
OBLIGATIONS = (
    *("obligation.opened", "obligation.opened", "obligation.paid", "obligation.paid"),
    *("obligation.missed", "obligation.missed", "obligation.missed", "obligation.settled", "obligation.written_off"),
)
ORDERS = ("order.settled", "order.settled", "order.overdue", "order.cancelled")
Row = dict[str, Any]


@st.composite
def credit_rows(draw: st.DrawFn) -> Row:
    """One piece of credit evidence."""
    kind = draw(st.sampled_from((*OBLIGATIONS, *ORDERS)))
    at: datetime = draw(st.sampled_from(MOMENTS)) + timedelta(microseconds=draw(st.sampled_from((0, 0, 1))))
    row: Row = {"kind": kind, "subject": draw(st.sampled_from(PEOPLE)), "happened_at": min(at, NOW)}
    row["contributor"] = draw(st.sampled_from(("bank", "bank", "bank", "shop")))
    if kind in ORDERS:
        row["order"] = draw(st.sampled_from(("o1", "o2")))
        if kind != "order.cancelled":
            row["days_late"] = draw(st.sampled_from((0, 0, 0, 3, 40, None)))
        return row
    row["obligation"] = draw(st.sampled_from(("loan", "loan", "bill")))
    if kind not in ("obligation.settled", "obligation.written_off"):
        row["due"] = draw(st.sampled_from(DUES))
    return row


@st.composite
def statement_rows(draw: st.DrawFn, evidence: list[Row]) -> list[Row]:
    """A dispute of one of these, answered or not, or a correction."""
    item = draw(st.sampled_from(evidence))
    about = {"subject": item["subject"], "ref_event": item["event_id"], "happened_at": draw(st.sampled_from(MOMENTS))}
    if draw(st.integers(0, 3)) == 0:
        fields = draw(st.sampled_from(({"due": "2024-02-01"}, {"days_late": 0}, {"happened_at": NOW.isoformat()})))
        return [{**about, "kind": "event.corrected", "contributor": item["contributor"], "fields": json.dumps(fields)}]
    dispute = {**about, "contributor": "iftah", "ref_contributor": item["contributor"]}
    outcome = draw(st.sampled_from((None, None, "rejected", "upheld")))
    answer = [{**dispute, "kind": "dispute.resolved", "outcome": outcome}] if outcome else []
    return [{**dispute, "kind": "dispute.opened"}, *answer]


@st.composite
def credit_ledgers(draw: st.DrawFn, most: int = 14, changed: int = 3) -> pl.DataFrame:
    """A ledger in the order of appending, in which both people consent to everything."""
    evidence = draw(st.lists(credit_rows(), min_size=1, max_size=most))
    for number, row in enumerate(evidence):
        row["event_id"] = f"e{number}"
    statements = [row for _ in range(draw(st.integers(0, changed))) for row in draw(statement_rows(evidence))]
    numbered = [{"event_id": f"c{number}", **row} for number, row in enumerate(statements)]
    rows = draw(st.permutations([*evidence, *numbered]))
    return pl.concat([story(enrol(*PEOPLE)), frame([{**r, "recorded_at": r["happened_at"]} for r in rows])])
