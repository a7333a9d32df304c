"""Columnar: everyone at once: scores, reasons and answers as columns of a frame of any engine that Narwhals speaks."""

from collections.abc import Iterator, Mapping, Sequence
from operator import add, or_
from typing import Final

import narwhals as nw

from engine.errors import EngineError
from engine.lang.columns import Frame, chosen, distinct, dtype, integer, joined, truth, typed
from engine.lang.program import (
    AMOUNT,
    HELD,
    SCORE,
    Band,
    Characteristic,
    Hold,
    KnockOut,
    Perk,
    PointRule,
    Program,
    Scorecard,
    Tier,
    perk_stage,
)
from engine.lang.truths import names, withheld
from engine.lang.types import DAY, Type

MOST_REASONS: Final = 4
REASONS: Final = tuple(f"reason_{n}" for n in range(1, MOST_REASONS + 1))
ALONE: Final = "alone"
WHOLE: Final = Type("int")
KNOCKED: Final = 10**9  # a knock-out's reason comes before any that costs points


def score(program: Program, people: Frame, day: int, *, reasons: bool = True) -> Frame:
    """Adds to a frame with a column for each feature and flag that the rules read (missing is null): `score` and `band`
    (null: unscorable), `alone` (the score without relationships), `reason_1` to `reason_4`, and for each item `points:ID`
    and, for a rule, `status:ID`. `day` is that of `as_of`. Raises EngineError for a frame that lacks a column, or holds one
    otherwise than as its type says: whole numbers of any width, words, true and false. Without `reasons` there are none, for
    a third of the cost of a few people.
    """
    card: Scorecard = program.scorecard
    rules = [i for i in card.items if isinstance(i, PointRule)]
    distinct(people, [*program.reads, *_of_score(card)])
    frame = typed(people, {name: program.schema[name].type for name in sorted(program.scored_by)})
    frame = frame.with_columns(
        truth(card.scorable, day).fill_null(False).alias("~scorable"),
        *(truth(r.when, day).alias(f"status:{r.id}") for r in rules),
    )
    frame = frame.with_columns(*(_points(i).alias(f"points:{i.id}") for i in card.items))
    total = joined(add, [integer(card.base), *(nw.col(f"points:{i.id}") for i in card.items)])
    apart = total - joined(add, [integer(0), *_of_relationships(program, day)])
    scorable = nw.when(nw.col("~scorable"))
    frame = frame.with_columns(
        scorable.then(_clamped(card, total)).alias(SCORE), scorable.then(_clamped(card, apart)).alias(ALONE)
    )
    frame = frame.with_columns(_band(card.bands).alias("band"))
    if not reasons:
        return frame.drop("~scorable")
    codes = list(dict.fromkeys(i.reason for i in card.items))
    return _reasons(frame, codes, {c: _lost(card, c) for c in codes}, ~nw.col("~scorable"), card.unscorable).drop(
        "~scorable"
    )


def perk(program: Program, name: str, scored: Frame, amount: nw.Expr, day: int) -> Frame:
    """Adds to a frame that `score` made: `outcome`, `waived` (minor units), `tier`, `status:ID` of each knock-out and
    tier, `held` (null: the perk has no hold); and the decision's reasons in place of the score's. `amount`: an expression,
    in minor units.

    Columns that may be there: `request.FIELD`; `held_for`, the seconds for which the perk has been held; `left:N`, what cap N
    of the perk leaves (`caps.left`). Those absent are missing: nothing known, not held, no cap that binds. Raises EngineError
    as `score` does, and for a perk that the rules have not.
    """
    asked = _named(program, name)
    optional, read = _optional(asked), {name: program.schema[name].type for name in sorted(program.asked_by(asked))}
    distinct(scored, _of_perk(asked))
    given = scored.collect_schema().names()
    absent = [name for name in optional if name not in given]
    frame = scored.with_columns(
        amount.alias(AMOUNT), *(nw.lit(None, dtype(optional[name])).alias(name) for name in absent)
    )
    frame = _asked(asked, typed(frame, {AMOUNT: WHOLE, **optional, **read}), day)
    if program.relationships:
        frame = _eased(asked, frame, day)
    codes, lost = _grounds(program.scorecard, asked)
    frame = _reasons(frame, codes, lost, nw.col(SCORE).is_null(), program.scorecard.unscorable)
    admitted = nw.col("outcome") == "ADMIT"
    frame = frame.with_columns(*(nw.when(~admitted).then(nw.col(r)).alias(r) for r in REASONS))
    return frame.drop(AMOUNT, *_stop_names(asked), *absent)


