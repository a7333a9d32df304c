"""Builds from files to files: everyone's features and scores, from evidence in Parquet to Parquet, on one machine.

For more people than one database serves. We check the evidence as the ledger does, because it has not passed through the ledger, and
reject all of it if one row is not valid. A build goes on from its last finished stage if it was stopped: see `api.features.stages`.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import narwhals as nw
import numpy as np
import polars as pl

from api.features.builds import feature_names
from api.features.results import ResultFigures, refuse_flags
from api.features.stages import Stages
from api.releases.catalogue import definitions_of, fingerprint, vocabulary_of
from engine.errors import Rejected
from engine.lang.engines import columnar
from engine.lang.model import timezones
from engine.lang.model.program import Program, Release
from graph.evidence.codes import TEXT_COLUMNS, code_table, event_reader
from graph.evidence.event_checks import problems
from graph.evidence.events import SCHEMA, conform
from graph.evidence.vocabulary import EventVocabulary
from graph.features.everyone import (
    EveryoneQuestion,
    Partition,
    Relations,
    WholeFeatures,
    partition_count,
    partition_features,
    partitioned,
    read_consents,
    view_of_everyone,
    whole_features,
    with_ids,
)

REQUIRED_COLUMNS: Final = ("contributor", "event_id", "kind", "subject", "happened_at")
FLUSH_ROWS: Final = 2_000_000  # of the view, before we write them to their partitions
CHECK_ROWS: Final = 500_000
WHOLE_STEPS: Final = 5  # names that `whole_features` calls
Progress = Callable[[str, int, int], None]  # what we do, and how many of how many steps are completed


@dataclass(frozen=True)
class FileQuestion:
    """What to build: the moment, the purpose, the rules, and the folders of evidence and results. `partitions` None: by size."""

    as_of: datetime
    known_at: datetime
    purpose: str
    release: Release
    evidence: Path
    out: Path
    partitions: int | None = None

    @property
    def program(self) -> Program:
        """The rules as of the moment."""
        return self.release.at(self.release.day(self.as_of))

    def of_everyone(self) -> EveryoneQuestion:
        """The question about features."""
        zone, vocabulary = timezones.zone(self.release.timezone), vocabulary_of(self.release)
        definitions = definitions_of(self.program)
        return EveryoneQuestion(self.as_of, self.known_at, self.purpose, zone, vocabulary, definitions)


def build_from_files(question: FileQuestion, on_progress: Progress) -> ResultFigures:
    """Compute and write features and scores, from the last finished stage of the same build if there is one.

    Writes `features` (`person` and each feature) and `scores` (`person`, `score`, `band`) in a folder `part=K` for each partition of
    people, and `build` (one row: what was computed), and deletes the stages at the end. Raises Rejected `bad_evidence` for files or
    rows that are not valid, or `flags_unsupported`.
    """
    refuse_flags(question.program, "a build from files", "load the evidence and build from the ledger")
    refuse_ids(question.of_everyone())
    evidence, out = question.evidence.resolve(), question.out.resolve()
    if evidence.is_relative_to(out) or out.is_relative_to(evidence):
        hint = "name another folder for the results: we delete those of an earlier build"
        raise Rejected(
            "the folders of evidence and results are one in the other", where="--out", hint=hint, code="bad_option"
        )
    files = evidence_files(question.evidence)
    sources = [event_source(path) for path in files]
    events = sum(int(s.select(pl.len()).collect().item()) for s in sources)
    count = question.partitions or partition_count(events, question.of_everyone().definitions)
    stages = Stages(question.out, _identity(question, files, count))
    question = replace(question, known_at=stages.begin(question.known_at))
    if not stages.is_done("checks"):
        with stages.stage("checks"):
            check_evidence(sources, events, question, on_progress)
    if not stages.is_done("view"):
        with stages.stage("view") as folder:
            _store_view(folder, sources, question, count, on_progress)
    if not stages.is_done("whole"):
        with stages.stage("whole") as folder:
            _store_whole(folder, stages.path("view"), question, on_progress)
    _store_partitions(stages, question, count, on_progress)
    people, scored = _count_rows(question.out)
    figures = ResultFigures(events, people, scored, count)
    stages.finish(build_line(question, figures))
    return figures


def refuse_ids(question: EveryoneQuestion) -> None:
    """Raise Rejected if a feature looks into ids that we replace by codes."""
    ids = sorted(question.texts - set(TEXT_COLUMNS))
    if ids:
        message = f"a feature compares `{ids[0]}` with a text, which a build from files cannot"
        hint = "load the evidence and build from the ledger"
        raise Rejected(message, where="features.yaml", hint=hint, code="ids_unsupported")


def evidence_files(place: Path) -> list[Path]:
    """The Parquet files of a folder by name, or the file itself. Raises Rejected `bad_evidence` if there is none."""
    files = sorted(place.rglob("*.parquet")) if place.is_dir() else [place] if place.is_file() else []
    if not files:
        hint = "name a folder of Parquet files, or one file: see docs/events.md"
        raise Rejected("no Parquet files here", where=str(place), hint=hint, code="bad_evidence")
    return files


def event_source(path: Path) -> pl.LazyFrame:
    """The events of a file, in its order. An event without `recorded_at` counts as known when it happened."""
    source = pl.scan_parquet(path)
    try:
        names = source.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        hint = "write it again, or leave it out"
        raise Rejected("not a Parquet file", where=str(path), hint=hint, code="bad_evidence") from error
    missing = [c for c in REQUIRED_COLUMNS if c not in names]
    if missing:
        message = f"the evidence has no column {', '.join(f'`{name}`' for name in missing)}"
        raise Rejected(message, where=str(path), hint="see docs/events.md", code="bad_evidence")
    happened_at = pl.col("happened_at").cast(SCHEMA["happened_at"])
    recorded_at = pl.col("recorded_at").cast(SCHEMA["recorded_at"]) if "recorded_at" in names else happened_at
    columns = [pl.col(c).cast(SCHEMA[c]) for c in names if c in SCHEMA and c != "recorded_at"]
    return source.select(*columns, pl.coalesce(recorded_at, happened_at).alias("recorded_at"))


def check_evidence(sources: list[pl.LazyFrame], events: int, question: FileQuestion, on_progress: Progress) -> None:
    """Raise Rejected `bad_evidence` for rows that the ledger would refuse, and for an id that a contributor used twice."""
    vocabulary, completed, hashes = vocabulary_of(question.release), 0, list[pl.Series]()
    for batch in _batches(sources, question):
        completed += batch.height
        _check_batch(conform(batch), question, vocabulary)
        hashes.append(batch.select(pl.struct("contributor", "event_id").hash(0)).to_series())
        on_progress("checking the evidence", completed, events)
    ids = np.concatenate([np.empty(0, np.uint64), *(h.to_numpy() for h in hashes)])
    hashes.clear()
    ids.sort()
    if (ids[1:] == ids[:-1]).any():
        hint = "`iftah load` lists the rows"
        message = "a contributor uses an id for two events"
        raise Rejected(message, where=str(question.evidence), hint=hint, code="bad_evidence")


def _batches(sources: list[pl.LazyFrame], question: FileQuestion) -> Iterator[pl.DataFrame]:
    for source in sources:
        height = source.select(pl.len()).collect().item()
        for start in range(0, height, CHECK_ROWS):
            try:
                yield source.slice(start, CHECK_ROWS).collect()
            except pl.exceptions.PolarsError as error:
                message, hint = "a column has values of another type", "see docs/events.md"
                raise Rejected(message, where=str(question.evidence), hint=hint, code="bad_evidence") from error


def _check_batch(rows: pl.DataFrame, question: FileQuestion, vocabulary: EventVocabulary) -> None:
    flaws = problems(rows, question.known_at, vocabulary)
    if flaws.height:
        message = f"{flaws.height:,} rows of {rows.height:,} are not valid, the first because {flaws['reason'][0]}"
        hint = "`iftah load` lists the rows"
        raise Rejected(message, where=str(question.evidence), hint=hint, code="bad_evidence")


def _store_view(
    folder: Path, sources: list[pl.LazyFrame], question: FileQuestion, count: int, on_progress: Progress
) -> None:
    """Write the view in partitions, what whole graphs need of it, the consents, and the ids of codes."""
    of_people = question.of_everyone()
    reader = event_reader(sources, of_people.vocabulary, of_people.reads, of_people.texts)
    reading = read_consents(reader, of_people)
    total = sum(int(s.select(pl.len()).collect().item()) for s in sources)
    pending, flushes, completed = list[pl.DataFrame](), 0, 0
    for view in view_of_everyone(reader, reading, of_people):
        pending.append(view)
        completed += view.height
        on_progress("reading the evidence: who may be seen", completed, total)
        if sum(rows.height for rows in pending) >= FLUSH_ROWS:
            _flush(folder, pending, of_people, count, flushes)
            pending, flushes = [], flushes + 1
    if pending:
        _flush(folder, pending, of_people, count, flushes)
    reading.consents.write_parquet(folder / "consents.parquet", compression="lz4")
    code_table(reader.coding).write_parquet(folder / "codes.parquet", compression="lz4")
    (folder / "linked.json").write_text(json.dumps(reading.names), encoding="utf-8")


def _flush(folder: Path, views: list[pl.DataFrame], question: EveryoneQuestion, count: int, number: int) -> None:
    """Write rows of the view to a file in the folder of each partition, and what whole graphs need of them."""
    relations = Relations([], [])
    for view in views:
        relations.add(view, question)
    by_place = dict[str, pl.DataFrame]()
    if relations.rows:
        by_place["relations"] = pl.concat(relations.rows, how="diagonal")
    if relations.payments:
        by_place["payments"] = pl.concat(relations.payments)
    for place, rows in by_place.items():
        _write_file(folder / place, f"{number:06}", rows)
    for columns in {tuple(view.columns) for view in views}:  # a frame for each kind: a payment has few columns
        rows = pl.concat([view for view in views if tuple(view.columns) == columns])
        for part, own in partitioned(rows, count, question).items():
            _write_file(folder / f"part={part}", f"{number:06}-{len(columns):02}", own)


def _write_file(folder: Path, name: str, rows: pl.DataFrame) -> None:
    folder.mkdir(exist_ok=True)
    rows.write_parquet(folder / f"{name}.parquet", compression="lz4")


def _read_files(folder: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(p, hive_partitioning=False) for p in sorted(folder.iterdir())], how="diagonal")


def _store_whole(folder: Path, view: Path, question: FileQuestion, on_progress: Progress) -> None:
    completed = 0

    def on_stage(_name: str) -> None:
        nonlocal completed
        completed += 1
        on_progress("graphs of everyone", completed, WHOLE_STEPS)

    on_progress("graphs of everyone", 0, WHOLE_STEPS)
    rows, consents = _read_files(view / "relations"), pl.read_parquet(view / "consents.parquet")
    whole = whole_features(rows, lambda: _read_files(view / "payments"), consents, question.of_everyone(), on_stage)
    for name in ("table", "live", "enrolled"):
        getattr(whole, name).write_parquet(folder / f"{name}.parquet", compression="lz4")


def _store_partitions(stages: Stages, question: FileQuestion, count: int, on_progress: Progress) -> None:
    """Write the features and the scores of each partition that has none yet."""
    of_people, program, view = question.of_everyone(), question.program, stages.path("view")
    names = ("person", *feature_names(program))
    whole = WholeFeatures(
        *(pl.read_parquet(stages.path("whole") / f"{n}.parquet") for n in ("table", "live", "enrolled"))
    )
    consents, codes = (pl.read_parquet(view / f"{n}.parquet") for n in ("consents", "codes"))
    linked = json.loads((view / "linked.json").read_text(encoding="utf-8"))
    for number in range(count):
        on_progress("features and scores, by partitions of people", number, count)
        if stages.is_written(number):
            continue
        table = partition_features(
            _read_files(view / f"part={number}"), whole, consents, Partition(number, count), of_people
        )
        features = with_linked_ids(with_ids(table, codes), linked).select(names)
        stages.write_partition(number, features, score_columns(features, program, program.day(question.as_of)))


def with_linked_ids(table: pl.DataFrame, linked: dict[str, str]) -> pl.DataFrame:
    """Add a row for each linked id in which it is another id that stands for the person."""
    pairs = pl.DataFrame(
        [(one, person) for one, person in linked.items() if one != person],
        schema={"id": pl.String, "person": pl.String},
        orient="row",
    )
    linked_rows = pairs.join(table, on="person").with_columns(person="id").select(table.columns)
    return pl.concat([table, linked_rows]).sort("person")


def score_columns(features: pl.DataFrame, program: Program, day: int) -> pl.DataFrame:
    """`person`, `score` and `band`, by the rules of a day."""
    scored = columnar.score(program, nw.from_native(features.lazy()), day, reasons=False)
    table: pl.DataFrame = scored.to_native().select("person", pl.col("score").cast(pl.Int64), "band").collect()
    return table


def _count_rows(out: Path) -> tuple[int, int]:
    scores = pl.scan_parquet(out / "scores" / "*" / "*.parquet", hive_partitioning=False)
    counts = scores.select(pl.len(), pl.col("score").count().alias("scored")).collect()
    return int(counts["len"][0]), int(counts["scored"][0])


def _identity(question: FileQuestion, files: list[Path], count: int) -> dict[str, object]:
    """What a stage depends on: a build of something else begins from the start. `known_at` is that of the first start."""
    listed = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    program = question.program
    return {
        "as_of": question.as_of.isoformat(),
        "purpose": question.purpose,
        "timezone": question.release.timezone,
        "release": program.release,
        "catalogue": fingerprint(program),
        "evidence": [list(one) for one in listed],
        "partitions": count,
    }


def build_line(question: FileQuestion, figures: ResultFigures) -> str:
    """What was computed, as one JSON object."""
    program = question.program
    content = {
        "as_of": question.as_of.isoformat(),
        "known_at": question.known_at.isoformat(),
        "purpose": question.purpose,
        "timezone": question.release.timezone,
        "release": program.release,
        "catalogue": fingerprint(program),
        "events": figures.events,
        "people": figures.people,
        "scored": figures.scored,
        "partitions": figures.partitions,
    }
    return json.dumps(content, sort_keys=True)
