"""Evaluate rules for all people at once, as columns of a frame, on any engine that Narwhals supports."""

from collections.abc import Iterator, Mapping, Sequence
from operator import add, or_
from typing import Final

import narwhals as nw

from engine.errors import EngineError
from engine.lang.engines.columns import (
    Frame,
    cast_columns,
    check_distinct,
    collect_once,
    dtype,
    first_match,
    integer,
    reduce_balanced,
    truth,
    words_of_numbers,
)
from engine.lang.model.conditions import names, without_attributes
from engine.lang.model.program import (
    AMOUNT,
    PERK_HELD,
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
from engine.lang.model.types import DAY, Type

MAX_REASONS: Final = 4
REASONS: Final = tuple(f"reason_{n}" for n in range(1, MAX_REASONS + 1))
SCORE_WITHOUT_RELATIONSHIPS: Final = "alone"
WHOLE_NUMBER: Final = Type("int")
KNOCKOUT_WEIGHT: Final = 10**9  # a knock-out's reason ranks before any reason that costs points


def score(program: Program, people: Frame, day: int, *, reasons: bool = True) -> Frame:
    """Add scores and reasons to a frame with a column for each feature and flag that the rules read (null if missing).

    New columns:

    - `score` and `band`: null if the person is unscorable;
    - `alone`: the score without relationships;
    - `reason_1` to `reason_4`: not without `reasons`, which saves two thirds of the cost for a few people;
    - `points:ID` for each item, and `status:ID` for each rule.

    `day` is the day of `as_of`. Raises EngineError if the frame lacks a column, or if a column does not fit its type:
    whole numbers of any width, words, or booleans.
    """
    return collect_once(people, lambda frame: _score(program, frame, day, reasons))


def _score(program: Program, people: Frame, day: int, reasons: bool) -> Frame:
    card: Scorecard = program.scorecard
    rules = [i for i in card.items if isinstance(i, PointRule)]
    check_distinct(people, [*program.reads, *_score_columns(card)])
    frame = cast_columns(people, {name: program.schema[name].type for name in sorted(program.scorecard_reads)})
    frame = frame.with_columns(
        truth(card.scorable, day).fill_null(False).alias("~scorable"),
        *(truth(r.when, day).alias(f"status:{r.id}") for r in rules),
    )
    frame = frame.with_columns(*(_points(i).alias(f"points:{i.id}") for i in card.items))
    total = reduce_balanced(add, [integer(card.base), *(nw.col(f"points:{i.id}") for i in card.items)])
    total_without_relationships = total - reduce_balanced(add, [integer(0), *_relationship_points(program, day)])
    scorable = nw.when(nw.col("~scorable"))
    frame = frame.with_columns(
        scorable.then(_clamp(card, total)).alias(SCORE),
        scorable.then(_clamp(card, total_without_relationships)).alias(SCORE_WITHOUT_RELATIONSHIPS),
    )
    frame = frame.with_columns(_band(card.bands).alias("band"))
    if not reasons:
        return frame.drop("~scorable")
    codes = list(dict.fromkeys(i.reason for i in card.items))
    return _reasons(
        frame, codes, {c: _points_lost(card, c) for c in codes}, ~nw.col("~scorable"), card.unscorable
    ).drop("~scorable")


def perk(program: Program, name: str, scored: Frame, amount: nw.Expr, day: int, *, reasons: int = MAX_REASONS) -> Frame:
    """Add a decision about one perk to a frame that `score` has returned.

    New columns: `outcome`, `waived` (minor units), `tier`, `status:ID` of each knock-out and tier, and `held` (null if
    the perk has no hold). The decision's first `reasons` reasons replace those of the score; with 0, we compute none. `amount` is an
    expression, in minor units.

    You can add these columns before: `request.FIELD`; `held_for`, the seconds for which the person has held the perk;
    and `left:N`, the amount that cap N of the perk leaves (`caps.remaining_by_cap`). Without them, the field is
    missing, the person does not hold the perk, and the cap does not bind.

    Raises EngineError as `score` does, and for a perk that is not in the rules.
    """
    return collect_once(scored, lambda frame: _perk(program, name, frame, amount, day, reasons))


def _perk(program: Program, name: str, scored: Frame, amount: nw.Expr, day: int, reasons: int) -> Frame:
    perk_model = _find_perk(program, name)
    optional = _optional(perk_model)
    read = {name: program.schema[name].type for name in sorted(program.perk_reads(perk_model))}
    check_distinct(scored, _perk_columns(perk_model))
    column_names = scored.collect_schema().names()
    absent = [name for name in optional if name not in column_names]
    frame = scored.with_columns(
        amount.alias(AMOUNT), *(nw.lit(None, dtype(optional[name])).alias(name) for name in absent)
    )
    frame = _add_decision(perk_model, cast_columns(frame, {AMOUNT: WHOLE_NUMBER, **optional, **read}), day)
    if program.relationships:
        frame = _ease_declines(perk_model, frame, day)
    if not reasons:
        return frame.drop(AMOUNT, *_stop_names(perk_model), *absent)
    codes, lost = _reason_weights(program.scorecard, perk_model)
    names = REASONS[:reasons]
    frame = _reasons(frame, codes, lost, nw.col(SCORE).is_null(), program.scorecard.unscorable, names)
    is_admitted = nw.col("outcome") == "ADMIT"
    frame = frame.with_columns(*(nw.when(~is_admitted).then(nw.col(r)).alias(r) for r in names))
    return frame.drop(AMOUNT, *_stop_names(perk_model), *absent)


def _find_perk(program: Program, name: str) -> Perk:
    perk = program.perk(name)
    if perk is None:
        raise EngineError(f"the rules have no perk `{name[:60]}`", hint="ask about another")
    return perk


def _ease_declines(perk: Perk, frame: Frame, day: int) -> Frame:
    """Decide again without relationships, because they are never the only ground of a decline.

    The statuses of rules stay those of the first decision.
    """
    status_columns, result_columns = _status_columns(perk), _result_columns(perk)
    first = {k: nw.col(f"~kept:{k}") for k in result_columns}
    frame = frame.with_columns(nw.col(SCORE).alias("~score"), *(nw.col(k).alias(f"~kept:{k}") for k in result_columns))
    frame = _add_decision(perk, frame.with_columns(nw.col(SCORE_WITHOUT_RELATIONSHIPS).alias(SCORE)), day)
    is_eased = (nw.col("~kept:outcome") == "DECLINE") & (nw.col("outcome") != "DECLINE")
    frame = frame.with_columns(is_eased.alias("~eased"))
    return frame.with_columns(
        nw.col("~score").alias(SCORE),
        *(first[k].alias(k) for k in status_columns),
        *(
            nw.when(nw.col("~eased")).then(nw.col(k)).otherwise(first[k]).alias(k)
            for k in result_columns
            if k not in status_columns
        ),
    ).drop("~score", "~eased", *(f"~kept:{k}" for k in result_columns))


def _add_decision(perk: Perk, frame: Frame, day: int) -> Frame:
    """Add the perk's statuses, `~stop:ID` and `~cut:N` of each obstacle, and the outcome, at the score in the frame."""
    if perk.hold:
        frame = frame.with_columns(_is_held(perk.hold, day).alias(PERK_HELD))
    else:
        frame = frame.with_columns(nw.lit(None, nw.Boolean).alias(PERK_HELD))
    frame = frame.with_columns(*(truth(when, day).alias(f"status:{id_}") for id_, when in perk_stage(perk).items()))
    unscorable = nw.col(SCORE).is_null()
    stops: list[tuple[str, nw.Expr]] = [(f"~stop:{k.id}", _stops(k)) for k in perk.knockouts]
    frame = frame.with_columns(nw.lit(False).alias("~never"), *(stop.alias(name) for name, stop in stops))
    is_stopped = reduce_balanced(or_, [nw.col("~never"), *(nw.col(name) for name, _ in stops)])
    frame = frame.with_columns((is_stopped | unscorable).alias("~stopped"), _first_tier(perk.tiers).alias("~tier"))
    frame = frame.with_columns(_tier_waiver(perk).alias("~given"))
    cap_columns = [(f"left:{n}", cap) for n, cap in enumerate(perk.all_caps)]
    whole = nw.lit(True) if perk.partial else nw.col("~given") == nw.col(AMOUNT)
    cuts = [(nw.col(name) < nw.col("~given")).fill_null(False) & ~nw.col("~stopped") & whole for name, _ in cap_columns]
    frame = frame.with_columns(nw.lit(False).alias("~never"), *(cut.alias(f"~cut:{n}") for n, cut in enumerate(cuts)))
    least_waiver = nw.min_horizontal(nw.col("~given"), *(nw.col(name) for name, _ in cap_columns))
    frame = frame.with_columns(_round_to_step(perk, least_waiver).alias("waived"))
    frame = frame.with_columns(_outcome().alias("outcome"))
    has_outcome = (nw.col("waived") > 0) & ~unscorable
    frame = frame.with_columns(
        nw.when(has_outcome).then(nw.col("~tier")).otherwise(nw.lit(None, nw.String)).alias("tier"),
        nw.when(~unscorable).then(nw.col(PERK_HELD)).alias(PERK_HELD),
    )
    return frame.drop("~never", "~stopped", "~tier", "~given")


def _relationship_points(program: Program, day: int) -> Iterator[nw.Expr]:
    """The points that each item with relationships gives for them alone."""
    for item in program.scorecard.items:
        points = nw.col(f"points:{item.id}")
        if isinstance(item, Characteristic):
            if item.feature in program.relationships:
                yield points - integer(item.missing)
        elif program.relationships & set(names(item.when)):
            yield points - _rule_points(item, truth(without_attributes(item.when, program.relationships), day))


def _optional(perk: Perk) -> dict[str, Type]:
    """The optional columns that you can add before, with their types."""
    types = {a.name: a.type for a in perk.request}
    types["held_for"] = WHOLE_NUMBER
    types |= {f"left:{n}": WHOLE_NUMBER for n in range(len(perk.all_caps))}
    return types


def _perk_columns(perk: Perk) -> list[str]:
    """The columns that `perk` reads or adds."""
    return [AMOUNT, *_optional(perk), *_result_columns(perk), *REASONS]


def _result_columns(perk: Perk) -> list[str]:
    """The columns of a decision."""
    return [*_status_columns(perk), "outcome", "waived", "tier", *_stop_names(perk)]


def _status_columns(perk: Perk) -> list[str]:
    return [PERK_HELD, *(f"status:{i}" for i in perk_stage(perk))]


def _stop_names(perk: Perk) -> list[str]:
    return [*(f"~stop:{k.id}" for k in perk.knockouts), *(f"~cut:{n}" for n in range(len(perk.all_caps)))]


def _is_held(hold: Hold, day: int) -> nw.Expr:
    held_seconds = nw.col("held_for")
    still_held = (held_seconds < hold.days * DAY) | truth(hold.keep_condition, day).fill_null(False)
    return nw.when(held_seconds.is_null()).then(truth(hold.grant_condition, day).fill_null(False)).otherwise(still_held)


def _clamp(card: Scorecard, total: nw.Expr) -> nw.Expr:
    low = nw.when(total < card.lowest).then(integer(card.lowest)).otherwise(total)
    return nw.when(total > card.highest).then(integer(card.highest)).otherwise(low)


def _score_columns(card: Scorecard) -> list[str]:
    """The columns that `score` adds."""
    points = [f"points:{i.id}" for i in card.items]
    return [SCORE, SCORE_WITHOUT_RELATIONSHIPS, "band", *REASONS, *points, *(f"status:{i.id}" for i in card.items)]


def _points(item: Characteristic | PointRule) -> nw.Expr:
    if isinstance(item, PointRule):
        return _rule_points(item, nw.col(f"status:{item.id}"))
    value = nw.col(item.feature)
    bins = [(value < cut, integer(points)) for cut, points in zip(item.cuts, item.points, strict=False)]
    return first_match([(value.is_null(), integer(item.missing)), *bins], integer(item.points[-1]))


def _rule_points(item: PointRule, met: nw.Expr) -> nw.Expr:
    return first_match([(met.is_null(), integer(item.unknown)), (met, integer(item.points))], integer(0))


def _band(bands: Sequence[Band]) -> nw.Expr:
    met = [(nw.col("score") >= b.lowest, nw.lit(b.name)) for b in reversed(bands)]
    return first_match(met, nw.lit(None, nw.String))


def _points_lost(card: Scorecard, code: str) -> nw.Expr:
    losses = [integer(i.baseline) - nw.col(f"points:{i.id}") for i in card.items if i.reason == code]
    return reduce_balanced(add, [integer(0), *losses])


def _reason_weights(card: Scorecard, perk: Perk) -> tuple[list[str], dict[str, nw.Expr]]:
    """The reason codes in order, and the weight of each. Knock-outs, then caps, rank before lost points."""
    grounds = [(k.reason, f"~stop:{k.id}") for k in perk.knockouts]
    grounds += [(cap.reason, f"~cut:{n}") for n, cap in enumerate(perk.all_caps)]
    codes = list(dict.fromkeys([*(i.reason for i in card.items), *(code for code, _ in grounds)]))
    first = KNOCKOUT_WEIGHT + len(grounds)
    weight = {name: integer(first - n) for n, (_, name) in enumerate(grounds)}
    return codes, {
        c: first_match([(nw.col(name), weight[name]) for code, name in grounds if code == c], _points_lost(card, c))
        for c in codes
    }


def _reasons(
    frame: Frame,
    codes: list[str],
    losses: Mapping[str, nw.Expr],
    unscorable: nw.Expr,
    unscorable_reason: str,
    columns: Sequence[str] = REASONS,
) -> Frame:
    """Add the codes with the largest losses, one to a column.

    A key combines a code's loss with its place in the file, so the largest key comes first and ties follow the file.
    """
    base = len(codes) + 1
    keys = [f"~key{n}" for n in range(len(codes))]
    weights = ((losses[c], base - 1 - n) for n, c in enumerate(codes))
    frame = frame.with_columns(
        *(
            nw.when(amount > 0).then(amount * base + rest).otherwise(integer(0)).alias(k)
            for k, (amount, rest) in zip(keys, weights, strict=True)
        )
    )
    for top, earlier in zip(columns, (None, *columns), strict=False):
        if earlier:  # leave out the code that is ranked already
            limit = nw.col(f"~{earlier}")
            frame = frame.with_columns(
                *(nw.when(nw.col(k) < limit).then(nw.col(k)).otherwise(integer(0)).alias(k) for k in keys)
            )
        frame = frame.with_columns(nw.max_horizontal(*(nw.col(k) for k in keys), integer(0)).alias(f"~{top}"))
    none = nw.lit(None, nw.String)

    def reason_column(top: str) -> nw.Expr:
        key = nw.col(f"~{top}")
        place = nw.when(key > 0).then(key % base)
        ranked_code = words_of_numbers(frame, place, {base - 1 - n: code for n, code in enumerate(codes)})
        single = nw.lit(unscorable_reason) if top == REASONS[0] else none
        return nw.when(unscorable).then(single).otherwise(ranked_code).alias(top)

    frame = frame.with_columns(*map(reason_column, columns))
    return frame.drop(*keys, *(f"~{r}" for r in columns))


def _stops(knockout: KnockOut) -> nw.Expr:
    return nw.col(f"status:{knockout.id}").fill_null(knockout.unknown_declines)


def _first_tier(tiers: Sequence[Tier]) -> nw.Expr:
    met = [(nw.col(f"status:{t.id}").fill_null(False), nw.lit(t.id)) for t in tiers]
    return first_match(met, nw.lit(None, nw.String))


def _tier_waiver(perk: Perk) -> nw.Expr:
    """The amount that the first met tier waives."""
    amount = nw.col(AMOUNT)
    waived = first_match([(nw.col("~tier") == t.id, _waiver_amount(t, amount)) for t in perk.tiers], integer(0))
    return nw.when(nw.col("~stopped")).then(integer(0)).otherwise(waived)


def _round_to_step(perk: Perk, waiver: nw.Expr) -> nw.Expr:
    """The waived part of an amount: all of it, or, if the perk can be partial, a multiple of the step."""
    part = waiver - waiver % perk.step if perk.partial else integer(0)
    return nw.when(waiver == nw.col(AMOUNT)).then(waiver).otherwise(part)


def _waiver_amount(tier: Tier, amount: nw.Expr) -> nw.Expr:
    share = amount * tier.share // 100  # neither is negative, so every engine rounds down
    return share if tier.up_to is None else nw.when(share < tier.up_to).then(share).otherwise(integer(tier.up_to))


def _outcome() -> nw.Expr:
    waived, amount = nw.col("waived"), nw.col(AMOUNT)
    pairs = [
        (nw.col(SCORE).is_null(), nw.lit("UNSCORABLE")),
        (nw.col("~stopped") | (waived == 0), nw.lit("DECLINE")),
        (waived == amount, nw.lit("ADMIT")),
    ]
    return first_match(pairs, nw.lit("PARTIAL"))
