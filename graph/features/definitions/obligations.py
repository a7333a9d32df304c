"""Obligations from their opening to their end: those that are open, and the longest delay."""

from datetime import datetime
from typing import Final

import narwhals as nw

from graph.evidence.vocabulary import STANDARD, EventVocabulary
from graph.features.integer_math import Frame, days_between

OBLIGATION_KEY: Final = ("contributor", "subject", "obligation")


def credit_evidence(events: Frame, vocabulary: EventVocabulary = STANDARD) -> Frame:
    """Select the rows that the functions below need: each person's own obligations and orders."""
    return events.filter(nw.col("kind").is_in(list(vocabulary.credit_kinds)), nw.col("for_subject"))


def open_obligations(events: Frame) -> Frame:
    """Count obligations opened and not ended since: one row for each `person` with any. We ignore a disputed opening."""
    openings = events.filter(
        nw.col("kind") == "obligation.opened", nw.col("ended_at").is_null(), ~nw.col("disputed")
    ).select(*OBLIGATION_KEY)
    counts = openings.unique().group_by("subject").agg(nw.len().alias("credit.open"))
    return counts.select("credit.open", person="subject")


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
