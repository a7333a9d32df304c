"""Compute the features of people: one row a person, one column a feature.

The features of the catalogue come first, in its order: they are computed in Python. Those that the rules declare follow.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal, TypeVar

import narwhals as nw
import polars as pl

from graph.catalog import FEATURES, Feature
from graph.evidence.codes import ID_COLUMNS, TEXT_COLUMNS, Coding, code_table, encode_events
from graph.evidence.invalidation import event_ends, with_linked_ids
from graph.evidence.links import rows_by_id
from graph.evidence.visibility import linked_people, visible_from_parts, visible_with_consents
from graph.evidence.vocabulary import LINK_KIND, STANDARD, EventVocabulary
from graph.features import payments
from graph.features.declared.columns import declared_features
from graph.features.declared.definition import FeatureDefinition, MeasuredField
from graph.features.declared.net_values import net_column
from graph.features.definitions import (
    flow,
    obligations,
    payment_patterns,
    position,
    reciprocity,
    relationships,
    rings,
    structural_diversity,
    vouches,
)
from graph.features.definitions.rings import PAYMENT_KIND
from graph.features.integer_math import Frame, integer
from graph.network.build import social_layer, tie_rating_rows, ties_in_force

Key = TypeVar("Key")
StageCallback = Callable[[str], None]
Events = pl.DataFrame | pl.LazyFrame | Sequence[pl.LazyFrame]  # several: in append order, one after the other


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
GLOBAL_NAMES: Final = (*position.NAMES, *vouches.NAMES, *rings.NAMES)  # need the evidence of everyone
LOCAL_NAMES: Final = tuple(f.name for f in LOCAL_FEATURES)
ZERO_DEFAULTS: Final = _group_names(lambda f: f.data_class, (f for f in LOCAL_FEATURES if f.zero))
BOUNDS: Final = _group_names(lambda f: (f.low, f.high), LOCAL_FEATURES)
GLOBAL_CLASSES: Final = (None, "identity", "relationship")  # of evidence that features of a whole layer need


def features(
    events: Events,
    as_of: datetime,
    known_at: datetime,
    purpose: str,
    people: Collection[str] | None = None,
    feature_names: Collection[str] | None = None,
    on_stage: StageCallback = ignore_stage,
    zone: tzinfo = UTC,
    vocabulary: EventVocabulary = STANDARD,
    definitions: Sequence[FeatureDefinition] = (),
) -> pl.DataFrame:
    """Compute the features of `people` (None: of everyone) at `as_of`, as known at `known_at`, for `purpose`.

    `events` has the columns of `SCHEMA`, in append order. For the result see `compute`; with `feature_names`, it has
    only those features. With `people`, we read only the events that involve them, and the events that features of a
    whole layer need: leave out `fraud.rings` and we need not read everyone's payments. Linked ids are one person: of everyone,
    with one row under the id that stands for them; of `people`, with a row for each id that you name. `definitions` are the
    features that the rules declare; one with the name of a feature of the catalogue replaces it. We call `on_stage` with the
    name of each stage after it.
    """
    names = None if feature_names is None else frozenset(feature_names)
    declared = definitions if names is None else needed_definitions(definitions, names)
    texts = {name for d in declared for c in d.conditions for name in c.reads} & set(ID_COLUMNS)
    if people is not None or texts - set(TEXT_COLUMNS):
        frame = pl.concat(_sources(events), how="diagonal").collect()
        needs_all = people is None or not all(d.is_local for d in declared)
        relevant = frame if needs_all or people is None else relevant_events(frame, people, feature_names, vocabulary)
        view, consents = visible_with_consents(relevant, as_of, known_at, purpose, zone, vocabulary)
        linked = linked_people(relevant, as_of, known_at, purpose, vocabulary)
        persons = None if people is None else {linked.get(p, p) for p in people}
        ratings = tie_rating_rows(view)
        table = compute(view, as_of, consents, persons, feature_names, on_stage, zone, vocabulary, ratings)
        table = with_declared(table, view, consents, declared, as_of, persons, zone, names, ratings)
        return table if people is None else rows_by_id(table, people, linked)
    reads = {name for d in declared for name in d.reads}
    view, consents, coding = _encoded_view(
        _sources(events), as_of, known_at, purpose, zone, on_stage, vocabulary, reads, texts
    )
    ratings = tie_rating_rows(view)
    on_stage("ties in force")
    coded = compute(view, as_of, consents, None, feature_names, on_stage, zone, vocabulary, ratings)
    table = with_declared(coded, view, consents, declared, as_of, None, zone, names, ratings)
    on_stage("declared features")
    decoded = table.join(code_table(coding), left_on="person", right_on="code").with_columns(
        pl.col("id").alias("person")
    )
    ordered = decoded.select(table.columns).sort("person")
    on_stage("names for codes")
    return ordered


def needed_definitions(
    definitions: Sequence[FeatureDefinition], names: Collection[str]
) -> tuple[FeatureDefinition, ...]:
    """Select the definitions of these features, and those that they use, in the same order."""
    by_name = {d.name: d for d in definitions}
    selection, queue = set[str](), [name for name in names if name in by_name]
    while queue:
        name = queue.pop()
        if name not in selection:
            selection.add(name)
            queue += [used for used in by_name[name].uses if used in by_name]
    return tuple(d for d in definitions if d.name in selection)


def with_declared(
    table: pl.DataFrame,
    view: pl.DataFrame,
    consents: pl.DataFrame,
    definitions: Sequence[FeatureDefinition],
    as_of: datetime,
    people: Collection[str] | None,
    zone: tzinfo,
    names: Collection[str] | None = None,
    tie_ratings: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Replace or add the features of `definitions`, of those in `names` (None: all).

    Pass `tie_ratings` (the `tie_rating_rows` of the view) if you have them already.
    """
    if not definitions:
        return table
    ties = None if tie_ratings is None else tie_ratings.filter(pl.col("strength") > 0)
    values = declared_features(view, consents, definitions, as_of, people, ties, zone)
    wanted_columns = [c for c in values.columns[1:] if names is None or c in names]
    columns = [*table.columns, *(c for c in wanted_columns if c not in table.columns)]
    rest = table.drop(c for c in wanted_columns if c in table.columns)
    return rest.join(values.select("person", *wanted_columns), on="person", how="left").select(columns)


