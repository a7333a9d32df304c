"""Rows of JSON, one object each -> columns of texts and whole numbers, for rows of a file or of a request.

We parse in two ways. If each row of a batch has the plain form, we parse the batch by pydantic's JSON in C and check it
by columns. Otherwise we parse row by row, three times slower, and refuse each unreadable row with its reason.
"""

import difflib
import json
from collections.abc import Collection
from functools import lru_cache
from typing import Any, Final

import polars as pl
from pydantic_core import from_json

from api.evidence.values import BadRow
from graph.evidence.declared_fields import describe
from graph.evidence.events import INPUT_COLUMNS, SCHEMA
from graph.evidence.unique_keys import RepeatedKey, object_with_unique_keys, printable_key, reject_constant
from graph.evidence.vocabulary import STANDARD, EventVocabulary

MAX_ROW_BYTES: Final = 1_000_000  # bytes of a row of text; the longest honest event has about 20,000
MAX_EXCERPT_BYTES: Final = 200  # characters of an unreadable row that we repeat
_NUMBERS: Final = frozenset(c for c in INPUT_COLUMNS if SCHEMA[c] == pl.Int64)
_NUMBER_TYPES: Final = ("int", "decimal", "money")


def json_rows(
    rows: list[bytes], first: int, vocabulary: EventVocabulary = STANDARD
) -> tuple[pl.DataFrame, pl.Series, list[BadRow]]:
    """The readable rows, the number of each, and the wrong ones; we skip blank rows. The first has the number `first`."""
    frame = _parse_plain(rows, vocabulary)
    if frame is not None:
        return frame, pl.int_range(first, first + frame.height, dtype=pl.Int64, eager=True), []
    good: list[tuple[str | None, ...]] = []
    numbers: list[int] = []
    bad_rows: list[BadRow] = []
    for number, row in enumerate(rows, first):
        values = _parse_row(row, vocabulary)
        if isinstance(values, BadRow):
            bad_rows.append(values._replace(line=number))
        elif values:
            good.append(values)
            numbers.append(number)
    return text_frame(input_columns(vocabulary), good), pl.Series(numbers, dtype=pl.Int64), bad_rows


def input_columns(vocabulary: EventVocabulary) -> tuple[str, ...]:
    """The fields that an event may name."""
    return (*INPUT_COLUMNS, *vocabulary.extra_fields)


def _parse_plain(rows: list[bytes], vocabulary: EventVocabulary = STANDARD) -> pl.DataFrame | None:
    """The columns, if every row is an object of known fields, each once and of its column's own type. Otherwise None.

    Without backslashes each quote begins or ends a key or a text. So there is no key twice, anywhere, if there are no more
    quotes than those of the keys and texts that were kept.
    """
    if not rows or max(map(len, rows)) > MAX_ROW_BYTES or any(b"\\" in row for row in rows):
        return None
    try:
        objects = [from_json(row, allow_inf_nan=False) for row in rows]
    except ValueError:
        return None
    accepted_columns = input_columns(vocabulary)
    if set(map(type, objects)) != {dict} or not {"event_id"} <= (names := set().union(*objects)) <= set(
        accepted_columns
    ):
        return None
    declared = (f.name for f in vocabulary.extra_fields.values() if f.type in _NUMBER_TYPES)
    numbers = _NUMBERS.union(declared)
    columns = {c: [row.get(c) for row in objects] for c in accepted_columns if c in names}
    for name, values in columns.items():
        if not set(map(type, values)) <= {int if name in numbers else str, type(None)} or "" in values:
            return None
    keys, texts = sum(map(len, objects)), (len(v) - v.count(None) for c, v in columns.items() if c not in numbers)
    if sum(row.count(b'"') for row in rows) != 2 * (keys + sum(texts)):
        return None
    try:
        return pl.DataFrame([pl.Series(c, v, pl.Int64 if c in numbers else pl.String) for c, v in columns.items()])
    except (OverflowError, TypeError):  # beyond 64 bits
        return None


def _parse_row(row: bytes, vocabulary: EventVocabulary) -> tuple[str | None, ...] | BadRow | None:
    excerpt = row[:MAX_EXCERPT_BYTES].decode(errors="replace")
    if not row.strip():
        return None
    if len(row) > MAX_ROW_BYTES:
        return BadRow(0, f"the row is longer than {MAX_ROW_BYTES} bytes: shorten it", excerpt)
    try:
        payload = json.loads(row.decode(), object_pairs_hook=object_with_unique_keys, parse_constant=reject_constant)
        if not isinstance(payload, dict):
            return BadRow(0, "the row is not a JSON object: write one object a row", excerpt)
        problem = next((p for name, value in payload.items() if (p := _problem(name, value, vocabulary))), None)
        if problem:
            return BadRow(0, problem, payload)
        return tuple(_as_text(payload.get(c)) for c in input_columns(vocabulary))
    except UnicodeDecodeError as error:
        return BadRow(0, f"byte {error.start + 1} of the row is not UTF-8: save the file as UTF-8", excerpt)
    except RepeatedKey as error:
        return BadRow(0, f"{error}: keep one", excerpt)
    except (ValueError, RecursionError):
        return BadRow(0, "the row is not JSON: write one object a row", excerpt)


def _problem(name: str, value: object, vocabulary: EventVocabulary) -> str | None:
    if name == "recorded_at":
        return "`recorded_at` is set by the ledger: leave it out"
    declared = vocabulary.extra_fields.get(name)
    if declared is None and name not in INPUT_COLUMNS:
        return _unknown_field(printable_key(name), input_columns(vocabulary))
    if declared is not None and declared.type == "bool" and isinstance(value, bool):
        return None
    is_number = declared.type in _NUMBER_TYPES if declared else name in _NUMBERS
    numbers = (int, float) if declared and declared.type == "decimal" else (int,)
    fits = (
        value is None
        or isinstance(value, str)
        or (is_number and isinstance(value, numbers) and not isinstance(value, bool))
    )
    fits = fits or (name == "fields" and isinstance(value, dict))
    if not fits and declared:
        return f"`{name}` is not {describe(declared)}"
    if not fits:
        return f"`{name}` is {'not a whole number' if is_number else 'not a text'}"
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        return f"`{name}` has half of a character (a lone surrogate): check how it was written"
    return None


@lru_cache(1_000)
def _unknown_field(name: str, columns: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, columns, 1)
    return f"unknown field `{name}`: " + (
        f"did you mean `{close[0]}`?" if close else "the fields are listed in docs/events.md"
    )


def _as_text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def text_frame(columns: Collection[str], rows: list[Any]) -> pl.DataFrame:
    """Rows of texts as columns; an empty text is null."""
    texts = zip(*rows, strict=True) if rows else [()] * len(columns)
    frame = pl.DataFrame([pl.Series(n, t, pl.String) for n, t in zip(columns, texts, strict=True)])
    return frame.with_columns(pl.when(pl.col(c) != "").then(pl.col(c)).alias(c) for c in columns)
