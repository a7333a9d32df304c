"""The features of people: what the rules read. One row a person, one column a feature, as the catalogue has them."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Final, Literal, TypeVar

import narwhals as nw
import polars as pl

from graph.build import tie_rows, ties_in_force
from graph.catalog import FEATURES, Feature
from graph.codes import Coding, coded, names
from graph.events import KINDS
from graph.features import behaviour, capacity, credit, flow, fraud, patterns, payments, relationships
from graph.features.exact import Frame, integer
from graph.features.identity import identity
from graph.view import seen, seen_apart

Key = TypeVar("Key")


def _grouped(key: Callable[[Feature], Key], features: Iterable[Feature]) -> dict[Key, list[str]]:
    groups: dict[Key, list[str]] = {}
    for feature in features:
        groups.setdefault(key(feature), []).append(feature.name)
    return groups


LOCAL: Final = tuple(f for f in FEATURES if f.scope == "local")
NAMES: Final = tuple(f.name for f in LOCAL)
ZEROS: Final = _grouped(lambda f: f.data_class, (f for f in LOCAL if f.zero))
BOUNDS: Final = _grouped(lambda f: (f.low, f.high), LOCAL)
MONEY: Final = {"behaviour.payment_total": ("spent", "spent in"), "capacity.income_total": ("earned", "earned in")}
DERIVED: Final = {
    "behaviour.payment_total": nw.col("spent"),
    "capacity.income_total": nw.col("earned"),
    "capacity.income_cover": capacity.cover(),
    "capacity.inflow_share": flow.inflow_share(),
    "capacity.passed_on": flow.share_passed_on(),
    "capacity.balance_months": capacity.months_held(),
}
EVERYBODY: Final = tuple(k.name for k in KINDS if k.data_class in (None, "identity", "relationship"))


def features(
    events: pl.DataFrame | pl.LazyFrame,
    as_of: datetime,
    known_at: datetime,
    purpose: str,
    people: Collection[str] | None = None,
) -> pl.DataFrame:
    """The features of `people` (None: of everyone) at `as_of`, as known at `known_at`, for `purpose`.

    `events` has the columns of `SCHEMA`, in append order. See `compute` for what is returned. With `people`, only the
    events that touch them are looked at, and whatever the whole social layer needs.
    """
    if people is not None:
        view, consents = seen(touching(events.lazy().collect(), people), as_of, known_at, purpose)
        return compute(view, as_of, consents, people)
    view, consents, coding = _coded_view(events.lazy(), as_of, known_at, purpose)
    found = compute(view, as_of, consents)
    named = found.join(names(coding), left_on="person", right_on="code").with_columns(pl.col("id").alias("person"))
    return named.select(found.columns).sort("person")


def _coded_view(
    events: pl.LazyFrame, as_of: datetime, known_at: datetime, purpose: str
) -> tuple[pl.DataFrame, pl.DataFrame, Coding]:
    """The view and the consents with codes for ids; what they were made from is not held on to."""
    made = coded(events)
    return *seen_apart(made.evidence, made.about, as_of, known_at, purpose, made.coding), made.coding


def compute(
    view: pl.DataFrame, as_of: datetime, consents: pl.DataFrame, people: Collection[str] | None = None
) -> pl.DataFrame:
    """One row per person who is enrolled in the view (or of those asked for), sorted by `person`.

    `consents` has `person`, `data_class`. Columns: `person`, then every feature in the catalogue's order: Int64 (decimals
    scaled by their digits), Boolean or String, null when missing. `view` must hold all ties and enrolments.
    """
    ties = tie_rows(view)
    events, agreed, live = (nw.from_native(f.lazy()) for f in (view, consents, ties))
    # The engine for what fits in memory takes half the time of the streaming one where there are few rows.
    engine: Literal["auto", "in-memory"] = "auto" if people is None else "in-memory"
    found: pl.DataFrame = local(events, agreed, as_of, people, live).to_native().collect(engine=engine)
    placed = relationships.position(ties, _levels(view), found["person"].to_list())
    willing = consents.filter(pl.col("data_class") == "relationship").select("person")
    everything = found.join(placed.join(willing, on="person", how="semi"), on="person", how="left")
    bounded = (pl.col(f.name).clip(f.low, f.high) if f.scope == "global" else pl.col(f.name) for f in FEATURES)
    return everything.select("person", *bounded).sort("person")


def local(
    events: Frame,
    consents: Frame,
    as_of: datetime,
    people: Collection[str] | None = None,
    ties: Frame | None = None,
) -> Frame:
    """The local features as one lazy Narwhals frame, for any column engine; rows in no order.

    `events` is a view, `consents` has `person` and `data_class`; `ties` are those in force, where they are known already.
    """
    enrolled = identity(events, as_of)
    own, asked = events, enrolled
    if people is not None:
        wanted = sorted(people)
        own = events.filter(nw.col("subject").is_in(wanted) | nw.col("other").is_in(wanted))
        asked = enrolled.filter(nw.col("person").is_in(wanted))
        consents = consents.filter(nw.col("person").is_in(wanted))
    out, back, promised = payments.paid(own, as_of), payments.received(own, as_of), credit.promised(own)
    parts = (
        behaviour.spending(out, as_of),
        *behaviour.counterparties(out, back, enrolled),
        patterns.habits(out, as_of),
        patterns.rhythm(out, as_of),
        flow.passed_on(out, back, as_of),
        fraud.fan(back, as_of, "fraud.fan_in"),
        fraud.fan(out, as_of, "fraud.fan_out"),
        capacity.income(back, as_of),
        capacity.takings(back),
        capacity.steadiness(out, as_of),
        capacity.balances(own, as_of),
        credit.promises(promised, as_of),
        credit.still_open(promised),
        credit.orders(promised),
        credit.delays(promised, as_of),
        relationships.ties(ties_in_force(own) if ties is None else ties),
        _agreed(consents),
    )
    for part in parts:
        asked = asked.join(part, on="person", how="left")
    return _finished(asked.with_columns(**DERIVED))


def _agreed(consents: Frame) -> Frame:
    """One row per `person` who consents to anything; `none of CLASS`: 0 where that class is consented to."""
    agrees = {c: nw.when(nw.col("data_class") == c).then(integer(0)) for c in ZEROS}
    return consents.group_by("person").agg(zero.max().alias(f"none of {c}") for c, zero in agrees.items())


def _finished(found: Frame) -> Frame:
    """Of the declared types and within the bounds; 0 where there is consent, and nothing.

    Where there is no consent there is nothing in the view either, so the value is missing. Features that are treated
    alike go through one expression: for a person or two the time is in the number of expressions, not of rows.
    """
    whole = found.with_columns(nw.col(*NAMES).cast(nw.Int64()))
    filled = whole.with_columns(nw.col(*names).fill_null(0) + nw.col(f"none of {c}") for c, names in ZEROS.items())
    one_currency = (
        nw.when(nw.col(amount).is_null() | ~nw.col(currency).is_null()).then(nw.col(name)).alias(name)
        for name, (amount, currency) in MONEY.items()
    )
    bounded = (nw.col(*names).clip(low, high) for (low, high), names in BOUNDS.items())
    return filled.with_columns(*one_currency).with_columns(*bounded).select("person", *NAMES)


def touching(events: pl.DataFrame, people: Collection[str]) -> pl.DataFrame:
    """The events that the features of `people` can depend on; who asks for a few of many, often, begins with it.

    A corrected event is kept whoever it is about: the correction may make it theirs.
    """
    wanted = sorted(people)
    fixed = events.filter(pl.col("kind") == "event.corrected")["ref_event"].unique()
    keep = [pl.col("kind").is_in(EVERYBODY), pl.col("subject").is_in(wanted), pl.col("other").is_in(wanted)]
    if fixed.len():
        keep.append(pl.col("event_id").is_in(fixed.implode()))
    return events.filter(pl.any_horizontal(e.fill_null(False) for e in keep))


def _levels(view: pl.DataFrame) -> dict[str, int]:
    enrolled = view.filter(pl.col("kind") == "person.enrolled", pl.col("for_subject"))
    return dict(enrolled.group_by("subject").agg(pl.col("identity_level").max()).iter_rows())
