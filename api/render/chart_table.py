"""The table behind a chart, and its CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

Cell = str | int | float | date | None
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")  # spreadsheets run a text that begins so


@dataclass(frozen=True)
class ChartTable:
    """The rows behind a chart: what a reader gets who does not see it. The cells have their exact values; a page rounds them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def csv_of(table: ChartTable) -> str:
    """The table as CSV (RFC 4180): a line of names, then the rows. A missing value is an empty field; days are ISO 8601.

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([_field(column) for column in table.columns])
    writer.writerows([_field(cell) for cell in row] for row in table.rows)
    return text.getvalue()


def by_category(axis: str, categories: Sequence[Cell], series: Sequence[tuple[str, Sequence[Cell]]]) -> ChartTable:
    """A row for each category, a column for each series. `axis` names the categories."""
    columns = [values for _, values in series]
    rows = tuple((category, *(values[n] for values in columns)) for n, category in enumerate(categories))
    return ChartTable((axis, *(name for name, _ in series)), rows)


def _field(cell: Cell) -> Cell:
    if isinstance(cell, date):
        return cell.isoformat()
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
