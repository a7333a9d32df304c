"""Define the branches of rules: the bins, and the results of each condition. Cases should try each of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from engine.decide.orders import Transition
from engine.lang.model.conditions import (
    AS_OF,
    And,
    AttrKnown,
    Const,
    Not,
    Or,
    Statuses,
    Truth,
    names,
)
from engine.lang.model.program import (
    AMOUNT,
    EVENT_KIND,
    ORDER_STATE,
    PERK_HELD,
    SCORE,
    Characteristic,
    OrderLifecycle,
    Perk,
    Program,
    Scorecard,
    perk_stage,
)
from engine.lang.model.types import Type, format_value

BranchKind = Literal["scorable", "rule", "bin", "knock-out", "tier", "flag", "refusal", "move", "feature"]
Result = Literal["met", "not met", "unknown"]

RESULT_OF_STATUS: Final[dict[bool | None, Result]] = {True: "met", False: "not met", None: "unknown"}
STATUS_OF_RESULT: Final[dict[Result, bool | None]] = {result: status for status, result in RESULT_OF_STATUS.items()}
# Every question has these, so no condition is unknown because of them.
ALWAYS_KNOWN: Final = frozenset({AS_OF, SCORE, AMOUNT, PERK_HELD, ORDER_STATE, EVENT_KIND})
SCORABLE: Final = "scorable"


@dataclass(frozen=True, order=True)
class RuleBranch:
    """One result of a condition, by the id of its line; of a bin, `id` is that in `score_stage`.

    A characteristic that gives points for a missing value is a bin with the result `unknown`. A tier is met if it waives;
    a refusal or a move is met if it is the one that happens. A feature is met if a case computes it.
    """

    kind: BranchKind
    id: str
    result: Result

    @property
    def line_id(self) -> str:
        """The id of the line in the rule file."""
        return self.id.partition("#")[0]


def score_branches(card: Scorecard, statuses: Statuses) -> Iterator[RuleBranch]:
    """The branches that a score tried, by the statuses of `score_stage`."""
    yield RuleBranch("scorable", SCORABLE, RESULT_OF_STATUS[statuses[SCORABLE]])
    for item in card.items:
        if isinstance(item, Characteristic):
            bin_id = next((id_ for id_, _ in item.parts if statuses[id_]), None)
            yield RuleBranch("bin", bin_id or item.id, "met" if bin_id else "unknown")
        else:
            yield RuleBranch("rule", item.id, RESULT_OF_STATUS[statuses[item.id]])


def perk_branches(perk: Perk, statuses: Statuses, tier: str | None) -> Iterator[RuleBranch]:
    """The branches that a question about a perk tried. `tier` is the one that waived; none without statuses."""
    for knockout in perk.knockouts if statuses else ():
        yield RuleBranch("knock-out", knockout.id, RESULT_OF_STATUS[statuses[knockout.id]])
    for each in perk.tiers if statuses else ():
        if each.id == tier or not statuses[each.id]:
            yield RuleBranch("tier", each.id, RESULT_OF_STATUS[statuses[each.id]])


def order_branches(orders: OrderLifecycle, statuses: Statuses, transition: Transition) -> Iterator[RuleBranch]:
    """The branches that an event of an order tried."""
    for refusal in orders.refusals:
        if refusal.id == transition.refusal or not statuses[refusal.id]:
            yield RuleBranch("refusal", refusal.id, RESULT_OF_STATUS[statuses[refusal.id]])
    for move in orders.moves:
        if move.id == transition.move or not statuses[move.id]:
            yield RuleBranch("move", move.id, RESULT_OF_STATUS[statuses[move.id]])


def program_branches(program: Program) -> Iterator[RuleBranch]:
    """All branches of the rules of a period, in the order of the files: those that no values can reach are left out, as far as
    the form of the condition shows it.
    """
    card = program.scorecard
    yield from _of_condition("scorable", SCORABLE, card.scorable)
    for item in card.items:
        if isinstance(item, Characteristic):
            yield from _bins(item, program.schema[item.feature].type)
            yield RuleBranch("bin", item.id, "unknown")
        else:
            yield from _of_condition("rule", item.id, item.when)
    for perk in program.perks:
        for knockout in perk.knockouts:
            yield from _of_condition("knock-out", knockout.id, knockout.when)
        for tier in perk.tiers:
            yield from _of_condition("tier", tier.id, tier.when)
    for pattern in program.watch:
        yield RuleBranch("flag", pattern.id, "met")
        yield RuleBranch("flag", pattern.id, "not met")
    if program.orders:
        for refusal in program.orders.refusals:
            yield from _of_condition("refusal", refusal.id, refusal.when)
        for move in program.orders.moves:
            yield from _of_condition("move", move.id, move.when)


def _bins(item: Characteristic, type_: Type) -> Iterator[RuleBranch]:
    """The bins with a value within the bounds of the feature."""
    edges = [type_.low, *item.cuts, type_.high + 1]
    for (bin_id, _), (start, end) in zip(item.parts, pairwise(edges), strict=True):
        if max(start, type_.low) < min(end, type_.high + 1):
            yield RuleBranch("bin", bin_id, "met")


def _of_condition(kind: BranchKind, id_: str, when: Truth) -> Iterator[RuleBranch]:
    possible = possible_statuses(when)
    yield from (RuleBranch(kind, id_, result) for status, result in RESULT_OF_STATUS.items() if status in possible)


def possible_statuses(node: Truth) -> frozenset[bool | None]:
    """The statuses that the form of a condition allows. Some of them may be impossible because of its numbers."""
    match node:
        case Const(value):
            return frozenset({value})
        case AttrKnown(name):
            return frozenset({True} if name in ALWAYS_KNOWN else {True, False})
        case Not(part):
            return frozenset(None if s is None else not s for s in possible_statuses(part))
        case And(parts):
            return _joined(parts, absorbing=False)
        case Or(parts):
            return _joined(parts, absorbing=True)
        case _:
            return frozenset({True, False} if set(names(node)) <= ALWAYS_KNOWN else {True, False, None})


def _joined(parts: tuple[Truth, ...], *, absorbing: bool) -> frozenset[bool | None]:
    """Kleene's `and` (absorbing False) or `or` (absorbing True) of all combinations of the statuses of the parts."""
    result = frozenset[bool | None]({not absorbing})
    for part in parts:
        possible = possible_statuses(part)
        result = frozenset(_pair(a, b, absorbing=absorbing) for a in result for b in possible)
    return result


