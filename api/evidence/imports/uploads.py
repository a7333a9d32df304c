"""An uploaded file of rows: a dry run first, and the import only with the receipt of a dry run of the same file and map.

The file stays in memory and in a temporary folder while we read it. A map may make what contributors may send: what only people or the
system say, such as a consent, is refused as a whole.
"""

import hmac
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from api.evidence import erasure_tombstones
from api.evidence.imports.columns import columns_of_map
from api.evidence.imports.dry_run import DryRunRecord, dry_run
from api.evidence.imports.event_targets import event_targets
from api.evidence.imports.file_sources import open_file
from api.evidence.imports.importing import import_source, plan_import
from api.evidence.imports.map_grammar import DELIMITERS, parse_map
from api.evidence.imports.map_tree import ImportMap
from api.evidence.imports.mapping import ImportPlan
from api.evidence.imports.sources import Source
from api.evidence.intake import OWNER_OF_KIND
from api.evidence.ledger import SYSTEM_CONTRIBUTOR
from api.evidence.link_sources import list_sources
from api.evidence.load import LoadReport
from api.store.clock import day
from api.store.database import Database, reading
from engine.errors import Rejected
from engine.lang.model.problems import Report, RulesError
from graph.evidence.vocabulary import EventVocabulary

MAX_FILE_BYTES: Final = 8 * 1024 * 1024
ENDINGS: Final = (".csv", ".tsv", ".ndjson", ".jsonl", ".json")  # what cannot unpack to more than was sent
MAX_PROBLEMS: Final = 50
MAX_TEXT: Final = 300
STATEMENTS: Final = "event"  # corrections and retractions: their contributor sends them
MAP_NAME: Final = "map.yaml"
UNUSABLE: Final = ("file", "bad_map")  # how the codes of a map or file begin that cannot be used


@dataclass(frozen=True)
class Upload:
    """A file of rows with the map that reads it, sent by an operator."""

    party: str
    name: str
    content: bytes
    map_text: str


@dataclass(frozen=True)
class UploadedKind:
    """What became of the rows that make a kind of event."""

    kind: str
    accepted: int
    duplicates: int
    refused: int


@dataclass(frozen=True)
class UploadProblem:
    """A kind of problem of rows: how many there are, and the line of the first."""

    message: str
    rows: int
    first_line: int


@dataclass(frozen=True)
class UploadReport:
    """The result of a dry run or an import. `mistakes`: why the map or the file as a whole cannot be used; nothing was read then.

    `receipt`: send it with the same file and map to import them; None if there is nothing to import, or after the import.
    """

    mistakes: tuple[str, ...] = ()
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    kinds: tuple[UploadedKind, ...] = ()
    problems: tuple[UploadProblem, ...] = ()
    first_events: tuple[dict[str, str | int | float | bool], ...] = ()
    receipt: str | None = None


def try_upload(database: Database, vocabulary: EventVocabulary, upload: Upload, now: datetime) -> UploadReport:
    """A dry run: into an empty ledger that we delete. So it does not know which events are in the ledger already."""

    def read(source: Source, plan: ImportPlan) -> tuple[LoadReport, DryRunRecord]:
        linking = [contributor for contributor, _ in list_sources(database)]
        return dry_run(source, plan, now=lambda: now, linking=linking)

    report = _report(vocabulary, upload, read)
    if not report.accepted:
        return report
    return replace(report, receipt=_receipt(database, upload, day(now)))


def load_upload(
    database: Database, vocabulary: EventVocabulary, upload: Upload, receipt: str, now: datetime
) -> UploadReport:
    """Import the file. Raises Rejected `no_dry_run` unless the receipt is of a dry run of it with this map, today or yesterday."""
    today = day(now)
    if not any(hmac.compare_digest(receipt, _receipt(database, upload, at)) for at in (today, today - 1)):
        hint = "do a dry run of exactly this file and map, and send its receipt"
        raise Rejected("there was no dry run of this", where="receipt", hint=hint, code="no_dry_run")

    def read(source: Source, plan: ImportPlan) -> tuple[LoadReport, DryRunRecord]:
        record = DryRunRecord(frozenset(column.name for column in plan.columns))
        return import_source(database, source, plan, (), now=lambda: now, on_batch=record.add), record

    return _report(vocabulary, upload, read)


