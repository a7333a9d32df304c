"""Compare two programs for many people at once: what each decides, and the change that moved each person.

**The account of a move.** We apply the changes one after the other, in the order of `rule_changes`. The account of a person who
is moved is the first change after which the person has the final result. So each move has exactly one account, and the accounts
add up to the moves.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import narwhals as nw

from engine.changes.rule_changes import RuleChange, first_program
from engine.decide.decide import LIMITED_EVENT
from engine.lang.engines import columnar
from engine.lang.engines.columns import dtype, first_match, integer, truth
from engine.lang.model.program import EVENT_KIND, NO_ORDER, ORDER_STATE, Cap, Perk, Program

Lazy = nw.LazyFrame[Any]
PERSON: Final = "person"
BY_NEW: Final = "new:"  # the prefix of a column with values by the new definition
NONE: Final = (
    "none"  # the outcome where the rules have no such perk, the band without a score, a decision without a reason
)
BAND: Final = "band"
COUNTS: Final = frozenset({"person.in_service", "person.unpaid", "person.overdue"})  # of the person's orders


@dataclass(frozen=True)
class StateProgram:
    """The rules after some of the changes, and the columns that have their new values then."""

    program: Program
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """The old rules, the changes, and the rules after each change: `states[0]` is the old program, the last one the new."""

    changes: tuple[RuleChange, ...]
    states: tuple[StateProgram, ...]

    @property
    def columns(self) -> dict[str, Program]:
        """Every feature and flag that one of the programs reads, with a program that has its type."""
        return {name: state.program for state in self.states for name in state.program.reads}


def comparison(old: Program, new: Program, changes: Sequence[RuleChange]) -> Comparison:
    """Apply the changes one after the other. `changes` come from `rule_changes(old, new)`."""
    state = StateProgram(first_program(old, new), ())
    states = [state]
    for change in changes:
        state = StateProgram(change.apply(state.program), (*state.columns, *change.columns))
        states.append(state)
    return Comparison(tuple(changes), tuple(states))


def question_amount(old: Perk | None, new: Perk | None) -> int:
    """The deposit at which we compare a perk for everyone: the highest one that a tier of either program waives in whole.

    So the best tier admits, and the others waive what they can. In minor units.
    """
    perks = [perk for perk in (old, new) if perk]
    most = min(perk.most for perk in perks)
    waivers = [most if t.up_to is None else min(t.up_to, most) for perk in perks for t in perk.tiers if t.share == 100]
    return max(waivers, default=most)


def scored(state: StateProgram, people: Lazy, day: int) -> Lazy:
    """The people with the columns of `columnar.score` under a state.

    `people` has a column for each feature and flag; those by the new definition have the prefix `BY_NEW`.
    """
    names = set(people.collect_schema().names())
    types = {n: state.program.schema[n].type for n in state.program.reads if n not in names}
    columns = [nw.col(BY_NEW + name).alias(name) for name in state.columns]
    columns += [nw.lit(None, dtype(type_)).alias(name) for name, type_ in types.items() if name not in state.columns]
    frame = people.with_columns(*columns) if columns else people
    return columnar.score(state.program, frame, day, reasons=False).with_columns(nw.col(BAND).fill_null(NONE))


def decided(
    state: StateProgram, perk_id: str, scored_people: Lazy, amount: nw.Expr, day: int, *, reason: bool = False
) -> Lazy:
    """The frame of `scored` with the columns of `columnar.perk`: `outcome`, `waived`, and with `reason` the first reason.

    A column `cap_column` says what a cap leaves; without it we ask as if nothing was waived before, so each cap on amounts leaves
    all of its amount. With the columns `person.in_service`, `person.unpaid` and `person.overdue`, the limits of orders apply.
    """
    perk = state.program.perk(perk_id)
    if perk is None:
        result = [nw.lit(NONE).alias("outcome"), nw.lit(0, nw.Int64).alias("waived")]
        result += [nw.lit(None, nw.String).alias(columnar.REASONS[0])] * reason
        return scored_people.with_columns(*result)
    names = set(scored_people.collect_schema().names())
    left = [(f"left:{n}", cap_column(cap, is_own=n < len(perk.caps)), cap) for n, cap in enumerate(perk.all_caps)]
    remaining = [
        (nw.col(column) if column in names else nw.lit(cap.waived, nw.Int64)).alias(name) for name, column, cap in left
    ]
    frame = scored_people.with_columns(*remaining) if remaining else scored_people
    frame = columnar.perk(state.program, perk_id, frame, amount, day, reasons=int(reason))
    frame = frame.drop(*(name for name, _, _ in left)) if left else frame
    return _with_limits(state.program, frame, day, reason=reason) if names >= COUNTS else frame


def cap_column(cap: Cap, *, is_own: bool) -> str:
    """The name of the column with the amount that a cap leaves; null if it does not bind."""
    return f"cap:{'own' if is_own else 'shared'}:{cap.waived}:{cap.times}:{cap.days}"


def _with_limits(program: Program, frame: Lazy, day: int, *, reason: bool) -> Lazy:
    """Decline where the person's other orders allow no new one; not where we do not know their counts."""
    limits = program.orders.limits if program.orders else ()
    if not limits:
        return frame
    frame = frame.with_columns(nw.lit(LIMITED_EVENT).alias(EVENT_KIND), nw.lit(NO_ORDER).alias(ORDER_STATE))
    applies = [truth(r.when, day).fill_null(r.unknown_refuses) for r in limits]
    code = first_match(
        [(a, nw.lit(r.code)) for a, r in zip(applies, limits, strict=True)], nw.lit(None, nw.String)
    ).alias("~limit")
    frame = frame.with_columns(code)
    is_limited = ~nw.col("~limit").is_null() & (nw.col("waived") > 0) & ~nw.col("person.in_service").is_null()
    columns = [("outcome", nw.lit("DECLINE")), ("waived", integer(0))]
    columns += [(columnar.REASONS[0], nw.col("~limit"))] * reason
    frame = frame.with_columns(is_limited.alias("~limited"))
    changed = (nw.when(nw.col("~limited")).then(value).otherwise(nw.col(name)).alias(name) for name, value in columns)
    return frame.with_columns(*changed).drop("~limit", "~limited", EVENT_KIND, ORDER_STATE)


def affects(compared: Comparison, number: int, perk_id: str | None) -> bool:
    """Whether the change of that number (from 1) can move anyone in a perk; None: in the bands of the score."""
    before, after = compared.states[number - 1], compared.states[number]
    if before.columns != after.columns or before.program.scorecard != after.program.scorecard:
        return True
    first, second = before.program, after.program
    if perk_id is None:
        return first.timezone != second.timezone
    is_same = (first.relationships, first.timezone) == (second.relationships, second.timezone)
    limits = [p.orders.limits if p.orders else () for p in (first, second)]
    return not is_same or first.perk(perk_id) != second.perk(perk_id) or limits[0] != limits[1]


def perk_pairs(old: Program, new: Program) -> Iterator[tuple[str, Perk | None, Perk | None]]:
    """Each perk of either program: its id, and its two forms, in the order of the new program."""
    before: Mapping[str, Perk] = {p.id: p for p in old.perks}
    after = {p.id: p for p in new.perks}
    for perk_id in dict.fromkeys((*after, *before)):
        yield perk_id, before.get(perk_id), after.get(perk_id)
