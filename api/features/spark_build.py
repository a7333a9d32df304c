"""Builds with Spark: everyone's features and scores, from evidence in Parquet or PostgreSQL to Parquet or PostgreSQL.

The server does not read the result: it is for more people than one database serves. We check the evidence as the ledger does, because
it has not passed through the ledger. We reject all of it if one row is not valid.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import narwhals as nw
import polars as pl
import pyarrow as pa

from api.features.builds import feature_names
from api.features.results import ResultFigures, refuse_flags
from api.features.spark_places import Sink, one_line, read_events, stages_at
from api.releases.catalogue import definitions_of, fingerprint, vocabulary_of
from engine.errors import Rejected
from engine.lang.engines import columnar
from engine.lang.model import timezones
from engine.lang.model.program import Program, Release
from graph.evidence.event_checks import problems
from graph.evidence.events import SCHEMA
from graph.evidence.vocabulary import EventVocabulary
from graph.features.integer_math import Frame
from graph.spark.dialect import exact_frame
from graph.spark.features import GraphPlace, features_on_spark
from graph.spark.numbering import Store
from graph.spark.partitions import conform_events, from_batches, spark_schema, to_batches
from graph.spark.view import ViewQuestion, collected, visible_on_spark

EVENTS_A_PARTITION: Final = 500_000  # some 500 MB of an executor's memory while it computes the view
PROBLEM_TYPES: Final = {"reason": pl.String, "rows": pl.Int64}


@dataclass(frozen=True)
class SparkQuestion:
    """What to build: the moment, the purpose, the rules, and where evidence, results and stages are. `partitions` None: by size."""

    as_of: datetime
    known_at: datetime
    purpose: str
    release: Release
    evidence: str
    out: str
    stages: str
    partitions: int | None = None
    graph: GraphPlace = "driver"


def build_with_spark(session: Any, question: SparkQuestion, on_stage: Callable[[str], None]) -> ResultFigures:
    """Compute and write features and scores. We call `on_stage` with the name of each stage before it.

    Writes `features` (`person` and each feature), `scores` (`person`, `score`, `band`) and `build` (one row: what was computed) at
    `out`, the last as the sign that all is there, and deletes the stages, also after a failure. Raises Rejected `bad_evidence` for rows that are not valid, `flags_unsupported`, or as
    `read_events` and `Sink.write` do.
    """
    release, as_of = question.release, question.as_of
    program = release.at(release.day(as_of))
    refuse_flags(program, "a build with Spark", "build with the default engine")
    default_parts = int(session.conf.get("spark.sql.shuffle.partitions"))
    on_stage("evidence")
    source = read_events(session, question.evidence, default_parts)
    with one_line(question.evidence, "bad_evidence"):
        count = int(source.count())
    if not count:
        hint = "name files with events: see docs/events.md"
        raise Rejected("there is no evidence to build from", where=question.evidence, hint=hint, code="no_evidence")
    parts = question.partitions or max(default_parts, count // EVENTS_A_PARTITION + 1)
    vocabulary = vocabulary_of(release)
    check_evidence(source, vocabulary, question)
    moments = as_of, question.known_at, question.purpose
    view_question = ViewQuestion(*moments, release.timezone, timezones.zone, vocabulary)
    with stages_at(session, question.stages) as stages:

        def store(name: str, native: Any) -> Any:
            on_stage(name)
            return stages.store(name, native)

        features, scores = _tables(source, view_question, program, parts, store, question.graph)
        figures = ResultFigures(count, _count(features), _count(scores.filter(~nw.col("score").is_null())), parts)
        on_stage("writing")
        sink = Sink(session, question.out)
        sink.write("features", features.to_native(), parts)
        sink.write("scores", scores.to_native(), parts)
        sink.write("build", session.createDataFrame([(build_line(question, program, figures),)], "build string"))
    return figures


def _tables(
    source: Any, question: ViewQuestion, program: Program, parts: int, store: Store, graph: GraphPlace
) -> tuple[Frame, Frame]:
    """Everyone's features and scores, stored."""
    definitions = definitions_of(program)
    fields = tuple(sorted({f for d in definitions for f in d.fields}))
    view = visible_on_spark(source, question, fields, parts)
    table = features_on_spark(view, question, definitions, feature_names(program), store, graph)
    features = exact_frame(store("features", table.to_native()))
    scores = score_columns(features, program, program.day(question.as_of))
    return features, exact_frame(store("scores", scores.to_native()))


def score_columns(features: Frame, program: Program, day: int) -> Frame:
    """`person`, `score` and `band`, by the rules of a day."""
    scored = columnar.score(program, features, day, reasons=False)
    return scored.select("person", nw.col("score").cast(nw.Int64()), "band")


def check_evidence(source: Any, vocabulary: EventVocabulary, question: SparkQuestion) -> None:
    """Raise Rejected `bad_evidence` for an id that a contributor used twice, and for rows that the ledger would refuse."""
    events = conform_events(source)
    with one_line(question.evidence, "bad_evidence"):
        ids = events.group_by("contributor", "event_id").agg(nw.len().alias("rows"))
        repeats = _count(ids.filter(nw.col("rows") > 1))
        reasons = partial(_reason_batches, now=question.known_at, vocabulary=vocabulary)
        counts = exact_frame(events.to_native().mapInArrow(reasons, spark_schema(PROBLEM_TYPES)))
        table = collected(counts.group_by("reason").agg(nw.col("rows").sum().cast(nw.Int64())))
    if repeats:
        message = f"{repeats:,} ids of events occur more than once"
        raise Rejected(message, where=question.evidence, hint="leave each event once", code="bad_evidence")
    if not table.is_empty():
        reason = table.sort("rows", "reason", descending=[True, False])["reason"][0]
        message = f"{table['rows'].sum():,} rows are not valid events, most of them because {reason}"
        raise Rejected(message, where=question.evidence, hint="`iftah load` lists each row", code="bad_evidence")


def _reason_batches(
    batches: Iterator[pa.RecordBatch], now: datetime, vocabulary: EventVocabulary
) -> Iterator[pa.RecordBatch]:
    """How many rows of a partition have which problems. Runs on executors."""
    for batch in batches:
        rows = from_batches([batch])
        if rows is not None:
            flaws = problems(rows.select(*SCHEMA), now, vocabulary)
            yield from to_batches(flaws.group_by("reason").agg(pl.len().cast(pl.Int64).alias("rows")), PROBLEM_TYPES)


def build_line(question: SparkQuestion, program: Program, figures: ResultFigures) -> str:
    """What was computed, as one JSON object."""
    content = {
        "as_of": question.as_of.isoformat(),
        "known_at": question.known_at.isoformat(),
        "purpose": question.purpose,
        "timezone": question.release.timezone,
        "release": program.release,
        "catalogue": fingerprint(program),
        "graph": question.graph,
        "events": figures.events,
        "people": figures.people,
        "scored": figures.scored,
        "partitions": figures.partitions,
    }
    return json.dumps(content, sort_keys=True)


def _count(frame: Frame) -> int:
    return int(collected(frame.select(nw.len().alias("n")))["n"][0])