def _named(program: Program, name: str) -> Perk:
    found = program.perk(name)
    if found is None:
        raise EngineError(f"the rules have no perk `{name[:60]}`", hint="ask about another")
    return found


def _eased(asked: Perk, frame: Frame, day: int) -> Frame:
    """The perk asked once more without relationships: they are never the only ground of a refusal. What is told of rules is
    what was asked first.
    """
    own, kept = _statuses(asked), _kept(asked)
    first = {k: nw.col(f"~kept:{k}") for k in kept}
    frame = frame.with_columns(nw.col(SCORE).alias("~score"), *(nw.col(k).alias(f"~kept:{k}") for k in kept))
    frame = _asked(asked, frame.with_columns(nw.col(ALONE).alias(SCORE)), day)
    eased = (nw.col("~kept:outcome") == "DECLINE") & (nw.col("outcome") != "DECLINE")
    frame = frame.with_columns(eased.alias("~eased"))
    return frame.with_columns(
        nw.col("~score").alias(SCORE),
        *(first[k].alias(k) for k in own),
        *(nw.when(nw.col("~eased")).then(nw.col(k)).otherwise(first[k]).alias(k) for k in kept if k not in own),
    ).drop("~score", "~eased", *(f"~kept:{k}" for k in kept))


def _asked(asked: Perk, frame: Frame, day: int) -> Frame:
    """Adds the perk's statuses, `~stop:ID` of what stands in the way, and what comes of it, at the score that the frame has."""
    if asked.hold:
        frame = frame.with_columns(_held(asked.hold, day).alias(HELD))
    else:
        frame = frame.with_columns(nw.lit(None, nw.Boolean).alias(HELD))
    frame = frame.with_columns(*(truth(when, day).alias(f"status:{id_}") for id_, when in perk_stage(asked).items()))
    unscorable = nw.col(SCORE).is_null()
    stops: list[tuple[str, nw.Expr]] = [(f"~stop:{k.id}", _stops(k)) for k in asked.knockouts]
    frame = frame.with_columns(nw.lit(False).alias("~never"), *(stop.alias(name) for name, stop in stops))
    stopped = joined(or_, [nw.col("~never"), *(nw.col(name) for name, _ in stops)])
    frame = frame.with_columns((stopped | unscorable).alias("~stopped"), _first_tier(asked.tiers).alias("~tier"))
    frame = frame.with_columns(_given(asked).alias("~given"))
    left = [(f"left:{n}", cap) for n, cap in enumerate(asked.capped)]
    whole = nw.lit(True) if asked.partial else nw.col("~given") == nw.col(AMOUNT)
    cuts = [(nw.col(name) < nw.col("~given")).fill_null(False) & ~nw.col("~stopped") & whole for name, _ in left]
    frame = frame.with_columns(nw.lit(False).alias("~never"), *(cut.alias(f"~cut:{n}") for n, cut in enumerate(cuts)))
    least = nw.min_horizontal(nw.col("~given"), *(nw.col(name) for name, _ in left))
    frame = frame.with_columns(_whole(asked, least).alias("waived"))
    frame = frame.with_columns(_outcome().alias("outcome"))
    answered = (nw.col("waived") > 0) & ~unscorable
    frame = frame.with_columns(
        nw.when(answered).then(nw.col("~tier")).otherwise(nw.lit(None, nw.String)).alias("tier"),
        nw.when(~unscorable).then(nw.col(HELD)).alias(HELD),
    )
    return frame.drop("~never", "~stopped", "~tier", "~given")


