"""Repayment history: obligations elsewhere, and orders in this system."""

from datetime import datetime, tzinfo

import narwhals as nw

from graph.evidence.calendar import months_before
from graph.evidence.vocabulary import STANDARD, EventVocabulary
from graph.features.integer_math import Frame, days_between, indicator


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
