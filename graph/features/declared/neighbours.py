"""Compute features from the features of the people who are tied to a person, at one step or two."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import narwhals as nw

from graph.features.declared.definition import FeatureDefinition
from graph.features.declared.numbering import NumberedDefinition
from graph.features.declared.quotients import Quotient, with_quotients
from graph.features.declared.rows import Moment, supporting_pairs
from graph.features.integer_math import Frame, indicator

PAIR = ("person", "other")


def neighbour_columns(
    table: Frame,
    live: Frame,
    members: Sequence[NumberedDefinition],
    by_name: Mapping[str, NumberedDefinition],
    moment: Moment,
) -> Frame:
    """Add the values of `members`. `table` has a row for each enrolled person, with the features that they use.

    Only enrolled people count, and a person is no neighbour of their own. A neighbour without a value, for example for want
    of the neighbour's own consent, does not count.
    """
    for steps in sorted({n.definition.steps for n in members}):
        pairs = _pairs(live, steps)
        near = [replace(n, mark_name=n.name("mark")) for n in members if n.definition.steps == steps]
        names = sorted({by_name[name].value for n in near for name in n.definition.uses})
        values = table.select(nw.col("person").alias("other"), *names)
        rows = pairs.join(values, on="other", how="inner")
        by_person = (
            rows.with_columns(m for n in near for m in _marks(n, by_name, moment))
            .group_by("person")
            .agg(a for n in near for a in _aggregates(n, by_name))
        )
        counts = [nw.when(n.part("count") > 0).then(n.part("count")).alias(n.value) for n in near if _is_count(n)]
        quotients = {n.value: _quotient(n, by_name) for n in near if not _is_count(n)}
        complete = with_quotients(by_person.with_columns(*counts) if counts else by_person, quotients)
        table = table.join(complete.select("person", *(n.value for n in near)), on="person", how="left")
    return table


def _pairs(live: Frame, steps: int) -> Frame:
    """The pairs of a `person` and another who supports the person, directly or through one in between."""
    first = supporting_pairs(live).select(*PAIR).unique()
    if steps == 1:
        return first
    second = first.select("person", between="other").join(first.select("other", between="person"), on="between")
    both = nw.concat([first, second.select(*PAIR)]).unique()
    return both.filter(nw.col("person") != nw.col("other"))


def _is_count(n: NumberedDefinition) -> bool:
    return n.definition.measure == "count"


def _marks(n: NumberedDefinition, by_name: Mapping[str, NumberedDefinition], moment: Moment) -> list[nw.Expr]:
    """Whether a neighbour counts, and whether we know it."""
    definition, has_other = n.definition, ~nw.col("other").is_null()
    is_met = is_known = has_other
    if definition.where is not None:
        physical = {name: numbering.value for name, numbering in by_name.items()}
        truth = definition.where.columns(moment.day, physical)
        is_met, is_known = has_other & truth.fill_null(False), has_other & ~truth.is_null()
    if definition.neighbour is not None:
        is_met = is_met & ~nw.col(by_name[definition.neighbour].value).is_null()
    return [is_met.alias(n.name("mark")), is_known.alias(n.name("whole"))]


def _aggregates(n: NumberedDefinition, by_name: Mapping[str, NumberedDefinition]) -> list[nw.Expr]:
    parts = {"count": indicator(n.mark).sum(), "whole": indicator(nw.col(n.name("whole"))).sum()}
    if n.definition.neighbour is not None:
        parts["sum"] = n.of_marked(nw.col(by_name[n.definition.neighbour].value)).sum()
    return [aggregate.alias(n.name(part)) for part, aggregate in parts.items()]


def _quotient(n: NumberedDefinition, by_name: Mapping[str, NumberedDefinition]) -> Quotient:
    definition = n.definition
    if definition.neighbour is None:
        return Quotient(n.part("count"), n.part("whole"), 10**definition.digits, definition.rounds_down)
    up, down = neighbour_scale(definition, by_name[definition.neighbour].definition)
    return Quotient(n.part("sum"), n.part("count") * down, up, definition.rounds_down)


def neighbour_scale(definition: FeatureDefinition, neighbour: FeatureDefinition) -> tuple[int, int]:
    """The factors of sum and count that bring the digits of the neighbour's feature to those of the mean."""
    more = definition.digits - neighbour.digits
    return 10 ** max(more, 0), 10 ** max(-more, 0)
