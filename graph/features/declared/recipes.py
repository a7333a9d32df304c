"""The measures that one grouping by person computes: for each, its aggregates, and its value from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import narwhals as nw

from graph.catalog import MAX_MONEY
from graph.features.declared.definition import CONTRIBUTOR_IDS, FeatureDefinition, MeasuredField
from graph.features.declared.numbering import NumberedDefinition
from graph.features.declared.quotients import Quotient
from graph.features.declared.rows import DAY_MICROSECONDS, Moment
from graph.features.integer_math import MILLION, indicator, integer

ID_SEPARATOR: Final = "\x1f"  # no id has this character
MAX_DEVIATION: Final = 10**12  # from the lowest value; we clip a larger one, so that no sum of squares overflows


@dataclass(frozen=True)
class Recipe:
    """Aggregates by the name of their part, and the value that they give; for an amount of money also its first and last currency.

    `over_person` are columns that need all rows of the person, `columns` those of a row alone; we compute them in this order
    before the aggregates. Parts of one name are equal in all definitions with the same condition and field.
    """

    aggregates: Mapping[str, nw.Expr]
    value: nw.Expr | Quotient
    columns: Mapping[str, nw.Expr] = field(default_factory=dict)
    over_person: Mapping[str, nw.Expr] = field(default_factory=dict)
    currencies: tuple[nw.Expr, ...] = ()


def recipe(n: NumberedDefinition, moment: Moment) -> Recipe:
    """The recipe of a definition, for any measure in `RECIPES`."""
    return RECIPES[n.definition.measure](n, moment)


def identity_of(value: MeasuredField) -> nw.Expr:
    """The thing that a field names: a contributor's own id together with the contributor."""
    if value.name not in CONTRIBUTOR_IDS:
        return nw.col(value.name)
    parts = (nw.col("contributor").cast(nw.String()), nw.col(value.name).cast(nw.String()))
    return nw.concat_str(*parts, separator=ID_SEPARATOR)


def sums(n: NumberedDefinition, value: nw.Expr) -> dict[str, nw.Expr]:
    """The columns to sum for `total`: the positive and the negative values, each as millions and rest; or the value itself, if its
    sum is small.
    """
    if n.has_small_sum:
        return {"addend": value}
    above, below = value.clip(lower_bound=0).fill_null(0), (integer(0) - value).clip(lower_bound=0).fill_null(0)
    return {
        "plus_millions": above // MILLION,
        "plus_rest": above % MILLION,
        "minus_millions": below // MILLION,
        "minus_rest": below % MILLION,
    }


