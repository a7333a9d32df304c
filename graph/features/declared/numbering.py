"""Name the columns of a computation.

The value of definition n is the column `fN`. An amount of money also has `cN` and `dN`, its first and last currency: if they
differ, the value is missing. No name has a dot, because some engines read a dot as access to a field.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw

from graph.features.declared.definition import KIND, UNCONVERTIBLE, Condition, FeatureDefinition
from graph.features.declared.rows import Moment
from graph.features.integer_math import Frame


@dataclass(frozen=True)
class NumberedDefinition:
    """A definition with its number in a computation."""

    definition: FeatureDefinition
    number: int
    pass_kinds: frozenset[str] = frozenset()  # the kinds of events of all definitions in its pass
    mark_name: str | None = None  # the column that says whether a row counts; None: every row does
    key: int | None = None  # the number whose parts it shares; None: its own
    small_sums: frozenset[str] = frozenset()  # the fields of its pass whose sums cannot reach any limit

    @property
    def value(self) -> str:
        """The column of the value."""
        return f"f{self.number}"

    @property
    def first_currency(self) -> str:
        """The column of the first currency of an amount of money."""
        return f"c{self.number}"

    @property
    def last_currency(self) -> str:
        """The column of the last currency of an amount of money."""
        return f"d{self.number}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the result."""
        currencies = (self.first_currency, self.last_currency) if self.definition.has_currencies else ()
        return (self.value, *currencies)

    def name(self, part: str) -> str:
        """The column of a part of the computation."""
        return f"_{self.number if self.key is None else self.key}_{part}"  # no name of a field begins so

    def part(self, part: str) -> nw.Expr:
        """That column, as a 64-bit integer."""
        return nw.col(self.name(part)).cast(nw.Int64())

    @property
    def mark(self) -> nw.Expr:
        """Whether a row counts."""
        return ~nw.col("person").is_null() if self.mark_name is None else nw.col(self.mark_name)

    @property
    def has_small_sum(self) -> bool:
        """Whether the sum of its field needs no care for overflow or limits."""
        return self.definition.value is not None and self.definition.value.converted_column in self.small_sums

    @property
    def tests_kind(self) -> bool:
        """Whether its pass has events of other kinds than its own."""
        return self.pass_kinds != frozenset(self.definition.kinds)

    def is_met(self, condition: Condition | None, moment: Moment) -> nw.Expr:
        """Whether a row is of its kinds and certainly meets a condition.

        We join a test of the row itself, because a filter takes no constant.
        """
        test = ~nw.col("person").is_null()
        if self.tests_kind:
            test = test & nw.col(KIND).is_in(sorted(self.definition.kinds))
        return test if condition is None else test & condition.columns(moment.day, {}).fill_null(False)

    def of_marked(self, value: nw.Expr) -> nw.Expr:
        """The value where the row counts."""
        return value if self.mark_name is None else nw.when(nw.col(self.mark_name)).then(value)


def with_currency_texts(table: Frame, members: Sequence[NumberedDefinition]) -> Frame:
    """Turn the currencies of these definitions into texts: a column of few values does not compare with a text."""
    columns = [c for n in members if n.definition.has_currencies for c in (n.first_currency, n.last_currency)]
    return table.with_columns(nw.col(*columns).cast(nw.String())) if columns else table


def in_one_currency(first: nw.Expr, last: nw.Expr) -> nw.Expr:
    """Whether amounts between these currencies are in one, or there are none."""
    return first.is_null() | ((first == last) & (first != UNCONVERTIBLE))
