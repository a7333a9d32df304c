"""How they kept their promises: obligations elsewhere, and orders here."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.calendar import months_before
from graph.features.exact import Frame, counted, days_between
from graph.vocabulary import KINDS

THING: Final = ("contributor", "subject", "obligation")
PROMISES: Final = tuple(k.name for k in KINDS if k.data_class == "credit")
CLOSING: Final = ("obligation.settled", "obligation.written_off")


def promised(events: Frame) -> Frame:
    """The rows that the functions below take: each person's own obligations and orders."""
    return events.filter(nw.col("kind").is_in(list(PROMISES)), nw.col("for_subject"))


def promises(events: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Kept, missed, written off, and for how long known: one row per `person` with any credit evidence."""
    kind = nw.col("kind")
    recent = nw.col("happened_at") > months_before(as_of, 12, zone)
    by_person = events.group_by("subject").agg(
        counted(kind.is_in(["obligation.paid", "obligation.settled"])).sum().alias("credit.kept"),
        counted(kind == "obligation.missed").sum().alias("credit.missed"),
        counted((kind == "obligation.missed") & recent).sum().alias("credit.missed_12m"),
        counted(kind == "obligation.written_off").sum().alias("credit.written_off_5y"),
        nw.col("happened_at").min().alias("first"),
    )
    known = days_between(nw.col("first"), nw.lit(as_of)).alias("credit.history_days")
    return by_person.select(nw.all(), known, person="subject").drop("first", "subject")


def still_open(events: Frame) -> Frame:
    """Obligations opened and not closed: one row per `person` with any opened."""
    kind = nw.col("kind")
    things = (
        events.filter(~nw.col("obligation").is_null())
        .group_by(list(THING))
        .agg(
            counted(kind == "obligation.opened").max().alias("opened"),
            counted(kind.is_in(list(CLOSING))).max().alias("closed"),
        )
    )
    alive = things.filter(nw.col("opened") > nw.col("closed"))
    return alive.group_by("subject").agg(nw.len().alias("credit.open")).select("credit.open", person="subject")


def orders(events: Frame) -> Frame:
    """Orders settled on time, and late ones: one row per `person` with any order."""
    kind, late = nw.col("kind"), nw.col("days_late") > 0
    single = (
        events.filter(kind.is_in(["order.settled", "order.overdue"]))
        .group_by("contributor", "subject", "order")
        .agg(counted((kind == "order.overdue") | (late & ~nw.col("days_late").is_null())).max().alias("late"))
    )
    by_person = single.group_by("subject").agg(
        nw.col("late").sum().alias("credit.orders_late"), (1 - nw.col("late")).sum().alias("credit.orders_kept")
    )
    return by_person.select("credit.orders_late", "credit.orders_kept", person="subject")


def delays(events: Frame, as_of: datetime) -> Frame:
    """The longest delay: one row per `person` with a miss or an order's delay.

    A miss lasts until the next payment, settlement or writing-off of its obligation, or until `as_of`.
    """
    kind = nw.col("kind")
    missed = events.filter(kind == "obligation.missed").select(*THING, missed="happened_at").unique()
    ends = events.filter(kind.is_in(["obligation.paid", *CLOSING])).select(*THING, ended="happened_at")
    after = nw.when(nw.col("ended") >= nw.col("missed")).then(nw.col("ended")).alias("ended")
    spans = missed.join(ends, on=list(THING), how="left").select(*THING, "missed", after)
    first = spans.group_by([*THING, "missed"]).agg(nw.col("ended").min())
    lasted = days_between(nw.col("missed"), nw.coalesce("ended", nw.lit(as_of)))
    obligations = first.select(lasted.alias("days"), person="subject")
    late = events.filter(~nw.col("days_late").is_null()).select(
        nw.col("days_late").cast(nw.Int64()).alias("days"), person="subject"
    )
    longest = nw.concat([obligations, late]).group_by("person").agg(nw.col("days").max())
    return longest.select("person", nw.col("days").alias("credit.longest_delay_days"))
