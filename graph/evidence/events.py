"""Events: the only form of evidence, as rows of a Polars frame.

An event states that something happened to `subject` (and perhaps `other`) at `happened_at`, and that we have known it
since `recorded_at`. Times are UTC to the microsecond. Money is an integer in minor units (cents, fen, haler) of
`currency`. Each kind has its own fields; a column that does not belong to the row's kind is null.
"""

import json
from datetime import UTC, date, datetime
from typing import Final

import polars as pl

UTC_MICROSECONDS: Final = pl.Datetime("us", "UTC")

SCHEMA: Final[dict[str, type[pl.DataType] | pl.DataType]] = {
    "contributor": pl.String,  # the source: a bank, a platform, a merchant
    "event_id": pl.String,  # chosen by the contributor, unique within the contributor
    "kind": pl.String,
    "subject": pl.String,
    "other": pl.String,  # second party, if any
    "happened_at": UTC_MICROSECONDS,
    "recorded_at": UTC_MICROSECONDS,  # set by the ledger; null before
    "identity_level": pl.Int64,  # 0 none, 1 phone, 2 document, 3 document seen in person
    "tie": pl.String,
    "strength": pl.Int64,  # -10..10; negative only for a vouch
    "amount": pl.Int64,  # minor units; negative only for a balance
    "currency": pl.String,  # ISO 4217
    "category": pl.String,
    "channel": pl.String,
    "obligation": pl.String,  # the contributor's id of the loan, bill or account
    "due": pl.Date,
    "order": pl.String,  # id of an order of this system
    "days_late": pl.Int64,
    "purpose": pl.String,
    "classes": pl.String,  # data classes, comma-separated
    "service": pl.String,
    "until": UTC_MICROSECONDS,
    "ref_contributor": pl.String,  # contributor of the event `ref_event`; null: the same contributor
    "ref_event": pl.String,
    "outcome": pl.String,
    "statement": pl.String,
    "fields": pl.String,  # a JSON object with the fields that a correction changes
    "data": pl.String,  # the declared fields that have no column here: see `graph.evidence.declared_fields`
}
DATA: Final = "data"
EVENT_KEY: Final = ("contributor", "event_id")
CONTENT_COLUMNS: Final = tuple(c for c in SCHEMA if c != "recorded_at")

KIND_FIELDS: Final = tuple(
    c for c in SCHEMA if c not in ("contributor", "event_id", "kind", "subject", "happened_at", "recorded_at", DATA)
)
INPUT_COLUMNS: Final = tuple(c for c in SCHEMA if c not in ("recorded_at", DATA))  # that a contributor may name
CORRECTABLE_COLUMNS: Final = (
    "happened_at",
    *(
        c
        for c in KIND_FIELDS
        if not c.startswith("ref_") and c not in ("fields", "outcome", "purpose", "classes", "until")
    ),
)

LATEST_PLANNED_TIME: Final = datetime(2200, 1, 1, tzinfo=UTC)  # for `due` and `until`
MAX_AMOUNT: Final = 10**15
MAX_LENGTHS: Final = {"statement": 2_000, "fields": 10_000}
MAX_ID_LENGTH: Final = 128


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with exactly the columns of `SCHEMA`, in order; missing ones are null. Raises Polars' errors for
    a failed cast.
    """
    if not frame.width:  # literals alone would create a row
        return pl.DataFrame(schema=SCHEMA)
    have = set(frame.columns)
    typed = (pl.col(c).cast(t) if c in have else pl.lit(None, t).alias(c) for c, t in SCHEMA.items())
    return frame.with_columns(typed).select(*SCHEMA)


def decode_fields(text: str) -> dict[str, object]:
    """Parse a correction's `fields`. Raises ValueError unless it is a JSON object with at least one key."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError('`fields` is not JSON: write an object such as {"amount": 1200}') from None
    if not isinstance(fields, dict) or not fields:
        raise ValueError("`fields` sets nothing: write a JSON object with at least one field")
    if any(_has_lone_surrogate(text) for text in (*fields, *fields.values()) if isinstance(text, str)):
        raise ValueError("`fields` has half of a character (a lone surrogate): check how it was written")
    return fields


def _has_lone_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)


def convert_value(column: str, value: object) -> object:
    """Convert a JSON value to the type of its column. Raises ValueError for one of another type, and for null: retract an
    event that should not exist.
    """
    dtype = SCHEMA[column]
    if dtype == pl.Int64 and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    if dtype == pl.String and isinstance(value, str):
        return value
    try:
        if dtype == pl.Date and isinstance(value, str):
            return date.fromisoformat(value)
        if dtype == UTC_MICROSECONDS and isinstance(value, str):
            return _parse_time(value)
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        f"`{column}` in `fields` has a value of the wrong type: amounts are integers, times are ISO 8601 with a zone"
    )


def _parse_time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at.astimezone(UTC)
