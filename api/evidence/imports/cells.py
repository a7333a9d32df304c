"""Cells of a source, and their conversion to values of an event's fields, as column expressions. Pure.

We guess nothing and round nothing: a cell that is not exactly a value of the field is a misfit, and its row is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

Check = tuple[pl.Expr, pl.Expr]  # whether a row has a misfit (null: no), and the message
MAX_SHOWN: Final = 40  # characters of a cell that a message repeats


@dataclass(frozen=True)
class SourceColumn:
    """A column of a source: its name there, its type, and its name in our frames."""

    name: str
    dtype: Any
    key: str


@dataclass(frozen=True)
class Cell:
    """A cell of each row: its expression and type, and where it stands, for messages."""

    value: pl.Expr
    dtype: Any
    place: str

    @property
    def quoted(self) -> pl.Expr:
        """The cell and its place, as a message repeats them."""
        text = self.value.cast(pl.String).str.slice(0, MAX_SHOWN)
        return pl.concat_str([pl.lit("`"), text, pl.lit(f"` in {self.place}")])

    def check(self, misfit: pl.Expr, problem: str | pl.Expr) -> Check:
        """The check that finds the problem of this cell where `misfit` holds."""
        end = pl.lit(problem) if isinstance(problem, str) else problem
        return self.value.is_not_null() & misfit, pl.concat_str([self.quoted, pl.lit(" "), end])


@dataclass(frozen=True)
class Conversion:
    """The value of a field, null where the cell is empty or does not fit; and, from the value's column, the misfits."""

    value: pl.Expr
    checks: Callable[[pl.Expr], tuple[Check, ...]] = lambda _: ()


def cell_of(column: SourceColumn) -> Cell:
    """The cell of a column."""
    return Cell(pl.col(column.key), column.dtype, f"`{column.name[:MAX_SHOWN]}`")


def is_text(dtype: Any) -> bool:
    """Whether a column holds texts, or nothing at all."""
    return dtype in (pl.String, pl.Categorical, pl.Null) or isinstance(dtype, pl.Enum)


def is_number(dtype: Any) -> bool:
    """Whether a column holds numbers."""
    return bool(dtype.is_numeric())


def is_time(dtype: Any) -> bool:
    """Whether a column holds days or moments."""
    return dtype == pl.Date or isinstance(dtype, pl.Datetime)
