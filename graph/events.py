"""Events: the one shape of evidence, as rows of a Polars frame.

An event says that something happened to `subject` (and perhaps `other`) at `happened_at`, and that we knew it from
`recorded_at`. Times are UTC to the microsecond; money is an integer in minor units (cents, fen, haler) of `currency`.
Each kind has its own fields; a column that does not belong to a row's kind is null there.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from graph.currencies import DIGITS
from graph.json_keys import RepeatedKey, not_a_number, once
from graph.vocabulary import CATEGORIES, CHANNELS, CLASSES, DISPUTE_OUTCOMES, EARLIEST, KIND, KINDS, TIES

UTC_MICROSECONDS: Final = pl.Datetime("us", "UTC")

SCHEMA: Final[dict[str, type[pl.DataType] | pl.DataType]] = {
    "contributor": pl.String,  # who says so: a bank, a platform, a merchant
    "event_id": pl.String,  # the contributor's own, unique within the contributor
    "kind": pl.String,
    "subject": pl.String,
    "other": pl.String,  # the second party, if any
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
    "order": pl.String,  # the engine's own order
    "days_late": pl.Int64,
    "purpose": pl.String,
    "classes": pl.String,  # data classes, comma-separated
    "service": pl.String,
    "until": UTC_MICROSECONDS,
    "ref_contributor": pl.String,  # whose event `ref_event` is; null: this contributor's own
    "ref_event": pl.String,
    "outcome": pl.String,
    "statement": pl.String,
    "fields": pl.String,  # a JSON object: the columns a correction sets anew
}
IDENTITY: Final = ("contributor", "event_id")
CONTENT: Final = tuple(c for c in SCHEMA if c != "recorded_at")

KIND_FIELDS: Final = tuple(
    c for c in SCHEMA if c not in ("contributor", "event_id", "kind", "subject", "happened_at", "recorded_at")
)
CORRECTABLE: Final = (
    "happened_at",
    *(
        c
        for c in KIND_FIELDS
        if not c.startswith("ref_") and c not in ("fields", "outcome", "purpose", "classes", "until")
    ),
)

LATEST_PLAN: Final = datetime(2200, 1, 1, tzinfo=UTC)  # for `due` and `until`
CLOCK_SLACK: Final = timedelta(days=1)  # how far a contributor's clock may run ahead
MOST_AMOUNT: Final = 10**15
LONGEST: Final = {"statement": 2_000, "fields": 10_000}
LONGEST_ID: Final = 128
NAMED_SERVICE: Final = r"^.+/[a-z0-9_-]{1,40}$"  # a merchant and its name for the service, as consents name it
_TEXTS: Final = tuple(c for c, t in SCHEMA.items() if t == pl.String and c != "kind")


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with exactly the columns of `SCHEMA`, in order; absent ones null. Raises polars' errors on a bad cast."""
    if not frame.width:  # literals alone would make a row
        return pl.DataFrame(schema=SCHEMA)
    have = set(frame.columns)
    typed = (pl.col(c).cast(t) if c in have else pl.lit(None, t).alias(c) for c, t in SCHEMA.items())
    return frame.with_columns(typed).select(*SCHEMA)