def _of_relationships(program: Program, day: int) -> Iterator[nw.Expr]:
    """How many points each item that reads of relationships gives for them alone."""
    for item in program.scorecard.items:
        points = nw.col(f"points:{item.id}")
        if isinstance(item, Characteristic):
            if item.feature in program.relationships:
                yield points - integer(item.missing)
        elif program.relationships & set(names(item.when)):
            yield points - _rule_points(item, truth(withheld(item.when, program.relationships), day))


def _optional(asked: Perk) -> dict[str, Type]:
    """The columns that may be there, and what they hold."""
    fields = {a.name: a.type for a in asked.request}
    return {**fields, "held_for": WHOLE, **{f"left:{n}": WHOLE for n in range(len(asked.capped))}}


def _of_perk(asked: Perk) -> list[str]:
    """The columns that `perk` reads or adds."""
    return [AMOUNT, *_optional(asked), *_kept(asked), *REASONS]


def _kept(asked: Perk) -> list[str]:
    """What comes of asking."""
    return [*_statuses(asked), "outcome", "waived", "tier", *_stop_names(asked)]


def _statuses(asked: Perk) -> list[str]:
    return [HELD, *(f"status:{i}" for i in perk_stage(asked))]


def _stop_names(asked: Perk) -> list[str]:
    return [*(f"~stop:{k.id}" for k in asked.knockouts), *(f"~cut:{n}" for n in range(len(asked.capped)))]


def _held(hold: Hold, day: int) -> nw.Expr:
    so_far = nw.col("held_for")
    keeps = (so_far < hold.days * DAY) | truth(hold.kept, day).fill_null(False)
    return nw.when(so_far.is_null()).then(truth(hold.granted, day).fill_null(False)).otherwise(keeps)


def _clamped(card: Scorecard, total: nw.Expr) -> nw.Expr:
    low = nw.when(total < card.lowest).then(integer(card.lowest)).otherwise(total)
    return nw.when(total > card.highest).then(integer(card.highest)).otherwise(low)


def _of_score(card: Scorecard) -> list[str]:
    """The columns that `score` adds."""
    points = [f"points:{i.id}" for i in card.items]
    return [SCORE, ALONE, "band", *REASONS, *points, *(f"status:{i.id}" for i in card.items)]


def _points(item: Characteristic | PointRule) -> nw.Expr:
    if isinstance(item, PointRule):
        return _rule_points(item, nw.col(f"status:{item.id}"))
    value = nw.col(item.feature)
    bins = [(value < cut, integer(points)) for cut, points in zip(item.cuts, item.points, strict=False)]
    return chosen([(value.is_null(), integer(item.missing)), *bins], integer(item.points[-1]))


def _rule_points(item: PointRule, met: nw.Expr) -> nw.Expr:
    return chosen([(met.is_null(), integer(item.unknown)), (met, integer(item.points))], integer(0))


def _band(bands: Sequence[Band]) -> nw.Expr:
    met = [(nw.col("score") >= b.lowest, nw.lit(b.name)) for b in reversed(bands)]
    return chosen(met, nw.lit(None, nw.String))


def _lost(card: Scorecard, code: str) -> nw.Expr:
    lost = [integer(i.baseline) - nw.col(f"points:{i.id}") for i in card.items if i.reason == code]
    return joined(add, [integer(0), *lost])


