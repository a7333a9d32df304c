"""Compute the features of everyone in bounded memory: by partitions of people, over events with codes for ids.

Sums and counts of a person need that person's events alone, so we compute them for one partition of people after the other. A whole
graph needs everyone, but only ties, and payments between parties who both pay and are paid. So we compute in three steps:

1. `view_of_everyone` reads events batch by batch, and yields the rows that count, with few columns.
2. `whole_features` computes what whole graphs decide, from `Relations`.
3. `partition_features` computes the rest for one partition, and joins both.

Evidence is never whole in memory, and rows need not be: a caller may keep each partition's rows in a file.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw
import polars as pl

from graph.catalog import FEATURES
from graph.evidence.codes import EMPTY, ID_COLUMNS, EventReader, code_table
from graph.evidence.consent_filter import CONSENT_KINDS, SIDES
from graph.evidence.visibility import Reading, read_statements, visible_evidence
from graph.evidence.vocabulary import EventVocabulary
from graph.features.declared.definition import FeatureDefinition
from graph.features.declared.tables import with_declared
from graph.features.definitions import rings, structural_diversity
from graph.features.global_features import compute_global, ring_features
from graph.features.integer_math import Frame
from graph.features.local_features import (
    StageCallback,
    enrolled_people,
    fill_zeros,
    filter_consenting,
    ignore_stage,
    local_expressions,
    with_net_payments,
)
from graph.network.build import social_layer, tie_rating_rows

PARTITION_EVENTS: Final = 2_000_000  # some 1 GB while we compute the sums of a partition
LARGEST_INT32: Final = 2**31 - 1
TIE_KINDS: Final = ("tie.formed", "tie.ended")
ENROLMENT: Final = "person.enrolled"
_KEYS: Final = ("contributor", "event_id", "recorded_at")  # what reading needs, and few features


@dataclass(frozen=True)
class EveryoneQuestion:
    """What to compute for everyone: the moments, the purpose, the zone, and the features (`names` None: all)."""

    as_of: datetime
    known_at: datetime
    purpose: str
    zone: tzinfo
    vocabulary: EventVocabulary
    definitions: Sequence[FeatureDefinition] = ()
    names: frozenset[str] | None = None

    @property
    def catalogue_names(self) -> list[str]:
        """The features of the catalogue that we compute, in its order."""
        return [f.name for f in FEATURES if self.names is None or f.name in self.names]

    @property
    def reads(self) -> frozenset[str]:
        """The columns that the definitions read."""
        return frozenset(name for d in self.definitions for name in d.reads)

    @property
    def texts(self) -> frozenset[str]:
        """The columns of ids into which conditions of the definitions look: they stay texts."""
        return frozenset(name for d in self.definitions for c in d.conditions for name in c.reads) & set(ID_COLUMNS)


@dataclass(frozen=True)
class Partition:
    """One of `count` partitions of people: those whose code leaves the remainder `number`."""

    number: int
    count: int

    @property
    def is_all(self) -> bool:
        """Whether it is everyone."""
        return self.count == 1

    def has(self, column: str) -> pl.Expr:
        """Whether the party in a column belongs to it."""
        return pl.lit(True) if self.is_all else pl.col(column) % self.count == self.number

    def rows(self, view: pl.DataFrame, vocabulary: EventVocabulary) -> pl.DataFrame:
        """Select the rows of a view that count for its people, and what takes such events back."""
        if self.is_all:
            return view
        takes_back = pl.col("kind").is_in(vocabulary.reversals)
        sides = [(pl.col(flag) | takes_back) & self.has(party) for flag, party in zip(SIDES, PARTIES, strict=True)]
        return view.filter(pl.any_horizontal(side.fill_null(False) for side in sides))


PARTIES: Final = ("subject", "other")


def partitioned(view: pl.DataFrame, count: int, question: EveryoneQuestion) -> dict[int, pl.DataFrame]:
    """Divide rows of a view at once: the rows of each partition, by its number. A row can belong to two partitions."""
    if count == 1:
        return {0: view}
    takes_back = pl.col("kind").is_in(question.vocabulary.reversals)
    subject, other = (pl.col(party) % count for party in PARTIES)
    in_subject = pl.col(SIDES[0]) | takes_back
    in_other = (pl.col(SIDES[1]) | takes_back) & other.is_not_null() & ~(in_subject & (subject == other))
    both = [view.filter(in_subject).with_columns(_part=subject), view.filter(in_other).with_columns(_part=other)]
    parts = pl.concat(both).partition_by("_part", as_dict=True, include_key=False)
    return {number: parts.get((number,), view.clear()) for number in range(count)}


def partition_count(events: int, definitions: Sequence[FeatureDefinition]) -> int:
    """The number of partitions for so many events; one if a feature depends on the features of others."""
    return 1 + events // PARTITION_EVENTS if all(d.is_local for d in definitions) else 1


def read_consents(reader: EventReader, question: EveryoneQuestion) -> Reading:
    """Read the statements about evidence: consents in few columns, for there are many."""
    columns = ("contributor", "event_id", "kind", "subject", "happened_at", "recorded_at")
    consent_columns = (*columns, "purpose", "classes", "service", "until")
    few_values = pl.col("purpose", "classes", "service").cast(pl.Categorical)
    batches = [b.with_columns(few_values) for b in reader.batches(CONSENT_KINDS, consent_columns)]
    empty = reader.encoded(EMPTY, consent_columns).with_columns(few_values)
    return read_statements(
        reader.statements(but=CONSENT_KINDS),
        reader.columns,
        question.as_of,
        question.known_at,
        question.purpose,
        reader.coding,
        question.zone,
        question.vocabulary,
        pl.concat([empty, *batches]),
    )


def view_of_everyone(reader: EventReader, reading: Reading, question: EveryoneQuestion) -> Iterator[pl.DataFrame]:
    """Yield the rows of the view. Rows of one kind come in append order; frames differ in their columns.

    Events that can end (credit) come last, and together, because they decide about each other.
    """
    vocabulary = question.vocabulary
    endless = [k.name for k in vocabulary.kinds if k.counts_for == "each" and k.name not in vocabulary.ending_kinds]
    is_ending, is_endless = pl.col("kind").is_in(vocabulary.ending_kinds), pl.col("kind").is_in(endless)
    unread = set(_KEYS) - question.reads - ({"contributor", "event_id"} if reader.refers else set())
    fields = {f for k in vocabulary.kinds if k.name in endless for f in k.fields}
    columns = [c for c in reader.columns if c not in unread and (c in _OF_ALL or c in fields)]
    ending = [reader.encoded(EMPTY, reader.columns)]
    for batch in reader.evidence():
        ending.append(batch.filter(is_ending))
        view = visible_evidence(batch.filter(~is_ending), reading)
        yield from (view.filter(is_endless).select(*columns, *SIDES), view.filter(~is_endless))
    yield visible_evidence(pl.concat(ending), reading)


_OF_ALL: Final = (*_KEYS, "kind", *PARTIES, "happened_at", "data", "ref_event")


@dataclass(frozen=True)
class Relations:
    """The rows of a view that whole graphs need: ties and enrolments, and the payments in which rings are searched."""

    rows: list[pl.DataFrame]
    payments: list[pl.DataFrame]

    def add(self, view: pl.DataFrame, question: EveryoneQuestion) -> None:
        """Take what we need of some rows of the view."""
        if "strength" in view.columns:
            self.rows.append(view.filter(pl.col("kind").is_in([*TIE_KINDS, ENROLMENT])))
        if "amount" in view.columns:
            self.payments.append(rings.recent_payments(view, question.as_of, question.zone))


@dataclass(frozen=True)
class WholeFeatures:
    """What whole graphs decide: `table` has these features by `person`, for everyone enrolled; `live` has the ties in force."""

    table: pl.DataFrame
    live: pl.DataFrame
    enrolled: pl.DataFrame


def whole_features(
    rows: pl.DataFrame,
    payments: Callable[[], pl.DataFrame],
    consents: pl.DataFrame,
    question: EveryoneQuestion,
    on_stage: StageCallback = ignore_stage,
) -> WholeFeatures:
    """Compute the features of whole graphs, and of circles, from the rows and payments of `Relations`.

    We ask for the payments once the graphs of ties are gone: they are never in memory together.
    """
    ratings = tie_rating_rows(rows)
    on_stage("ties in force")
    live = ratings.filter(pl.col("strength") > 0)
    enrolments = rows.filter(pl.col("kind") == ENROLMENT)
    people = enrolments.filter("for_subject")["subject"].unique().sort().alias("person")
    table = _social_features(ratings, live, enrolments, people, consents, question, on_stage)
    if set(question.catalogue_names) & set(rings.NAMES):
        table = table.join(ring_features(payments(), people, consents), on="person", how="left")
        on_stage("rings of payments")
    return WholeFeatures(_narrow(table), live, enrolments)


def _social_features(
    ratings: pl.DataFrame,
    live: pl.DataFrame,
    enrolments: pl.DataFrame,
    people: pl.Series,
    consents: pl.DataFrame,
    question: EveryoneQuestion,
    on_stage: StageCallback,
) -> pl.DataFrame:
    """Compute what the graphs of ties decide; both kinds of features share one layer."""
    layer = social_layer(live)
    structure = fill_zeros(
        structural_diversity.neighbourhood_features(layer), people.to_frame(), structural_diversity.NAMES
    )
    table = _narrow(people.to_frame().join(filter_consenting(structure, consents), on="person", how="left"))
    on_stage("circles, by their triangles")
    names = [n for n in question.catalogue_names if n not in rings.NAMES]
    moment = (question.as_of, consents, people, ratings)
    far = compute_global(enrolments, *moment, names, on_stage, question.zone, layer)
    return table.join(_narrow(far), on="person", how="left")


def _narrow(table: pl.DataFrame) -> pl.DataFrame:
    """Hold features in 32 bits whose bounds allow it."""
    fits = [f.name for f in FEATURES if f.name in table.columns and -LARGEST_INT32 <= f.low <= f.high <= LARGEST_INT32]
    return table.with_columns(pl.col(*fits).cast(pl.Int32)) if fits else table


def partition_features(
    rows: pl.DataFrame,
    whole: WholeFeatures,
    consents: pl.DataFrame,
    partition: Partition,
    question: EveryoneQuestion,
    on_stage: StageCallback = ignore_stage,
) -> pl.DataFrame:
    """Return `person` (a code) and the features of the people of a partition. `rows` are those of `Partition.rows`."""
    parties = pl.concat([rows["subject"], rows["other"]]).unique().implode()
    enrolled = whole.enrolled.filter(partition.has("subject") | pl.col("subject").is_in(parties))
    view = pl.concat([rows.filter(pl.col("kind") != ENROLMENT), enrolled], how="diagonal")
    consents = consents.filter(partition.has("person"))
    live = whole.live.filter(partition.has("a") | partition.has("b"))
    of_slice = None if partition.is_all else nw.col("person") % partition.count == partition.number
    near = _sums_and_counts(view, live, consents, question, of_slice)
    on_stage("sums and counts")
    own = whole.table.filter(partition.has("person"))
    catalogue = near.join(own.cast({pl.Int32: pl.Int64}), on="person", how="left")
    complete = catalogue.select("person", *question.catalogue_names)
    moment = (question.as_of, None, question.zone, question.names)
    table = with_declared(complete, view, consents, question.definitions, *moment, live, of_slice)
    on_stage("declared features")
    return table


def _sums_and_counts(
    view: pl.DataFrame,
    live: pl.DataFrame,
    consents: pl.DataFrame,
    question: EveryoneQuestion,
    of_slice: nw.Expr | None,
) -> pl.DataFrame:
    net_view = with_net_payments(view, question.vocabulary)
    frames: list[Frame] = [nw.from_native(f.lazy()) for f in (net_view, consents, live)]
    events, consent_frame, ties = frames
    people = enrolled_people(events) if of_slice is None else enrolled_people(events).filter(of_slice)
    lazy = local_expressions(
        events, consent_frame, question.as_of, None, ties, question.zone, question.vocabulary, people
    )
    table: pl.DataFrame = lazy.to_native().collect()
    return table


def with_ids(table: pl.DataFrame, codes: pl.DataFrame) -> pl.DataFrame:
    """Put ids in place of the codes in `person`, and sort by them. `codes` is that of `code_table`."""
    ids = codes["id"].gather(table["person"])  # a code is a position
    return table.with_columns(person=ids).sort("person")


def features_of_everyone(
    reader: EventReader,
    question: EveryoneQuestion,
    on_stage: StageCallback = ignore_stage,
    partitions: int | None = None,
) -> pl.DataFrame:
    """Compute the features of everyone, in memory: rows in order of `person`, with its id."""
    reading = read_consents(reader, question)
    consents = reading.consents
    on_stage("consents, and what is said about evidence")
    relations, rows = Relations([], []), list[pl.DataFrame]()
    for view in view_of_everyone(reader, reading, question):
        relations.add(view, question)
        rows.append(view)
    del reading
    on_stage("the view: who may be seen, with codes for ids")
    count = (
        partition_count(sum(view.height for view in rows), question.definitions) if partitions is None else partitions
    )
    related = pl.concat(relations.rows, how="diagonal")
    whole = whole_features(related, lambda: pl.concat(relations.payments), consents, question, on_stage)
    del related
    relations.payments.clear()
    tables = []
    for partition in (Partition(number, count) for number in range(count)):
        own = pl.concat([partition.rows(view, question.vocabulary) for view in rows], how="diagonal")
        tables.append(partition_features(own, whole, consents, partition, question))
    on_stage(f"sums, counts and declared features, {count} partitions")
    table = with_ids(pl.concat(tables), code_table(reader.coding))
    on_stage("names for codes")
    return table
