"""A source of rows: its columns, and its rows batch by batch. Pure: the readers make it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from api.evidence.imports.cells import SourceColumn
from api.evidence.values import BadRow


@dataclass(frozen=True)
class SourceBatch:
    """Rows of a source. `frame`: its columns by their keys; `lines`: where each row begins; `position` of `total`: bytes or rows."""

    frame: pl.DataFrame
    lines: pl.Series
    bad_rows: list[BadRow]
    position: int
    total: int
    broken: str | None = None


@dataclass(frozen=True)
class Source:
    """Rows with columns. `batches` reads them, those of some keys at least; `row_bytes`: of the batches' total, roughly, for one row."""

    name: str
    columns: tuple[SourceColumn, ...]
    batches: Callable[[Sequence[str]], Iterator[SourceBatch]]
    row_bytes: int = 1


def column_keys(names: list[str]) -> list[str]:
    """Names for a frame's columns, no two the same, and none that a field of an event may have."""
    return [str(number) for number in range(len(names))]
