"""Convert amounts of money to the currency of a feature, exactly, on every column engine."""

from collections.abc import Iterable

import narwhals as nw

from graph.catalog import MAX_MONEY
from graph.features.declared.definition import UNCONVERTIBLE, FeatureDefinition, MeasuredField
from graph.features.integer_math import Frame, integer


def with_conversions(rows: Frame, definitions: Iterable[FeatureDefinition]) -> Frame:
    """Add, for each amount and each currency that a definition needs it in, the converted amount and its currency.

    An amount that no rate converts is null, and its currency is `UNCONVERTIBLE`.
    """
    fields = {d.value.converted_column: d.value for d in definitions if d.value is not None and d.value.rates}
    for column, field in fields.items():
        assert field.currency is not None  # noqa: S101 - only amounts of money have rates
        rows = rows.with_columns(_converted(field, field.currency).alias(column))
        is_amount, is_converted = ~nw.col(field.column).is_null(), ~nw.col(column).is_null()
        currency = nw.when(is_converted).then(nw.lit(field.rates[0].currency)).otherwise(nw.lit(UNCONVERTIBLE))
        rows = rows.with_columns(nw.when(is_amount).then(currency).alias(str(field.currency_column)))
    return rows


def _converted(field: MeasuredField, currency: str) -> nw.Expr:
    """The nearest whole number of minor units; a half goes away from zero.

    We divide before we multiply, so that every number stays below 2^53: some engines divide by doubles.
    """
    amount = nw.col(field.column)
    result: nw.Expr | None = None
    size = nw.when(amount < 0).then(integer(0) - amount).otherwise(amount)
    for rate in reversed(field.rates):
        value = amount
        if rate.dividend != rate.divisor:
            whole, rest = size // rate.divisor, size % rate.divisor
            nearest = (rest * (2 * rate.dividend) + rate.divisor) // (2 * rate.divisor)
            exact = (whole.clip(upper_bound=MAX_MONEY // rate.dividend) * rate.dividend + nearest).clip(
                upper_bound=MAX_MONEY
            )
            limited = nw.when(whole > MAX_MONEY // rate.dividend).then(integer(MAX_MONEY)).otherwise(exact)
            value = nw.when(amount < 0).then(integer(0) - limited).otherwise(limited)
        branch = nw.when(nw.col(currency) == rate.currency).then(value)
        result = branch.otherwise(nw.lit(None, nw.Int64()) if result is None else result)
    assert result is not None  # noqa: S101 - the first rate is that of the feature's own currency
    return result