def _pair(a: bool | None, b: bool | None, *, absorbing: bool) -> bool | None:
    if absorbing in (a, b):
        return absorbing
    return None if None in (a, b) else not absorbing


def describe(branch: RuleBranch, program: Program) -> str:
    """The branch as the beginning of a sentence about what no case does."""
    if branch.kind == "bin":
        return _describe_bin(branch, program)
    verbs = {
        "scorable": {"met": "is never met", "not met": "is always met", "unknown": "is never unknown"},
        "tier": {"met": "never waives", "not met": "is never not met", "unknown": "is never unknown"},
        "flag": {"met": "is never raised", "not met": "is never checked without being raised", "unknown": ""},
        "refusal": {"met": "never refuses", "not met": "is never not met", "unknown": "is never unknown"},
        "move": {"met": "never happens", "not met": "is never not met", "unknown": "is never unknown"},
    }
    if branch.kind == "scorable":
        return f"the `{SCORABLE}` condition {verbs[branch.kind][branch.result]}"
    usual = {"met": "is never met", "not met": "is never not met", "unknown": "is never unknown"}
    return f"the {branch.kind} `{branch.id}` {verbs.get(branch.kind, usual)[branch.result]}"


def _describe_bin(branch: RuleBranch, program: Program) -> str:
    item = next(i for i in program.scorecard.items if i.id == branch.line_id)
    assert isinstance(item, Characteristic)  # noqa: S101 - only characteristics have bins
    if branch.result == "unknown":
        return f"the feature `{item.feature}` of `{item.id}` is never missing"
    number, type_ = int(branch.id.partition("#")[2]), program.schema[item.feature].type
    low = f"from {format_value(item.cuts[number - 1], type_)} on" if number else ""
    high = f"below {format_value(item.cuts[number], type_)}" if number < len(item.cuts) else ""
    return f"the bin of `{item.id}` {' '.join(filter(None, (low, high)))} is never hit"


def stage_condition(program: Program, branch: RuleBranch) -> Truth:
    """The condition of a branch of the scorecard, of a perk, or of orders. For a missing feature, that it is known."""
    if branch.kind == "bin" and branch.result == "unknown":
        item = next(i for i in program.scorecard.items if i.id == branch.id)
        assert isinstance(item, Characteristic)  # noqa: S101
        return AttrKnown(item.feature)
    if branch.kind in ("refusal", "move"):
        assert program.orders  # noqa: S101 - it has the branch
        return program.orders.stage[branch.id]
    stages = [program.stages[SCORE], *(perk_stage(p) for p in program.perks)]
    return next(stage[branch.id] for stage in stages if branch.id in stage)
