"""Decide the recorded decisions of a period again, from their recorded values, under two releases."""

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import narwhals as nw
import polars as pl
from sqlalchemy import Select, func, select

from api.decisions.decisions import REFUSED
from api.features.value_chunks import ROWS, read_ahead, row_chunks
from api.releases.catalogue import kinds, stored_schema
from api.store.clock import iso, micros
from api.store.database import Database, reading
from api.store.tables import DECISION_SUBJECTS, DECISIONS
from api.supervision.decision_records import QUESTION_AMOUNT, QuestionTexts, question_frame
from api.supervision.polars_plans import plan_once
from api.supervision.swap_sets import Progress, SwapQuestion
from engine.changes.comparison import PERSON, Comparison, comparison
from engine.changes.day_turns import day_group
from engine.changes.plans import plan_anew
from engine.changes.rule_changes import changed_lists, rule_changes
from engine.changes.swap_report import SwapCounts, SwapReport
from engine.changes.tally import GROUP, PerkQuestion, SwapTally
from engine.changes.texts import file_differences
from engine.errors import Rejected
from engine.lang.model.program import Perk

TEXTS: Final = 20_000  # decisions whose records we hold at once: a text takes ten times the memory of its numbers
MAX_WAITING: Final = (
    150_000  # decisions that wait for a batch, of all perks; and moved ones that wait for their accounts
)
Key = tuple[int | None, int | None, int]  # since when each program is in force, and the group of days


@dataclass
class _Recount:
    """The tallies of a comparison of decisions: one for each perk and each group of days on which the rules are the same."""

    question: SwapQuestion
    most_waiting: int
    compared: dict[tuple[int | None, int | None], Comparison] = field(default_factory=dict)
    tallies: dict[tuple[str, Key], tuple[SwapTally, int]] = field(default_factory=dict)
    frames: dict[tuple[str, Key], list[pl.DataFrame]] = field(default_factory=dict)  # that wait for a batch
    keys: dict[int, Key] = field(default_factory=dict)  # by day

    def add(self, perk_id: str, records: QuestionTexts) -> None:
        """Count decisions about a perk."""
        programs = [p for release in (self.question.new, self.question.old) for p in release.programs]
        perks = [p for program in programs for p in program.perks if p.id == perk_id]
        if not perks:
            return  # neither release has it
        frame = question_frame(records, perks, {n: p.schema[n].type for p in reversed(programs) for n in p.reads})
        days_of = dict[Key, list[int]]()
        for day in frame["day"].unique().sort():
            days_of.setdefault(self._key(day), []).append(day)
        for key in sorted(days_of, key=str):
            self._tally(perk_id, perks[0], key, days_of[key][0])
            part = frame.filter(pl.col("day").is_in(days_of[key])) if len(days_of) > 1 else frame
            self.frames.setdefault((perk_id, key), []).append(part.drop("day"))
        while sum(map(_height, self.frames.values())) > self.most_waiting:
            self._decide(*max(self.frames, key=lambda place: _height(self.frames[place])))

    def _decide(self, perk_id: str, key: Key) -> None:
        """Count the decisions that wait, and find the accounts of the moved ones once they are many."""
        frames = self.frames.pop((perk_id, key), [])
        if not frames:
            return
        frame, (tally, day) = pl.concat(frames), self.tallies[perk_id, key]
        members = nw.from_native(frame.select(PERSON, pl.col("merchant").alias(GROUP)), eager_only=True)
        tally.add(nw.from_native(frame, eager_only=True), day, {"merchant": members})
        while sum(other.waiting for other, _ in self.tallies.values()) > self.most_waiting:
            largest, own_day = max(self.tallies.values(), key=lambda pair: pair[0].waiting)
            largest.finish(own_day)

    def _key(self, day: int) -> Key:
        if day not in self.keys:
            old, new = self.question.old.at(day), self.question.new.at(day)
            self.keys[day] = old.since, new.since, day_group((old, new), day)
        return self.keys[day]

    def _tally(self, perk_id: str, perk: Perk, key: Key, day: int) -> None:
        if (perk_id, key) not in self.tallies:
            compared = self.compared.get(key[:2]) or self.compared.setdefault(key[:2], _comparison(self.question, day))
            questions = [PerkQuestion(perk, nw.col(QUESTION_AMOUNT))]
            has_own_day = key[2] >= 0  # a condition compares `as_of`: one batch a day, for which we keep no plan
            planner = plan_anew if has_own_day else plan_once
            tally = SwapTally(compared, questions, self.question.sample, has_bands=False, planner=planner)
            self.tallies[perk_id, key] = tally, day

    def finish(self) -> tuple[SwapCounts, ...]:
        """The counts of each perk."""
        perks: dict[str, SwapCounts] = {}
        for (perk_id, key), (tally, day) in self.tallies.items():
            self._decide(perk_id, key)
            tally.finish(day)
            counts = tally.perks[perk_id]
            own = perks.setdefault(perk_id, SwapCounts(perk_id, counts.currency, counts.digits))
            own.add(counts)
            own.keep_sample(self.question.sample)
        return tuple(perks[perk_id] for perk_id in sorted(perks))


