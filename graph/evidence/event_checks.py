"""Checks of new events: find the rows that we reject, each with all its problems."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from graph.evidence.currencies import CURRENCY_DIGITS
from graph.evidence.events import (
    KIND_FIELDS,
    LATEST_PLANNED_TIME,
    MAX_AMOUNT,
    MAX_ID_LENGTH,
    MAX_LENGTHS,
    SCHEMA,
    convert_fields,
    decode_fields,
)
from graph.evidence.unique_keys import RepeatedKey, object_with_unique_keys, reject_constant
from graph.evidence.vocabulary import (
    CATEGORIES,
    CHANNELS,
    CLASSES,
    DISPUTE_OUTCOMES,
    EARLIEST_EVENT_TIME,
    KIND_BY_NAME,
    KINDS,
    TIES,
)

CLOCK_SLACK: Final = timedelta(days=1)  # how far a contributor's clock may be ahead
SERVICE_PATTERN: Final = r"^.+/[a-z0-9_-]{1,40}$"  # a merchant and its name for the service, as in consents
_TEXT_COLUMNS: Final = tuple(c for c, t in SCHEMA.items() if t == pl.String and c != "kind")
Check = tuple[pl.Expr, pl.Expr]  # condition of a problem (null counts as no problem), and its message


def problems(events: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Find invalid rows: `row` (0-based index into `events`) and `reason` (all problems of the row).

    `events` has the columns of `SCHEMA`; `happened_at` may be at most a day after `now`. You can add every row that is
    not listed to the ledger. Cost: one pass over the columns that hold a value; corrections are parsed one by one.
    """
    profile = _profile(events)
    checks = [
        *_kind_checks(profile),
        *_presence_checks(profile),
        *_content_checks(profile, now),
        *_consent_checks(profile),
    ]
    parts = [_failures(events.with_row_index("row"), checks)]
    if "event.corrected" in profile.kinds:
        parts.append(_correction_problems(events, now))
    return pl.concat(parts).group_by("row", maintain_order=True).agg(pl.col("reason").str.join("; ")).sort("row")


@dataclass(frozen=True)
class _BatchProfile:
    """Which columns of a batch hold values. We skip checks that cannot fail; most batches have few kinds of events."""

    kinds: frozenset[str | None]
    filled_columns: frozenset[str]  # columns with a value
    null_columns: frozenset[str]  # columns with a null
    plain_columns: frozenset[str]  # text columns in which every value is short, printable ASCII without spaces

    def is_any_of(self, kinds: list[str]) -> pl.Expr:
        """Whether a row has one of these kinds."""
        return pl.lit(True) if self.kinds <= set(kinds) else pl.col("kind").is_in(kinds)


def _profile(events: pl.DataFrame) -> _BatchProfile:
    nulls = {c: events[c].null_count() for c in SCHEMA}
    filled = frozenset(c for c, n in nulls.items() if n < events.height)
    texts = (c for c in _TEXT_COLUMNS if c in filled)
    return _BatchProfile(
        frozenset(events["kind"].unique()),
        filled,
        frozenset(c for c, n in nulls.items() if n),
        frozenset(c for c in texts if _is_plain(events[c])),
    )


def _is_plain(text: pl.Series) -> bool:
    """Check all bytes at once, at a tenth of the cost of searching each value for each class of characters."""
    letters = np.frombuffer(text.str.join().cast(pl.Binary).item(), np.uint8)
    sizes = text.str.len_bytes()
    proper = bool(sizes.is_between(1, MAX_ID_LENGTH).all())
    return proper and bool(letters.min() > ord(" ") and letters.max() < 0x7F)


def _failures(rows: pl.DataFrame, checks: list[Check]) -> pl.DataFrame:
    """Return the rows that fail (by their column `row`) with all their messages; we build messages for failing rows
    only.
    """
    bad = rows.filter(pl.any_horizontal(pl.lit(False), *(c.fill_null(False) for c, _ in checks)))
    if bad.is_empty():
        return pl.DataFrame(schema={"row": pl.Int64, "reason": pl.String})
    messages = [pl.when(c).then(m) for c, m in checks]
    return bad.select(
        pl.col("row").cast(pl.Int64), pl.concat_str(messages, separator="; ", ignore_nulls=True).alias("reason")
    )


