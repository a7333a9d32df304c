"""The view on Spark: executors run `graph.evidence.visibility` itself, each on a partition of people.

So there is one definition of who may be seen, and no second one to keep in step. It needs, for a partition of people:

- the evidence whose subject is one of them;
- the consents of these people, and of the other parties of their ties and payments;
- the corrections, retractions, disputes and links. There are few: the driver reads them all, and each partition takes those
  that are about its own events. Links also need the consents of the ids that they link.

Linked ids are one person, so they share a partition.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from io import BytesIO
from typing import Any, Final

import narwhals as nw
import polars as pl
import pyarrow as pa

from graph.evidence.events import SCHEMA
from graph.evidence.obligations import STATUS_COLUMNS
from graph.evidence.visibility import SIDES, linked_people, visible_from_parts
from graph.evidence.vocabulary import LINK_KIND, READING_KINDS, EventVocabulary
from graph.features.declared.data_fields import with_data_fields
from graph.features.declared.definition import FeatureDefinition, Storage
from graph.spark.dialect import exact_frame
from graph.spark.partitions import (
    BUCKET,
    EVENT_TYPES,
    ORDER,
    conform_events,
    from_batches,
    in_buckets,
    small_frame,
    spark_schema,
    to_batches,
)

CONSENT_KINDS: Final = ("consent.granted", "consent.withdrawn")
RARE_KINDS: Final = tuple(k for k in READING_KINDS if k not in CONSENT_KINDS)  # the driver reads all of them
CONSENT_TYPES: Final = {"person": pl.String, "data_class": pl.String}
LINKED_SCHEMA: Final = {"id": pl.String, "person": pl.String}
STORAGE_TYPES: Final[dict[Storage, Any]] = {
    "integer": pl.Int64,
    "bool": pl.Boolean,
    "date": pl.Int64,
    "text": pl.String,
}
Fields = tuple[tuple[str, Storage], ...]
Frame = nw.LazyFrame[Any]


@dataclass(frozen=True)
class ViewQuestion:
    """Which events count: those of `as_of` as known at `known_at`, for a purpose, in a time zone, of a vocabulary.

    We send a question to executors, and a time zone cannot travel: `zone_of` makes it there from its name.
    """

    as_of: datetime
    known_at: datetime
    purpose: str
    zone_name: str
    zone_of: Callable[[str], tzinfo]
    vocabulary: EventVocabulary

    @property
    def zone(self) -> tzinfo:
        """The time zone in which days and months count."""
        return self.zone_of(self.zone_name)


@dataclass(frozen=True)
class SparkView:
    """The view and the consents in force, as lazy frames of Spark, and the id that stands for each linked id."""

    rows: Frame
    consents: Frame
    linked: dict[str, str]


def view_types(fields: Fields) -> dict[str, Any]:
    """The columns of the view: those of `SCHEMA` and of `visible`, and the declared `fields` beside them."""
    status = dict(zip(STATUS_COLUMNS, (SCHEMA["happened_at"], pl.Boolean), strict=True))
    extra = {name: STORAGE_TYPES[storage] for name, storage in fields if name not in SCHEMA}
    return {**SCHEMA, **dict.fromkeys(SIDES, pl.Boolean), **status, **extra}


def visible_on_spark(events: Any, question: ViewQuestion, fields: Fields, buckets: int) -> SparkView:
    """Compute the view of `events`, Spark's frame with columns of `SCHEMA` and `ORDER`, in so many partitions.

    A partition has to fit into an executor: we recommend 500,000 events. The driver has to hold all corrections, retractions,
    disputes and links.
    """
    at, recorded = nw.col("happened_at"), nw.col("recorded_at")
    events_so_far = conform_events(events).filter(at <= nw.lit(question.as_of), recorded <= nw.lit(question.known_at))
    rare = rare_statements(events_so_far)
    moments = question.as_of, question.known_at, question.purpose
    linked = linked_people(rare.select(*SCHEMA), *moments, question.vocabulary)
    routed = _routed_rows(events_so_far, question.vocabulary, linked, buckets)
    shared = _as_bytes(rare)
    view = _mapped(routed, partial(_view_batches, shared=shared, question=question, fields=fields), view_types(fields))
    own_consents = exact_frame(routed).filter(nw.col("kind").is_in(list(CONSENT_KINDS)), nw.col("_own")).to_native()
    consents = _mapped(own_consents, partial(_consent_batches, shared=shared, question=question), CONSENT_TYPES)
    return SparkView(view, consents, linked)


def _mapped(rows: Any, batches: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]], types: Any) -> Frame:
    return exact_frame(rows.mapInArrow(batches, spark_schema(types)))


def rare_statements(events_so_far: Frame) -> pl.DataFrame:
    """Collect the statements of `RARE_KINDS`, with the consents of the ids that links and corrections name; in order."""
    rare = collected(events_so_far.filter(nw.col("kind").is_in(list(RARE_KINDS))))
    ids = _named_ids(rare)
    if not ids.is_empty():
        consents = events_so_far.filter(nw.col("kind").is_in(list(CONSENT_KINDS)))
        rare = pl.concat([rare, collected(consents.join(small_frame(events_so_far, ids), on="subject", how="semi"))])
    return rare.sort(ORDER)


def collected(frame: Frame) -> pl.DataFrame:
    """The rows of a frame of Spark, on the driver."""
    rows: pl.DataFrame = frame.collect("polars").to_native()
    return rows


def _named_ids(rare: pl.DataFrame) -> pl.DataFrame:
    """The ids that a link joins, and the other parties that a correction puts in."""
    links = rare.filter(pl.col("kind") == LINK_KIND)
    ids = {*links["subject"], *links["other"]}
    for text in rare.filter(pl.col("kind") == "event.corrected")["fields"]:
        other = json.loads(text).get("other")
        ids |= {other} if isinstance(other, str) else set()
    return pl.DataFrame({"subject": sorted(i for i in ids if i is not None)}, schema={"subject": pl.String})


def _routed_rows(events_so_far: Frame, vocabulary: EventVocabulary, linked: dict[str, str], buckets: int) -> Any:
    """The evidence and consents of each bucket. `_own`: the row is of a person of the bucket, not of another party."""
    kind, columns = nw.col("kind"), list(EVENT_TYPES)
    own = events_so_far.filter(kind.is_in([*vocabulary.evidence_kinds, *CONSENT_KINDS]))
    with_key = own.with_columns(_key=nw.col("subject"))
    if linked:
        pairs = small_frame(events_so_far, pl.DataFrame(list(linked.items()), schema=LINKED_SCHEMA, orient="row"))
        joined = own.join(pairs, left_on="subject", right_on="id", how="left")
        with_key = joined.with_columns(_key=nw.coalesce(nw.col("person"), nw.col("subject")))
    placed = exact_frame(in_buckets(with_key, "_key", buckets)).select(*columns, BUCKET)
    mutual = [k.name for k in vocabulary.kinds if k.data_class and k.counts_for != "subject"]
    mutual_rows = placed.filter(kind.is_in(mutual), ~nw.col("other").is_null())
    needs = mutual_rows.select(BUCKET, subject="other").unique()
    consents = events_so_far.filter(kind.is_in(list(CONSENT_KINDS)))
    lent = consents.join(needs, on="subject", how="inner").select(*columns, BUCKET)
    both = nw.concat([placed.with_columns(_own=nw.lit(True)), lent.with_columns(_own=nw.lit(False))])
    return both.to_native().repartition(buckets, BUCKET)


def _as_bytes(frame: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def _view_batches(
    batches: Iterator[pa.RecordBatch], shared: bytes, question: ViewQuestion, fields: Fields
) -> Iterator[pa.RecordBatch]:
    """The view of a partition. Runs on executors."""
    rows = from_batches(batches)
    if rows is None:
        return
    evidence, statements = _parts(rows, pl.read_ipc(shared), question.vocabulary)
    view, _ = _visible(evidence, statements, question)
    read_fields = FeatureDefinition("", "count", fields=tuple(f for f in fields if f[0] not in SCHEMA))
    yield from to_batches(with_data_fields(view, [read_fields]), view_types(fields))


def _consent_batches(
    batches: Iterator[pa.RecordBatch], shared: bytes, question: ViewQuestion
) -> Iterator[pa.RecordBatch]:
    """The consents in force of the people of a partition. Runs on executors."""
    rows = from_batches(batches)
    if rows is None:
        return
    evidence, statements = _parts(rows, pl.read_ipc(shared), question.vocabulary)
    moments = question.as_of, question.known_at, question.purpose
    linked = linked_people(statements, *moments, question.vocabulary)
    people = rows["subject"].unique().replace(linked).unique()
    _, consents = _visible(evidence.clear(), statements, question)
    yield from to_batches(consents.filter(pl.col("person").is_in(people.implode())), CONSENT_TYPES)


def _visible(
    evidence: pl.DataFrame, statements: pl.DataFrame, question: ViewQuestion
) -> tuple[pl.DataFrame, pl.DataFrame]:
    return visible_from_parts(
        evidence,
        statements,
        question.as_of,
        question.known_at,
        question.purpose,
        zone=question.zone,
        vocabulary=question.vocabulary,
    )


def _parts(rows: pl.DataFrame, rare: pl.DataFrame, vocabulary: EventVocabulary) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The evidence of a partition, and the statements that concern it, each in the order of appending.

    Links concern every partition; so do the consents of the ids that they link. A retraction can also take back a statement.
    """
    columns = list(EVENT_TYPES)
    evidence = rows.filter(pl.col("kind").is_in(vocabulary.evidence_kinds)).select(*SCHEMA)
    consents = pl.concat([frame.filter(pl.col("kind").is_in(CONSENT_KINDS)).select(columns) for frame in (rows, rare)])
    items = pl.concat([frame.select("contributor", "event_id") for frame in (evidence, consents)])
    about = pl.coalesce("ref_contributor", "contributor"), pl.col("ref_event")
    is_link = pl.col("kind") == LINK_KIND
    links, objections = rare.filter(is_link), rare.filter(~is_link, ~pl.col("kind").is_in(CONSENT_KINDS))
    subjects = pl.concat([items, links.select("contributor", "event_id")])
    direct = objections.join(subjects, left_on=about, right_on=["contributor", "event_id"], how="semi")
    statements = pl.concat([consents, links, direct.select(columns)])
    keys = statements.select("contributor", "event_id")
    takes_back = objections.filter(pl.col("kind") == "event.retracted")
    retractions = takes_back.join(keys, left_on=["contributor", "ref_event"], right_on=keys.columns, how="semi")
    all_statements = pl.concat([statements, retractions.select(columns)])
    return evidence, all_statements.unique(ORDER, keep="any").sort(ORDER).select(*SCHEMA)