def total(n: NumberedDefinition, limit: int = MAX_MONEY) -> nw.Expr:
    """The sum of the positive values less that of the negative ones, each at most `limit`."""
    if n.has_small_sum:
        return n.part("addend")
    sides = [
        (n.part(f"{side}_millions").clip(upper_bound=limit // MILLION) * MILLION + n.part(f"{side}_rest")).clip(
            upper_bound=limit
        )
        for side in ("plus", "minus")
    ]
    return sides[0] - sides[1]


def currency_of(n: NumberedDefinition, is_read: nw.Expr | None = None) -> nw.Expr:
    """The currency of an amount of money, in the rows that count or that `is_read` marks."""
    value = n.definition.value
    assert value is not None and value.currency_column is not None  # noqa: S101, PT018 - an amount has one
    test = ~nw.col(value.column).is_null() & (n.mark if is_read is None else is_read)
    return nw.when(test).then(nw.col(value.currency_column))


def _part(n: NumberedDefinition, name: str) -> nw.Expr:
    """The column of a part."""
    return nw.col(n.name(name))


def _with_currencies(n: NumberedDefinition, result: Recipe, prefix: str = "", is_read: nw.Expr | None = None) -> Recipe:
    """Add the first and last currency of an amount of money."""
    if not n.definition.has_currencies:
        return result
    name, first, last = (f"{prefix}{part}" for part in ("currency", "first_currency", "last_currency"))
    return replace(
        result,
        columns={**result.columns, name: currency_of(n, is_read)},
        aggregates={**result.aggregates, first: _part(n, name).min(), last: _part(n, name).max()},
        currencies=(_part(n, first), _part(n, last)),
    )


def _value_column(n: NumberedDefinition) -> nw.Expr:
    value = n.definition.value
    assert value is not None  # noqa: S101 - the checker has seen to it
    return n.of_marked(nw.col(value.converted_column))


def scales(definition: FeatureDefinition) -> tuple[int, int]:
    """The factors of dividend and divisor that bring the field's scale to that of the result."""
    own, result = (definition.value.scale if definition.value else 1), 10**definition.digits
    return (result // own, 1) if result >= own else (1, own // result)


def _quotient(n: NumberedDefinition, dividend: nw.Expr, divisor: nw.Expr) -> Quotient:
    """dividend / divisor, from the field's scale to that of the result."""
    up, down = scales(n.definition)
    return Quotient(dividend, divisor * down, up, n.definition.rounds_down)


def _share(n: NumberedDefinition, part: nw.Expr, whole: nw.Expr) -> Quotient:
    return Quotient(part, whole, 10**n.definition.digits, n.definition.rounds_down, is_small=True)


def _if_any(n: NumberedDefinition, value: nw.Expr) -> nw.Expr:
    return nw.when(n.part("count") > 0).then(value)


def _counting(n: NumberedDefinition, value: nw.Expr | Quotient) -> Recipe:
    """The number of rows that count and have the value, as the part `count`."""
    if n.definition.value is not None:
        return Recipe({"count": _part(n, "value").count()}, value, {"value": _value_column(n)})
    return Recipe({"count": nw.len() if n.mark_name is None else nw.col(n.mark_name).cast(nw.Int64()).sum()}, value)


def _count(n: NumberedDefinition, _: Moment) -> Recipe:
    return _counting(n, _if_any(n, n.part("count")))


def _summing(n: NumberedDefinition, value: nw.Expr | Quotient) -> Recipe:
    """Also the sums, for `total`."""
    counting, addends = _counting(n, value), sums(n, _value_column(n))
    result = replace(
        counting,
        columns={**counting.columns, **addends},
        aggregates={**counting.aggregates, **{name: _part(n, name).sum() for name in addends}},
    )
    return _with_currencies(n, result)


def _sum(n: NumberedDefinition, _: Moment) -> Recipe:
    return _summing(n, _if_any(n, total(n)))


def _mean(n: NumberedDefinition, _: Moment) -> Recipe:
    return _summing(n, _quotient(n, total(n), n.part("count")))


def _monthly_mean(n: NumberedDefinition, _: Moment) -> Recipe:
    months = integer(n.definition.window.full_months or 1)
    return _summing(n, _quotient(n, _if_any(n, total(n)), months))


def _extreme(n: NumberedDefinition, _: Moment) -> Recipe:
    value, columns = _part(n, "value"), {"value": _value_column(n)}
    least, most = n.part("min"), n.part("max")
    results = {
        "min": Recipe({"min": value.min()}, least, columns),
        "max": Recipe({"max": value.max()}, most, columns),
        "range": Recipe({"min": value.min(), "max": value.max()}, most - least, columns),
    }
    return _with_currencies(n, results[n.definition.measure])


def _selected(n: NumberedDefinition, _: Moment) -> Recipe:
    """The value of the latest or first event; of several at one moment, the highest."""
    measure = n.definition.measure
    assert n.definition.value is not None  # noqa: S101 - the checker has seen to it
    # an amount that we cannot convert is the latest all the same, and makes the value missing
    at = nw.when(n.mark & ~nw.col(n.definition.value.column).is_null()).then(nw.col("at"))
    moment = (at.max() if measure == "latest" else at.min()).over("person")
    is_read = n.mark & (nw.col("at") == _part(n, f"{measure}_at"))
    result = Recipe(
        {measure: _part(n, f"{measure}_value").max()},
        n.part(measure),
        {f"{measure}_value": nw.when(is_read).then(_value_column(n))},
        {f"{measure}_at": moment},
    )
    return _with_currencies(n, result, f"{measure}_", is_read)


def _spread(n: NumberedDefinition, _: Moment) -> Recipe:
    """The population standard deviation, from exact sums of the squares of the deviations from the lowest value.

    The last steps are in IEEE 754 doubles, one operation each, which are the same on every engine. The result is exact while
    the sum of squares, times the number of events, is below 2^53; beyond that it has 15 significant digits.
    """
    value = _value_column(n)
    above = n.of_marked(_part(n, "above"))
    high, low = above // MILLION, above % MILLION
    squares = {"deviation": above, "high": high * high, "cross": high * low, "low": low * low}
    # A division by 0 would give NaN, which is no integer. `when` does not shield it: engines share equal parts of expressions.
    parts = {"count": nw.when(n.part("count") > 0).then(n.part("count")), **{p: n.part(p) for p in squares}}
    floats = {p: part.cast(nw.Float64()) for p, part in parts.items()}
    square = floats["high"] * float(MILLION * MILLION) + floats["cross"] * float(2 * MILLION) + floats["low"]
    root = (floats["count"] * square - floats["deviation"] * floats["deviation"]).clip(lower_bound=0).sqrt()
    up, down = scales(n.definition)
    spread = (root * float(up) / (floats["count"] * float(down)) + 0.5).floor().cast(nw.Int64())
    lowest = (value - value.min().over("person")).clip(upper_bound=MAX_DEVIATION)
    counting = _counting(n, spread)
    result = replace(
        counting,
        columns={**counting.columns, **squares},
        aggregates={**counting.aggregates, **{name: _part(n, name).sum() for name in squares}},
        over_person={"above": lowest},
    )
    return _with_currencies(n, result)


def _counting_distinct(n: NumberedDefinition, name: str, column: nw.Expr) -> tuple[Recipe, nw.Expr]:
    """The number of distinct values of a column that is null where the row does not count, as the part `distinct_NAME`."""
    distinct, is_partial = (
        n.part(f"distinct_{name}"),
        n.part("count") < n.part("rows"),
    )  # then one of the values is null
    value = _if_any(n, distinct - indicator(is_partial))
    counting = _counting(n, value)
    aggregates = {f"distinct_{name}": _part(n, name).n_unique(), "rows": nw.len()}
    columns = {**counting.columns, name: n.of_marked(column)}
    return replace(counting, columns=columns, aggregates={**counting.aggregates, **aggregates}), value


def _distinct(n: NumberedDefinition, _: Moment) -> Recipe:
    assert n.definition.value is not None  # noqa: S101 - the checker has seen to it
    return _counting_distinct(n, "thing", identity_of(n.definition.value))[0]


def _months_with(n: NumberedDefinition, _: Moment) -> Recipe:
    return _counting_distinct(n, "month", nw.col("month"))[0]


def _monthly_share(n: NumberedDefinition, _: Moment) -> Recipe:
    counting, value = _counting_distinct(n, "month", nw.col("month"))
    return replace(counting, value=_share(n, value, integer(n.definition.window.full_months or 1)))


def _days(n: NumberedDefinition, moment: Moment) -> Recipe:
    measure, at = str(n.definition.measure), _part(n, "moment")
    parts = {measure: at.max() if measure == "days_since" else at.min()}
    days = (integer(moment.microseconds) - n.part(measure)) // DAY_MICROSECONDS
    return Recipe(parts, days, {"moment": n.of_marked(nw.col("at"))})


def _share_of_rows(n: NumberedDefinition, _: Moment) -> Recipe:
    counting = _counting(n, _share(n, n.part("count"), n.part("whole")))
    whole = _part(n, "whole").cast(nw.Int64()).sum()
    return replace(counting, aggregates={**counting.aggregates, "whole": whole})


RECIPES: Final[dict[str, Callable[[NumberedDefinition, Moment], Recipe]]] = {
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "min": _extreme,
    "max": _extreme,
    "range": _extreme,
    "spread": _spread,
    "distinct": _distinct,
    "latest": _selected,
    "first": _selected,
    "days_since": _days,
    "days_since_first": _days,
    "months_with": _months_with,
    "share": _share_of_rows,
    "monthly_mean": _monthly_mean,
    "monthly_share": _monthly_share,
}
