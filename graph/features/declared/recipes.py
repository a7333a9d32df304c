"""The measures that one grouping by person computes: for each, its aggregates, and its value from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import narwhals as nw

from graph.catalog import MAX_MONEY
from graph.features.declared.definition import CONTRIBUTOR_IDS, MeasuredField
from graph.features.declared.numbering import NumberedDefinition
from graph.features.declared.quotients import Quotient
from graph.features.declared.rows import DAY_MICROSECONDS, Moment
from graph.features.integer_math import MILLION, distinct, integer

ID_SEPARATOR: Final = "\x1f"  # no id has this character
MAX_DEVIATION: Final = 10**12  # from the lowest value; we clip a larger one, so that no sum of squares overflows


@dataclass(frozen=True)
class Recipe:
    """Aggregates by the name of their part, and the value that they give. `over_person` are columns of the person's rows that
    the aggregates need first.
    """

    aggregates: Mapping[str, nw.Expr]
    value: nw.Expr | Quotient
    over_person: Mapping[str, nw.Expr] = field(default_factory=dict)


def recipe(n: NumberedDefinition, moment: Moment) -> Recipe:
    """The recipe of a definition, for any measure in `RECIPES`."""
    return RECIPES[n.definition.measure](n, moment)


def identity_of(value: MeasuredField) -> nw.Expr:
    """The thing that a field names: a contributor's own id together with the contributor."""
    if value.name not in CONTRIBUTOR_IDS:
        return nw.col(value.name)
    parts = (nw.col("contributor").cast(nw.String()), nw.col(value.name).cast(nw.String()))
    return nw.concat_str(*parts, separator=ID_SEPARATOR)


