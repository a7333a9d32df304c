"""Decide the recorded decisions of a period again, from their recorded values, under two releases."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any, Final

import narwhals as nw
import polars as pl
from sqlalchemy import func, select

from api.decisions.decisions import REFUSED
from api.features.value_chunks import native_types, one_ahead
from api.releases.catalogue import kinds, stored_schema
from api.store.clock import iso, micros
from api.store.database import Database, reading
from api.store.tables import DECISION_SUBJECTS, DECISIONS
from api.supervision.swap_sets import Progress, SwapQuestion
from engine.changes.comparison import PERSON, Comparison, cap_column, comparison
from engine.changes.day_turns import day_group
from engine.changes.rule_changes import changed_lists, rule_changes
from engine.changes.swap_report import SwapCounts, SwapReport
from engine.changes.tally import GROUP, PerkQuestion, SwapTally
from engine.changes.texts import file_differences
from engine.decide.caps import parse_moment
from engine.decide.patterns import SECOND
from engine.errors import Rejected
from engine.lang.model.program import Cap, Perk
from engine.lang.model.timezones import UTC_NAME, day_in
from engine.lang.model.types import DAY, Type

CHUNK: Final = 5_000  # decisions whose records we hold at once: a text takes ten times the memory of its numbers
BATCH: Final = 50_000  # decisions that we decide again at once
QUESTION_AMOUNT: Final = "question_amount"
_USED: Final = {"perk": pl.String, "currency": pl.String, "waived": pl.Int64, "at": pl.String, "open": pl.Boolean}
_QUESTION: Final[Mapping[str, Any]] = {
    **{"amount": pl.Int64, "currency": pl.String, "as_of": pl.String, "asked_at": pl.String, "timezone": pl.String},
    **{"held_since": pl.String, "in_service": pl.Int64, "unpaid": pl.Int64, "overdue": pl.Int64},
    "used": pl.List(pl.Struct(_USED)),
}
_COUNTS: Final = ("in_service", "unpaid", "overdue")
Key = tuple[int | None, int | None, int]  # since when each program is in force, and the group of days


@dataclass
class _Recount:
    """The tallies of a comparison of decisions: one for each perk and each group of days on which the rules are the same."""

    question: SwapQuestion
    compared: dict[tuple[int | None, int | None], Comparison] = field(default_factory=dict)
    tallies: dict[tuple[str, Key], tuple[SwapTally, int]] = field(default_factory=dict)
    frames: dict[tuple[str, Key], list[pl.DataFrame]] = field(default_factory=dict)  # that wait for a batch

    def add(self, perk_id: str, rows: Sequence[Any]) -> None:
        """Count decisions about a perk. A row is the id, the merchant and the record."""
        programs = [p for release in (self.question.new, self.question.old) for p in release.programs]
        perks = [p for program in programs for p in program.perks if p.id == perk_id]
        if not perks:
            return  # neither release has it
        frame = _frame(rows, perks, {n: p.schema[n].type for p in reversed(programs) for n in p.reads})
        days = _days(frame)
        keys_by_day = {day: self._key(day) for day in set(days)}
        keys = [keys_by_day[day] for day in days]
        for key in sorted(set(keys), key=str):
            part = frame.filter(pl.Series([k == key for k in keys]))
            self._tally(perk_id, perks[0], key, days[keys.index(key)])
            self.frames.setdefault((perk_id, key), []).append(part)
            if sum(f.height for f in self.frames[perk_id, key]) >= BATCH:
                self._decide(perk_id, key)

    def _decide(self, perk_id: str, key: Key) -> None:
        """Count the decisions that wait."""
        frames = self.frames.pop((perk_id, key), [])
        if frames:
            frame, (tally, day) = pl.concat(frames), self.tallies[perk_id, key]
            members = nw.from_native(frame.select(PERSON, pl.col("merchant").alias(GROUP)), eager_only=True)
            tally.add(nw.from_native(frame, eager_only=True), day, {"merchant": members})

    def _key(self, day: int) -> Key:
        old, new = self.question.old.at(day), self.question.new.at(day)
        return old.since, new.since, day_group((old, new), day)

    def _tally(self, perk_id: str, perk: Perk, key: Key, day: int) -> tuple[SwapTally, int]:
        if (perk_id, key) not in self.tallies:
            compared = self.compared.get(key[:2]) or self.compared.setdefault(key[:2], _comparison(self.question, day))
            questions = [PerkQuestion(perk, nw.col(QUESTION_AMOUNT))]
            self.tallies[perk_id, key] = SwapTally(compared, questions, self.question.sample, has_bands=False), day
        return self.tallies[perk_id, key]

    def finish(self) -> tuple[SwapCounts, ...]:
        """The counts of each perk."""
        perks: dict[str, SwapCounts] = {}
        for (perk_id, key), (tally, day) in self.tallies.items():
            self._decide(perk_id, key)
            tally.finish(day)
            counts = tally.perks[perk_id]
            own = perks.setdefault(perk_id, SwapCounts(perk_id, counts.currency, counts.digits))
            own.add(counts)
            del own.sample[self.question.sample :]
        return tuple(perks[perk_id] for perk_id in sorted(perks))


def compare_decisions(
    database: Database, question: SwapQuestion, since: datetime, until: datetime, progress: Progress
) -> SwapReport:
    """Decide again what was decided from `since` to before `until`: by the recorded values, waivers and counts of orders.

    A value that a record lacks, because its release did not read it, is missing. Decisions of erased people have no record.
    Raises Rejected `no_decisions` if there is none.
    """
    in_period = DECISIONS.c.decided_at.between(micros(since), micros(until) - 1) & (DECISIONS.c.outcome != REFUSED)
    joined = DECISIONS.join(DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == DECISIONS.c.seq)
    with reading(database) as connection:
        total = connection.execute(select(func.count()).select_from(joined).where(in_period)).scalar_one()
    columns = (DECISIONS.c.perk, DECISIONS.c.id, DECISIONS.c.merchant, DECISION_SUBJECTS.c.record)
    query = select(*columns).select_from(joined).where(in_period).order_by(DECISIONS.c.seq)

    def chunks() -> Iterator[Sequence[Any]]:
        with reading(database) as connection:
            result = connection.execution_options(stream_results=True, yield_per=CHUNK).execute(query)
            yield from map(list, result.partitions(CHUNK))

    if not total:
        hint = "name a period with `--since` and `--until`"
        raise Rejected("no decision was recorded in this period", where="--since", hint=hint, code="no_decisions")
    recount, count = _Recount(question), 0
    for chunk in one_ahead(chunks()):
        for perk_id in sorted({row[0] for row in chunk}):
            recount.add(perk_id, [row[1:] for row in chunk if row[0] == perk_id])
        count += len(chunk)
        progress(count, total)
    perks = recount.finish()
    changes = dict.fromkeys(c.name for compared in recount.compared.values() for c in compared.changes)
    lines = file_differences(question.old.files, question.new.files)
    period = f"{iso(since)} to {iso(until)}"
    return SwapReport(question.old.id, question.new.id, "decisions", period, lines, tuple(changes), None, perks)


def _comparison(question: SwapQuestion, day: int) -> Comparison:
    texts = {**question.old.files, **question.new.files}
    lists = changed_lists(question.old, question.new, day, stored_schema(texts), kinds())
    old, new = question.old.at(day), question.new.at(day)
    return comparison(old, new, rule_changes(old, new, (), lists))


def _frame(rows: Sequence[Any], perks: Sequence[Perk], types: Mapping[str, Type]) -> pl.DataFrame:
    """The questions of records as columns: the values, the fields of the request, what caps leave, and the counts of orders."""
    ids, merchants, records = zip(*rows, strict=True)
    fields = {a.name.removeprefix("request."): a.type for perk in reversed(perks) for a in perk.request}
    shape = dict(_QUESTION) | {"values": pl.Struct(native_types(types))}
    shape |= {"context": pl.Struct(native_types(fields))} if fields else {}
    text = "\n".join(records).encode()
    parsed = pl.read_ndjson(BytesIO(text), schema={"decision": pl.Struct({"question": pl.Struct(shape)})})
    questions = parsed["decision"].struct.field("question").struct.unnest()
    frame = questions.drop("values", *(["context"] if fields else [])).with_columns(
        pl.Series(PERSON, ids, pl.String),
        pl.Series("merchant", merchants, pl.String),
        pl.col("amount").alias(QUESTION_AMOUNT),
    )
    frame = frame.with_columns(questions["values"].struct.unnest().get_columns())
    if fields:
        context = questions["context"].struct.unnest()
        frame = frame.with_columns(context[name].alias(f"request.{name}") for name in fields)
    frame = frame.with_columns(pl.col(name).alias(f"person.{name}") for name in _COUNTS)
    asked_micros, held_micros = _micros(frame["asked_at"]), _micros(frame["held_since"])
    frame = frame.with_columns(
        ((asked_micros - held_micros) // SECOND).alias("held_for"), asked_micros.alias("asked_micros")
    )
    caps = {
        cap_column(cap, is_own=n < len(p.caps)): (cap, n < len(p.caps))
        for p in perks
        for n, cap in enumerate(p.all_caps)
    }
    frame = _with_caps(frame.with_row_index("row"), perks[0].id, caps)
    return frame.drop("row", "used", "amount", "asked_micros", "asked_at", "held_since", *_COUNTS)


def _with_caps(frame: pl.DataFrame, perk_id: str, caps: Mapping[str, tuple[Cap, bool]]) -> pl.DataFrame:
    """Add what each cap leaves, as `engine.decide.caps.remaining_by_cap` counts it."""
    used = frame.select("row", "currency", "asked_micros", "used").filter(pl.col("used").list.len() > 0).explode("used")
    waivers = used.with_columns(
        *(pl.col("used").struct.field(name).alias(f"u_{name}") for name in ("perk", "waived", "open")),
        pl.col("used").struct.field("currency").alias("u_currency"),
        ((pl.col("asked_micros") - _micros(used["used"].struct.field("at"))) // SECOND).alias("age"),
    )
    for column, (cap, is_own) in caps.items():
        counts = pl.col("u_open") if cap.days is None else pl.col("age") < cap.days * DAY
        of_cap = pl.col("u_perk") == perk_id if is_own else pl.col("u_currency") == pl.col("currency")
        own = waivers.filter(counts & of_cap)
        same = pl.col("u_waived").filter(pl.col("u_currency") == pl.col("currency")).sum()
        sums = own.group_by("row").agg(same.alias("sum"), pl.len().alias("times"))
        joined = frame.select("row").join(sums, on="row", how="left", maintain_order="left")
        if cap.waived is not None:
            left = (pl.lit(cap.waived) - pl.col("sum").fill_null(0)).clip(lower_bound=0)
        else:
            left = pl.when(pl.col("times").fill_null(0) >= (cap.times or 0)).then(pl.lit(0, pl.Int64))
        frame = frame.with_columns(joined.select(left.cast(pl.Int64).alias(column)).get_columns())
    return frame


def _micros(moments: pl.Series) -> pl.Series:
    """Moments in microseconds since 1970-01-01 UTC."""
    cache = {text: micros(parse_moment(text)) for text in moments.unique().drop_nulls().to_list()}
    return pl.Series([None if text is None else cache[text] for text in moments.to_list()], dtype=pl.Int64)


def _days(frame: pl.DataFrame) -> list[int]:
    """The day of each question in its time zone, counted from 1970-01-01."""
    pairs = list(frame.select("as_of", "timezone").iter_rows())
    by_pair = {pair: day_in(pair[1] or UTC_NAME, parse_moment(pair[0])) for pair in set(pairs)}
    return [by_pair[pair] for pair in pairs]
