"""Compute the features of people: one row a person, one column a feature.

The features of the catalogue come first, in its order: they are computed in Python. Those that the rules declare follow.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, tzinfo

import polars as pl

from graph.catalog import FEATURES
from graph.evidence.codes import TEXT_COLUMNS, event_reader
from graph.evidence.invalidation import event_ends, with_linked_ids
from graph.evidence.links import rows_by_id
from graph.evidence.visibility import linked_people, visible_with_consents
from graph.evidence.vocabulary import LINK_KIND, STANDARD, EventVocabulary
from graph.features.declared.definition import FeatureDefinition
from graph.features.declared.tables import needed_definitions as needed_definitions
from graph.features.declared.tables import with_declared as with_declared
from graph.features.definitions import (
    rings,
)
from graph.features.definitions.rings import PAYMENT_KIND
from graph.features.everyone import EveryoneQuestion, features_of_everyone
from graph.features.global_features import GLOBAL_CLASSES, compute_global
from graph.features.local_features import LOCAL_NAMES as LOCAL_NAMES
from graph.features.local_features import StageCallback, ignore_stage
from graph.features.local_features import compute_local as compute_local
from graph.features.local_features import local_expressions as local_expressions
from graph.network.build import tie_rating_rows

Events = pl.DataFrame | pl.LazyFrame | Sequence[pl.LazyFrame]  # several: in append order, one after the other


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
    partitions: int | None = None,
) -> pl.DataFrame:
    """Compute the features of `people` (None: of everyone) at `as_of`, as known at `known_at`, for `purpose`.

    `events` has the columns of `SCHEMA`, in append order. For the result see `compute`; with `feature_names`, it has
    only those features. With `people`, we read only the events that involve them, and the events that features of a
    whole layer need: leave out `fraud.rings` and we need not read everyone's payments. Linked ids are one person: of everyone,
    with one row under the id that stands for them; of `people`, with a row for each id that you name. `definitions` are the
    features that the rules declare; one with the name of a feature of the catalogue replaces it. We call `on_stage` with the
    name of each stage after it. `partitions`: into how many we divide everyone (None: by the number of events), which changes nothing but memory.
    """
    names = None if feature_names is None else frozenset(feature_names)
    declared = definitions if names is None else needed_definitions(definitions, names)
    question = EveryoneQuestion(as_of, known_at, purpose, zone, vocabulary, declared, names)
    if people is not None or question.texts - set(TEXT_COLUMNS):
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
    reader = event_reader(_sources(events), vocabulary, question.reads, question.texts)
    return features_of_everyone(reader, question, on_stage, partitions)


def _sources(events: Events) -> Sequence[pl.LazyFrame]:
    return [events.lazy()] if isinstance(events, pl.DataFrame | pl.LazyFrame) else events


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
