"""The features of people: what the rules read. One row a person, one column a feature, as the catalogue has them."""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal, TypeVar

import narwhals as nw
import polars as pl

from graph.build import layer, ties_in_force, told_rows
from graph.catalog import FEATURES, Feature
from graph.codes import Coding, coded, names
from graph.features import (
    behaviour,
    capacity,
    circles,
    credit,
    flow,
    fraud,
    patterns,
    payments,
    position,
    relationships,
    rings,
    vouches,
)
from graph.features.exact import Frame, integer
from graph.features.identity import identity
from graph.view import PAYMENTS, seen, seen_apart
from graph.vocabulary import KINDS

Key = TypeVar("Key")
Told = Callable[[str], None]


def quiet(_stage: str) -> None:
    """Who wants to hear nothing."""


def _grouped(key: Callable[[Feature], Key], features: Iterable[Feature]) -> dict[Key, list[str]]:
    groups: dict[Key, list[str]] = {}
    for feature in features:
        groups.setdefault(key(feature), []).append(feature.name)
    return groups


LOCAL: Final = tuple(f for f in FEATURES if f.scope == "local" and f.name not in circles.NAMES)  # the expressions
WHOLE: Final = (*position.NAMES, *vouches.NAMES, *rings.NAMES)  # what needs everyone's evidence
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
    wanted: Collection[str] | None = None,
    on_stage: Told = quiet,
    zone: tzinfo = UTC,
) -> pl.DataFrame:
    """The features of `people` (None: of everyone) at `as_of`, as known at `known_at`, for `purpose`.

    `events` has the columns of `SCHEMA`, in append order. See `compute` for what is returned; with `wanted`, only features of
    those names. With `people`, only the events that touch them are looked at, and whatever a whole layer needs: who does not
    want `fraud.rings` is not asked for everyone's payments. `on_stage` is told the name of each stage when it is done.
    """
    if people is not None:
        view, consents = seen(touching(events.lazy().collect(), people, wanted), as_of, known_at, purpose, zone)
        return compute(view, as_of, consents, people, wanted, on_stage, zone)
    view, consents, coding = _coded_view(events.lazy(), as_of, known_at, purpose, zone, on_stage)
    found = compute(view, as_of, consents, wanted=wanted, on_stage=on_stage, zone=zone)
    named = found.join(names(coding), left_on="person", right_on="code").with_columns(pl.col("id").alias("person"))
    ordered = named.select(found.columns).sort("person")
    on_stage("names for codes")
    return ordered


def _coded_view(
    events: pl.LazyFrame, as_of: datetime, known_at: datetime, purpose: str, zone: tzinfo, on_stage: Told
) -> tuple[pl.DataFrame, pl.DataFrame, Coding]:
    """The view and the consents with codes for ids; what they were made from is not held on to."""
    made = coded(events)
    on_stage("evidence read, with codes for ids")
    view, consents = seen_apart(made.evidence, made.about, as_of, known_at, purpose, made.coding, zone)
    on_stage("the view: who may be seen")
    return view, consents, made.coding


def compute(
    view: pl.DataFrame,
    as_of: datetime,
    consents: pl.DataFrame,
    people: Collection[str] | None = None,
    wanted: Collection[str] | None = None,
    on_stage: Told = quiet,
    zone: tzinfo = UTC,
) -> pl.DataFrame:
    """One row per person who is enrolled in the view (or of those asked for), sorted by `person`.

    `consents` has `person`, `data_class`. Columns: `person`, then every feature (of those `wanted`) in the catalogue's order:
    Int64 (decimals scaled by their digits), Boolean or String, null when missing. `view` must hold all ties and enrolments,
    and all payments when rings are wanted.
    """
    asked = tuple(f for f in FEATURES if wanted is None or f.name in wanted)
    told = told_rows(view)
    on_stage("ties in force")
    near = nearby(view, as_of, consents, people, told, on_stage, zone)
    globally = [f.name for f in asked if f.scope == "global"]
    far = whole(view, as_of, consents, near["person"], told, globally, on_stage, zone)
    return near.join(far, on="person", how="left").select("person", *(f.name for f in asked)).sort("person")


def nearby(
    view: pl.DataFrame,
    as_of: datetime,
    consents: pl.DataFrame,
    people: Collection[str] | None = None,
    told: pl.DataFrame | None = None,
    on_stage: Told = quiet,
    zone: tzinfo = UTC,
) -> pl.DataFrame:
    """The local features: `person` and those of scope local, a row each who is enrolled in the view (or asked for).

    `view` need hold no more than the events of `people`, the ties among those tied with them, and the enrolments of whom they
    paid or were paid by. `told` is `told_rows` of it, where that is known already.
    """
    ties = (told_rows(view) if told is None else told).filter(pl.col("strength") > 0)
    events, agreed, live = (nw.from_native(f.lazy()) for f in (view, consents, ties))
    # The engine for what fits in memory takes half the time of the streaming one where there are few rows.
    engine: Literal["auto", "in-memory"] = "auto" if people is None else "in-memory"
    found: pl.DataFrame = local(events, agreed, as_of, people, live, zone).to_native().collect(engine=engine)
    on_stage("local features: sums and counts")
    ring = circles.circles(layer(ties) if people is None else circles.around(ties, found["person"]))
    on_stage("local features: circles, by their triangles")
    return found.join(_consented(_zeros(ring, found, circles.NAMES), consents), on="person", how="left")


