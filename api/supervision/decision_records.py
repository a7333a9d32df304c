"""Read the questions of recorded decisions as columns: values, fields of the request, what caps leave, and counts of orders."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from typing import Any, Final

import polars as pl

from api.features.value_chunks import native_types
from api.store.clock import EPOCH, micros
from engine.changes.comparison import PERSON, cap_column
from engine.decide.caps import parse_moment
from engine.decide.patterns import SECOND
from engine.lang.model.program import Cap, Perk
from engine.lang.model.timezones import UTC_NAME, day_in
from engine.lang.model.types import DAY, Type

QUESTION_AMOUNT: Final = "question_amount"
_WAIVER: Final = {"perk": pl.String, "currency": pl.String, "waived": pl.Int64, "at": pl.String, "open": pl.Boolean}
_HEAD: Final[Mapping[str, Any]] = {
    **{"amount": pl.Int64, "currency": pl.String, "as_of": pl.String, "asked_at": pl.String, "timezone": pl.String},
    **{"held_since": pl.String, "in_service": pl.Int64, "unpaid": pl.Int64, "overdue": pl.Int64},
}
_NO_WAIVERS: Final = "[]"
# Marks in the canonical JSON of a record.
_AMOUNT: Final = '{"amount":'
_QUESTION: Final = f'"question":{_AMOUNT}'
_USED: Final = ',"used":['
_VALUES: Final = ',"values":{'
_RATES: Final = ',"rates":{'
_REASONS: Final = ',"reasons":['
_ISO: Final = "%Y-%m-%dT%H:%M:%S%.f%:z"
_TIMES: Final = ("as_of", "asked_at", "held_since", "timezone")
_COUNTS: Final = ("in_service", "unpaid", "overdue")


@dataclass
class QuestionTexts:
    """The questions of decisions about one perk, in the JSON texts of `question_texts`."""

    ids: list[str] = field(default_factory=list)
    merchants: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)

    def add(self, decision_id: str, merchant: str, record: str) -> None:
        """Add a decision."""
        head, used, values = question_texts(record)
        for column, text in (
            (self.ids, decision_id),
            (self.merchants, merchant),
            (self.heads, head),
            (self.used, used),
            (self.values, values),
        ):
            column.append(text)


def question_texts(record: str) -> tuple[str, str, str]:
    """The question of a record in three JSON texts: its plain fields, the earlier waivers and the values.

    Polars parses plain fields five times as fast as nested ones, and the question is a quarter of the record. A record is canonical
    JSON. No text in it contains these marks, because quotes in texts have a backslash, and no field of a request is an object or
    a list. So the marks are where those parts begin, and where the rates or the reasons follow them.
    """
    begin = record.find(_QUESTION)
    used = record.find(_USED, begin)
    values = record.find(_VALUES, used)
    end = record.find(_REASONS, values)
    if min(begin, used, values, end) < 0:  # of another form
        question = json.loads(record)["decision"]["question"]
        used_text, values_text = (json.dumps(question.pop(name)) for name in ("used", "values"))
        return json.dumps(question), used_text, values_text
    rates = record.find(_RATES, values, end)
    last = (rates if rates >= 0 else end) - 1  # the brace of the question
    head = record[begin + len(_QUESTION) - len(_AMOUNT) : used]
    return f"{head}}}", record[used + len(_USED) - 1 : values], record[values + len(_VALUES) - 1 : last]


def question_frame(records: QuestionTexts, perks: Sequence[Perk], types: Mapping[str, Type]) -> pl.DataFrame:
    """The questions of records as columns: the values, the fields of the request, what caps leave, the counts of orders, and the day."""
    fields = {a.name.removeprefix("request."): a.type for perk in reversed(perks) for a in perk.request}
    questions = _parsed(records.heads, dict(_HEAD) | ({"context": pl.Struct(native_types(fields))} if fields else {}))
    frame = questions.drop("context", strict=False).with_columns(
        pl.Series(PERSON, records.ids, pl.String),
        pl.Series("merchant", records.merchants, pl.String),
        pl.col("amount").alias(QUESTION_AMOUNT),
        *_parsed(records.values, native_types(types)).get_columns(),
        *(pl.col(name).alias(f"person.{name}") for name in _COUNTS),
    )
    if fields:
        context = questions["context"].struct.unnest()
        frame = frame.with_columns(context[name].alias(f"request.{name}") for name in fields)
    asked_micros, held_micros = _micros(frame["asked_at"]), _micros(frame["held_since"])
    frame = frame.with_columns(
        ((asked_micros - held_micros) // SECOND).alias("held_for"), asked_micros.alias("asked_micros"), _days(frame)
    )
    caps = {
        cap_column(cap, is_own=n < len(p.caps)): (cap, n < len(p.caps))
        for p in perks
        for n, cap in enumerate(p.all_caps)
    }
    frame = _with_caps(frame.with_row_index("row"), records.used, perks[0].id, caps)
    return frame.drop("row", "amount", "asked_micros", *_TIMES, "currency", *_COUNTS)


def _parsed(texts: Sequence[str], schema: Mapping[str, Any]) -> pl.DataFrame:
    """JSON objects as columns."""
    if not texts or not schema:
        return pl.DataFrame(schema=schema)
    return pl.read_ndjson(BytesIO("\n".join(texts).encode()), schema=dict(schema))  # JSON has no line breaks


def _with_caps(
    frame: pl.DataFrame, used_texts: Sequence[str], perk_id: str, caps: Mapping[str, tuple[Cap, bool]]
) -> pl.DataFrame:
    """Add what each cap leaves, as `engine.decide.caps.remaining_by_cap` counts it. Most people have no earlier waiver."""
    texts = pl.Series(used_texts, dtype=pl.String)
    has_used = texts != _NO_WAIVERS
    lists = _parsed([f'{{"used":{text}}}' for text in texts.filter(has_used)], {"used": pl.List(pl.Struct(_WAIVER))})
    used = frame.select("row", "currency", "asked_micros").filter(has_used).hstack(lists).explode("used")
    waivers = used.with_columns(
        *(pl.col("used").struct.field(name).alias(f"u_{name}") for name in ("perk", "waived", "open")),
        pl.col("used").struct.field("currency").alias("u_currency"),
        ((pl.col("asked_micros") - _micros(used["used"].struct.field("at"))) // SECOND).alias("age"),
    )
    counts = dict[str, pl.Expr]()
    for column, (cap, is_own) in caps.items():
        is_recent = pl.col("u_open") if cap.days is None else pl.col("age") < cap.days * DAY
        of_cap = is_recent & (pl.col("u_perk") == perk_id if is_own else pl.col("u_currency") == pl.col("currency"))
        if cap.waived is not None:
            of_cap &= pl.col("u_currency") == pl.col("currency")
        counts[column] = pl.col("u_waived").filter(of_cap).sum() if cap.waived is not None else of_cap.sum()
    sums = waivers.group_by("row").agg(count.cast(pl.Int64).alias(column) for column, count in counts.items())
    joined = frame.select("row").join(sums, on="row", how="left", maintain_order="left")
    return frame.with_columns(joined.select(_left(column, cap) for column, (cap, _) in caps.items()).get_columns())


def _left(column: str, cap: Cap) -> pl.Expr:
    """What a cap leaves, from a column with the amount, or the number, of the waivers that count."""
    used = pl.col(column).fill_null(0)
    if cap.waived is not None:
        return (pl.lit(cap.waived) - used).clip(lower_bound=0).alias(column)
    return pl.when(used >= (cap.times or 0)).then(pl.lit(0, pl.Int64)).alias(column)


def _micros(moments: pl.Series) -> pl.Series:
    """Moments in microseconds since 1970-01-01 UTC."""
    parsed = moments.str.to_datetime(_ISO, time_unit="us", time_zone="UTC", strict=False).dt.timestamp("us")
    unusual = moments.filter(parsed.is_null()).unique().drop_nulls().to_list()
    if not unusual:
        return parsed
    cache = {text: micros(parse_moment(text)) for text in unusual}
    texts = pl.Series(list(cache), dtype=pl.String)
    return parsed.fill_null(moments.replace_strict(texts, list(cache.values()), default=None, return_dtype=pl.Int64))


def _days(frame: pl.DataFrame) -> pl.Series:
    """The `day` of each question in its time zone, counted from 1970-01-01."""
    seconds = (_micros(frame["as_of"]) // SECOND).alias("second")
    moments = frame.select(pl.col("timezone").fill_null(UTC_NAME), seconds)
    distinct = moments.unique()
    days = [day_in(zone, EPOCH + timedelta(seconds=second)) for zone, second in distinct.iter_rows()]
    days_of = distinct.with_columns(pl.Series("day", days, pl.Int64))
    return moments.join(days_of, on=["timezone", "second"], how="left", maintain_order="left")["day"]
