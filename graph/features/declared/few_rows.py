"""Compute features of a few people row by row: for some hundred rows, building column expressions takes longer than this.

We select rows once for all definitions of a side and window, and evaluate each with the functions of the reference. One measure
differs: the columns compute a standard deviation in doubles, and a refresh must give what a build gives.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from functools import cache
from math import floor, sqrt
from typing import Any, Final

import polars as pl

from graph.features.declared.definition import KIND, FeatureDefinition, in_order
from graph.features.declared.recipes import MAX_DEVIATION, scales
from graph.features.declared.reference import (
    Amount,
    PlainRow,
    amount_of,
    converted_rows,
    currencies_of,
    formula_amount,
    is_one,
    read_rows,
    supporters,
    with_bounds,
    with_times,
)
from graph.features.declared.rows import SIDES, Moment, Selection, selection_of
from graph.features.integer_math import MILLION
from graph.network.build import tie_rows

ROW_COLUMNS: Final = (KIND, "happened_at", "subject", "other", "for_subject", "for_other")


def features_of_few(
    view: pl.DataFrame,
    consents: pl.DataFrame,
    definitions: Sequence[FeatureDefinition],
    as_of: datetime,
    people: Collection[str],
    ties: pl.DataFrame | None,
    zone: tzinfo,
) -> pl.DataFrame:
    """Compute as `declared_features` for `people`. `view` has the columns of `with_data_fields`; no definition reads
    neighbours.
    """
    enrolled = set(view.filter(pl.col(KIND) == "person.enrolled", pl.col("for_subject"))["subject"])
    agreements = set(consents.filter(pl.col("person").is_in(sorted(people))).select("person", "data_class").iter_rows())
    needs_ties = any(d.source == "ties" for d in definitions)
    live = list((tie_rows(view) if ties is None else ties).iter_rows(named=True)) if needs_ties else []
    ordered = in_order(tuple(definitions))
    names = [d.name for d in definitions if not d.is_internal]
    records = []
    for person in sorted(enrolled & set(people)):
        rows = RowSelection(person, _involved_rows(view, definitions, person), live, enrolled, Moment(as_of, zone))
        amounts = dict[str, Amount]()
        for definition in ordered:
            if definition.source == "features":
                amount = formula_amount(definition, amounts, as_of, zone, definitions)
            else:
                amount = _amount(definition, rows.of(selection_of(definition)), as_of)
            is_agreed = all((person, c) in agreements for c in definition.classes)
            amounts[definition.name] = with_bounds(definition, amount, is_agreed)
        records.append({"person": person, **{name: amounts[name][0] for name in names}})
    return pl.DataFrame(records, schema={"person": pl.String, **dict.fromkeys(names, pl.Int64)})


def _involved_rows(view: pl.DataFrame, definitions: Iterable[FeatureDefinition], person: str) -> list[PlainRow]:
    names = {*ROW_COLUMNS, *(name for d in definitions for name in d.reads)}
    kinds = sorted({kind for d in definitions for kind in d.kinds})
    involved = (pl.col("subject") == person) | (pl.col("other") == person).fill_null(False)
    rows = view.filter(pl.col(KIND).is_in(kinds), involved).select(c for c in view.columns if c in names)
    return list(rows.iter_rows(named=True))


class RowSelection:
    """The rows of one person, selected at most once for a side and window."""

    def __init__(
        self, person: str, rows: Sequence[PlainRow], ties: Sequence[PlainRow], enrolled: set[str], moment: Moment
    ) -> None:
        self.person, self.rows, self.ties, self.enrolled, self.moment = person, rows, ties, enrolled, moment
        self.of = cache(self._select)
        self.sides = cache(self._side)

    def _select(self, selection: Selection) -> list[PlainRow]:
        if selection.source == "ties":
            own_ties = [{**tie, "other": other} for other, tie in supporters(self.ties, self.person)]
            return [self._with_names(row) for row in own_ties]
        window, start = selection.window, self.moment.start(selection.window)
        rows = [
            r for side in SIDES[selection.side] for r in self.sides(side) if start is None or r["happened_at"] > start
        ]
        if window.full_months is None:
            return rows
        return [r for r in rows if 1 <= self.moment.month - r["month"] <= window.full_months]

    def _side(self, side: tuple[str, str, str]) -> list[PlainRow]:
        flag, own, party = side
        rows = [r for r in self.rows if r[flag] and r[own] == self.person]
        return [self._with_names(with_times(r, r[party], self.moment.as_of, self.moment.zone)) for r in rows]

    def _with_names(self, row: Mapping[str, Any]) -> PlainRow:
        return {**row, "as_of": self.moment.day, "other_is_person": row["other"] in self.enrolled}


def _amount(definition: FeatureDefinition, rows: Sequence[PlainRow], as_of: datetime) -> Amount:
    kinds = definition.kinds
    own = rows if definition.source == "ties" else [r for r in rows if r[KIND] in kinds]
    if definition.measure != "spread":
        return amount_of(definition, own, as_of)
    read = read_rows(definition, own)
    currencies = currencies_of(definition, read)
    amounts = converted_rows(definition, read) if read and is_one(currencies) else []
    return spread(definition, amounts) if amounts else None, currencies


def spread(definition: FeatureDefinition, rows: Sequence[PlainRow]) -> int:
    """The standard deviation, by the same doubles as `recipes` has."""
    assert definition.value is not None  # noqa: S101 - the checker has seen to it
    values = [r[definition.value.column] for r in rows]
    above = [min(v - min(values), MAX_DEVIATION) for v in values]
    parts = [divmod(v, MILLION) for v in above]
    high, cross, low = (
        float(sum(products)) for products in zip(*((h * h, h * r, r * r) for h, r in parts), strict=True)
    )
    square = high * float(MILLION * MILLION) + cross * float(2 * MILLION) + low
    count, total = float(len(values)), float(sum(above))
    root = sqrt(max(count * square - total * total, 0.0))
    up, down = scales(definition)
    return floor(root * float(up) / (count * float(down)) + 0.5)