def sums(value: nw.Expr) -> dict[str, nw.Expr]:
    """The sums of the positive and of the negative values, each as millions and rest."""
    above, below = value.clip(lower_bound=0).fill_null(0), (integer(0) - value).clip(lower_bound=0).fill_null(0)
    return {
        "plus_millions": (above // MILLION).sum(),
        "plus_rest": (above % MILLION).sum(),
        "minus_millions": (below // MILLION).sum(),
        "minus_rest": (below % MILLION).sum(),
    }


def total(n: NumberedDefinition, limit: int = MAX_MONEY) -> nw.Expr:
    """The sum of the positive values less that of the negative ones, each at most `limit`."""
    sides = [
        (n.part(f"{side}_millions").clip(upper_bound=limit // MILLION) * MILLION + n.part(f"{side}_rest")).clip(
            upper_bound=limit
        )
        for side in ("plus", "minus")
    ]
    return sides[0] - sides[1]


def currencies(n: NumberedDefinition, is_read: nw.Expr | None = None) -> dict[str, nw.Expr]:
    """The first and last currency of an amount of money, of the rows that count or that `is_read` marks."""
    value = n.definition.value
    if value is None or value.currency is None:
        return {}
    has_value = ~nw.col(value.column).is_null()
    test = has_value & (n.mark if is_read is None else is_read)
    currency = nw.when(test).then(nw.col(value.currency))
    return {"currency": currency.min(), "last_currency": currency.max()}


def _value_column(n: NumberedDefinition) -> nw.Expr:
    value = n.definition.value
    assert value is not None  # noqa: S101 - the checker has seen to it
    return n.of_marked(nw.col(value.column))


def _scale(n: NumberedDefinition) -> tuple[int, int]:
    """The factors of dividend and divisor that bring the field's scale to that of the result."""
    own, result = (n.definition.value.scale if n.definition.value else 1), 10**n.definition.digits
    return (result // own, 1) if result >= own else (1, own // result)


def _quotient(n: NumberedDefinition, dividend: nw.Expr, divisor: nw.Expr) -> Quotient:
    """dividend / divisor, from the field's scale to that of the result."""
    up, down = _scale(n)
    return Quotient(dividend, divisor * down, up, n.definition.rounds_down)


def _share(n: NumberedDefinition, part: nw.Expr, whole: nw.Expr) -> Quotient:
    return Quotient(part, whole, 10**n.definition.digits, n.definition.rounds_down, is_small=True)


def _if_any(n: NumberedDefinition, value: nw.Expr) -> nw.Expr:
    return nw.when(n.part("count") > 0).then(value)


def _marked_count(n: NumberedDefinition) -> dict[str, nw.Expr]:
    """The number of rows that count and have the value."""
    if n.definition.value is not None:
        return {"count": _value_column(n).count()}
    return {"count": nw.len() if n.mark_name is None else nw.col(n.mark_name).cast(nw.Int64()).sum()}


def _count(n: NumberedDefinition, _: Moment) -> Recipe:
    return Recipe(_marked_count(n), _if_any(n, n.part("count")))


def _sum(n: NumberedDefinition, _: Moment) -> Recipe:
    parts = _marked_count(n) | sums(_value_column(n)) | currencies(n)
    return Recipe(parts, _if_any(n, total(n)))


def _mean(n: NumberedDefinition, _: Moment) -> Recipe:
    parts = _marked_count(n) | sums(_value_column(n)) | currencies(n)
    return Recipe(parts, _quotient(n, total(n), n.part("count")))


def _monthly_mean(n: NumberedDefinition, _: Moment) -> Recipe:
    parts = _marked_count(n) | sums(_value_column(n)) | currencies(n)
    months = integer(n.definition.window.full_months or 1)
    return Recipe(parts, _quotient(n, _if_any(n, total(n)), months))


def _extreme(n: NumberedDefinition, _: Moment) -> Recipe:
    value = _value_column(n)
    parts = {"min": value.min(), "max": value.max()} | currencies(n)
    results = {"min": n.part("min"), "max": n.part("max"), "range": n.part("max") - n.part("min")}
    return Recipe(parts, results[n.definition.measure])


def _selected(n: NumberedDefinition, _: Moment) -> Recipe:
    """The value of the latest or first event; of several at one moment, the highest."""
    at = nw.when(~_value_column(n).is_null()).then(nw.col("at"))
    moment = (at.max() if n.definition.measure == "latest" else at.min()).over("person")
    is_read = n.mark & (nw.col("at") == nw.col(n.name("at")))
    parts = {"max": nw.when(is_read).then(_value_column(n)).max()} | currencies(n, is_read)
    return Recipe(parts, n.part("max"), {"at": moment})


def _spread(n: NumberedDefinition, _: Moment) -> Recipe:
    """The population standard deviation, from exact sums of the squares of the deviations from the lowest value.

    The last steps are in IEEE 754 doubles, one operation each, which are the same on every engine. The result is exact while
    the sum of squares, times the number of events, is below 2^53; beyond that it has 15 significant digits.
    """
    value = _value_column(n)
    above = n.of_marked(nw.col(n.name("above")))
    high, low = above // MILLION, above % MILLION
    parts = _marked_count(n) | currencies(n)
    parts |= {"sum": above.sum(), "high": (high * high).sum(), "cross": (high * low).sum(), "low": (low * low).sum()}
    floats = {p: n.part(p).cast(nw.Float64()) for p in ("count", "sum", "high", "cross", "low")}
    squares = floats["high"] * float(MILLION * MILLION) + floats["cross"] * float(2 * MILLION) + floats["low"]
    root = (floats["count"] * squares - floats["sum"] * floats["sum"]).clip(lower_bound=0).sqrt()
    up, down = _scale(n)
    spread = (root * float(up) / (floats["count"] * float(down)) + 0.5).floor().cast(nw.Int64())
    lowest = (value - value.min().over("person")).clip(upper_bound=MAX_DEVIATION)
    return Recipe(parts, _if_any(n, spread), {"above": lowest})


def _distinct(n: NumberedDefinition, _: Moment, value: Callable[[NumberedDefinition], nw.Expr]) -> Recipe:
    parts = _marked_count(n) | {"distinct": distinct(n.of_marked(value(n)))}
    return Recipe(parts, _if_any(n, n.part("distinct")))


def _field_identity(n: NumberedDefinition) -> nw.Expr:
    assert n.definition.value is not None  # noqa: S101 - the checker has seen to it
    return identity_of(n.definition.value)


def _month(_: NumberedDefinition) -> nw.Expr:
    return nw.col("month")


def _monthly_share(n: NumberedDefinition, _: Moment) -> Recipe:
    parts = _marked_count(n) | {"distinct": distinct(n.of_marked(nw.col("month")))}
    months = integer(n.definition.window.full_months or 1)
    return Recipe(parts, _share(n, _if_any(n, n.part("distinct")), months))


def _days(n: NumberedDefinition, moment: Moment) -> Recipe:
    at = n.of_marked(nw.col("at"))
    parts = {"at": at.max() if n.definition.measure == "days_since" else at.min()}
    return Recipe(parts, (integer(moment.microseconds) - n.part("at")) // DAY_MICROSECONDS)


def _share_of_rows(n: NumberedDefinition, _: Moment) -> Recipe:
    parts = _marked_count(n) | {"whole": nw.col(n.name("whole")).cast(nw.Int64()).sum()}
    return Recipe(parts, _share(n, n.part("count"), n.part("whole")))


RECIPES: Final[dict[str, Callable[[NumberedDefinition, Moment], Recipe]]] = {
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "min": _extreme,
    "max": _extreme,
    "range": _extreme,
    "spread": _spread,
    "distinct": partial(_distinct, value=_field_identity),
    "latest": _selected,
    "first": _selected,
    "days_since": _days,
    "days_since_first": _days,
    "months_with": partial(_distinct, value=_month),
    "share": _share_of_rows,
    "monthly_mean": _monthly_mean,
    "monthly_share": _monthly_share,
}
