"""Files and frames of events into the ledger, batch by batch, each batch one transaction.

A load that was killed is run again: what went in before the kill is a duplicate now, the rest goes in. Refused rows go to
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
from sqlalchemy import Engine

from api.database import build_person_indexes, drop_person_indexes
from api.evidence import ledger
from api.evidence.reading import BATCH_ROWS, read_file
from api.evidence.values import Batch, Wrong
from engine.errors import Refused

BULK_ROWS: Final = 100_000  # fewer are loaded faster with the indexes in place
_BYTES_A_ROW: Final = {".gz": 20, ".parquet": 1}  # roughly, to guess a file's rows from its size; Parquet knows them
_BYTES_A_TEXT_ROW: Final = 120

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class LoadReport:
    """What became of a file. `broken`: one line if it broke off before its end; `rejects_path`: where the refused rows are."""

    accepted: int
    duplicates: int
    refused: int
    rejects_path: Path | None
    broken: str | None


def load_file(
    engine: Engine,
    path: Path,
    *,
    now: Callable[[], datetime],
    on_progress: Progress | None = None,
    batch_rows: int = BATCH_ROWS,
    rejects: Path | None = None,
) -> LoadReport:
    """Append a file's events. `on_progress(done, total)`: bytes of the file, for Parquet rows.

    Raises Refused when the file as a whole, or the database, can't be used, or the refused rows (to `rejects`, or beside the
    file) cannot be written: before anything is kept, if that can be told then; else it says how many rows were kept.
    """
    if rejects is not None and rejects.exists() and path.exists() and rejects.samefile(path):
        hint = "name another file with --rejects FILE"
        raise Refused(
            "the refused rows cannot go to the file itself", where=str(path), hint=hint, code="rejects_unwritable"
        )
    places = _beside(path) if rejects is None else (rejects,)
    with _closing(read_file(path, batch_rows)) as batches, _rejects(places) as refused:
        return _load(engine, batches, refused, now, on_progress, lambda batch: _guessed_rows(path, batch))


def load_frames(
    engine: Engine,
    frames: Iterable[pl.DataFrame],
    *,
    now: Callable[[], datetime],
    on_progress: Progress | None = None,
    expected: int | None = None,
    rejects_beside: Path | None = None,
) -> LoadReport:
    """Append frames with columns of `graph.events.SCHEMA`. `on_progress(done, expected)`: rows.

    `expected`: how many rows will come, if known; `rejects_beside`: a path to name the file of refused rows after.
    """
    places = () if rejects_beside is None else _beside(rejects_beside)
    with _closing(_numbered(frames, expected)) as batches, _rejects(places) as rejects:
        progress = on_progress and (lambda done, _total: on_progress(done, expected))
        return _load(engine, batches, rejects, now, progress, lambda _batch: expected or 0)


def _numbered(frames: Iterable[pl.DataFrame], expected: int | None) -> Iterator[Batch]:
    done = 0
    for frame in frames:
        lines = pl.int_range(done + 1, done + 1 + frame.height, dtype=pl.Int64, eager=True)
        done += frame.height
        yield Batch(frame, lines, frame, [], done, expected or done)


def _guessed_rows(path: Path, batch: Batch) -> int:
    return batch.total // _BYTES_A_ROW.get(path.suffix.lower(), _BYTES_A_TEXT_ROW)


def _load(
    engine: Engine,
    batches: Iterator[Batch],
    rejects: "_Rejects",
    now: Callable[[], datetime],
    on_progress: Progress | None,
    guess: Callable[[Batch], int],
) -> LoadReport:
    report = LoadReport(0, 0, 0, None, None)
    try:
        with _bulk(engine) as begin_bulk:
            for batch, checked in _one_ahead((batch, ledger.check(batch.events, now())) for batch in batches):
                begin_bulk(guess(batch))
                appended = ledger.insert(engine, checked, now())
                wrong = [*batch.wrong, *_by_line(batch, appended.refused)]
                report = _with(report, appended, len(wrong), batch.broken)
                rejects.add(wrong)
                if on_progress:
                    on_progress(batch.done, batch.total)
        return replace(report, rejects_path=rejects.finish())
    except Refused as error:
        if not report.accepted:
            raise
        message = f"{error.message}; {report.accepted:,} rows were kept before, and load again as duplicates"
        raise Refused(message, where=error.where, hint=error.hint, code=error.code) from None


def _with(report: LoadReport, appended: ledger.Appended, refused: int, broken: str | None) -> LoadReport:
    """The report with one more batch."""
    return replace(
        report,
        accepted=report.accepted + appended.accepted,
        duplicates=report.duplicates + appended.duplicates,
        refused=report.refused + refused,
        broken=report.broken or broken,
    )


def _by_line(batch: Batch, refused: pl.DataFrame) -> Iterator[Wrong]:
    for row, reason in refused.iter_rows():
        texts = batch.texts.row(row, named=True)
        yield Wrong(batch.lines[row], reason, {c: value for c, value in texts.items() if value is not None})


_T = TypeVar("_T")


def _one_ahead(items: Iterator[_T]) -> Iterator[_T]:
    """The same items, each made in a second thread while the one before it is in use."""
    with ThreadPoolExecutor(1) as thread:
        ahead = thread.submit(next, items, None)
        while (item := ahead.result()) is not None:
            ahead = thread.submit(next, items, None)
            yield item


@contextmanager
def _closing(batches: Iterator[Batch]) -> Iterator[Iterator[Batch]]:
    try:
        yield batches
    finally:
        if isinstance(batches, Generator):
            batches.close()


@contextmanager
def _bulk(engine: Engine) -> Iterator[Callable[[int], None]]:
    """Gives a function to be told how many rows are coming; it drops the indexes if that pays, once. At the end they are built."""
    told: list[int] = []

    def begin(rows: int) -> None:
        told.append(rows)
        if len(told) == 1 and rows >= max(BULK_ROWS, ledger.extent(engine).events):
            drop_person_indexes(engine)

    try:
        yield begin
    finally:
        if told:
            build_person_indexes(engine)


class _Rejects:
    """The file of refused rows. While it is written its name ends in `.partial`; a killed load leaves only that."""

    def __init__(self, places: Sequence[Path]) -> None:
        self._final: Path | None = None
        self._file: TextIO | None = None
        self._rows = 0
        if places:
            self._final, self._file = _open_rejects(places)

    def add(self, wrong: list[Wrong]) -> None:
        """Write these rows. Raises Refused when the file cannot be written any more."""
        self._rows += len(wrong)
        if self._file is None or self._final is None:
            return
        try:
            for row in wrong:
                self._file.write(json.dumps(row._asdict(), ensure_ascii=False, default=str) + "\n")
        except OSError as error:
            raise _unwritable(self._final, error.strerror) from None

    def finish(self) -> Path | None:
        """Give the file its name; with nothing refused, take away what an earlier load of the same file left."""
        if self._final is None or self._file is None:
            return None
        if not self._rows:
            with suppress(OSError):
                self._final.unlink(missing_ok=True)
            return None
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            _partial(self._final).replace(self._final)
        except OSError as error:
            raise _unwritable(self._final, error.strerror) from None
        return self._final

    def close(self) -> None:
        """Close the file; an empty one goes."""
        if self._file is None or self._final is None:
            return
        with suppress(OSError):
            self._file.close()
        if not self._rows:
            with suppress(OSError):
                _partial(self._final).unlink(missing_ok=True)


def _partial(final: Path) -> Path:
    return final.with_name(f"{final.name}.partial")


def _open_rejects(places: Sequence[Path]) -> tuple[Path, TextIO]:
    """The first of the places that can be written, and its file. Raises Refused when none can."""
    why = None
    for place in places:
        try:
            if place.is_dir():
                raise IsADirectoryError(EISDIR, "this is a folder")
            # half a character is written as its JSON escape
            return place, _partial(place).open("w", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            why = why or error.strerror
    raise _unwritable(places[0], why)


def _unwritable(place: Path, why: str | None) -> Refused:
    message = f"the refused rows cannot be written down: {(why or 'it failed').lower()}"
    hint = "name a file that can be written with --rejects FILE"
    return Refused(message, where=str(place), hint=hint, code="rejects_unwritable")


@contextmanager
def _rejects(places: Sequence[Path]) -> Iterator[_Rejects]:
    rejects = _Rejects(places)
    try:
        yield rejects
    finally:
        rejects.close()


def _beside(path: Path) -> tuple[Path, ...]:
    """Where the refused rows of a file go: beside it, or where that cannot be written, to the current folder."""
    name = f"{path.name}.rejects.ndjson"
    return path.with_name(name), Path.cwd() / name
