"""Files and frames of events into the ledger, batch by batch, each batch one transaction.

You can run a killed load again: its rows before the kill are duplicates now, and the rest is appended. Refused rows go to
`<file>.rejects.ndjson` (line, reason, row); a load writes it from its beginning and gives it its name when it is complete.

While one batch is being inserted, a second thread reads and checks the next. A load into a ledger that is smaller than the
file drops the two indexes that find one person's events and builds them once at the end, which takes less than half
of the time of keeping them up; if it is killed in between, the next opening of the database builds them.
"""

import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from errno import EISDIR
from pathlib import Path
from typing import Final, TextIO, TypeVar

import polars as pl

from api.evidence import ledger
from api.evidence.reading import BATCH_ROWS, read_file
from api.evidence.values import BadRow, EventBatch, row_content
from api.store.database import Database, build_person_indexes, drop_person_indexes
from engine.errors import Rejected
from graph.evidence.events import EVENT_KEY
from graph.evidence.vocabulary import STANDARD, EventVocabulary

BULK_ROWS: Final = 100_000  # fewer are loaded faster with the indexes in place
_BYTES_PER_ROW: Final = {".gz": 20, ".parquet": 1}  # roughly, to guess a file's rows from its size; Parquet knows them
_BYTES_PER_TEXT_ROW: Final = 120

Progress = Callable[[int, int | None], None]
# A batch, what the ledger made of it, and its refused rows.
BatchObserver = Callable[[EventBatch, "ledger.AppendResult", list[BadRow]], None]


@dataclass(frozen=True)
class LoadReport:
    """The result of loading a file. `broken`: one line if it broke off before its end; `rejects_path`: where the refused rows are."""

    accepted: int
    duplicates: int
    refused: int
    rejects_path: Path | None
    broken: str | None


def load_file(
    database: Database,
    path: Path,
    *,
    now: Callable[[], datetime],
    on_progress: Progress | None = None,
    batch_rows: int = BATCH_ROWS,
    rejects: Path | None = None,
    vocabulary: EventVocabulary = STANDARD,
) -> LoadReport:
    """Append a file's events. `on_progress(done, total)`: bytes of the file, for Parquet rows.

    Raises Rejected when the file as a whole, or the database, can't be used, or the refused rows (to `rejects`, or beside the
    file) cannot be written: before anything is kept, if that can be told then; else it says how many rows were kept.
    """
    refuse_to_overwrite(path, rejects)
    places = rejects_paths(path) if rejects is None else (rejects,)
    with closing(read_file(path, batch_rows, vocabulary)) as batches:
        return load_batches(
            database,
            batches,
            places,
            now=now,
            on_progress=on_progress,
            guess=lambda batch: guess_rows(path, batch),
            vocabulary=vocabulary,
        )


def refuse_to_overwrite(path: Path, rejects: Path | None) -> None:
    """Raise Rejected if the refused rows of the file at `path` would go to the file itself."""
    if rejects is not None and rejects.exists() and path.exists() and rejects.samefile(path):
        hint = "name another file with --rejects FILE"
        raise Rejected(
            "the refused rows cannot go to the file itself", where=str(path), hint=hint, code="rejects_unwritable"
        )


def load_frames(
    database: Database,
    frames: Iterable[pl.DataFrame],
    *,
    now: Callable[[], datetime],
    on_progress: Progress | None = None,
    expected: int | None = None,
    rejects_beside: Path | None = None,
    vocabulary: EventVocabulary = STANDARD,
) -> LoadReport:
    """Append frames with columns of `graph.evidence.events.SCHEMA`. `on_progress(done, expected)`: rows.

    `expected`: how many rows will come, if known; `rejects_beside`: a path to name the file of refused rows after.
    """
    places = () if rejects_beside is None else rejects_paths(rejects_beside)
    progress = on_progress and (lambda completed, _total: on_progress(completed, expected))
    with closing(_batches_of(frames, expected)) as batches:
        return load_batches(
            database,
            batches,
            places,
            now=now,
            on_progress=progress,
            guess=lambda _batch: expected or 0,
            vocabulary=vocabulary,
        )


