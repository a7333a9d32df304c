"""Repayment history: obligations elsewhere, and orders in this system."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.evidence.calendar import months_before
from graph.evidence.vocabulary import STANDARD, EventVocabulary
from graph.features.integer_math import Frame, days_between, indicator

OBLIGATION_KEY: Final = ("contributor", "subject", "obligation")


def credit_evidence(events: Frame, vocabulary: EventVocabulary = STANDARD) -> Frame:
    """Select the rows that the functions below need: each person's own obligations and orders."""
    return events.filter(nw.col("kind").is_in(list(vocabulary.credit_kinds)), nw.col("for_subject"))


def repayment_history(events: Frame, as_of: datetime, zone: tzinfo, vocabulary: EventVocabulary = STANDARD) -> Frame:
    """Count kept, missed and written-off obligations, and the days of history: one row for each `person` with credit
    evidence.

    The view has each instalment once, and each settlement. We start the history at the first event that is not adverse:
    adverse events expire, and must not take a part of the history with them.
    """
    kind = nw.col("kind")
    recent = nw.col("happened_at") > months_before(as_of, 12, zone)
    neutral = nw.when(~(kind.is_in(list(vocabulary.adverse_kinds)) | is_late())).then(nw.col("happened_at"))
    by_person = (
        events.with_columns(neutral=neutral)
        .group_by("subject")
        .agg(
            indicator(kind.is_in(["obligation.paid", "obligation.settled"])).sum().alias("credit.kept"),
            indicator(kind == "obligation.missed").sum().alias("credit.missed"),
            indicator((kind == "obligation.missed") & recent).sum().alias("credit.missed_12m"),
            indicator(kind == "obligation.written_off").sum().alias("credit.written_off_5y"),
            nw.col("neutral").min().alias("first"),
        )
    )
    history = days_between(nw.col("first"), nw.lit(as_of)).alias("credit.history_days")
    return by_person.select(nw.all(), history, person="subject").drop("first", "subject")


def is_late() -> nw.Expr:
    """Whether an order was paid late, by `order.settled`."""
    return (nw.col("days_late") > 0) & ~nw.col("days_late").is_null()


def open_obligations(events: Frame) -> Frame:
    """Count obligations opened and not ended since: one row for each `person` with any. We ignore a disputed opening."""
    openings = events.filter(
        nw.col("kind") == "obligation.opened", nw.col("ended_at").is_null(), ~nw.col("disputed")
    ).select(*OBLIGATION_KEY)
    counts = openings.unique().group_by("subject").agg(nw.len().alias("credit.open"))
    return counts.select("credit.open", person="subject")


def orders(events: Frame) -> Frame:
    """Count orders settled on time, and late orders: one row for each `person` with any order."""
    kind = nw.col("kind")
    by_order = (
        events.filter(kind.is_in(["order.settled", "order.overdue"]))
        .group_by("contributor", "subject", "order")
        .agg(indicator((kind == "order.overdue") | is_late()).max().alias("late"))
    )
    by_person = by_order.group_by("subject").agg(
        nw.col("late").sum().alias("credit.orders_late"), (1 - nw.col("late")).sum().alias("credit.orders_kept")
    )
    return by_person.select("credit.orders_late", "credit.orders_kept", person="subject")


def delays(events: Frame, as_of: datetime) -> Frame:
    """Find the longest delay in days: one row for each `person` with a miss or a delayed order.

    A miss lasts until it ended, or until `as_of`. A miss that ended before it was reported lasted 0 days.
    """
    misses = events.filter(nw.col("kind") == "obligation.missed")
    until = nw.max_horizontal(nw.col("happened_at"), nw.coalesce(nw.col("ended_at"), nw.lit(as_of)))
    obligations = misses.select(days_between(nw.col("happened_at"), until).alias("days"), person="subject")
    orders_late = events.filter(~nw.col("days_late").is_null()).select(
        nw.col("days_late").cast(nw.Int64()).alias("days"), person="subject"
    )
    longest = nw.concat([obligations, orders_late]).group_by("person").agg(nw.col("days").max())
    return longest.select("person", nw.col("days").alias("credit.longest_delay_days"))