def _height(frames: Iterable[pl.DataFrame]) -> int:
    return sum(frame.height for frame in frames)


def compare_decisions(
    database: Database,
    question: SwapQuestion,
    since: datetime,
    until: datetime,
    progress: Progress,
    most_waiting: int = MAX_WAITING,
) -> SwapReport:
    """Decide again what was decided from `since` to before `until`: by the recorded values, waivers and counts of orders.

    A value that a record lacks, because its release did not read it, is missing. Decisions of erased people have no record.
    `most_waiting` bounds the decisions that we hold. Raises Rejected `no_decisions` if there is none.
    """
    in_period = DECISIONS.c.decided_at.between(micros(since), micros(until) - 1) & (DECISIONS.c.outcome != REFUSED)
    joined = DECISIONS.join(DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == DECISIONS.c.seq)
    with reading(database) as connection:
        total = connection.execute(select(func.count()).select_from(joined).where(in_period)).scalar_one()
    if not total:
        hint = "name a period with `--since` and `--until`"
        raise Rejected("no decision was recorded in this period", where="--since", hint=hint, code="no_decisions")
    columns = (DECISIONS.c.perk, DECISIONS.c.id, DECISIONS.c.merchant, DECISION_SUBJECTS.c.record)
    query = select(*columns).select_from(joined).where(in_period)
    # In the order of the index: for another one, SQLite would hold all records.
    query = query.order_by(DECISIONS.c.decided_at, DECISIONS.c.seq)
    recount, count = _Recount(question, most_waiting), 0
    records_ahead = read_ahead(_record_chunks(database, query, min(TEXTS, most_waiting)))
    with closing(records_ahead) as chunks:
        for chunk in chunks:
            for perk_id, records in sorted(chunk.items()):
                recount.add(perk_id, records)
                count += len(records.ids)
            progress(count, total)
    perks = recount.finish()
    changes = dict.fromkeys(c.name for compared in recount.compared.values() for c in compared.changes)
    lines = file_differences(question.old.files, question.new.files)
    period = f"{iso(since)} to {iso(until)}"
    return SwapReport(question.old.id, question.new.id, "decisions", period, lines, tuple(changes), None, perks)


def _record_chunks(database: Database, query: Select[Any], size: int) -> Generator[dict[str, QuestionTexts]]:
    """The records by perk, so many at a time."""
    chunk, count = dict[str, QuestionTexts](), 0
    for rows in row_chunks(database, query, min(size, ROWS)):
        for perk_id, decision_id, merchant, record in rows:
            chunk.setdefault(perk_id, QuestionTexts()).add(decision_id, merchant, record)
        count += len(rows)
        if count >= size:
            yield chunk
            chunk, count = {}, 0
    if count:
        yield chunk


def _comparison(question: SwapQuestion, day: int) -> Comparison:
    texts = {**question.old.files, **question.new.files}
    lists = changed_lists(question.old, question.new, day, stored_schema(texts), kinds())
    old, new = question.old.at(day), question.new.at(day)
    return comparison(old, new, rule_changes(old, new, (), lists))
