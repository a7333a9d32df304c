"""The measures that read each event together with others in time: gaps, busy periods, and shares of time."""

from typing import Final

import narwhals as nw

from graph.catalog import MAX_MONEY
from graph.features.declared.definition import OTHER, MeasuredField
from graph.features.declared.numbering import NumberedDefinition, with_currency_texts
from graph.features.declared.quotients import Quotient, with_quotients
from graph.features.declared.recipes import currency_of, identity_of, sums, total
from graph.features.declared.rows import DAY_MICROSECONDS, Moment
from graph.features.integer_math import Frame, indicator, integer

MAX_MONTHLY: Final = MAX_MONEY // 12  # we clip the sum of a month to this, so that no sum of months overflows


def longest_gap(rows: Frame, n: NumberedDefinition, moment: Moment) -> Frame:
    """Find the most whole days between two events that follow each other: missing with fewer than two events."""
    events = rows.filter(n.is_met(n.definition.where, moment)).select("person", "at")
    gap = nw.col("at") - nw.col("at").shift(1).over("person", order_by="at")
    longest = events.with_columns(gap=gap).group_by("person").agg(nw.col("gap").max())
    return longest.select("person", (nw.col("gap") // DAY_MICROSECONDS).alias(n.value))


def busiest(rows: Frame, n: NumberedDefinition, moment: Moment) -> Frame:
    """Find the most distinct values of a field within any period of the length `within`.

    A period runs from a moment up to, but without, the moment `within` later. So an event makes its value present for that
    long. Within one block of that length, we merge the presences of a value into one: from the first event until `within`
    after the last. We merge it with the presence of the block before, and with no other, because each presence ends within
    the next block. Then we sum arrivals and departures in order of time, departures first at one moment.
    """
    length = n.definition.within
    thing = identity_of(n.definition.value or MeasuredField(OTHER))
    moments = rows.filter(n.is_met(n.definition.where, moment), ~thing.is_null()).select("person", "at", thing=thing)
    blocks = (
        moments.with_columns(block=nw.col("at") // length)
        .group_by("person", "thing", "block")
        .agg(nw.col("at").min().alias("first"), nw.col("at").max().alias("last"))
    )
    before = blocks.select("person", "thing", block=nw.col("block") + 1, departure=nw.col("last") + length)
    spans = blocks.join(before, on=["person", "thing", "block"], how="left")
    arrivals = spans.select("person", moment=nw.max_horizontal("first", "departure") * 2 + 1, change=integer(1))
    departures = spans.select("person", moment=(nw.col("last") + length) * 2, change=integer(-1))
    present = nw.col("change").cum_sum().over("person", order_by="moment").cast(nw.Int64())
    changes = nw.concat([arrivals, departures]).with_columns(present.alias(n.value))
    return changes.group_by("person").agg(nw.col(n.value).max())


def time_share(rows: Frame, n: NumberedDefinition, moment: Moment) -> Frame:
    """Compute the share of the time since the first event in which the last event meets the condition.

    Of several events at one moment, one that meets it suffices.
    """
    states = rows.filter(n.is_met(n.definition.among, moment)).select(
        "person", "at", state=indicator(n.is_met(n.definition.where, moment))
    )
    by_moment = states.group_by("person", "at").agg(nw.col("state").max())
    until = nw.col("at").shift(-1).over("person", order_by="at")
    length = nw.coalesce(until, integer(moment.microseconds)) - nw.col("at")
    lengths = by_moment.with_columns(whole=length).with_columns(part=nw.col("whole") * nw.col("state"))
    by_person = lengths.group_by("person").agg(nw.col("part", "whole").sum())
    share = Quotient(
        nw.col("part"), nw.col("whole").cast(nw.Int64()), 10**n.definition.digits, n.definition.rounds_down
    )
    return with_quotients(by_person, {n.value: share}).select("person", n.value)


def monthly_steadiness(rows: Frame, n: NumberedDefinition, moment: Moment) -> Frame:
    """Divide the mean of the monthly sums by the highest: 1 if all months are equal.

    Sums below zero count as 0.
    """
    value, months = n.definition.value, n.definition.window.full_months or 1
    assert value is not None  # noqa: S101 - the checker has seen to it
    marks = rows.filter(n.is_met(n.definition.where, moment), ~nw.col(value.column).is_null())
    columns = {n.name(name): part for name, part in sums(n, nw.col(value.converted_column)).items()}
    aggregates = [nw.col(name).sum() for name in columns]
    if n.definition.has_currencies:
        columns["first_currency"] = columns["last_currency"] = currency_of(n)
        aggregates += [nw.col("first_currency").min(), nw.col("last_currency").max()]
    by_month = marks.with_columns(**columns).group_by("person", "month").agg(*aggregates)
    monthly = by_month.with_columns(sum=total(n, MAX_MONTHLY).clip(lower_bound=0))
    totals = [nw.col("sum").sum().alias("all"), nw.col("sum").max().alias("highest")]
    if n.definition.has_currencies:
        totals += [nw.col("first_currency").min().alias(n.first_currency)]
        totals += [nw.col("last_currency").max().alias(n.last_currency)]
    by_person = with_currency_texts(monthly.group_by("person").agg(*totals), [n])
    highest = nw.col("highest").cast(nw.Int64()) * months
    share = Quotient(nw.col("all"), highest, 10**n.definition.digits, n.definition.rounds_down)
    return with_quotients(by_person, {n.value: share}).select("person", *n.columns)


SEQUENCES: Final = {
    "longest_gap": longest_gap,
    "busiest": busiest,
    "time_share": time_share,
    "monthly_steadiness": monthly_steadiness,
}