def problems(events: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """What is wrong with which row: `row` (0-based index into `events`) and `reason` (all of the row's problems).

    `events` has the columns of `SCHEMA`; `now` bounds `happened_at` (with a day of slack). A row not listed may enter
    the ledger. Cost: one pass over the columns that hold something; corrections are parsed one by one.
    """
    seen = _seen(events)
    checks = [*_kind_checks(seen), *_presence_checks(seen), *_content_checks(seen, now), *_consent_checks(seen)]
    found = [_failing(events.with_row_index("row"), checks)]
    if "event.corrected" in seen.kinds:
        found.append(_bad_corrections(events, now))
    return pl.concat(found).group_by("row", maintain_order=True).agg(pl.col("reason").str.join("; ")).sort("row")


def corrected(fields: dict[str, object]) -> pl.DataFrame:
    """One row of `SCHEMA` types from a correction's fields, columns not set being null.

    Raises ValueError for a field that can't be corrected and for a value of the wrong type.
    """
    return pl.DataFrame([parsed(fields)], schema=SCHEMA, orient="row")


Check = tuple[pl.Expr, pl.Expr]  # what is wrong (null counts as fine), and what to say then


@dataclass(frozen=True)
class _Seen:
    """What the columns of a batch hold at all: a check that can't fail on it is left out, and most batches are of few kinds."""

    kinds: frozenset[str | None]
    filled: frozenset[str]  # columns with a value
    gaps: frozenset[str]  # columns with a null
    plain: frozenset[str]  # text columns, every value of them short and of printable ASCII without spaces

    def only(self, kinds: list[str]) -> pl.Expr:
        """Whether a row is of one of these kinds."""
        return pl.lit(True) if self.kinds <= set(kinds) else pl.col("kind").is_in(kinds)


def _seen(events: pl.DataFrame) -> _Seen:
    nulls = {c: events[c].null_count() for c in SCHEMA}
    filled = frozenset(c for c, n in nulls.items() if n < events.height)
    texts = (c for c in _TEXTS if c in filled)
    return _Seen(
        frozenset(events["kind"].unique()),
        filled,
        frozenset(c for c, n in nulls.items() if n),
        frozenset(c for c in texts if _is_plain(events[c])),
    )


def _is_plain(text: pl.Series) -> bool:
    """One look at all bytes together, which costs a tenth of looking for each kind of character in each value."""
    letters = np.frombuffer(text.str.join().cast(pl.Binary).item(), np.uint8)
    sizes = text.str.len_bytes()
    proper = bool(sizes.is_between(1, LONGEST_ID).all())
    return proper and bool(letters.min() > ord(" ") and letters.max() < 0x7F)


def _failing(rows: pl.DataFrame, checks: list[Check]) -> pl.DataFrame:
    """The rows (named by their column `row`) that fail, each with all it is told; messages are made for those alone."""
    bad = rows.filter(pl.any_horizontal(pl.lit(False), *(c.fill_null(False) for c, _ in checks)))
    if bad.is_empty():
        return pl.DataFrame(schema={"row": pl.Int64, "reason": pl.String})
    said = [pl.when(c).then(m) for c, m in checks]
    return bad.select(
        pl.col("row").cast(pl.Int64), pl.concat_str(said, separator="; ", ignore_nulls=True).alias("reason")
    )


def _quoted(column: str) -> pl.Expr:
    return pl.concat_str(pl.lit("`"), pl.col(column).cast(pl.String).str.slice(0, 40), pl.lit("`"))


def _says(*parts: str | pl.Expr) -> pl.Expr:
    return pl.concat_str([pl.lit(p) if isinstance(p, str) else p for p in parts])


def _kind_checks(seen: _Seen) -> Iterator[Check]:
    kind = pl.col("kind")
    if not seen.kinds <= set(KIND):
        yield (
            kind.is_null() | ~kind.is_in(list(KIND)),
            _says("unknown kind ", _quoted("kind").fill_null("(empty)"), ": use one of the kinds in docs/events.md"),
        )
    known = [k for k in KINDS if k.name in seen.kinds]
    for field in KIND_FIELDS:
        needing = [k.name for k in known if field in k.needs]
        strange = [k.name for k in known if field not in k.needs and field not in k.may]
        if needing and field in seen.gaps:
            yield seen.only(needing) & pl.col(field).is_null(), _says(f"`{field}` is missing: ", kind, " needs it")
        if strange and field in seen.filled:
            told = _says(f"`{field}` does not belong to ", kind, ": leave it empty")
            yield pl.col(field).is_not_null() & seen.only(strange), told
    money = pl.col("amount").is_not_null() != pl.col("currency").is_not_null()
    optional = [k.name for k in known if "amount" in k.may]
    if optional and seen.filled & {"amount", "currency"}:
        yield seen.only(optional) & money, _says("`amount` and `currency` go together: give both or neither")
    if "tie" in seen.filled and "strength" in seen.gaps:
        vouch = (pl.col("tie") == "vouch") & (kind == "tie.formed")
        yield vouch & pl.col("strength").is_null(), _says("`strength` is missing: a vouch needs it")


def _presence_checks(seen: _Seen) -> Iterator[Check]:
    for column in ("contributor", "event_id", "subject"):
        if column not in seen.plain or column in seen.gaps:
            yield pl.col(column).fill_null("") == "", _says(f"`{column}` is empty: every event needs one")
    yield (
        pl.col("happened_at").is_null(),
        _says("`happened_at` is missing: give a UTC time such as 2024-03-01T09:30:00Z"),
    )


def _content_checks(seen: _Seen, now: datetime) -> Iterator[Check]:
    """The checks of what a column holds, those of columns that hold nothing left out."""
    for check in (*_text_checks(seen), *_time_checks(now), *_value_checks()):
        if seen.filled.issuperset(check[0].meta.root_names()):
            yield check


def _text_checks(seen: _Seen) -> Iterator[Check]:
    for column in (c for c in _TEXTS if c not in seen.plain):
        most, text = LONGEST.get(column, LONGEST_ID), pl.col(column)
        yield text.str.len_chars() > most, _says(f"`{column}` is longer than {most} characters: shorten it")
        if column not in LONGEST:
            short = text.str.len_chars() <= most
            for wrong, said in _look_alikes(text):
                yield short & wrong, _says(f"`{column}` {said}")


def _look_alikes(text: pl.Expr) -> tuple[tuple[pl.Expr, str], ...]:
    """What lets an id look like another's, whoever reads it: `engine.lang.identifiers` has the same for one text."""
    unseen = r"[\p{Cf}\p{Default_Ignorable_Code_Point}\x{2800}]"
    return (
        (text.str.contains(r"[\p{Cc}\p{Zl}\p{Zp}]"), "has a control character: remove it"),
        (text.str.contains(unseen), "has a character that cannot be seen: remove it"),
        (text.str.contains(r"[\p{Zs}&&[^ ]]"), "has a blank that is no plain space: remove it"),
        (text.str.contains("^ | $"), "begins or ends with a space: remove it"),
        (
            text != text.str.normalize("NFC"),
            "is not in Unicode's normalization form C: write accents as one with their letter",
        ),
    )


def _time_checks(now: datetime) -> Iterator[Check]:
    at, latest = pl.col("happened_at"), now + CLOCK_SLACK
    yield (
        at > latest,
        _says("`happened_at` ", _quoted("happened_at"), " lies in the future: an event is sent after it happened"),
    )
    yield (
        at < EARLIEST,
        _says("`happened_at` ", _quoted("happened_at"), f" is before {EARLIEST.year}: check the date's format"),
    )
    for column in ("due", "until"):
        late = pl.col(column) > (LATEST_PLAN.date() if column == "due" else LATEST_PLAN)
        early = pl.col(column) < (EARLIEST.date() if column == "due" else EARLIEST)
        yield (
            late,
            _says(f"`{column}` ", _quoted(column), f" is after {LATEST_PLAN.year}: leave it empty if there is no end"),
        )
        yield early, _says(f"`{column}` ", _quoted(column), f" is before {EARLIEST.year}: check the date's format")


def _value_checks() -> Iterator[Check]:
    kind, amount = pl.col("kind"), pl.col("amount")
    yield (
        (amount < 0) & (kind != "account.balance"),
        _says("`amount` is negative (", amount.cast(pl.String), "): only a balance may be"),
    )
    yield amount.abs() > MOST_AMOUNT, _says(f"`amount` is beyond {MOST_AMOUNT}: amounts are in minor units")
    yield (
        ~pl.col("currency").is_in(list(DIGITS)),
        _says("`currency` ", _quoted("currency"), " is not a currency of ISO 4217: use a code such as CNY"),
    )
    for column, values in (
        ("tie", TIES),
        ("category", CATEGORIES),
        ("channel", CHANNELS),
        ("outcome", DISPUTE_OUTCOMES),
    ):
        yield (
            ~pl.col(column).is_in(list(values)),
            _says(f"unknown {column} ", _quoted(column), f": use one of {', '.join(values)}"),
        )
    for column, low, high in (("identity_level", 0, 3), ("strength", -10, 10), ("days_late", 0, 36_500)):
        yield (
            ~pl.col(column).is_between(low, high),
            _says(f"`{column}` is ", pl.col(column).cast(pl.String), f": it goes from {low} to {high}"),
        )
    yield (pl.col("strength") < 0) & (pl.col("tie") != "vouch"), _says("`strength` is negative: only a vouch may be")
    yield pl.col("subject") == pl.col("other"), _says("`other` is the subject too: a tie or payment needs two parties")
    yield (
        ~pl.col("purpose").str.contains(r"^[a-z][a-z_]*$"),
        _says("`purpose` ", _quoted("purpose"), " is not a lower-case word such as perks"),
    )
    one = "|".join(CLASSES)
    yield (
        ~pl.col("classes").str.contains(rf"^({one})(,({one}))*$"),
        _says("`classes` ", _quoted("classes"), f" is not a list of {', '.join(CLASSES)}"),
    )


def _consent_checks(seen: _Seen) -> Iterator[Check]:
    """What no question could ever find in force."""
    granted = ["consent.granted"] if "consent.granted" in seen.kinds else []
    said = [*granted, *(["consent.withdrawn"] if "consent.withdrawn" in seen.kinds else [])]
    if said and "service" in seen.filled:
        strange = ~pl.col("service").str.contains(NAMED_SERVICE)
        hint = ": write `merchant/service`, as the answer to PUT /v1/services/{id} names it"
        yield seen.only(said) & strange, _says("`service` ", _quoted("service"), f" names no merchant's service{hint}")
    if granted and "until" in seen.filled:
        over = pl.col("until") <= pl.col("happened_at")
        yield seen.only(granted) & over, _says("`until` is not after `happened_at`: the grant would never be in force")


def _bad_corrections(events: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Corrections are few: their JSON is read one by one. The values then meet the checks of any event's."""
    rows = events.with_row_index("row").filter((pl.col("kind") == "event.corrected") & pl.col("fields").is_not_null())
    unread: list[tuple[int, str]] = []
    read: list[dict[str, object]] = []
    for row, text in rows.select("row", "fields").iter_rows():
        try:
            _read_once(text)
            read.append({"row": row, **parsed(corrections(text))})
        except ValueError as problem:
            unread.append((row, str(problem)))
    new = pl.DataFrame(read, schema={"row": pl.Int64, **SCHEMA}, orient="row")
    values = _failing(new, [*_content_checks(_seen(new), now)])
    told = values.with_columns(pl.format("in `fields`: {}", "reason").alias("reason"))
    return pl.concat([pl.DataFrame(unread, schema={"row": pl.Int64, "reason": pl.String}, orient="row"), told])


def _read_once(text: str) -> None:
    """Raises ValueError for what has a key twice. Only of what enters: what was recorded earlier is read as it was then."""
    try:
        json.loads(text, object_pairs_hook=once, parse_constant=not_a_number)
    except RepeatedKey as error:
        raise ValueError(f"in `fields`, {error}: keep one") from None
    except (ValueError, RecursionError):
        raise ValueError('`fields` is not JSON: write an object such as {"amount": 1200}') from None


def corrections(text: str) -> dict[str, object]:
    """What a correction's `fields` says. Raises ValueError when it isn't a JSON object that sets something."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError('`fields` is not JSON: write an object such as {"amount": 1200}') from None
    if not isinstance(fields, dict) or not fields:
        raise ValueError("`fields` sets nothing: write a JSON object with at least one field")
    if any(_has_half(text) for text in (*fields, *fields.values()) if isinstance(text, str)):
        raise ValueError("`fields` has half of a character (a lone surrogate): check how it was written")
    return fields


def _has_half(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)


def parsed(fields: dict[str, object]) -> dict[str, object]:
    """A correction's fields as the types of their columns. Raises ValueError as `corrected` does."""
    unknown = sorted(set(fields) - set(CORRECTABLE))
    if unknown:
        said = ", ".join(f"`{f[:40]}`" for f in unknown)
        raise ValueError(f"`fields` sets {said}: a correction may set {', '.join(CORRECTABLE)}")
    return {c: _typed(c, v) for c, v in fields.items()}


def _typed(column: str, value: object) -> object:
    """A JSON value as its column's. A null is refused: what should not be there at all is retracted."""
    wanted = SCHEMA[column]
    if wanted == pl.Int64 and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    if wanted == pl.String and isinstance(value, str):
        return value
    try:
        if wanted == pl.Date and isinstance(value, str):
            return date.fromisoformat(value)
        if wanted == UTC_MICROSECONDS and isinstance(value, str):
            return _moment(value)
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        f"`{column}` in `fields` has a value of the wrong type: amounts are integers, times are ISO 8601 with a zone"
    )


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at.astimezone(UTC)