def whole(
    view: pl.DataFrame,
    as_of: datetime,
    consents: pl.DataFrame,
    asked: pl.Series,
    told: pl.DataFrame,
    wanted: Collection[str],
    on_stage: Told = quiet,
    zone: tzinfo = UTC,
) -> pl.DataFrame:
    """The global features of those `asked` for: `person` and, of scope global, at least those `wanted`."""
    found = asked.to_frame()
    if any(name in wanted for name in (*position.NAMES, *vouches.NAMES)):
        found = found.join(_consented(_standing(view, asked, told, on_stage), consents), on="person", how="left")
    if any(name in wanted for name in rings.NAMES):
        found = found.join(_consented(rings.on_rings(view, as_of, asked, zone), consents), on="person", how="left")
        on_stage("global features: rings of payments")
    return found.with_columns(pl.col(f.name).clip(f.low, f.high) for f in FEATURES if f.name in found.columns)


def _standing(view: pl.DataFrame, asked: pl.Series, told: pl.DataFrame, on_stage: Told) -> pl.DataFrame:
    """What the whole social layer says of those asked for, and what is said of them."""
    said = vouches.said(told)
    speaks = asked.is_in(pl.concat([said["a"], said["b"]]).implode()).any()
    raters = said["a"].unique() if speaks else said["a"].clear()
    social = layer(told.filter(pl.col("strength") > 0))
    placed = position.position(social, _levels(view), pl.concat([asked, raters]).unique())
    on_stage("global features: core, trust and walk over the social layer")
    ratings = vouches.vouches(said if speaks else said.clear(), placed.select("person", vouches.WALK))
    on_stage("global features: fairness and goodness of vouches")
    return placed.join(ratings, on="person", how="left")


def _zeros(found: pl.DataFrame, asked: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    """A row each asked for, 0 where nothing was found."""
    rows = asked.select("person").join(found, on="person", how="left")
    return rows.with_columns(pl.col(*names).fill_null(0))


def _consented(found: pl.DataFrame, consents: pl.DataFrame) -> pl.DataFrame:
    """Only who consents to the class that the features found are of."""
    classes = {f.data_class for f in FEATURES if f.name in found.columns}
    willing = consents.filter(pl.col("data_class").is_in(classes)).select("person")
    return found.join(willing, on="person", how="semi")


def local(
    events: Frame,
    consents: Frame,
    as_of: datetime,
    people: Collection[str] | None = None,
    ties: Frame | None = None,
    zone: tzinfo = UTC,
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
    live = ties_in_force(own) if ties is None else ties
    out, back, promised = payments.paid(own, as_of, zone), payments.received(own, as_of, zone), credit.promised(own)
    parts = (
        behaviour.spending(out, as_of),
        *behaviour.counterparties(out, back, enrolled),
        patterns.habits(out, as_of, zone),
        patterns.rhythm(out, as_of, zone),
        flow.passed_on(out, back, as_of, zone),
        fraud.fan(back, as_of, zone, "fraud.fan_in"),
        fraud.fan(out, as_of, zone, "fraud.fan_out"),
        capacity.income(back, as_of, zone),
        capacity.takings(back),
        capacity.steadiness(out, as_of, zone),
        capacity.balances(own, as_of, zone),
        credit.promises(promised, as_of, zone),
        credit.still_open(promised),
        credit.orders(promised),
        credit.delays(promised, as_of),
        relationships.ties(live),
        relationships.kept(own, live, as_of, zone),
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


def touching(events: pl.DataFrame, people: Collection[str], wanted: Collection[str] | None = None) -> pl.DataFrame:
    """The events that the features of `people` (of those `wanted`) can depend on; who asks for a few of many, often, begins
    with it.

    A corrected event is kept whoever it is about: the correction may make it theirs.
    """
    those = sorted(people)
    everybody = EVERYBODY if wanted is not None and not set(wanted) & set(rings.NAMES) else (*EVERYBODY, *PAYMENTS)
    fixed = events.filter(pl.col("kind") == "event.corrected")["ref_event"].unique()
    keep = [pl.col("kind").is_in(everybody), pl.col("subject").is_in(those), pl.col("other").is_in(those)]
    if fixed.len():
        keep.append(pl.col("event_id").is_in(fixed.implode()))
    return events.filter(pl.any_horizontal(e.fill_null(False) for e in keep))


def _levels(view: pl.DataFrame) -> pl.DataFrame:
    """`person`, `identity_level`: the highest proved."""
    enrolled = view.filter(pl.col("kind") == "person.enrolled", pl.col("for_subject"))
    return enrolled.group_by(person="subject").agg(pl.col("identity_level").max())
