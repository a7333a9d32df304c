"""Spark frames on which Narwhals expressions mean what they mean on Polars and DuckDB: the three adapters, in this one place.

Narwhals differs on Spark in three points, which our expressions meet:

1. `nw.col("credit.kept")` reads the field `kept` of a column `credit`, because Spark parses a dot. We quote names with a dot.
2. `dt.total_minutes` and `dt.total_microseconds` are missing. We add up the parts of Spark's interval, which are whole numbers.
3. `//` divides doubles, so it is silently wrong above 2^53. We use Spark's whole-number division and floor it by the remainder.

We override the private classes of Narwhals: it has no public way to do so. `tests/graph/spark/test_dialect.py` asks each point,
so an update of Narwhals that changes them fails there.
"""

from typing import Any, Final

import narwhals as nw
from narwhals._spark_like.dataframe import SparkLikeLazyFrame
from narwhals._spark_like.expr import SparkLikeExpr
from narwhals._spark_like.expr_dt import SparkLikeExprDateTimeNamespace
from narwhals._spark_like.namespace import SparkLikeNamespace
from narwhals._utils import Implementation, Version

Column = Any  # pyspark's types are not ours to know: pyspark is an extra
DOT_SIGN: Final = "\u2024"  # in place of a dot while two frames are joined; no name of ours has it


def exact_frame(native: Any) -> nw.LazyFrame[Any]:
    """Return Spark's DataFrame as a Narwhals frame with exact arithmetic."""
    compliant = ExactFrame(native, version=Version.MAIN, implementation=Implementation.PYSPARK)
    frame: nw.LazyFrame[Any] = nw.from_native(compliant)
    return frame


def quoted(name: str) -> str:
    """The name as Spark parses it: in backticks if it has a dot."""
    return f"`{name}`" if "." in name else name


def whole_quotient(dividend: Column, divisor: Column, functions: Any) -> Column:
    """Divide whole numbers, rounding down; null for a divisor of 0."""
    safe = functions.when(divisor != functions.lit(0), divisor)
    rest = dividend % safe
    towards_zero = (dividend - rest).cast("bigint")
    quotient = functions.call_function("div", towards_zero, safe)
    has_other_sign = (rest != functions.lit(0)) & ((rest < functions.lit(0)) != (safe < functions.lit(0)))
    return functions.when(has_other_sign, quotient - functions.lit(1)).otherwise(quotient)


class ExactDates(SparkLikeExprDateTimeNamespace):
    """Lengths of time as whole numbers."""

    def total_minutes(self) -> "ExactExpr":
        """Whole minutes, towards zero."""
        return self._length("DAY", "HOUR", "MINUTE")

    def total_microseconds(self) -> "ExactExpr":
        """Microseconds."""
        return self._length("DAY", "HOUR", "MINUTE", "SECOND")

    def _length(self, *units: str) -> "ExactExpr":
        functions = self.compliant._F

        def length(interval: Column) -> Column:
            total = functions.lit(0).cast("bigint")
            for unit, factor in zip(units, (1, 24, 60, 60), strict=False):
                part = functions.call_function("date_part", functions.lit(unit), interval)
                if unit == "SECOND":
                    return total * functions.lit(60_000_000).cast("bigint") + (part * 1_000_000).cast("bigint")
                total = total * functions.lit(factor).cast("bigint") + part.cast("bigint")
            return total

        return self.compliant._with_elementwise(length)


class ExactExpr(SparkLikeExpr):
    """An expression whose `//` is exact."""

    def __narwhals_namespace__(self) -> "ExactNamespace":
        return ExactNamespace(version=self._version, implementation=self._implementation)

    @classmethod
    def from_column_names(cls, evaluate_column_names: Any, /, *, context: Any) -> "ExactExpr":
        def columns(frame: Any) -> list[Column]:
            return [frame._F.col(quoted(name)) for name in evaluate_column_names(frame)]

        return cls(
            columns,
            evaluate_output_names=evaluate_column_names,
            alias_output_names=None,
            version=context._version,
            implementation=context._implementation,
        )

    def __floordiv__(self, other: Any) -> "ExactExpr":
        def quotient(expr: Column, other: Column) -> Column:
            return whole_quotient(expr, other, self._F)

        return self._with_binary(quotient, other)

    def __rfloordiv__(self, other: Any) -> "ExactExpr":
        def quotient(expr: Column, other: Column) -> Column:
            return whole_quotient(other, expr, self._F)

        return self._with_binary(quotient, other).alias("literal")

    @property
    def dt(self) -> ExactDates:
        """The functions of times."""
        return ExactDates(self)


class ExactNamespace(SparkLikeNamespace):
    """Makes the expressions and frames of this module."""

    @property
    def _expr(self) -> type[ExactExpr]:
        return ExactExpr

    @property
    def _lazyframe(self) -> "type[ExactFrame]":
        return ExactFrame

    def concat(self, items: Any, **options: Any) -> "ExactFrame":
        return ExactFrame.from_native(super().concat(items, **options).native, context=self)


class ExactFrame(SparkLikeLazyFrame):
    """A frame whose columns may have dots in their names."""

    def __narwhals_namespace__(self) -> ExactNamespace:
        return ExactNamespace(version=self._version, implementation=self._implementation)

    def simple_select(self, *column_names: str) -> "ExactFrame":
        return self._with_native(self.native.select(*map(quoted, column_names)))

    def rename(self, mapping: Any) -> "ExactFrame":
        if all(old == new for old, new in mapping.items()):
            return self
        columns = [self._F.col(quoted(name)).alias(mapping.get(name, name)) for name in self.columns]
        return self._with_native(self.native.select(*columns))

    def join(self, other: Any, **options: Any) -> "ExactFrame":
        names = [*self.columns, *other.columns]
        if not any("." in name for name in names):
            return super().join(other, **options)
        for side in ("left_on", "right_on"):
            options[side] = options[side] and [name.replace(".", DOT_SIGN) for name in options[side]]
        joined = SparkLikeLazyFrame.join(self._with_signs(), other._with_signs(), **options)
        return joined._with_native(joined.native.toDF(*(n.replace(DOT_SIGN, ".") for n in joined.columns)))

    def _with_signs(self) -> "ExactFrame":
        return self._with_native(self.native.toDF(*(name.replace(".", DOT_SIGN) for name in self.columns)))
