"""Local features: those that a person's own events and ties decide, and the ties among the people tied to the person."""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal, TypeVar

import narwhals as nw
import polars as pl

from graph.catalog import FEATURES, Feature
from graph.evidence.vocabulary import STANDARD, EventVocabulary
from graph.features import payments
from graph.features.declared.definition import MeasuredField
from graph.features.declared.net_values import net_column
from graph.features.definitions import (
    flow,
    obligations,
    payment_patterns,
    reciprocity,
    relationships,
    structural_diversity,
)
from graph.features.definitions.rings import PAYMENT_KIND
from graph.features.integer_math import Frame, integer
from graph.network.build import social_layer, tie_rating_rows, ties_in_force

Key = TypeVar("Key")
StageCallback = Callable[[str], None]


def ignore_stage(_stage: str) -> None:
    """Ignore the names of stages."""


def _group_names(key: Callable[[Feature], Key], features: Iterable[Feature]) -> dict[Key, list[str]]:
    groups: dict[Key, list[str]] = {}
    for feature in features:
        groups.setdefault(key(feature), []).append(feature.name)
    return groups


LOCAL_FEATURES: Final = tuple(
    f for f in FEATURES if f.scope == "local" and f.name not in structural_diversity.NAMES
)  # computed by expressions
LOCAL_NAMES: Final = tuple(f.name for f in LOCAL_FEATURES)
ZERO_DEFAULTS: Final = _group_names(lambda f: f.data_class, (f for f in LOCAL_FEATURES if f.zero))
BOUNDS: Final = _group_names(lambda f: (f.low, f.high), LOCAL_FEATURES)


def compute_local(
    view: pl.DataFrame,
    as_of: datetime,
    consents: pl.DataFrame,
    people: Collection[str] | None = None,
    tie_ratings: pl.DataFrame | None = None,
    on_stage: StageCallback = ignore_stage,
    zone: tzinfo = UTC,
    vocabulary: EventVocabulary = STANDARD,
) -> pl.DataFrame:
    """Compute the local features: `person` and the features of scope local, one row for each person enrolled in the
    view (or in `people`).

    `view` needs only the events of `people`, the ties among people tied to them, and the enrolments of their payers and
    payees. Pass `tie_ratings` (the `tie_rating_rows` of the view) if you have them already.
    """
    ties = (tie_rating_rows(view) if tie_ratings is None else tie_ratings).filter(pl.col("strength") > 0)
    net_view = with_net_payments(view, vocabulary)
    events, consent_frame, live = (nw.from_native(f.lazy()) for f in (net_view, consents, ties))
    # With few rows, the in-memory engine takes half the time of the streaming one.
    engine: Literal["auto", "in-memory"] = "auto" if people is None else "in-memory"
    table: pl.DataFrame = (
        local_expressions(events, consent_frame, as_of, people, live, zone, vocabulary)
        .to_native()
        .collect(engine=engine)
    )
    on_stage("local features: sums and counts")
    structure = structural_diversity.neighbourhood_features(
        social_layer(ties) if people is None else structural_diversity.layer_around(ties, table["person"])
    )
    on_stage("local features: circles, by their triangles")
    return table.join(
        filter_consenting(fill_zeros(structure, table, structural_diversity.NAMES), consents), on="person", how="left"
    )


def with_net_payments(view: pl.DataFrame, vocabulary: EventVocabulary) -> pl.DataFrame:
    """Take refunds off the amounts of payments, for the flow of money."""
    reversals = tuple(k.name for k in vocabulary.kinds if k.reverses == PAYMENT_KIND)
    if view.filter(pl.col("kind").is_in(reversals)).is_empty():
        return view
    amount = MeasuredField("amount", currency="currency", less=reversals)
    net = net_column(nw.from_native(view.lazy()), (PAYMENT_KIND,), amount)
    net_view: pl.DataFrame = net.with_columns(amount=nw.col(amount.column)).to_native().collect()
    return net_view.select(view.columns)


