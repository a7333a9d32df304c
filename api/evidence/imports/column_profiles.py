"""What the columns of a source look like: times and their formats, ids, money, currencies, people. Pure.

A name alone proves nothing, and neither do values: we take both, and say which of them made us think so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from api.evidence.imports.cells import SourceColumn, is_number, is_time
from api.evidence.values import parse_times
from graph.evidence.currencies import CURRENCY_DIGITS

_DAYS: Final = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d")
_CLOCKS: Final = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", " %H:%M:%S%.f", "T%H:%M:%S%.f")
FORMATS: Final = tuple(day + clock for day in _DAYS for clock in _CLOCKS)
_UNIX_RANGES: Final = {"unix": (10**8, 10**10), "unix_ms": (10**11, 10**13), "unix_us": (10**14, 10**16)}
_NUMBER: Final = r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$"
MIN_SHARE: Final = 0.75  # of the values that must look like a thing: a file has wrong rows too
MAX_WORDS: Final = 12  # different values of a column that we take for one of words
# Parts of names by what they are the name of, in lower case.
NAMES: Final = {
    "person": ("customer", "client", "user", "person", "member", "payer", "buyer", "borrower", "subject", "guest", "account"),
    "other": ("payee", "merchant", "shop", "store", "seller", "recipient", "receiver", "beneficiary", "other", "hotel"),
    "money": ("amount", "total", "price", "paid", "sum", "value", "balance", "fee", "cost", "payment"),
    "id": ("id", "order", "number", "no", "ref", "key", "code", "invoice", "transaction"),
    "time": ("time", "date", "at", "on", "when", "day", "created", "placed", "booked"),
}  # fmt: skip


@dataclass(frozen=True)
class ColumnProfile:
    """A column, and its values in the first rows of the source. `formats`: all in which most values are times; `zoned`: with a zone."""

    name: str
    dtype: Any
    rows: int
    filled: int
    distinct: int
    formats: tuple[str, ...] = ()
    zoned: bool = False
    number: bool = False
    decimals: bool = False
    currency: bool = False
    words: tuple[str, ...] = ()

    @property
    def unique(self) -> bool:
        """Whether each row has a value of its own."""
        return self.rows > 0 and self.distinct == self.rows == self.filled

    @property
    def is_time(self) -> bool:
        """Whether most values are times."""
        return bool(self.formats) or is_time(self.dtype)

    def is_called(self, sort: str) -> bool:
        """Whether its name is one for such things."""
        name = self.name.lower().replace("-", "_").replace(" ", "_").replace(".", "_")
        parts = name.split("_")
        return any(word in parts or (len(word) > 3 and word in name) for word in NAMES[sort])


def profiles(columns: Sequence[SourceColumn], frame: pl.DataFrame) -> tuple[ColumnProfile, ...]:
    """The profiles of a source's columns, from its first rows."""
    return tuple(_profile(column, frame[column.key]) for column in columns if column.key in frame.columns)


def _profile(column: SourceColumn, values: pl.Series) -> ColumnProfile:
    filled = values.drop_nulls()
    filled = filled.filter(filled != "") if filled.dtype == pl.String else filled
    base = ColumnProfile(
        column.name, column.dtype, values.len(), filled.len(), filled.n_unique() if filled.len() else 0
    )
    if filled.is_empty():
        return base
    facts: dict[str, Any] = {}
    if filled.dtype == pl.String:
        facts = _text_facts(filled)
    elif is_number(filled.dtype):
        decimals = not filled.dtype.is_integer() and bool((filled.cast(pl.Float64) % 1 != 0).any())
        facts = {"number": True, "decimals": decimals, "formats": tuple(_unix_formats(filled.cast(pl.Float64)))}
    elif isinstance(filled.dtype, pl.Datetime):
        facts = {"zoned": filled.dtype.time_zone is not None}
    return ColumnProfile(base.name, base.dtype, base.rows, base.filled, base.distinct, **facts)


def _text_facts(texts: pl.Series) -> dict[str, Any]:
    if _mostly(texts.is_in(list(CURRENCY_DIGITS))):
        return {"currency": True}
    if _mostly(texts.str.contains(_NUMBER)):
        numbers = texts.cast(pl.Float64, strict=False)
        formats = (*_unix_formats(numbers), *_formats(texts))
        return {"number": True, "decimals": bool(texts.str.contains(".", literal=True).any()), "formats": formats}
    if _mostly(parse_times(texts).is_not_null()):
        return {"formats": ("",), "zoned": True}
    words = tuple(texts.unique().sort()) if texts.n_unique() <= MAX_WORDS else ()
    return {"formats": tuple(_formats(texts)), "words": words}


def _formats(texts: pl.Series) -> Iterator[str]:
    for each in FORMATS:
        if _mostly(texts.str.to_datetime(each, time_unit="us", strict=False).is_not_null()):
            yield each


def _unix_formats(numbers: pl.Series) -> Iterator[str]:
    for each, (low, high) in _UNIX_RANGES.items():
        if _mostly(numbers.is_between(low, high)):
            yield each


def _mostly(flags: pl.Series) -> bool:
    return int(flags.sum()) >= MIN_SHARE * flags.len()
