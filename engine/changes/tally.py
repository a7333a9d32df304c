"""Count whom a change of rules moves, chunk by chunk: memory stays that of a chunk and of the people who are moved.

The narwhals expressions of a program take longer to build than to run on few people, so we find the accounts of many moved people
at once, not chunk by chunk.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import narwhals as nw

from engine.changes.comparison import (
    BAND,
    NONE,
    PERSON,
    Comparison,
    StateProgram,
    affects,
    decided,
    perk_pairs,
    question_amount,
    scored,
)
from engine.changes.plans import Frame, Lazy, Plan, Planner, plan_anew
from engine.changes.swap_report import LESS, MORE, OTHER, MovedPerson, SwapCounts, merge
from engine.lang.engines.columnar import REASONS
from engine.lang.engines.columns import first_match
from engine.lang.model.program import Perk, Program

GROUP: Final = "group"
Groups = Mapping[str, Frame]  # by the name of a grouping: `person` and `group`, one row or several for a person
MAX_WAITING: Final = 200_000  # moved people whose accounts we find at once
NO_SCORE: Final = -(10**9)  # below every score


@dataclass(frozen=True)
class PerkQuestion:
    """The question about a perk. `amount` is an expression, in minor units; `fixed_amount` is its value if it is one for all."""

    perk: Perk
    amount: nw.Expr
    fixed_amount: int | None = None


def perk_questions(old: Program, new: Program, amounts: Mapping[str, int]) -> tuple[PerkQuestion, ...]:
    """A question for each perk of either program: at the amount in `amounts`, in minor units, or at `question_amount`."""
    questions = []
    for perk_id, before, after in perk_pairs(old, new):
        perk = after or before
        if perk:
            amount = amounts.get(perk_id, question_amount(before, after))
            questions.append(PerkQuestion(perk, nw.lit(amount, nw.Int64), amount))
    return tuple(questions)


@dataclass
class SwapTally:
    """Counts of people by old and new results: `add` takes them in chunks, and `finish` must come last.

    `has_bands` is false where one person can occur several times, once for each decision.
    """

    compared: Comparison
    questions: Sequence[PerkQuestion]
    sample: int = 0
    has_bands: bool = True
    planner: Planner = plan_anew
    bands: SwapCounts = field(default_factory=lambda: SwapCounts("bands"))
    perks: dict[str, SwapCounts] = field(default_factory=dict)
    _waiting: list[Frame] = field(default_factory=list)
    _members: dict[str, list[Frame]] = field(default_factory=dict)  # the groups of those who wait
    _plans: dict[tuple[str, int], Plan] = field(default_factory=dict)  # by prefix and day
    _numbers: dict[str | None, tuple[int, ...]] = field(default_factory=dict)  # by perk, the changes that can affect it

    def __post_init__(self) -> None:
        numbers = range(1, len(self.compared.states))
        for question in self.questions:
            perk = question.perk
            self.perks[perk.id] = SwapCounts(perk.id, perk.currency, perk.digits, question.fixed_amount)
        for scope in (*self.perks, None):
            self._numbers[scope] = tuple(n for n in numbers if affects(self.compared, n, scope))

    @property
    def waiting(self) -> int:
        """How many moved people wait for `finish`."""
        return sum(map(len, self._waiting))

    def add(self, people: Frame, day: int, groups: Groups | None = None) -> None:
        """Count a chunk: `person`, and a column for each feature and flag, as in `comparison.scored`.

        `day` is that of the evaluation. Before a chunk of another day, call `finish` for this one.
        """
        results = self._results(people, day)
        self._count_everyone(results.with_columns(people.get_column(PERSON)), groups or {})
        moves = [nw.col(f"moved:{q.perk.id}") for q in self.questions] + [nw.col("moved:bands")] * self.has_bands
        swap_rows = people.with_columns(results.get_column(name) for name in results.columns)
        swap_rows = swap_rows.filter(nw.any_horizontal(*moves, ignore_nulls=True))
        if len(swap_rows):
            self._waiting.append(swap_rows)
            for name, members in (groups or {}).items():
                own = members.join(swap_rows.select(PERSON), on=PERSON, how="semi")
                self._members.setdefault(name, []).append(own)
        if self.waiting >= MAX_WAITING:
            self.finish(day)

    def finish(self, day: int) -> None:
        """Find the accounts of the moved people that wait."""
        if not self._waiting:
            return
        swap_rows, groups = nw.concat(self._waiting), {name: nw.concat(own) for name, own in self._members.items()}
        self._waiting.clear()
        self._members.clear()
        swap_rows = swap_rows.with_columns(*(_direction(q.perk.id) for q in self.questions), _direction(None))
        swap_rows = self._with_accounts(self._with_reasons(swap_rows, day), day)
        for question in self.questions:
            self._count_moved(self.perks[question.perk.id], swap_rows, question.perk.id, groups)
        if self.has_bands:
            self._count_moved(self.bands, swap_rows, None, groups)

    def _results(self, people: Frame, day: int) -> Frame:
        """The results by both programs: the columns of `_state_results`, and `moved:PERK` and `moved:bands`.

        What no change affects, we decide once.
        """
        affected = [q for q in self.questions if self._numbers[q.perk.id]]
        results = self._plan("old", day, self.questions)(people)
        if affected or self._numbers[None]:
            after = self._plan("new", day, affected)(people)
            results = results.with_columns(after.get_column(name) for name in after.columns)
        new_names = {name: f"new:{name.removeprefix('old:')}" for name in results.columns if name.startswith("old:")}
        same = {old: new for old, new in new_names.items() if new not in results.columns}
        results = results.with_columns(nw.col(old).alias(new) for old, new in same.items())
        results = results.with_columns(*(_is_moved("outcome", "waived", q.perk.id) for q in self.questions))
        return results.with_columns((nw.col("old:band") != nw.col("new:band")).alias("moved:bands"))

    def _plan(self, prefix: str, day: int, questions: Sequence[PerkQuestion]) -> Plan:
        """Decide by the old or the new program."""
        if (prefix, day) not in self._plans:
            state = self.compared.states[0 if prefix == "old" else -1]
            self._plans[prefix, day] = self.planner(
                lambda people: _state_results(state, prefix, people, day, questions)
            )
        return self._plans[prefix, day]

    def _with_reasons(self, swap_rows: Frame, day: int) -> Frame:
        """Add `old:reason:PERK` and `new:reason:PERK`, each where we count it: the old one if more is waived, else the new one."""
        first, last = self.compared.states[0], self.compared.states[-1]
        for prefix, state, is_of in (("old", first, {MORE}), ("new", last, {LESS, OTHER})):
            frame, names = scored(state, swap_rows.lazy(), day), list[str]()
            for question in self.questions:
                perk_id = question.perk.id
                directions = swap_rows.filter(nw.col(f"moved:{perk_id}")).get_column(f"direction:{perk_id}")
                if not is_of & set(directions.unique().to_list()):
                    continue
                names.append(f"{prefix}:reason:{perk_id}")
                frame = decided(state, perk_id, frame, question.amount, day, reason=True)
                frame = frame.with_columns(nw.col(REASONS[0]).fill_null(NONE).alias(names[-1]))
            if names:
                reasons = frame.select(*names).collect()
                swap_rows = swap_rows.with_columns(reasons.get_column(name) for name in names)
        return swap_rows

    def _with_accounts(self, swap_rows: Frame, day: int) -> Frame:
        """Add `account:PERK` and `account:bands`: the number of the change that moved the person, from 1; 0 for nobody moved.

        After the last change that affects a perk, everyone has the final result: we need not decide again.
        """
        scopes: list[str | None] = [q.perk.id for q in self.questions] + [None] * self.has_bands
        last = {scope: max(self._numbers[scope], default=0) for scope in scopes}
        swap_rows = swap_rows.with_columns(*(nw.lit(0, nw.Int64).alias(_account(scope)) for scope in scopes))
        for number, state in enumerate(self.compared.states[1:], 1):
            open_scopes = [scope for scope in scopes if number in self._numbers[scope] and number < last[scope]]
            if not open_scopes:
                continue
            frame = scored(state, swap_rows.lazy(), day)
            for scope in open_scopes:
                is_final = nw.col(BAND) == nw.col("new:band")
                if scope is not None:
                    question = next(q for q in self.questions if q.perk.id == scope)
                    frame = decided(state, scope, frame, question.amount, day)
                    is_final = _equals_new(scope)
                frame = frame.with_columns(_with_number(scope, is_final, number))
            updated = frame.select(*map(_account, open_scopes)).collect()
            swap_rows = swap_rows.with_columns(updated.get_column(name) for name in updated.columns)
        return swap_rows.with_columns(*(_with_number(scope, nw.lit(True), last[scope]) for scope in scopes))

    def _count_everyone(self, results: Frame, groups: Groups) -> None:
        merge(self.bands.matrix, _row_counts(results, "old:band", "new:band"))
        sizes = {name: [*_row_counts(results.select(PERSON).join(m, on=PERSON), GROUP)] for name, m in groups.items()}
        for question in self.questions:
            perk_id, counts = question.perk.id, self.perks[question.perk.id]
            merge(counts.matrix, _row_counts(results, f"old:outcome:{perk_id}", f"new:outcome:{perk_id}"))
            counts.waived_before += int(results[f"old:waived:{perk_id}"].sum())
            counts.waived_after += int(results[f"new:waived:{perk_id}"].sum())
        for counts in (self.bands, *self.perks.values()):
            for name, rows in sizes.items():
                merge(counts.group_sizes.setdefault(name, Counter()), ((str(group), n) for (group,), n in rows))

    def _count_moved(self, counts: SwapCounts, all_rows: Frame, perk_id: str | None, groups: Groups) -> None:
        """Count the people who are moved in a perk; None: in the bands of the score."""
        scope = perk_id or "bands"
        rows = all_rows.filter(nw.col(f"moved:{scope}"))
        if not len(rows):
            return
        rows = rows.with_columns(nw.col(f"direction:{scope}").alias("direction"))
        merge(counts.moves, ((str(d), n) for (d,), n in _row_counts(rows, "direction")))
        for (number, direction), n in _row_counts(rows, f"account:{scope}", "direction"):
            counts.by_account[self.compared.changes[int(str(number)) - 1].name, str(direction)] += n
        merge(counts.by_band, _row_counts(rows, "old:band", "direction"))
        for name, members in groups.items():
            directions = rows.select(PERSON, "direction").join(members, on=PERSON)
            merge(counts.by_group.setdefault(name, Counter()), _row_counts(directions, GROUP, "direction"))
        if perk_id:
            is_more = nw.col("direction") == MORE
            for reason, of_side in ((f"old:reason:{perk_id}", is_more), (f"new:reason:{perk_id}", ~is_more)):
                if reason in rows.columns:
                    merge(counts.by_reason, _row_counts(rows.filter(of_side), reason, "direction"))
            self._add_sample(counts, rows, perk_id)

    def _add_sample(self, counts: SwapCounts, rows: Frame, perk_id: str) -> None:
        """Keep the first of those moved, by their ids."""
        columns = [f"{side}:{name}:{perk_id}" for name in ("outcome", "waived") for side in ("old", "new")]
        picked = rows.select(PERSON, *columns, f"account:{perk_id}").sort(PERSON).head(self.sample)
        for row in picked.iter_rows():
            person, old_outcome, new_outcome, old_waived, new_waived, number = row
            account = self.compared.changes[number - 1].name
            counts.sample.append(MovedPerson(person, old_outcome, new_outcome, old_waived, new_waived, account))
        counts.keep_sample(self.sample)


def _state_results(state: StateProgram, prefix: str, people: Lazy, day: int, questions: Sequence[PerkQuestion]) -> Lazy:
    """The columns `PREFIX:score`, `PREFIX:band`, and `PREFIX:outcome:PERK` and `PREFIX:waived:PERK` of each question."""
    names = [f"{prefix}:score", f"{prefix}:{BAND}"]
    frame = scored(state, people, day).with_columns(nw.col("score").alias(names[0]), nw.col(BAND).alias(names[1]))
    for question in questions:
        own = [f"{prefix}:{name}:{question.perk.id}" for name in ("outcome", "waived")]
        frame = decided(state, question.perk.id, frame, question.amount, day)
        frame = frame.with_columns(nw.col("outcome").alias(own[0]), nw.col("waived").alias(own[1]))
        names += own
    return frame.select(*names)


def _is_moved(outcome: str, waived: str, perk_id: str) -> nw.Expr:
    pairs = [(nw.col(f"old:{name}:{perk_id}"), nw.col(f"new:{name}:{perk_id}")) for name in (outcome, waived)]
    return ((pairs[0][0] != pairs[0][1]) | (pairs[1][0] != pairs[1][1])).alias(f"moved:{perk_id}")


def _equals_new(perk_id: str) -> nw.Expr:
    is_same_outcome = nw.col("outcome") == nw.col(f"new:outcome:{perk_id}")
    return is_same_outcome & (nw.col("waived") == nw.col(f"new:waived:{perk_id}"))


def _direction(perk_id: str | None) -> nw.Expr:
    """Whether the waived amount, or the score, grows or shrinks."""
    names = (f"{side}:waived:{perk_id}" if perk_id else f"{side}:score" for side in ("old", "new"))
    before, after = (nw.col(name).fill_null(NO_SCORE) for name in names)
    pairs = [(after > before, nw.lit(MORE)), (after < before, nw.lit(LESS))]
    return first_match(pairs, nw.lit(OTHER)).alias(f"direction:{perk_id or 'bands'}")


def _account(scope: str | None) -> str:
    return f"account:{scope or 'bands'}"


def _with_number(scope: str | None, is_final: nw.Expr, number: int) -> nw.Expr:
    """The accounts, where this change is the first that leads those moved to the final result."""
    account = nw.col(_account(scope))
    reached = is_final & nw.col(f"moved:{scope or 'bands'}") & (account == 0)
    return nw.when(reached).then(nw.lit(number, nw.Int64)).otherwise(account).alias(_account(scope))


def _row_counts(rows: Frame, *columns: str) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Each combination of values in these columns, with the number of its rows."""
    for *values, number in rows.group_by(*columns).agg(nw.len().alias("rows")).iter_rows():
        yield tuple(values), int(number)