def _batches_of(frames: Iterable[pl.DataFrame], expected: int | None) -> Iterator[EventBatch]:
    completed = 0
    for frame in frames:
        lines = pl.int_range(completed + 1, completed + 1 + frame.height, dtype=pl.Int64, eager=True)
        completed += frame.height
        yield EventBatch(frame, lines, frame, [], completed, expected or completed)


def guess_rows(path: Path, batch: EventBatch) -> int:
    """Roughly how many rows a file has, by its name and the first batch."""
    return batch.total // _BYTES_PER_ROW.get(path.suffix.lower(), _BYTES_PER_TEXT_ROW)


def load_batches(
    database: Database,
    batches: Iterator[EventBatch],
    rejects_places: Sequence[Path],
    *,
    now: Callable[[], datetime],
    on_progress: Progress | None,
    guess: Callable[[EventBatch], int],
    on_batch: BatchObserver | None = None,
    vocabulary: EventVocabulary = STANDARD,
) -> LoadReport:
    """Append batches; write the refused rows to the first of the places that can be written, which we find out first.

    `guess`: from the first batch, how many rows will come. `on_batch` sees each batch after it is in the ledger.
    """
    report = LoadReport(0, 0, 0, None, None)
    try:
        with _rejects(rejects_places) as rejects:
            with _bulk_load(database) as begin_bulk:
                for batch, checked, later in _prefetch(_check(batch, now(), vocabulary) for batch in batches):
                    begin_bulk(guess(batch))
                    append_result = _pass_over(batch, ledger.insert(database, checked, now()), later)
                    bad_rows = [*batch.bad_rows, *_bad_rows_of(batch, append_result.refused)]
                    report = _add_batch(report, append_result, len(bad_rows), batch.broken)
                    rejects.add(bad_rows)
                    if on_batch:
                        on_batch(batch, append_result, bad_rows)
                    if on_progress:
                        on_progress(batch.position, batch.total)
            return replace(report, rejects_path=rejects.finish())
    except Rejected as error:
        if not report.accepted:
            raise
        message = f"{error.message}; {report.accepted:,} rows were kept before, and load again as duplicates"
        raise Rejected(message, where=error.where, hint=error.hint, code=error.code) from None


def _check(
    batch: EventBatch, now: datetime, vocabulary: EventVocabulary
) -> tuple[EventBatch, ledger.CheckedBatch, pl.Series]:
    """The batch and its check; of a batch in which the first event of an id counts, without the later ones, whose rows come last."""
    checked = ledger.check(batch.events, now, vocabulary)
    rows = checked.good["row"]
    if batch.first_only:
        checked = replace(checked, good=checked.good.unique(EVENT_KEY, keep="first", maintain_order=True))
    return batch, checked, rows.filter(~rows.is_in(checked.good["row"].implode())) if batch.first_only else rows.clear()


def _pass_over(batch: EventBatch, result: ledger.AppendResult, later: pl.Series) -> ledger.AppendResult:
    """Of a batch in which the first event of an id counts, the later ones are duplicates, whatever they say."""
    if not batch.first_only:
        return result
    refused = result.refused.filter(~pl.col("row").is_in(result.clashes.implode()))
    repeats = pl.concat([result.repeats, result.clashes, later])
    duplicates = result.duplicates + result.clashes.len() + later.len()
    return replace(result, duplicates=duplicates, refused=refused, repeats=repeats)


def _add_batch(report: LoadReport, append_result: ledger.AppendResult, refused: int, broken: str | None) -> LoadReport:
    """The report with one more batch."""
    return replace(
        report,
        accepted=report.accepted + append_result.accepted,
        duplicates=report.duplicates + append_result.duplicates,
        refused=report.refused + refused,
        broken=report.broken or broken,
    )


