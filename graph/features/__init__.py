"""The features of people: what the rules read. One row a person, one column a feature, as the catalogue has them."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import narwhals as nw
import polars as pl

from graph.catalog import FEATURES, Feature
from graph.events import KINDS
from graph.features import behaviour, capacity, credit, payments, relationships
from graph.features.exact import Frame, integer
from graph.features.identity import identity
from graph.view import seen

LOCAL: Final = tuple(f for f in FEATURES if f.scope == "local")
MONEY: Final = {"behaviour.payment_total": ("spent", "spent in"), "capacity.income_total": ("earned", "earned in")}
DERIVED: Final = {
    "behaviour.payment_total": nw.col("spent"),
    "capacity.income_total": nw.col("earned"),
    "capacity.income_cover": capacity.cover(),
    "capacity.balance_months": capacity.months_held(),
}
EVERYBODY: Final = tuple(k.name for k in KINDS if k.data_class in (None, "identity", "relationship"))


def features(
    events: pl.DataFrame, as_of: datetime, known_at: datetime, purpose: str, people: Collection[str] | None = None
) -> pl.DataFrame:
    """The features of `people` (None: of everyone) at `as_of`, as known at `known_at`, for `purpose`.

    `events` has the columns of `SCHEMA`, in append order. See `compute` for what is returned. With `people`, only the
    events that touch them are looked at, and whatever the whole social layer needs.
    """
    touching = events if people is None else _touching(events, people)
    view, consents = seen(touching, as_of, known_at, purpose)
    return compute(view, as_of, consents, people)


def compute(
    view: pl.DataFrame, as_of: datetime, consents: pl.DataFrame, people: Collection[str] | None = None
) -> pl.DataFrame:
    """One row per person who is enrolled in the view (or of those asked for), sorted by `person`.

    `consents` has `person`, `data_class`. Columns: `person`, then every feature in the catalogue's order: Int64 (decimals
    scaled by their digits), Boolean or String, null when missing. `view` must hold all ties and enrolments.
    """
    events, agreed = nw.from_native(view.lazy()), nw.from_native(consents.lazy())
    found: pl.DataFrame = local(events, agreed, as_of, people).to_native().collect()
    levels = _levels(view)
    placed = relationships.position(view, levels, found["person"].to_list())
    willing = consents.filter(pl.col("data_class") == "relationship").select("person")
    everything = found.join(placed.join(willing, on="person", how="semi"), on="person", how="left")
    bounded = (pl.col(f.name).clip(f.low, f.high) if f.scope == "global" else pl.col(f.name) for f in FEATURES)
    return everything.select("person", *bounded).sort("person")


def local(events: Frame, consents: Frame, as_of: datetime, people: Collection[str] | None = None) -> Frame:
    """The local features as one lazy Narwhals frame, for any column engine; rows in no order.

    `events` is a view, `consents` has `person` and `data_class`.
    """
    enrolled = identity(events, as_of)
    own, asked = events, enrolled
    if people is not None:
        wanted = sorted(people)
        own = events.filter(nw.col("subject").is_in(wanted) | nw.col("other").is_in(wanted))
        asked = enrolled.filter(nw.col("person").is_in(wanted))
    out, back = payments.paid(own, as_of), payments.received(own, as_of)
    parts = (
        behaviour.spending(out, as_of),
        *behaviour.counterparties(out, back, enrolled),
        capacity.income(back, as_of),
        capacity.takings(back),
        capacity.steadiness(out, as_of),
        capacity.balances(own, as_of),
        credit.promises(own, as_of),
        credit.still_open(own),
        credit.orders(own),
        credit.delays(own, as_of),
        relationships.ties(own),
        *_agreed(consents),
    )
    for part in parts:
        asked = asked.join(part, on="person", how="left")
    return asked.with_columns(**DERIVED).select("person", *(_finished(f) for f in LOCAL))


def _agreed(consents: Frame) -> list[Frame]:
    """For each class with a feature that may be 0, a column of zeros for those who consent."""
    classes = sorted({f.data_class for f in LOCAL if f.zero})
    return [
        consents.filter(nw.col("data_class") == c).select("person", integer(0).alias(f"none of {c}")) for c in classes
    ]


def _finished(feature: Feature) -> nw.Expr:
    """Of the declared type and within the bounds; 0 where there is consent, and nothing.

    Where there is no consent there is nothing in the view either, so the value is missing.
    """
    value = nw.col(feature.name).cast(nw.Int64())
    if feature.zero:
        value = nw.coalesce(value, nw.col(f"none of {feature.data_class}"))
    if feature.name in MONEY:
        amount, currency = MONEY[feature.name]
        value = nw.when(nw.col(amount).is_null() | ~nw.col(currency).is_null()).then(value)
    return value.clip(feature.low, feature.high).alias(feature.name)


def _touching(events: pl.DataFrame, people: Collection[str]) -> pl.DataFrame:
    """A corrected event is kept whoever it is about: the correction may make it theirs."""
    wanted = sorted(people)
    fixed = events.filter(pl.col("kind") == "event.corrected")["ref_event"].unique()
    keep = [pl.col("kind").is_in(EVERYBODY), pl.col("subject").is_in(wanted), pl.col("other").is_in(wanted)]
    if fixed.len():
        keep.append(pl.col("event_id").is_in(fixed.implode()))
    return events.filter(pl.any_horizontal(e.fill_null(False) for e in keep))


def _levels(view: pl.DataFrame) -> dict[str, int]:
    enrolled = view.filter(pl.col("kind") == "person.enrolled", pl.col("for_subject"))
    return dict(enrolled.group_by("subject").agg(pl.col("identity_level").max()).iter_rows())
