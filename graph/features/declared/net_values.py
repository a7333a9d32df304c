"""Take refunds off the payments that they give back: the net value of an event that others take back.

A reversal names the event that it takes back in `ref_event`. It counts if it comes from the same contributor, names the same parties
and currency, and happened no earlier. Its value comes off the event, wherever the event counts and whenever the reversal
came. Several reversals add up; the rest is never below zero. A reversal of an event that the view lacks changes nothing.
"""

from collections.abc import Collection, Iterable
from typing import Final

import narwhals as nw
import polars as pl

from graph.features.declared.definition import FeatureDefinition, MeasuredField
from graph.features.integer_math import SUMS, Frame, integer, split, total

KEY: Final = ("contributor", "event_id")
PARTIES: Final = ("subject", "other")
Net = tuple[MeasuredField, frozenset[str]]  # the field, and the kinds of the events that have it


def net_values(view: pl.DataFrame, definitions: Iterable[FeatureDefinition]) -> pl.DataFrame:
    """Return the view with a column for each net value that the definitions read: see `with_net_values`."""
    values = _nets(definitions)
    reversals = {kind for value, _ in values for kind in value.less}
    if not values or view.filter(pl.col("kind").is_in(sorted(reversals))).is_empty():
        return view.with_columns(pl.col(value.name).cast(pl.Int64).alias(value.column) for value, _ in values)
    frame: pl.DataFrame = with_net_values(nw.from_native(view.lazy()), definitions).to_native().collect()
    return frame


def with_net_values(events: Frame, definitions: Iterable[FeatureDefinition]) -> Frame:
    """Add a column for each net value that the definitions read and that is no column yet."""
    names = events.collect_schema().names()
    for value, kinds in _nets(definitions):
        if value.column not in names:
            events = net_column(events, kinds, value)
    return events


def _nets(definitions: Iterable[FeatureDefinition]) -> list[Net]:
    """The net values, each with the kinds of events that have it. Equal values of several definitions are one."""
    kinds = dict[str, tuple[MeasuredField, set[str]]]()
    for definition in definitions:
        if definition.value is not None and definition.value.less:
            kinds.setdefault(definition.value.column, (definition.value, set()))[1].update(definition.kinds)
    return [(value, frozenset(names)) for value, names in kinds.values()]


def net_column(events: Frame, kinds: Collection[str], value: MeasuredField) -> Frame:
    """Add the net value of the events of `kinds`, as `value.column`. A value of zero or less stays as it is."""
    own = nw.col(value.name).cast(nw.Int64())
    columns = (*KEY, *PARTIES, "happened_at", *([value.currency] if value.currency else []))
    items = events.filter(nw.col("kind").is_in(sorted(kinds)), ~nw.col("event_id").is_null()).select(*columns)
    backs = events.filter(nw.col("kind").is_in(sorted(value.less)), own > 0).select(
        *split(own),
        contributor="contributor",
        event_id="ref_event",
        **{f"{name}_back": nw.col(name) for name in columns if name not in KEY},
    )
    same = [nw.col("happened_at_back") >= nw.col("happened_at"), *map(_is_same, PARTIES)]
    same += [_is_same(value.currency)] if value.currency else []
    pairs = backs.join(items, on=list(KEY), how="inner").filter(*same)
    sums = pairs.group_by(*KEY).agg(*SUMS).select(*KEY, total().alias("reversal"))
    joined = events.join(sums, on=list(KEY), how="left")
    rest = (own - nw.col("reversal")).clip(lower_bound=0)
    is_less = nw.col("kind").is_in(sorted(kinds)) & ~nw.col("reversal").is_null() & (own > integer(0))
    return joined.with_columns(nw.when(is_less).then(rest).otherwise(own).alias(value.column)).drop("reversal")


def _is_same(name: str) -> nw.Expr:
    """Whether the reversal and the event agree in a field that both may lack."""
    back, own = nw.col(f"{name}_back"), nw.col(name)
    return (back == own).fill_null(False) | (back.is_null() & own.is_null())
