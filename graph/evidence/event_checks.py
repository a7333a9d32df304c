"""Checks of new events: find the rows that we reject, each with all its problems."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np
import polars as pl

from graph.evidence.currencies import CURRENCY_DIGITS
from graph.evidence.declared_fields import COLUMN_TYPES, columns_of, convert_fields, describe, unpack
from graph.evidence.events import (
    DATA,
    KIND_FIELDS,
    LATEST_PLANNED_TIME,
    MAX_AMOUNT,
    MAX_ID_LENGTH,
    MAX_LENGTHS,
    SCHEMA,
    decode_fields,
)
from graph.evidence.unique_keys import RepeatedKey, object_with_unique_keys, reject_constant
from graph.evidence.vocabulary import (
    CLASSES,
    DISPUTE_OUTCOMES,
    EARLIEST_EVENT_TIME,
    STANDARD,
    EventField,
    EventVocabulary,
    Kind,
)

CLOCK_SLACK: Final = timedelta(days=1)  # how far a contributor's clock may be ahead
SERVICE_PATTERN: Final = r"^.+/[a-z0-9_-]{1,40}$"  # a merchant and its name for the service, as in consents
_TEXT_COLUMNS: Final = tuple(c for c, t in SCHEMA.items() if t == pl.String and c not in ("kind", DATA))
_ROW: Final = "#row"  # no field has this name
Check = tuple[pl.Expr, pl.Expr]  # condition of a problem (null counts as no problem), and its message


def problems(events: pl.DataFrame, now: datetime, vocabulary: EventVocabulary = STANDARD) -> pl.DataFrame:
    """Find invalid rows: `row` (0-based index into `events`) and `reason` (all problems of the row).

    `events` has the columns of `SCHEMA`; `happened_at` may be at most a day after `now`. You can add every row that is
    not listed to the ledger. Cost: one pass over the columns that hold a value; corrections are parsed one by one.
    """
    rows = unpack(events, vocabulary) if events[DATA].null_count() < events.height else events
    profile = _profile(rows, vocabulary)
    checks = [
        *_kind_checks(profile),
        *_presence_checks(profile),
        *_content_checks(profile, now),
        *_consent_checks(profile),
    ]
    parts = [_failures(rows.with_row_index(_ROW), checks)]
    if "event.corrected" in profile.kinds:
        parts.append(_correction_problems(rows, now, vocabulary))
    return pl.concat(parts).group_by("row", maintain_order=True).agg(pl.col("reason").str.join("; ")).sort("row")


@dataclass(frozen=True)
class _BatchProfile:
    """Which columns of a batch hold values. We skip checks that cannot fail; most batches have few kinds of events."""

    vocabulary: EventVocabulary
    kinds: frozenset[str | None]
    filled_columns: frozenset[str]  # columns with a value
    null_columns: frozenset[str]  # columns with a null
    plain_columns: frozenset[str]  # text columns in which every value is short, printable ASCII without spaces

    @property
    def declared_fields(self) -> tuple[EventField, ...]:
        """The declared fields with a value."""
        return tuple(f for name, f in self.vocabulary.extra_fields.items() if name in self.filled_columns)

    def kinds_where(self, condition: Callable[[Kind], bool]) -> list[str]:
        """The kinds of the batch that meet a condition."""
        return [k.name for k in self.vocabulary.kinds if k.name in self.kinds and condition(k)]

    def is_any_of(self, kinds: list[str]) -> pl.Expr:
        """Whether a row has one of these kinds."""
        return pl.lit(True) if self.kinds <= set(kinds) else pl.col("kind").is_in(kinds)


def _profile(events: pl.DataFrame, vocabulary: EventVocabulary) -> _BatchProfile:
    nulls = {c: events[c].null_count() for c in events.columns if c in SCHEMA or c in vocabulary.extra_fields}
    filled = frozenset(c for c, n in nulls.items() if n < events.height)
    texts = (c for c in (*_TEXT_COLUMNS, *_extra_texts(vocabulary)) if c in filled)
    return _BatchProfile(
        vocabulary,
        frozenset(events["kind"].unique()),
        filled,
        frozenset(c for c, n in nulls.items() if n),
        frozenset(c for c in texts if _is_plain(events[c])),
    )


def _extra_texts(vocabulary: EventVocabulary) -> tuple[str, ...]:
    """The declared fields that hold a text."""
    return tuple(name for name, f in vocabulary.extra_fields.items() if COLUMN_TYPES[f.type] == pl.String)


def _is_plain(text: pl.Series) -> bool:
    """Check all bytes at once, at a tenth of the cost of searching each value for each class of characters."""
    letters = np.frombuffer(text.str.join().cast(pl.Binary).item(), np.uint8)
    sizes = text.str.len_bytes()
    proper = bool(sizes.is_between(1, MAX_ID_LENGTH).all())
    return proper and bool(letters.min() > ord(" ") and letters.max() < 0x7F)


def _failures(rows: pl.DataFrame, checks: list[Check]) -> pl.DataFrame:
    """Return the rows that fail (by their column `_ROW`) with all their messages; we build messages for failing rows
    only.
    """
    bad = rows.filter(pl.any_horizontal(pl.lit(False), *(c.fill_null(False) for c, _ in checks)))
    if bad.is_empty():
        return pl.DataFrame(schema={"row": pl.Int64, "reason": pl.String})
    messages = [pl.when(c).then(m) for c, m in checks]
    return bad.select(
        pl.col(_ROW).cast(pl.Int64).alias("row"),
        pl.concat_str(messages, separator="; ", ignore_nulls=True).alias("reason"),
    )


def _quote(column: str) -> pl.Expr:
    return pl.concat_str(pl.lit("`"), pl.col(column).cast(pl.String).str.slice(0, 40), pl.lit("`"))


def _message(*parts: str | pl.Expr) -> pl.Expr:
    return pl.concat_str([pl.lit(p) if isinstance(p, str) else p for p in parts])


def _kind_checks(profile: _BatchProfile) -> Iterator[Check]:
    kind, vocabulary = pl.col("kind"), profile.vocabulary
    if not profile.kinds <= set(vocabulary.kind_by_name):
        yield (
            kind.is_null() | ~kind.is_in(list(vocabulary.kind_by_name)),
            _message("unknown kind ", _quote("kind").fill_null("(empty)"), ": use one of the kinds in docs/events.md"),
        )
    for field in (*KIND_FIELDS, *vocabulary.extra_fields):
        requiring = profile.kinds_where(lambda k, field=field: field in k.required)  # type: ignore[misc]
        foreign = profile.kinds_where(lambda k, field=field: field not in k.fields)  # type: ignore[misc]
        filled = field in profile.filled_columns
        if requiring and (field in profile.null_columns or not filled):
            missing = pl.col(field).is_null() if filled or field in SCHEMA else pl.lit(True)
            yield profile.is_any_of(requiring) & missing, _message(f"`{field}` is missing: ", kind, " needs it")
        if foreign and filled:
            message = _message(f"`{field}` does not belong to ", kind, ": leave it empty")
            yield pl.col(field).is_not_null() & profile.is_any_of(foreign), message
    yield from _pair_checks(profile)
    if "tie" in profile.filled_columns and "strength" in profile.null_columns:
        vouch = (pl.col("tie") == "vouch") & (kind == "tie.formed")
        yield vouch & pl.col("strength").is_null(), _message("`strength` is missing: a vouch needs it")


def _pair_checks(profile: _BatchProfile) -> Iterator[Check]:
    """Return the checks that an optional amount has a currency, and a currency an amount."""
    for amount, currency in profile.vocabulary.money_pairs:
        optional = profile.kinds_where(lambda k, amount=amount: amount in k.optional)  # type: ignore[misc]
        if optional and profile.filled_columns & {amount, currency}:
            single = pl.col(amount).is_not_null() != pl.col(currency).is_not_null()
            message = f"`{amount}` and `{currency}` go together: give both or neither"
            yield profile.is_any_of(optional) & single, _message(message)


def _presence_checks(profile: _BatchProfile) -> Iterator[Check]:
    for column in ("contributor", "event_id", "subject"):
        if column not in profile.plain_columns or column in profile.null_columns:
            yield pl.col(column).fill_null("") == "", _message(f"`{column}` is empty: every event needs one")
    yield (
        pl.col("happened_at").is_null(),
        _message("`happened_at` is missing: give a UTC time such as 2024-03-01T09:30:00Z"),
    )


def _content_checks(profile: _BatchProfile, now: datetime) -> Iterator[Check]:
    """Return the checks of column contents, without those of empty columns."""
    for check in (
        *_text_checks(profile),
        *_time_checks(profile, now),
        *_value_checks(profile.vocabulary),
        *_declared_checks(profile),
    ):
        if profile.filled_columns.issuperset(check[0].meta.root_names()):
            yield check


def _text_checks(profile: _BatchProfile) -> Iterator[Check]:
    texts = (*_TEXT_COLUMNS, *_extra_texts(profile.vocabulary))
    for column in (c for c in texts if c not in profile.plain_columns):
        limit, text = MAX_LENGTHS.get(column, MAX_ID_LENGTH), pl.col(column)
        yield text.str.len_chars() > limit, _message(f"`{column}` is longer than {limit} characters: shorten it")
        if column in MAX_LENGTHS:  # of control characters, long texts may have all but this: PostgreSQL keeps none
            yield text.str.contains("\0", literal=True), _message(f"`{column}` has a NUL character: remove it")
        else:
            short = text.str.len_chars() <= limit
            for wrong, message in _lookalike_checks(text):
                yield short & wrong, _message(f"`{column}` {message}")


def _lookalike_checks(text: pl.Expr) -> tuple[tuple[pl.Expr, str], ...]:
    """Return the checks for characters that make one id look like another; `engine.lang.model.identifiers` does this
    for one text.
    """
    invisible = r"[\p{Cf}\p{Default_Ignorable_Code_Point}\x{2800}]"
    return (
        (text.str.contains(r"[\p{Cc}\p{Zl}\p{Zp}]"), "has a control character: remove it"),
        (text.str.contains(invisible), "has a character that cannot be seen: remove it"),
        (text.str.contains(r"[\p{Zs}&&[^ ]]"), "has a blank that is no plain space: remove it"),
        (text.str.contains("^ | $"), "begins or ends with a space: remove it"),
        (
            text != text.str.normalize("NFC"),
            "is not in Unicode's normalization form C: write accents as one with their letter",
        ),
    )


def _time_checks(profile: _BatchProfile, now: datetime) -> Iterator[Check]:
    at, latest = pl.col("happened_at"), now + CLOCK_SLACK
    yield (
        at > latest,
        _message("`happened_at` ", _quote("happened_at"), " lies in the future: an event is sent after it happened"),
    )
    yield (
        at < EARLIEST_EVENT_TIME,
        _message(
            "`happened_at` ", _quote("happened_at"), f" is before {EARLIEST_EVENT_TIME.year}: check the date's format"
        ),
    )
    days = ("due", *(f.name for f in profile.declared_fields if f.type == "date"))
    for column in (*days, "until", *(f.name for f in profile.declared_fields if f.type == "moment")):
        late = pl.col(column) > (LATEST_PLANNED_TIME.date() if column in days else LATEST_PLANNED_TIME)
        early = pl.col(column) < (EARLIEST_EVENT_TIME.date() if column in days else EARLIEST_EVENT_TIME)
        yield (
            late,
            _message(
                f"`{column}` ",
                _quote(column),
                f" is after {LATEST_PLANNED_TIME.year}: leave it empty if there is no end",
            ),
        )
        yield (
            early,
            _message(f"`{column}` ", _quote(column), f" is before {EARLIEST_EVENT_TIME.year}: check the date's format"),
        )


def _value_checks(vocabulary: EventVocabulary) -> Iterator[Check]:
    amount = pl.col("amount")
    yield (
        (amount < 0) & ~pl.col("kind").is_in(vocabulary.signed_kinds),
        _message("`amount` is negative (", amount.cast(pl.String), "): only a balance may be"),
    )
    yield amount.abs() > MAX_AMOUNT, _message(f"`amount` is beyond {MAX_AMOUNT}: amounts are in minor units")
    yield _currency_check("currency")
    for column, values in (
        ("tie", vocabulary.ties),
        ("category", vocabulary.categories),
        ("channel", vocabulary.channels),
        ("outcome", DISPUTE_OUTCOMES),
    ):
        yield (
            ~pl.col(column).is_in(list(values)),
            _message(f"unknown {column} ", _quote(column), f": use one of {', '.join(values)}"),
        )
    for column, low, high in (("identity_level", 0, 3), ("strength", -10, 10), ("days_late", 0, 36_500)):
        yield (
            ~pl.col(column).is_between(low, high),
            _message(f"`{column}` is ", pl.col(column).cast(pl.String), f": use a number from {low} to {high}"),
        )
    yield (pl.col("strength") < 0) & (pl.col("tie") != "vouch"), _message("`strength` is negative: only a vouch may be")
    yield (
        pl.col("subject") == pl.col("other"),
        _message("`other` is the subject too: a tie or payment needs two parties"),
    )
    yield (
        ~pl.col("purpose").str.contains(r"^[a-z][a-z_]*$"),
        _message("`purpose` ", _quote("purpose"), " is not a lower-case word such as perks"),
    )
    one = "|".join(CLASSES)
    yield (
        ~pl.col("classes").str.contains(rf"^({one})(,({one}))*$"),
        _message("`classes` ", _quote("classes"), f" is not a list of {', '.join(CLASSES)}"),
    )


def _currency_check(column: str) -> Check:
    message = _message(f"`{column}` ", _quote(column), " is not a currency of ISO 4217: use a code such as CNY")
    return ~pl.col(column).is_in(list(CURRENCY_DIGITS)), message


def _declared_checks(profile: _BatchProfile) -> Iterator[Check]:
    """Return the checks of declared fields: their bounds, their words and their currencies."""
    for field in profile.declared_fields:
        value = pl.col(field.name)
        if field.type == "currency":
            yield _currency_check(field.name)
        elif field.type == "enum":
            message = _message(f"unknown {field.name} ", _quote(field.name), f": use {describe(field)}")
            yield ~value.is_in(list(field.values)), message
        elif field.low is not None and field.high is not None:
            bounds = f"{_unscaled(field.low, field)} to {_unscaled(field.high, field)}"
            yield (
                ~value.is_between(field.low, field.high),
                _message(f"`{field.name}` is out of bounds: use a number from {bounds}"),
            )


def _unscaled(number: int, field: EventField) -> str:
    return f"{Decimal(number).scaleb(-field.digits):f}"


def _consent_checks(profile: _BatchProfile) -> Iterator[Check]:
    """Return the checks for consents that no eligibility question could match."""
    granted = ["consent.granted"] if "consent.granted" in profile.kinds else []
    kinds = [*granted, *(["consent.withdrawn"] if "consent.withdrawn" in profile.kinds else [])]
    if kinds and "service" in profile.filled_columns:
        malformed = ~pl.col("service").str.contains(SERVICE_PATTERN)
        hint = ": write `merchant/service`, as the answer to PUT /v1/services/{id} names it"
        yield (
            profile.is_any_of(kinds) & malformed,
            _message("`service` ", _quote("service"), f" names no merchant's service{hint}"),
        )
    if granted and "until" in profile.filled_columns:
        never_in_force = pl.col("until") <= pl.col("happened_at")
        yield (
            profile.is_any_of(granted) & never_in_force,
            _message("`until` is not after `happened_at`: the grant would never be in force"),
        )


def _correction_problems(events: pl.DataFrame, now: datetime, vocabulary: EventVocabulary) -> pl.DataFrame:
    """Check corrections one by one, since they are few and hold JSON; their values then pass the checks of other
    events.
    """
    rows = events.with_row_index(_ROW).filter((pl.col("kind") == "event.corrected") & pl.col("fields").is_not_null())
    unreadable: list[tuple[int, str]] = []
    records: list[dict[str, object]] = []
    for row, text in rows.select(_ROW, "fields").iter_rows():
        try:
            _check_unique_keys(text)
            records.append({_ROW: row, **columns_of(convert_fields(decode_fields(text), vocabulary), vocabulary)})
        except ValueError as problem:
            unreadable.append((row, str(problem)))
    new = unpack(pl.DataFrame(records, schema={_ROW: pl.Int64, **SCHEMA}, orient="row"), vocabulary)
    values = _failures(new, [*_content_checks(_profile(new, vocabulary), now)])
    reasons = values.with_columns(pl.format("in `fields`: {}", "reason").alias("reason"))
    return pl.concat([pl.DataFrame(unreadable, schema={"row": pl.Int64, "reason": pl.String}, orient="row"), reasons])


def _check_unique_keys(text: str) -> None:
    """Reject repeated keys with ValueError. Applies to new events only: we read recorded events as we did when they
    were recorded.
    """
    try:
        json.loads(text, object_pairs_hook=object_with_unique_keys, parse_constant=reject_constant)
    except RepeatedKey as error:
        raise ValueError(f"in `fields`, {error}: keep one") from None
    except (ValueError, RecursionError):
        raise ValueError('`fields` is not JSON: write an object such as {"amount": 1200}') from None