def _receipt(database: Database, upload: Upload, at: int) -> str:
    """A keyed hash of the file, the map, the party and the day: nobody can make it without a dry run."""
    content = (str(at), upload.party, upload.name, upload.map_text, upload.content.hex())
    with reading(database) as connection:
        return erasure_tombstones.hashes(connection, ["\n".join(("iftah.import", *content))])[0]


def _report(
    vocabulary: EventVocabulary,
    upload: Upload,
    read: Callable[[Source, ImportPlan], tuple[LoadReport, DryRunRecord]],
) -> UploadReport:
    try:
        import_map, problems = _map(upload, vocabulary)
        with _opened(upload, import_map) as source:
            plan = plan_import(import_map, problems, vocabulary, source)
            report, record = read(source, plan)
    except RulesError as error:
        return UploadReport(mistakes=tuple(str(problem)[:MAX_TEXT] for problem in error.problems[:MAX_PROBLEMS]))
    except Rejected as error:
        if error.code.startswith(UNUSABLE):
            return UploadReport(mistakes=(f"{error.message}: {error.hint}"[:MAX_TEXT],))
        raise
    return UploadReport(
        mistakes=() if report.broken is None else (report.broken.rpartition("/")[2],),
        accepted=report.accepted,
        duplicates=report.duplicates,
        refused=report.refused,
        kinds=tuple(
            UploadedKind(kind, record.accepted[kind], record.duplicates[kind], record.rejected[kind])
            for kind in sorted(record.accepted.keys() | record.rejected.keys())
        ),
        problems=tuple(
            UploadProblem(message[:MAX_TEXT], rows, record.examples[message].line)
            for message, rows in record.problems.most_common(MAX_PROBLEMS)
        ),
        first_events=tuple(record.first_events),
    )


def _map(upload: Upload, vocabulary: EventVocabulary) -> tuple[ImportMap, tuple[Any, ...]]:
    report = Report()
    import_map = parse_map(MAP_NAME, upload.map_text, event_targets(vocabulary), report)
    if import_map is None:
        raise RulesError(report.sorted_problems())
    for event in import_map.events:
        first = event.kind.text.partition(".")[0]
        if first in OWNER_OF_KIND or first == STATEMENTS:
            owner = OWNER_OF_KIND.get(first, "their contributor")
            message, hint = f"`{event.kind.text}` cannot be imported here", f"it is for {owner} to say"
            raise Rejected(message, where=MAP_NAME, hint=hint, code="bad_map")
        fields = {name.text: source for name, source in (*import_map.fields, *event.fields)}
        contributor = fields.get("contributor")
        value = contributor.value.text if contributor and contributor.value else None
        if value is None or value == SYSTEM_CONTRIBUTOR:
            hint = "name it once: `contributor: {value: shop}`"
            raise Rejected("a file has one contributor", where=MAP_NAME, hint=hint, code="bad_map")
    return import_map, report.sorted_problems()


@contextmanager
def _opened(upload: Upload, import_map: ImportMap) -> Iterator[Source]:
    ending = Path(upload.name.lower()).suffix
    if ending not in ENDINGS or len(upload.content) > MAX_FILE_BYTES:
        hint = f"send one of {', '.join(ENDINGS)}, of at most {MAX_FILE_BYTES // 2**20} MiB; load larger ones by `iftah import`"
        raise Rejected("this file cannot be read here", where="file", hint=hint, code="file_format")
    delimiter = DELIMITERS[import_map.delimiter.text] if import_map.delimiter else None
    with tempfile.TemporaryDirectory(prefix="iftah-upload-") as folder:
        path = Path(folder) / f"rows{ending}"
        path.write_bytes(upload.content)
        with open_file(path, delimiter=delimiter, column_names=columns_of_map(import_map)) as source:
            yield replace(source, name=upload.name)
