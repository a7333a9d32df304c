"""Evaluate credit evidence row by row by the rules of docs/events.md: the oracle of `graph.evidence.obligations` and of
the credit features.

`plain_counting` is the oracle of the view; `plain_features` counts the features of the catalogue in it.
"""

from calendar import monthrange
from datetime import datetime, timedelta
from typing import Any

from graph.evidence.vocabulary import STANDARD, EventVocabulary

Row = dict[str, Any]


def is_credit(row: Row) -> bool:
    return STANDARD.kind_by_name[row["kind"]].data_class == "credit"


def has_an_end(row: Row, vocabulary: EventVocabulary = STANDARD) -> bool:
    """Credit evidence, and adverse evidence of any class."""
    kind = vocabulary.kind_by_name[row["kind"]]
    return kind.data_class == "credit" or kind.adverse


def is_adverse(row: Row, vocabulary: EventVocabulary = STANDARD) -> bool:
    late = row["kind"] == "order.settled" and (row["days_late"] or 0) > 0
    return vocabulary.kind_by_name[row["kind"]].adverse or late


def plain_counting(
    rows: list[Row], as_of: datetime, *, forgetting: bool = True, vocabulary: EventVocabulary = STANDARD
) -> list[Row]:
    """Of credit rows, each with `dispute` (None, "open" or "upheld"), those that count: with `ended_at` and `disputed`."""
    disputed_misses = [r for r in rows if r["kind"] == "obligation.missed" and r["dispute"]]
    evidence = [r for r in rows if r["dispute"] != "upheld"]
    counting = []
    for row in evidence:
        if any(row["kind"] == w["kind"] and instalment(row) == instalment(w) for w in disputed_misses):
            continue
        is_step = bool(vocabulary.kind_by_name[row["kind"]].step)
        if (is_adverse(row, vocabulary) or not is_step) and row["dispute"] == "open":
            continue
        if any(is_report_of_the_same(row, other, evidence) and before(other, row) for other in evidence):
            continue
        ended = ended_at(row, evidence) if vocabulary.kind_by_name[row["kind"]].step else row["happened_at"]
        if forgetting and is_adverse(row, vocabulary) and ended is not None and five_years_after(ended) <= as_of:
            continue
        counting.append({**row, "ended_at": ended, "disputed": row["dispute"] == "open"})
    return counting


def obligation(row: Row) -> tuple[str, str, str]:
    return row["contributor"], row["subject"], row["obligation"]


def instalment(row: Row) -> tuple[object, ...]:
    return *obligation(row), row["due"], row["happened_at"] if row["due"] is None else None


def before(one: Row, other: Row) -> bool:
    return bool((one["happened_at"], one["order_"]) < (other["happened_at"], other["order_"]))


def is_report_of_the_same(row: Row, other: Row, evidence: list[Row]) -> bool:
    if row["kind"] != other["kind"] or not row["kind"].startswith("obligation."):
        return False
    if is_adverse(other) and other["dispute"]:
        return False
    if row["kind"] in ("obligation.missed", "obligation.paid"):
        return instalment(row) == instalment(other)
    if row["kind"] in ("obligation.settled", "obligation.written_off"):
        same = obligation(row) == obligation(other)
        count_disputed = row["kind"] == "obligation.settled"
        return same and last_opening(row, evidence, disputed=count_disputed) == last_opening(
            other, evidence, disputed=count_disputed
        )
    return False


def last_opening(row: Row, evidence: list[Row], *, disputed: bool = False) -> datetime | None:
    """Up to the row. A disputed opening opens nothing, unless that would cost a settlement."""
    openings = [r for r in evidence if r["kind"] == "obligation.opened" and (disputed or not r["dispute"])]
    times = [r["happened_at"] for r in openings if obligation(r) == obligation(row)]
    return max((at for at in times if at <= row["happened_at"]), default=None)


def ended_at(row: Row, evidence: list[Row]) -> datetime | None:
    at, kind = row["happened_at"], row["kind"]
    if kind in ("order.overdue", "order.settled"):
        key = ("contributor", "subject", "order")
        same = [r for r in evidence if all(r[k] == row[k] for k in key)]
        ends = [r["happened_at"] for r in same if r["kind"] in ("order.settled", "order.cancelled")]
        return min(ends, default=None)
    if kind not in ("obligation.opened", "obligation.missed", "obligation.settled", "obligation.written_off"):
        return None
    same = [r for r in evidence if r["obligation"] is not None and obligation(r) == obligation(row)]
    closings = [r["happened_at"] for r in same if r["kind"] in ("obligation.settled", "obligation.written_off")]
    if kind == "obligation.opened":
        return min((c for c in closings if c >= at), default=None)
    opened = last_opening(row, evidence)
    ends = [c for c in closings if opened is None or c >= opened]
    if kind == "obligation.missed":
        ends += [r["happened_at"] for r in same if r["kind"] == "obligation.paid" and makes_good(r, row)]
    return min(ends, default=None)


def makes_good(payment: Row, miss: Row) -> bool:
    if payment["due"] is None or miss["due"] is None:
        return bool(payment["happened_at"] >= miss["happened_at"])
    return bool(payment["due"] == miss["due"])


def five_years_after(at: datetime) -> datetime:
    return years_after(at, 5)


def years_after(at: datetime, years: int) -> datetime:
    try:
        return at.replace(year=at.year + years)
    except ValueError:
        return at.replace(year=at.year + years, day=28)


def plain_features(rows: list[Row], as_of: datetime) -> dict[str, int | None]:
    """Compute the credit features of one consenting person from the person's rows of `plain_counting`."""
    missed = [r for r in rows if r["kind"] == "obligation.missed"]
    opened = [r for r in rows if r["kind"] == "obligation.opened" and r["ended_at"] is None and not r["disputed"]]
    orders = [r for r in rows if r["kind"] in ("order.settled", "order.overdue")]
    late = {(r["contributor"], r["order"]) for r in orders if is_adverse(r)}
    good = [r["happened_at"] for r in rows if not is_adverse(r)]
    delays = [max(timedelta(0), (r["ended_at"] or as_of) - r["happened_at"]).days for r in missed]
    delays += [r["days_late"] for r in orders if r["days_late"] is not None]
    return {
        "credit.kept": sum(r["kind"] in ("obligation.paid", "obligation.settled") for r in rows),
        "credit.missed": len(missed),
        "credit.missed_12m": sum(r["happened_at"] > a_year_before(as_of) for r in missed),
        "credit.longest_delay_days": max(delays, default=0),
        "credit.written_off_5y": sum(r["kind"] == "obligation.written_off" for r in rows),
        "credit.open": len({obligation(r) for r in opened}),
        "credit.history_days": (as_of - min(good)).days if good else None,
        "credit.orders_kept": len({(r["contributor"], r["order"]) for r in orders} - late),
        "credit.orders_late": len(late),
    }


def a_year_before(at: datetime) -> datetime:
    return at.replace(year=at.year - 1, day=min(at.day, monthrange(at.year - 1, at.month)[1]))