def _quote(column: str) -> pl.Expr:
    return pl.concat_str(pl.lit("`"), pl.col(column).cast(pl.String).str.slice(0, 40), pl.lit("`"))


def _message(*parts: str | pl.Expr) -> pl.Expr:
    return pl.concat_str([pl.lit(p) if isinstance(p, str) else p for p in parts])


def _kind_checks(profile: _BatchProfile) -> Iterator[Check]:
    kind = pl.col("kind")
    if not profile.kinds <= set(KIND_BY_NAME):
        yield (
            kind.is_null() | ~kind.is_in(list(KIND_BY_NAME)),
            _message("unknown kind ", _quote("kind").fill_null("(empty)"), ": use one of the kinds in docs/events.md"),
        )
    kinds = [k for k in KINDS if k.name in profile.kinds]
    for field in KIND_FIELDS:
        requiring = [k.name for k in kinds if field in k.required]
        foreign = [k.name for k in kinds if field not in k.required and field not in k.optional]
        if requiring and field in profile.null_columns:
            yield (
                profile.is_any_of(requiring) & pl.col(field).is_null(),
                _message(f"`{field}` is missing: ", kind, " needs it"),
            )
        if foreign and field in profile.filled_columns:
            message = _message(f"`{field}` does not belong to ", kind, ": leave it empty")
            yield pl.col(field).is_not_null() & profile.is_any_of(foreign), message
    money = pl.col("amount").is_not_null() != pl.col("currency").is_not_null()
    optional = [k.name for k in kinds if "amount" in k.optional]
    if optional and profile.filled_columns & {"amount", "currency"}:
        yield profile.is_any_of(optional) & money, _message("`amount` and `currency` go together: give both or neither")
    if "tie" in profile.filled_columns and "strength" in profile.null_columns:
        vouch = (pl.col("tie") == "vouch") & (kind == "tie.formed")
        yield vouch & pl.col("strength").is_null(), _message("`strength` is missing: a vouch needs it")


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
    for check in (*_text_checks(profile), *_time_checks(now), *_value_checks()):
        if profile.filled_columns.issuperset(check[0].meta.root_names()):
            yield check


def _text_checks(profile: _BatchProfile) -> Iterator[Check]:
    for column in (c for c in _TEXT_COLUMNS if c not in profile.plain_columns):
        limit, text = MAX_LENGTHS.get(column, MAX_ID_LENGTH), pl.col(column)
        yield text.str.len_chars() > limit, _message(f"`{column}` is longer than {limit} characters: shorten it")
        if column not in MAX_LENGTHS:
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


def _time_checks(now: datetime) -> Iterator[Check]:
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
    for column in ("due", "until"):
        late = pl.col(column) > (LATEST_PLANNED_TIME.date() if column == "due" else LATEST_PLANNED_TIME)
        early = pl.col(column) < (EARLIEST_EVENT_TIME.date() if column == "due" else EARLIEST_EVENT_TIME)
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


def _value_checks() -> Iterator[Check]:
    kind, amount = pl.col("kind"), pl.col("amount")
    yield (
        (amount < 0) & (kind != "account.balance"),
        _message("`amount` is negative (", amount.cast(pl.String), "): only a balance may be"),
    )
    yield amount.abs() > MAX_AMOUNT, _message(f"`amount` is beyond {MAX_AMOUNT}: amounts are in minor units")
    yield (
        ~pl.col("currency").is_in(list(CURRENCY_DIGITS)),
        _message("`currency` ", _quote("currency"), " is not a currency of ISO 4217: use a code such as CNY"),
    )
    for column, values in (
        ("tie", TIES),
        ("category", CATEGORIES),
        ("channel", CHANNELS),
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


def _correction_problems(events: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Check corrections one by one, since they are few and hold JSON; their values then pass the checks of other
    events.
    """
    rows = events.with_row_index("row").filter((pl.col("kind") == "event.corrected") & pl.col("fields").is_not_null())
    unreadable: list[tuple[int, str]] = []
    records: list[dict[str, object]] = []
    for row, text in rows.select("row", "fields").iter_rows():
        try:
            _check_unique_keys(text)
            records.append({"row": row, **convert_fields(decode_fields(text))})
        except ValueError as problem:
            unreadable.append((row, str(problem)))
    new = pl.DataFrame(records, schema={"row": pl.Int64, **SCHEMA}, orient="row")
    values = _failures(new, [*_content_checks(_profile(new), now)])
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
