"""The score, the band and the reasons of the shipped card, as one writes them by hand for Polars alone.

The benchmark of decisions measures the columnar engine beside it. It knows nothing of other engines, of rules with relationships, of
values that do not fit, or of the columns of each rule.
"""

from typing import Final

import polars as pl

from engine.lang.model.program import Characteristic, PointRule, Program

REASONS: Final = 4
C: Final = pl.col
ACTIVE: Final = (C("behaviour.payments") >= 5) & (C("behaviour.active_months") >= 2)
HAS_CREDIT: Final = C("credit.kept") + C("credit.orders_kept") >= 1
SCORABLE: Final = (C("identity.level") >= 1) & (C("identity.tenure_days") >= 90) & (ACTIVE | HAS_CREDIT)
RULES: Final = {
    "missed_lately": C("credit.missed_12m") > 0,
    "steady_use": (C("behaviour.active_months") >= 12) & (C("behaviour.recency_days") <= 45),
}


def score_by_hand(program: Program, people: pl.DataFrame) -> pl.DataFrame:
    """The columns `score`, `band` and `reason_1` to `reason_4` of each person."""
    card = program.scorecard
    points = {item.id: _points(item) for item in card.items}
    total = pl.sum_horizontal(card.base, *(C(f"p:{name}") for name in points)).clip(card.lowest, card.highest)
    codes = list(dict.fromkeys(item.reason for item in card.items))
    key_base = len(codes) + 1
    keys = [
        pl.sum_horizontal(*(item.baseline - C(f"p:{item.id}") for item in card.items if item.reason == code))
        for code in codes
    ]
    ranked = [
        pl.when(lost > 0).then(lost.cast(pl.Int32) * key_base + (key_base - 1 - n)).otherwise(0)
        for n, lost in enumerate(keys)
    ]
    names = [f"k:{n}" for n in range(len(codes))]
    plan = people.lazy().with_columns(
        SCORABLE.fill_null(False).alias("scorable"), *(expr.alias(f"p:{name}") for name, expr in points.items())
    )
    plan = plan.with_columns(
        pl.when("scorable").then(total.cast(pl.Int64)).alias("score"),
        *(key.alias(name) for key, name in zip(ranked, names, strict=True)),
    )
    bands = pl.lit(card.bands[0].name)
    for band in card.bands[1:]:
        bands = pl.when(C("score") >= band.lowest).then(pl.lit(band.name)).otherwise(bands)
    plan = plan.with_columns(pl.when("scorable").then(bands).alias("band"), pl.max_horizontal(names).alias("t:1"))
    for rank in range(2, REASONS + 1):
        plan = plan.with_columns(pl.when(C(n) < C(f"t:{rank - 1}")).then(n).otherwise(0).alias(n) for n in names)
        plan = plan.with_columns(pl.max_horizontal(names).alias(f"t:{rank}"))
    places, texts = [key_base - 1 - n for n in range(len(codes))], codes
    reasons = [
        pl.when("scorable")
        .then(
            pl.when(C(f"t:{rank}") > 0).then(
                (C(f"t:{rank}") % key_base).replace_strict(places, texts, default=None, return_dtype=pl.String)
            )
        )
        .otherwise(pl.lit(card.unscorable if rank == 1 else None))
        .alias(f"reason_{rank}")
        for rank in range(1, REASONS + 1)
    ]
    return plan.select("score", "band", *reasons).collect()


def _points(item: Characteristic | PointRule) -> pl.Expr:
    if isinstance(item, PointRule):
        return pl.when(RULES[item.id]).then(pl.lit(item.points, pl.Int16)).otherwise(pl.lit(0, pl.Int16))
    value = C(item.feature)
    result: pl.Expr = pl.lit(item.points[-1], pl.Int16)
    for cut, points in reversed(list(zip(item.cuts, item.points, strict=False))):
        result = pl.when(value < cut).then(pl.lit(points, pl.Int16)).otherwise(result)
    return pl.when(value.is_null()).then(pl.lit(item.missing, pl.Int16)).otherwise(result)