def fill_zeros(table: pl.DataFrame, people: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    """Return one row for each of `people`, with 0 instead of null."""
    rows = people.select("person").join(table, on="person", how="left")
    return rows.with_columns(pl.col(*names).fill_null(0))


def filter_consenting(table: pl.DataFrame, consents: pl.DataFrame) -> pl.DataFrame:
    """Keep only people who consent to the data class of these features."""
    classes = {f.data_class for f in FEATURES if f.name in table.columns}
    consenting = consents.filter(pl.col("data_class").is_in(classes)).select("person")
    return table.join(consenting, on="person", how="semi")


def local_expressions(
    events: Frame,
    consents: Frame,
    as_of: datetime,
    people: Collection[str] | None = None,
    ties: Frame | None = None,
    zone: tzinfo = UTC,
    vocabulary: EventVocabulary = STANDARD,
    enrolled: Frame | None = None,
) -> Frame:
    """Build the local features as one lazy Narwhals frame, for any column engine; rows in no order.

    `events` is a view; `consents` has `person` and `data_class`. Pass `ties` (those in force) if you have them already.
    `enrolled` has the `person`s whose features we compute; None: everyone enrolled.
    """
    own, table = events, enrolled_people(events) if enrolled is None else enrolled
    if people is not None:
        ids = sorted(people)
        own = events.filter(nw.col("subject").is_in(ids) | nw.col("other").is_in(ids))
        table = table.filter(nw.col("person").is_in(ids))
        consents = consents.filter(nw.col("person").is_in(ids))
    live = ties_in_force(own) if ties is None else ties
    for part in (*_local_parts(own, live, as_of, zone, vocabulary), _consent_zeros(consents)):
        table = table.join(part, on="person", how="left")
    return _finish(table)


def enrolled_people(events: Frame) -> Frame:
    """Return each `person` enrolled in the view."""
    enrolled = events.filter(nw.col("kind") == "person.enrolled", nw.col("for_subject"))
    return enrolled.select(person="subject").unique()


def _local_parts(
    own: Frame, live: Frame, as_of: datetime, zone: tzinfo, vocabulary: EventVocabulary
) -> tuple[Frame, ...]:
    """Return the frames that together hold the local features, each with one row a `person`."""
    outgoing, incoming = payments.payments_made(own, as_of, zone), payments.payments_received(own, as_of, zone)
    credit_rows = obligations.credit_evidence(own, vocabulary)
    return (
        reciprocity.reciprocity(outgoing, incoming),
        payment_patterns.habits(outgoing, as_of, zone),
        payment_patterns.burstiness(outgoing, as_of, zone),
        flow.pass_through(outgoing, incoming, as_of, zone),
        obligations.open_obligations(credit_rows),
        obligations.delays(credit_rows, as_of),
        relationships.tie_retention(own, live, as_of, zone),
    )


def _consent_zeros(consents: Frame) -> Frame:
    """Return one row for each `person` with any consent; `none of CLASS` is 0 if the person consents to that class."""
    agrees = {c: nw.when(nw.col("data_class") == c).then(integer(0)) for c in ZERO_DEFAULTS}
    return consents.group_by("person").agg(zero.max().alias(f"none of {c}") for c, zero in agrees.items())


def _finish(table: Frame) -> Frame:
    """Cast to the declared types, clip to the bounds, and fill 0 where the person consents and has no evidence.

    Without consent the view has no evidence either, so the value is missing. We put features that need the same
    treatment into one expression: for a person or two, the time depends on the number of expressions, not of rows.
    """
    integers = table.with_columns(nw.col(*LOCAL_NAMES).cast(nw.Int64()))
    filled = integers.with_columns(
        nw.col(*names).fill_null(0) + nw.col(f"none of {c}") for c, names in ZERO_DEFAULTS.items()
    )
    bounded = (nw.col(*names).clip(low, high) for (low, high), names in BOUNDS.items())
    return filled.with_columns(*bounded).select("person", *LOCAL_NAMES)
