"""How they kept their promises: obligations elsewhere, and orders here."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.calendar import months_before
from graph.features.exact import Frame, counted, days_between
from graph.vocabulary import KINDS

THING: Final = ("contributor", "subject", "obligation")
PROMISES: Final = tuple(k.name for k in KINDS if k.data_class == "credit")
ADVERSE: Final = tuple(k.name for k in KINDS if k.adverse)


def promised(events: Frame) -> Frame:
    """The rows that the functions below take: each person's own obligations and orders."""
    return events.filter(nw.col("kind").is_in(list(PROMISES)), nw.col("for_subject"))


def promises(events: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Kept, missed, written off, and for how long known: one row per `person` with any credit evidence.

    The view has each instalment once, and each settlement. The history starts with what is not adverse: what is adverse
    leaves the view, and must not take a piece of the history with it.
    """
    kind = nw.col("kind")
    recent = nw.col("happened_at") > months_before(as_of, 12, zone)
    neutral = nw.when(~(kind.is_in(list(ADVERSE)) | late())).then(nw.col("happened_at"))
    by_person = (
        events.with_columns(neutral=neutral)
        .group_by("subject")
        .agg(
            counted(kind.is_in(["obligation.paid", "obligation.settled"])).sum().alias("credit.kept"),
            counted(kind == "obligation.missed").sum().alias("credit.missed"),
            counted((kind == "obligation.missed") & recent).sum().alias("credit.missed_12m"),
            counted(kind == "obligation.written_off").sum().alias("credit.written_off_5y"),
            nw.col("neutral").min().alias("first"),
        )
    )
    known = days_between(nw.col("first"), nw.lit(as_of)).alias("credit.history_days")
    return by_person.select(nw.all(), known, person="subject").drop("first", "subject")


def late() -> nw.Expr:
    """Whether an order was paid late, as `order.settled` tells."""
    return (nw.col("days_late") > 0) & ~nw.col("days_late").is_null()


def still_open(events: Frame) -> Frame:
    """Obligations opened that have not ended since: one row per `person` with any. A disputed opening is not open."""
    opened = events.filter(
        nw.col("kind") == "obligation.opened", nw.col("ended_at").is_null(), ~nw.col("disputed")
    ).select(*THING)
    things = opened.unique().group_by("subject").agg(nw.len().alias("credit.open"))
    return things.select("credit.open", person="subject")


def orders(events: Frame) -> Frame:
    """Orders settled on time, and late ones: one row per `person` with any order."""
    kind = nw.col("kind")
    single = (
        events.filter(kind.is_in(["order.settled", "order.overdue"]))
        .group_by("contributor", "subject", "order")
        .agg(counted((kind == "order.overdue") | late()).max().alias("late"))
    )
    by_person = single.group_by("subject").agg(
        nw.col("late").sum().alias("credit.orders_late"), (1 - nw.col("late")).sum().alias("credit.orders_kept")
    )
    return by_person.select("credit.orders_late", "credit.orders_kept", person="subject")


def delays(events: Frame, as_of: datetime) -> Frame:
    """The longest delay: one row per `person` with a miss or an order's delay.

    A miss lasts until it ended, or until `as_of`; one that ended before it was reported lasted no time.
    """
    missed = events.filter(nw.col("kind") == "obligation.missed")
    until = nw.max_horizontal(nw.col("happened_at"), nw.coalesce(nw.col("ended_at"), nw.lit(as_of)))
    obligations = missed.select(days_between(nw.col("happened_at"), until).alias("days"), person="subject")
    orders_late = events.filter(~nw.col("days_late").is_null()).select(
        nw.col("days_late").cast(nw.Int64()).alias("days"), person="subject"
    )
    longest = nw.concat([obligations, orders_late]).group_by("person").agg(nw.col("days").max())
    return longest.select("person", nw.col("days").alias("credit.longest_delay_days"))
