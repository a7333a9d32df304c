"""What the columns of a source look like: times and their formats, ids, money, currencies, people. Pure.

A name alone proves nothing, and neither do values: we take both, and say which of them made us think so.
"""

import re
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
_NUMBER: Final = r"^-?[0-9]{1,15}(\.[0-9]{1,20})?$"
MAX_MONEY_DIGITS: Final = 4  # after the point, of amounts that people write
ID_ENDS: Final = ("id", "no", "number", "key", "code", "ref")
MIN_SHARE: Final = 0.75  # of the values that must look like a thing: a file has wrong rows too
MAX_WORDS: Final = 12  # different values of a column that we take for one of words
# Parts of names by what they are the name of, in lower case.
NAMES: Final = {
    "person": ("customer", "client", "user", "person", "member", "payer", "buyer", "borrower", "subject", "guest", "account",
               "caller", "sender", "owner", "holder"),
    "other": ("payee", "merchant", "shop", "store", "seller", "recipient", "receiver", "beneficiary", "other", "hotel"),
    "money": ("amount", "total", "price", "paid", "sum", "value", "balance", "fee", "cost", "payment"),
    "quantity": ("quantity", "qty", "pieces", "units"),
    "id": ("id", "order", "number", "no", "ref", "key", "code", "invoice", "transaction"),
    "time": ("time", "date", "at", "on", "when", "day", "created", "placed", "booked"),
}  # fmt: skip


@dataclass(frozen=True)
class ColumnProfile:
    """A column, and its values in the first rows of the source. `formats`: all in which most values are times; `zoned`: with a zone.

    `decimals`: with a point; `fractions`: not whole; `long`: with more digits than money has.
    """

    name: str
    dtype: Any
    rows: int
    filled: int
    distinct: int
    formats: tuple[str, ...] = ()
    zoned: bool = False
    number: bool = False
    decimals: bool = False
    fractions: bool = False
    long: bool = False
    negatives: bool = False
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

    @property
    def parts(self) -> list[str]:
        """The words of its name, in lower case."""
        return re.sub(r"[- .]", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name)).lower().split("_")

    @property
    def is_id(self) -> bool:
        """Whether its name ends as that of an id."""
        return self.parts[-1] in ID_ENDS

    def is_called(self, sort: str) -> bool:
        """Whether its name is one for such things."""
        return any(word in self.parts or (len(word) > 3 and word in self.name.lower()) for word in NAMES[sort])


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
        numbers = filled.cast(pl.Float64)
        has_fractions = not filled.dtype.is_integer() and bool((numbers % 1 != 0).any())
        facts = _number_facts(numbers, has_fractions) | {"formats": tuple(_unix_formats(numbers))}
    elif isinstance(filled.dtype, pl.Datetime):
        facts = {"zoned": filled.dtype.time_zone is not None}
    return ColumnProfile(base.name, base.dtype, base.rows, base.filled, base.distinct, **facts)


def _text_facts(texts: pl.Series) -> dict[str, Any]:
    if _mostly(texts.is_in(list(CURRENCY_DIGITS))):
        return {"currency": True}
    if _mostly(texts.str.contains(_NUMBER)):
        numbers = texts.cast(pl.Float64, strict=False)
        formats = (*_unix_formats(numbers), *_formats(texts))
        decimals = bool(texts.str.contains(".", literal=True).any())
        return _number_facts(numbers, decimals) | {"formats": formats}
    if _mostly(parse_times(texts).is_not_null()):
        return {"formats": ("",), "zoned": True}
    words = tuple(texts.unique().sort()) if texts.n_unique() <= MAX_WORDS else ()
    return {"formats": tuple(_formats(texts)), "words": words}


def _number_facts(numbers: pl.Series, decimals: bool) -> dict[str, Any]:
    scaled = numbers * 10**MAX_MONEY_DIGITS
    return {
        "number": True,
        "decimals": decimals,
        "fractions": decimals and bool((numbers % 1 != 0).any()),
        "long": decimals
        and bool(((scaled - scaled.round()).abs() > 1e-6 * scaled.abs() / 10**MAX_MONEY_DIGITS + 1e-6).any()),
        "negatives": bool((numbers < 0).any()),
    }


def _formats(texts: pl.Series) -> list[str]:
    """The formats in which most texts are times. One with fractions of seconds counts only if the same without does not fit."""
    fitting = list[str]()
    for each in FORMATS:
        plain = each.removesuffix("%.f")
        fits = _mostly(texts.str.to_datetime(each, time_unit="us", strict=False).is_not_null())
        if fits and (plain == each or plain not in fitting):
            fitting.append(each)
    return fitting


def _unix_formats(numbers: pl.Series) -> Iterator[str]:
    for each, (low, high) in _UNIX_RANGES.items():
        if _mostly(numbers.is_between(low, high)):
            yield each


def _mostly(flags: pl.Series) -> bool:
    return int(flags.sum()) >= MIN_SHARE * flags.len()