def _sources(events: Events) -> Sequence[pl.LazyFrame]:
    return [events.lazy()] if isinstance(events, pl.DataFrame | pl.LazyFrame) else events


def _encoded_view(
    events: Sequence[pl.LazyFrame],
    as_of: datetime,
    known_at: datetime,
    purpose: str,
    zone: tzinfo,
    on_stage: StageCallback,
    vocabulary: EventVocabulary,
    keep: Collection[str],
    texts: Collection[str],
) -> tuple[pl.DataFrame, pl.DataFrame, Coding]:
    """Compute view and consents with codes for ids; we release the events they were computed from."""
    encoded = encode_events(events, vocabulary, keep, texts)
    on_stage("evidence read, with codes for ids")
    view, consents = visible_from_parts(
        encoded.evidence, encoded.statements, as_of, known_at, purpose, encoded.coding, zone, vocabulary
    )
    on_stage("the view: who may be seen")
    return view, consents, encoded.coding


def compute(
    view: pl.DataFrame,
    as_of: datetime,
    consents: pl.DataFrame,
    people: Collection[str] | None = None,
    feature_names: Collection[str] | None = None,
    on_stage: StageCallback = ignore_stage,
    zone: tzinfo = UTC,
    vocabulary: EventVocabulary = STANDARD,
    tie_ratings: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return one row for each person enrolled in the view (or in `people`), sorted by `person`.

    `consents` has `person` and `data_class`. Columns: `person`, then every feature of the catalogue (of those in
    `feature_names`) in its order: Int64 (decimals scaled by their digits), Boolean or String, null when missing. `view` must
    hold all ties and enrolments, and all payments if you need rings. For `tie_ratings` see `with_declared`.
    """
    selection = tuple(f for f in FEATURES if feature_names is None or f.name in feature_names)
    tie_ratings = tie_rating_rows(view) if tie_ratings is None else tie_ratings
    near = compute_local(view, as_of, consents, people, tie_ratings, on_stage, zone, vocabulary)
    globally = [f.name for f in selection if f.scope == "global"]
    far = compute_global(view, as_of, consents, near["person"], tie_ratings, globally, on_stage, zone)
    return near.join(far, on="person", how="left").select("person", *(f.name for f in selection)).sort("person")


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
    net_view = _with_net_payments(view, vocabulary)
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
        _filter_consenting(_fill_zeros(structure, table, structural_diversity.NAMES), consents), on="person", how="left"
    )


def _with_net_payments(view: pl.DataFrame, vocabulary: EventVocabulary) -> pl.DataFrame:
    """Take refunds off the amounts of payments, for the flow of money."""
    reversals = tuple(k.name for k in vocabulary.kinds if k.reverses == PAYMENT_KIND)
    if view.filter(pl.col("kind").is_in(reversals)).is_empty():
        return view
    amount = MeasuredField("amount", currency="currency", less=reversals)
    net = net_column(nw.from_native(view.lazy()), (PAYMENT_KIND,), amount)
    net_view: pl.DataFrame = net.with_columns(amount=nw.col(amount.column)).to_native().collect()
    return net_view.select(view.columns)


def compute_global(
    view: pl.DataFrame,
    as_of: datetime,
    consents: pl.DataFrame,
    people: pl.Series,
    tie_ratings: pl.DataFrame,
    feature_names: Collection[str],
    on_stage: StageCallback = ignore_stage,
    zone: tzinfo = UTC,
) -> pl.DataFrame:
    """Compute the global features of `people`: `person` and at least those features of scope global that are in
    `feature_names`.
    """
    table = people.to_frame()
    if any(name in feature_names for name in (*position.NAMES, *vouches.NAMES)):
        table = table.join(
            _filter_consenting(_social_features(view, people, tie_ratings, on_stage), consents), on="person", how="left"
        )
    if any(name in feature_names for name in rings.NAMES):
        table = table.join(
            _filter_consenting(rings.ring_counts(view, as_of, people, zone), consents), on="person", how="left"
        )
        on_stage("global features: rings of payments")
    return table.with_columns(pl.col(f.name).clip(f.low, f.high) for f in FEATURES if f.name in table.columns)


def _social_features(
    view: pl.DataFrame, people: pl.Series, tie_ratings: pl.DataFrame, on_stage: StageCallback
) -> pl.DataFrame:
    """Compute the features of the whole social layer, and of the vouches, for `people`."""
    vouch_rows = vouches.select_vouches(tie_ratings)
    has_votes = people.is_in(pl.concat([vouch_rows["a"], vouch_rows["b"]]).implode()).any()
    raters = vouch_rows["a"].unique() if has_votes else vouch_rows["a"].clear()
    social = social_layer(tie_ratings.filter(pl.col("strength") > 0))
    positions = position.position_features(social, _levels(view), pl.concat([people, raters]).unique())
    on_stage("global features: core, trust and walk over the social layer")
    ratings = vouches.vouch_features(
        vouch_rows if has_votes else vouch_rows.clear(), positions.select("person", vouches.WALK_FEATURE)
    )
    on_stage("global features: fairness and goodness of vouches")
    return positions.join(ratings, on="person", how="left")


def _fill_zeros(table: pl.DataFrame, people: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    """Return one row for each of `people`, with 0 instead of null."""
    rows = people.select("person").join(table, on="person", how="left")
    return rows.with_columns(pl.col(*names).fill_null(0))


def _filter_consenting(table: pl.DataFrame, consents: pl.DataFrame) -> pl.DataFrame:
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
) -> Frame:
    """Build the local features as one lazy Narwhals frame, for any column engine; rows in no order.

    `events` is a view; `consents` has `person` and `data_class`. Pass `ties` (those in force) if you have them already.
    """
    own, table = events, _enrolled(events)
    if people is not None:
        ids = sorted(people)
        own = events.filter(nw.col("subject").is_in(ids) | nw.col("other").is_in(ids))
        table = table.filter(nw.col("person").is_in(ids))
        consents = consents.filter(nw.col("person").is_in(ids))
    live = ties_in_force(own) if ties is None else ties
    for part in (*_local_parts(own, live, as_of, zone, vocabulary), _consent_zeros(consents)):
        table = table.join(part, on="person", how="left")
    return _finish(table)


def _enrolled(events: Frame) -> Frame:
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


def relevant_events(
    events: pl.DataFrame,
    people: Collection[str],
    feature_names: Collection[str] | None = None,
    vocabulary: EventVocabulary = STANDARD,
) -> pl.DataFrame:
    """Select the events that the features of `people` (those in `feature_names`) can depend on. Call it first if you
    often compute a few people of many.

    We keep every corrected event, because the correction may assign it to one of `people`.
    """
    ids = sorted(with_linked_ids(people, event_ends(events.filter(pl.col("kind") == LINK_KIND), events)))
    kinds = [k.name for k in vocabulary.kinds if k.data_class in GLOBAL_CLASSES]
    if feature_names is None or set(feature_names) & set(rings.NAMES):
        kinds.append(PAYMENT_KIND)
    corrected_ids = events.filter(pl.col("kind") == "event.corrected")["ref_event"].unique()
    keep = [pl.col("kind").is_in(kinds), pl.col("subject").is_in(ids), pl.col("other").is_in(ids)]
    if corrected_ids.len():
        keep.append(pl.col("event_id").is_in(corrected_ids.implode()))
    return events.filter(pl.any_horizontal(e.fill_null(False) for e in keep))


def _levels(view: pl.DataFrame) -> pl.DataFrame:
    """Return `person` and `identity_level`: the highest level proved."""
    enrolled = view.filter(pl.col("kind") == "person.enrolled", pl.col("for_subject"))
    return enrolled.group_by(person="subject").agg(pl.col("identity_level").max())