def _grounds(card: Scorecard, asked: Perk) -> tuple[list[str], dict[str, nw.Expr]]:
    """The reason codes in their order, and what each weighs: knock-outs, then caps, come before what costs points."""
    grounds = [(k.reason, f"~stop:{k.id}") for k in asked.knockouts]
    grounds += [(cap.reason, f"~cut:{n}") for n, cap in enumerate(asked.capped)]
    codes = list(dict.fromkeys([*(i.reason for i in card.items), *(code for code, _ in grounds)]))
    first = KNOCKED + len(grounds)
    weight = {name: integer(first - n) for n, (_, name) in enumerate(grounds)}
    return codes, {
        c: chosen([(nw.col(name), weight[name]) for code, name in grounds if code == c], _lost(card, c)) for c in codes
    }


def _reasons(frame: Frame, codes: list[str], lost: Mapping[str, nw.Expr], alone: nw.Expr, only: str) -> Frame:
    """The four codes that lost most. A key holds what a code lost above its place in the file: the largest comes first."""
    base = len(codes) + 1
    keys = [f"~key{n}" for n in range(len(codes))]
    weighed = ((lost[c], base - 1 - n) for n, c in enumerate(codes))
    frame = frame.with_columns(
        *(
            nw.when(amount > 0).then(amount * base + rest).otherwise(integer(0)).alias(k)
            for k, (amount, rest) in zip(keys, weighed, strict=True)
        )
    )
    for top in REASONS:
        frame = frame.with_columns(nw.max_horizontal(*(nw.col(k) for k in keys), integer(0)).alias(f"~{top}"))
        taken = nw.col(f"~{top}")
        frame = frame.with_columns(
            *(nw.when(nw.col(k) < taken).then(nw.col(k)).otherwise(integer(0)).alias(k) for k in keys)
        )
    none = nw.lit(None, nw.String)

    def told(top: str) -> nw.Expr:
        key = nw.col(f"~{top}")
        named = chosen([((key > 0) & (key % base == base - 1 - n), nw.lit(c)) for n, c in enumerate(codes)], none)
        single = nw.lit(only) if top == REASONS[0] else none
        return nw.when(alone).then(single).otherwise(named).alias(top)

    frame = frame.with_columns(*map(told, REASONS))
    return frame.drop(*keys, *(f"~{r}" for r in REASONS))


def _stops(knockout: KnockOut) -> nw.Expr:
    return nw.col(f"status:{knockout.id}").fill_null(knockout.unknown_declines)


def _first_tier(tiers: Sequence[Tier]) -> nw.Expr:
    met = [(nw.col(f"status:{t.id}").fill_null(False), nw.lit(t.id)) for t in tiers]
    return chosen(met, nw.lit(None, nw.String))


def _given(asked: Perk) -> nw.Expr:
    """What the first tier that is met waives."""
    amount = nw.col(AMOUNT)
    waived = chosen([(nw.col("~tier") == t.id, _waives(t, amount)) for t in asked.tiers], integer(0))
    return nw.when(nw.col("~stopped")).then(integer(0)).otherwise(waived)


def _whole(asked: Perk, least: nw.Expr) -> nw.Expr:
    """What is waived of it: the whole, or of a perk that is given in part whole steps."""
    part = least - least % asked.step if asked.partial else integer(0)
    return nw.when(least == nw.col(AMOUNT)).then(least).otherwise(part)


def _waives(tier: Tier, amount: nw.Expr) -> nw.Expr:
    shared = amount * tier.share // 100  # neither is negative: every engine rounds down
    return shared if tier.up_to is None else nw.when(shared < tier.up_to).then(shared).otherwise(integer(tier.up_to))


def _outcome() -> nw.Expr:
    waived, amount = nw.col("waived"), nw.col(AMOUNT)
    pairs = [
        (nw.col(SCORE).is_null(), nw.lit("UNSCORABLE")),
        (nw.col("~stopped") | (waived == 0), nw.lit("DECLINE")),
        (waived == amount, nw.lit("ADMIT")),
    ]
    return chosen(pairs, nw.lit("PARTIAL"))