def _bad_rows_of(batch: EventBatch, refused: pl.DataFrame) -> Iterator[BadRow]:
    for event, reason in refused.iter_rows():
        row = event if batch.rows is None else batch.rows[event]
        yield BadRow(batch.lines[row], f"{batch.label}{reason}", row_content(batch.texts, row))


_T = TypeVar("_T")


def _prefetch(items: Iterator[_T]) -> Iterator[_T]:
    """The same items, each made in a second thread while the one before it is in use."""
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(next, items, None)
        while (item := future.result()) is not None:
            future = thread.submit(next, items, None)
            yield item


@contextmanager
def closing(batches: Iterator[EventBatch]) -> Iterator[Iterator[EventBatch]]:
    """The batches; at the end, their file is closed."""
    try:
        yield batches
    finally:
        if isinstance(batches, Generator):
            batches.close()


@contextmanager
def _bulk_load(database: Database) -> Iterator[Callable[[int], None]]:
    """Give a function that you call with the number of rows to come: it drops the indexes once, if that pays. We build them at the end."""
    row_counts: list[int] = []

    def begin(rows: int) -> None:
        row_counts.append(rows)
        if len(row_counts) == 1 and rows >= max(BULK_ROWS, ledger.extent(database).events):
            drop_person_indexes(database)

    try:
        yield begin
    finally:
        if row_counts:
            build_person_indexes(database)


class _RejectsFile:
    """The file of refused rows. While it is written its name ends in `.partial`; a killed load leaves only that."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._path: Path | None = None
        self._file: TextIO | None = None
        self._rows = 0
        if paths:
            self._path, self._file = _open_rejects(paths)

    def add(self, bad_rows: list[BadRow]) -> None:
        """Write these rows. Raises Rejected when the file cannot be written any more."""
        self._rows += len(bad_rows)
        if self._file is None or self._path is None:
            return
        try:
            for row in bad_rows:
                self._file.write(json.dumps(row._asdict(), ensure_ascii=False, default=str) + "\n")
        except OSError as error:
            raise _unwritable(self._path, error.strerror) from None

    def finish(self) -> Path | None:
        """Give the file its name; with nothing refused, delete the rejects of an earlier load of the same file."""
        if self._path is None or self._file is None:
            return None
        if not self._rows:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            return None
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            _partial(self._path).replace(self._path)
        except OSError as error:
            raise _unwritable(self._path, error.strerror) from None
        return self._path

    def close(self) -> None:
        """Close the file; an empty one goes."""
        if self._file is None or self._path is None:
            return
        with suppress(OSError):
            self._file.close()
        if not self._rows:
            with suppress(OSError):
                _partial(self._path).unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _open_rejects(paths: Sequence[Path]) -> tuple[Path, TextIO]:
    """The first of the places that can be written, and its file. Raises Rejected when none can."""
    reason = None
    for path in paths:
        try:
            if path.is_dir():
                raise IsADirectoryError(EISDIR, "this is a folder")
            # half a character is written as its JSON escape
            return path, _partial(path).open("w", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            reason = reason or error.strerror
    raise _unwritable(paths[0], reason)


def _unwritable(path: Path, reason: str | None) -> Rejected:
    message = f"the refused rows cannot be written down: {(reason or 'it failed').lower()}"
    hint = "name a file that can be written with --rejects FILE"
    return Rejected(message, where=str(path), hint=hint, code="rejects_unwritable")


@contextmanager
def _rejects(paths: Sequence[Path]) -> Iterator[_RejectsFile]:
    rejects = _RejectsFile(paths)
    try:
        yield rejects
    finally:
        rejects.close()


def rejects_paths(path: Path) -> tuple[Path, ...]:
    """Where the refused rows of a file go: beside it, or where that cannot be written, to the current folder."""
    name = f"{path.name}.rejects.ndjson"
    return path.with_name(name), Path.cwd() / name
