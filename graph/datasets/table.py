"""Read the text tables of a data set: every value stays a string until a source parses it."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from graph.datasets.dataset import SourceError
from graph.evidence.events import MAX_AMOUNT


def read(folder: Path, name: str, columns: Sequence[str], *, separator: str = ",", header: bool = True) -> pl.DataFrame:
    """Return the columns of `folder/name` (or of `name.gz` beside it) as trimmed strings; an empty field is the empty
    string.

    Without a header, pass the columns in the order of the file. Raises SourceError for a missing file, an unreadable
    one, and a missing column.
    """
    path = next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
    if path is None:
        raise SourceError(f"`{folder / name}` is missing, also as `.gz`: give the folder that holds the data set")
    try:
        table = pl.read_csv(path, separator=separator, has_header=header, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, EOFError) as error:
        raise SourceError(
            f"`{path}` cannot be read as a table ({str(error).splitlines()[0]}): fetch it again"
        ) from error
    if not header and table.width == len(columns):
        table = table.rename(dict(zip(table.columns, columns, strict=True)))
    missing = [c for c in columns if c not in table.columns]
    if missing:
        names = ", ".join(f"`{c}`" for c in missing)
        raise SourceError(f"`{path}` has no column {names}: use the data set's original file")
    return table.select(pl.col(columns).fill_null("").str.strip_chars())


def parse(table: pl.DataFrame, name: str, **values: pl.Expr) -> pl.DataFrame:
    """Set each named column to its expression. Raises SourceError if a value becomes null."""
    parsed = table.with_columns(**values)
    for column in values:
        if parsed[column].null_count():
            row = parsed[column].is_null().arg_true()[0]
            original = f" (`{table[column][row]}`)" if column in table.columns else ""
            raise SourceError(
                f"`{name}`, row {row + 1}: no valid `{column}`{original}: use the data set's original file"
            )
    return parsed


def scaled_integer(column: str, digits: int) -> pl.Expr:
    """Parse a decimal text to an integer in units of 10^-`digits`, exactly (without floats); null if the text is no
    such decimal.
    """
    text = pl.col(column)
    fraction = rf"(?:\.\d{{1,{digits}}})?" if digits else ""
    whole = text.str.extract(rf"^(-?\d+){fraction}$", 1)
    part = text.str.extract(r"\.(\d+)$", 1).fill_null("").str.pad_end(digits, "0")
    return pl.concat_str(whole, part).cast(pl.Int64, strict=False)


def null_outside(value: pl.Expr, low: int, high: int) -> pl.Expr:
    """Return the value, or null outside these bounds, so that later steps only see values that they can hold."""
    return pl.when(value.is_between(low, high)).then(value)


def money(column: str, *, low: int = 0) -> pl.Expr:
    """Parse an amount with two digits to minor units: not negative, and at most the limit for events."""
    return null_outside(scaled_integer(column, 2), low, MAX_AMOUNT)
