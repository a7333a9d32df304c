"""A dry run: the import into a ledger of its own that is deleted at the end, and a record of its result.

So it finds all that an import into an empty ledger would find, ids that are not unique too.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from api.evidence import link_sources
from api.evidence.imports.importing import import_source
from api.evidence.imports.mapping import ImportPlan
from api.evidence.imports.sources import Source
from api.evidence.ledger import AppendResult
from api.evidence.load import LoadReport, Progress
from api.evidence.values import BadRow, EventBatch
from api.store.database import Database, open_database
from graph.evidence.declared_fields import flat
from graph.evidence.events import SCHEMA

MAX_FIRST_EVENTS: Final = 6
_UNREADABLE: Final = "rows"  # the kind of rows that could not be read
_CELL: Final = re.compile(r"`[^`]*`(?= in `)")  # how a message repeats a cell
_QUOTED: Final = re.compile(r"`[^`]*`")
_NUMBER: Final = re.compile(r"(?<=is )-?\d+|\(-?\d+\)|^\d+(?= fields)|(?<=byte )\d+")


@dataclass
class DryRunRecord:
    """The result of a dry run: the first events, the counts by kind, and each kind of problem with its count and first row."""

    names: Collection[str] = ()
    accepted: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    examples: dict[str, BadRow] = field(default_factory=dict)
    _first: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def add(self, batch: EventBatch, result: AppendResult, bad_rows: list[BadRow]) -> None:
        """Record a batch."""
        kind = batch.label.removesuffix(": ")
        self.accepted[kind] += result.accepted
        self.duplicates[kind] += result.duplicates
        for row in bad_rows:
            self.rejected[self._kind(row)] += 1
            problem = self._problem(row.reason)
            self.problems[problem] += 1
            self.examples.setdefault(problem, row)
        if result.accepted and batch.rows is not None:
            self._add_first(batch, pl.concat([result.refused["row"], result.repeats]))

    def _add_first(self, batch: EventBatch, repeated_rows: pl.Series) -> None:
        rows = pl.int_range(batch.events.height, eager=True)
        for row in rows.filter(~rows.is_in(repeated_rows.implode()))[:MAX_FIRST_EVENTS]:
            event = batch.events.row(row, named=True)
            fields = flat(event)
            content = {c: _plain(fields[c]) for c in (*SCHEMA, *fields) if fields.get(c) is not None}
            self._first.append((batch.lines[batch.rows[row]] if batch.rows is not None else 0, content))
        self._first = sorted(self._first, key=lambda pair: pair[0])[:MAX_FIRST_EVENTS]

    @property
    def first_events(self) -> list[dict[str, Any]]:
        """The events of the first rows."""
        return [event for _, event in self._first]

    def _kind(self, row: BadRow) -> str:
        kind = row.reason.partition(": ")[0]
        return kind if "." in kind and " " not in kind else _UNREADABLE

    def _problem(self, reason: str) -> str:
        """The reason without the values of its row."""
        text = _CELL.sub("`…`", reason)
        if text == reason:
            text = _QUOTED.sub(lambda match: match[0] if match[0][1:-1] in self.names else "`…`", reason)
        return _NUMBER.sub("…", text)


def _plain(value: Any) -> Any:
    """A value as a file of events has it."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def dry_run(
    source: Source,
    plan: ImportPlan,
    *,
    now: Callable[[], datetime],
    on_progress: Progress | None = None,
    linking: Collection[str] = (),
) -> tuple[LoadReport, DryRunRecord]:
    """Import a source into a ledger of its own. No file of refused rows is written. `linking`: the permitted link sources."""
    names = frozenset((*SCHEMA, *plan.vocabulary.extra_fields, *(column.name for column in plan.columns)))
    record = DryRunRecord(names)
    with _passing_ledger() as database:
        for contributor in linking:
            link_sources.allow(database, contributor, now())
        report = import_source(database, source, plan, (), now=now, on_progress=on_progress, on_batch=record.add)
    return report, record


@contextmanager
def _passing_ledger() -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="iftah-dry-run-") as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'ledger.db'}")
        try:
            yield database
        finally:
            database.dispose()
