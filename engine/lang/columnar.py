"""Columnar: everyone at once, as Narwhals expressions on Polars, DuckDB or whatever else Narwhals speaks.

Only what every engine agrees on is used: integer sums and comparisons, Kleene's and/or/not, when/then, is_null. A list
of constants is an `or` of equalities; there is no division, no float, no `in` over nulls.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import add, and_, eq, ge, gt, le, lt, mul, ne, or_, sub
from typing import Any, Final, TypeVar

import narwhals as nw

from engine.errors import EngineError
from engine.lang.program import (
    AMOUNT,
    SCORE,
    And,
    Attr,
    Band,
    Characteristic,
    Cmp,
    Const,
    Flag,
    Int,
    KnockOut,
    Known,
    Not,
    Num,
    Op,
    Or,
    Perk,
    PointRule,
    Release,
    Same,
    Scorecard,
    Tier,
    Truth,
    perk_stage,
)

Frame = TypeVar("Frame", nw.DataFrame[Any], nw.LazyFrame[Any])
MOST_REASONS: Final = 4
REASONS: Final = tuple(f"reason_{n}" for n in range(1, MOST_REASONS + 1))
OPERATORS: Final[dict[str, Callable[[nw.Expr, nw.Expr], nw.Expr]]] = {
    **{"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge},
    **{"+": add, "-": sub, "*": mul},
}
KNOCKED: Final = 10**9  # a knock-out's reason comes before any that costs points


def score(release: Release, people: Frame) -> Frame:
    """Adds to a frame with a column for each feature that the rules read (missing is null): `score` and `band` (null:
    unscorable), `reason_1` to `reason_4`, and for each item `points:ID` and, for a rule, `status:ID`. Raises EngineError
    for a frame that lacks a column or holds one as floats.
    """
    _complete(release, people)
    card: Scorecard = release.scorecard
    rules = [i for i in card.items if isinstance(i, PointRule)]
    frame = people.with_columns(
        truth(card.scorable).fill_null(False).alias("~scorable"),
        *(truth(r.when).alias(f"status:{r.id}") for r in rules),
    )
    frame = frame.with_columns(*(_points(i).alias(f"points:{i.id}") for i in card.items))
    total = _joined(add, [_int(card.base), *(nw.col(f"points:{i.id}") for i in card.items)])
    clamped = nw.when(total < card.lowest).then(_int(card.lowest)).otherwise(total)
    clamped = nw.when(total > card.highest).then(_int(card.highest)).otherwise(clamped)
    frame = frame.with_columns(nw.when(nw.col("~scorable")).then(clamped).alias("score"))
    frame = frame.with_columns(_band(card.bands).alias("band"))
    codes = list(dict.fromkeys(i.reason for i in card.items))
    return _reasons(frame, codes, {c: _lost(card, c) for c in codes}, ~nw.col("~scorable"), card.unscorable).drop(
        "~scorable"
    )


def perk(release: Release, name: str, scored: Frame, amount: nw.Expr) -> Frame:
    """Adds to a frame that `score` made: `outcome`, `waived` (minor units), `tier`, `status:ID` of each knock-out and
    tier; and the decision's reasons in place of the score's. `amount`: an expression, in minor units.
    """
    asked: Perk = next(p for p in release.perks if p.id == name)
    card: Scorecard = release.scorecard
    frame = scored.with_columns(amount.cast(nw.Int64).alias(AMOUNT))
    frame = frame.with_columns(*(truth(when).alias(f"status:{id_}") for id_, when in perk_stage(asked).items()))
    if asked.knockouts:  # a lazy frame takes no empty list
        frame = frame.with_columns(*(_stops(k).alias(f"~stop:{k.id}") for k in asked.knockouts))
    stopped = _joined(or_, [nw.lit(False), *(nw.col(f"~stop:{k.id}") for k in asked.knockouts)])
    frame = frame.with_columns(stopped.alias("~stopped"), _first_tier(asked.tiers).alias("~tier"))
    frame = frame.with_columns(_outcome_amount(asked).alias("waived"), nw.col("score").is_null().alias("~unscorable"))
    free = nw.col("~unscorable") | nw.col("~stopped")
    frame = frame.with_columns(
        nw.when(free | (nw.col("waived") == 0)).then(nw.lit(None, nw.String)).otherwise(nw.col("~tier")).alias("tier"),
        _outcome().alias("outcome"),
    )
    codes = list(dict.fromkeys([*(i.reason for i in card.items), *(k.reason for k in asked.knockouts)]))
    lost = {c: _knocked(asked.knockouts, c, _lost(card, c)) for c in codes}
    frame = _reasons(frame, codes, lost, nw.col("~unscorable"), card.unscorable)
    admitted = nw.col("outcome") == "ADMIT"
    frame = frame.with_columns(*(nw.when(~admitted).then(nw.col(r)).alias(r) for r in REASONS))
    return frame.drop("~stopped", "~tier", "~unscorable", AMOUNT, *(f"~stop:{k.id}" for k in asked.knockouts))


def _complete(release: Release, people: Frame) -> None:
    found = people.collect_schema()
    for name in release.features:
        if name not in found:
            raise EngineError(f"the frame has no column `{name}`", hint="build the features again")
        if found[name].is_float() or found[name].is_decimal():
            raise EngineError(f"the column `{name}` is not of whole numbers", hint="scale decimals to integers")


def truth(node: Truth) -> nw.Expr:
    """A nullable boolean: null is UNKNOWN."""
    match node:
        case Const(value):
            return nw.lit(value)
        case Known(name):
            return ~nw.col(name).is_null()
        case Flag(name):
            return nw.col(name)
        case Same(name, value):
            return nw.col(name) == value
        case Cmp(op, left, right):
            return OPERATORS[op](number(left), number(right))
        case And(parts):
            return _joined(and_, [truth(p) for p in parts])
        case Or(parts):
            return _joined(or_, [truth(p) for p in parts])
        case Not(part):
            return ~truth(part)


def number(node: Num) -> nw.Expr:
    """A nullable 64-bit integer; the checker has seen to it that it cannot overflow."""
    match node:
        case Int(value):
            return _int(value)
        case Attr(name):
            return nw.col(name)
        case Op(op, left, right):
            return OPERATORS[op](number(left), number(right))


def _joined(act: Callable[[nw.Expr, nw.Expr], nw.Expr], parts: Sequence[nw.Expr]) -> nw.Expr:
    """Parts joined pair by pair: a chain of hundreds would be too deep for the engines."""
    half = len(parts) // 2
    return act(_joined(act, parts[:half]), _joined(act, parts[half:])) if half else parts[0]


def _int(value: int) -> nw.Expr:
    return nw.lit(value, nw.Int64)


def _cases(pairs: Sequence[tuple[nw.Expr, nw.Expr]], otherwise: nw.Expr) -> nw.Expr:
    """The value of the first condition that is true, in nested when/then."""
    found = otherwise
    for condition, value in reversed(pairs):
        found = nw.when(condition).then(value).otherwise(found)
    return found


def _points(item: Characteristic | PointRule) -> nw.Expr:
    if isinstance(item, PointRule):
        met = nw.col(f"status:{item.id}")
        return _cases([(met.is_null(), _int(item.unknown)), (met, _int(item.points))], _int(0))
    value = nw.col(item.feature)
    bins = [(value < cut, _int(points)) for cut, points in zip(item.cuts, item.points, strict=False)]
    return _cases([(value.is_null(), _int(item.missing)), *bins], _int(item.points[-1]))


def _band(bands: Sequence[Band]) -> nw.Expr:
    met = [(nw.col("score") >= b.lowest, nw.lit(b.name)) for b in reversed(bands)]
    return _cases(met, nw.lit(None, nw.String))


def _lost(card: Scorecard, code: str) -> nw.Expr:
    lost = [_int(i.baseline) - nw.col(f"points:{i.id}") for i in card.items if i.reason == code]
    return _joined(add, [_int(0), *lost])


def _knocked(knockouts: Sequence[KnockOut], code: str, lost: nw.Expr) -> nw.Expr:
    """Knock-outs come before what costs points; among them, the first that stopped."""
    first = KNOCKED + len(knockouts)
    stops = [(nw.col(f"~stop:{k.id}"), _int(first - n)) for n, k in enumerate(knockouts) if k.reason == code]
    return _cases(stops, lost)


def _reasons(frame: Frame, codes: list[str], lost: Mapping[str, nw.Expr], alone: nw.Expr, only: str) -> Frame:
    """The four codes that lost most. A key holds what a code lost above its place in the file: the largest comes first."""
    base = len(codes) + 1
    keys = [f"~key{n}" for n in range(len(codes))]
    weighed = ((lost[c], base - 1 - n) for n, c in enumerate(codes))
    frame = frame.with_columns(
        *(
            nw.when(amount > 0).then(amount * base + rest).otherwise(_int(0)).alias(k)
            for k, (amount, rest) in zip(keys, weighed, strict=True)
        )
    )
    for top in REASONS:
        frame = frame.with_columns(nw.max_horizontal(*(nw.col(k) for k in keys), _int(0)).alias(f"~{top}"))
        taken = nw.col(f"~{top}")
        frame = frame.with_columns(
            *(nw.when(nw.col(k) < taken).then(nw.col(k)).otherwise(_int(0)).alias(k) for k in keys)
        )
    none = nw.lit(None, nw.String)
    for top in REASONS:
        key = nw.col(f"~{top}")
        named = _cases([((key > 0) & (key % base == base - 1 - n), nw.lit(c)) for n, c in enumerate(codes)], none)
        single = nw.lit(only) if top == REASONS[0] else none
        frame = frame.with_columns(nw.when(alone).then(single).otherwise(named).alias(top))
    return frame.drop(*keys, *(f"~{r}" for r in REASONS))


def _stops(knockout: KnockOut) -> nw.Expr:
    return nw.col(f"status:{knockout.id}").fill_null(knockout.unknown_declines)


def _first_tier(tiers: Sequence[Tier]) -> nw.Expr:
    met = [(nw.col(f"status:{t.id}").fill_null(False), nw.lit(t.id)) for t in tiers]
    return _cases(met, nw.lit(None, nw.String))


def _outcome_amount(asked: Perk) -> nw.Expr:
    amount = nw.col(AMOUNT)
    waived = _cases([(nw.col("~tier") == t.id, _waives(t, amount)) for t in asked.tiers], _int(0))
    whole = waived if asked.partial else nw.when(waived == amount).then(waived).otherwise(_int(0))
    nothing = nw.col("~stopped") | nw.col(SCORE).is_null()
    return nw.when(nothing).then(_int(0)).otherwise(whole)


def _waives(tier: Tier, amount: nw.Expr) -> nw.Expr:
    if tier.up_to is not None:
        return nw.when(amount < tier.up_to).then(amount).otherwise(_int(tier.up_to))
    return amount * (tier.share or 0) // 100  # neither is negative: every engine rounds down


def _outcome() -> nw.Expr:
    waived, amount = nw.col("waived"), nw.col(AMOUNT)
    pairs = [
        (nw.col("~unscorable"), nw.lit("UNSCORABLE")),
        (nw.col("~stopped") | (waived == 0), nw.lit("DECLINE")),
        (waived == amount, nw.lit("ADMIT")),
    ]
    return _cases(pairs, nw.lit("PARTIAL"))
