"""Compute features from other features: whole-number arithmetic, and one division with declared digits."""

from collections.abc import Mapping, Sequence

import narwhals as nw

from graph.features.declared.definition import FeatureDefinition
from graph.features.declared.numbering import NumberedDefinition, in_one_currency
from graph.features.declared.quotients import Quotient, with_quotients
from graph.features.declared.rows import Moment
from graph.features.integer_math import Frame


def formula_columns(
    table: Frame, members: Sequence[NumberedDefinition], by_name: Mapping[str, NumberedDefinition], moment: Moment
) -> Frame:
    """Add the values of `members`, whose features are columns of the table already.

    With amounts of money in several currencies, the value is missing; so is a quotient unless its divisor is positive.
    """
    quotients, columns = dict[str, Quotient](), list[nw.Expr]()
    physical = {name: n.value for name, n in by_name.items()}
    for n in members:
        definition = n.definition
        assert definition.formula is not None  # noqa: S101 - the checker has seen to it
        value = _in_one_currency(definition, by_name, definition.formula.columns(moment.day, physical))
        if definition.divisor is None:
            columns.append(value.alias(n.value))
        else:
            divisor = definition.divisor.columns(moment.day, physical)
            quotients[n.value] = Quotient(value, divisor, 1, definition.rounds_down)
        columns += _currency_columns(n, by_name)
    with_values = table.with_columns(*columns) if columns else table
    return with_quotients(with_values, quotients)


def amounts(definition: FeatureDefinition, by_name: Mapping[str, NumberedDefinition]) -> list[NumberedDefinition]:
    """The amounts of money that a definition uses, by name."""
    return [by_name[name] for name in sorted(definition.uses) if _has_currency(by_name[name])]


def _has_currency(n: NumberedDefinition) -> bool:
    return n.definition.is_money and n.definition.has_currencies


def _in_one_currency(
    definition: FeatureDefinition, by_name: Mapping[str, NumberedDefinition], value: nw.Expr
) -> nw.Expr:
    sides = amounts(definition, by_name)
    if not sides:
        return value
    first, last = _extremes(sides)
    return nw.when(in_one_currency(first, last)).then(value)


def _extremes(sides: Sequence[NumberedDefinition]) -> tuple[nw.Expr, nw.Expr]:
    if len(sides) == 1:
        return nw.col(sides[0].first_currency), nw.col(sides[0].last_currency)
    return (
        nw.min_horizontal(*(nw.col(n.first_currency) for n in sides)),
        nw.max_horizontal(*(nw.col(n.last_currency) for n in sides)),
    )


def _currency_columns(n: NumberedDefinition, by_name: Mapping[str, NumberedDefinition]) -> list[nw.Expr]:
    if not n.definition.has_currencies:
        return []
    sides = amounts(n.definition, by_name)
    first, last = _extremes(sides) if sides else (nw.lit(None, nw.String()), nw.lit(None, nw.String()))
    return [first.alias(n.first_currency), last.alias(n.last_currency)]
