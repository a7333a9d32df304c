"""Sources into the ledger by a map: compiled for the source's columns, then batch by batch through the entry that files of events use.

An import that is killed can be run again: its events before the kill are duplicates now, and the rest is appended.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from api.evidence.imports.compilation import compile_map
from api.evidence.imports.event_targets import EventTargets, event_targets
from api.evidence.imports.map_grammar import parse_map
from api.evidence.imports.map_tree import ImportMap
from api.evidence.imports.mapping import ImportPlan, event_batches
from api.evidence.imports.sources import Source
from api.evidence.load import BatchObserver, LoadReport, Progress, closing, load_batches
from api.evidence.values import EventBatch
from api.store.database import Database
from engine.errors import Rejected
from engine.lang.model.problems import Problem, Report, RulesError, SourceSpan
from graph.evidence.vocabulary import EventVocabulary


def read_map(path: Path, targets: EventTargets) -> tuple[ImportMap, tuple[Problem, ...]]:
    """The map of a file, and the problems of its parts that cannot be read. Raises RulesError if too little can be."""
    report = Report()
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        report.add("R008", f"byte {error.start + 1} is not UTF-8", SourceSpan(str(path)), "save the file as UTF-8")
        raise RulesError(report.sorted_problems()) from None
    except OSError as error:
        hint = "name the map with --map FILE, or write a first one with --guess FILE"
        reason = (error.strerror or "it failed").lower()
        raise Rejected(f"the map cannot be read: {reason}", where=str(path), hint=hint, code="map_unreadable") from None
    import_map = parse_map(str(path), text, targets, report)
    if import_map is None:
        raise RulesError(report.sorted_problems())
    return import_map, report.sorted_problems()


def plan_import(
    import_map: ImportMap, problems: tuple[Problem, ...], vocabulary: EventVocabulary, source: Source
) -> ImportPlan:
    """The map, compiled for a source and the kinds of events that it may make. Raises RulesError with all problems, those of reading the map too."""
    report = Report([*problems])
    plan = compile_map(import_map, event_targets(vocabulary), source.name, source.columns, report)
    if plan is None or report.problems:
        raise RulesError(report.sorted_problems())
    return replace(plan, vocabulary=vocabulary)


def import_source(
    database: Database,
    source: Source,
    plan: ImportPlan,
    rejects_places: Sequence[Path],
    *,
    now: Callable[[], datetime],
    on_progress: Progress | None = None,
    on_batch: BatchObserver | None = None,
) -> LoadReport:
    """Append the events that the source's rows make. Refused rows go to the first of the places that can be written."""
    with closing(_event_batches(source, plan)) as batches:
        return load_batches(
            database,
            batches,
            rejects_places,
            now=now,
            on_progress=on_progress,
            guess=lambda batch: batch.total // source.row_bytes * len(plan.events),
            on_batch=on_batch,
            vocabulary=plan.vocabulary,
        )


def _event_batches(source: Source, plan: ImportPlan) -> Iterator[EventBatch]:
    for batch in source.batches(plan.used):
        yield from event_batches(plan, batch)
