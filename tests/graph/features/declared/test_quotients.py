"""Quotients are exact on both column engines, also beyond the whole numbers that doubles hold."""

from fractions import Fraction
from math import floor

import duckdb
import narwhals as nw
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.features.declared.quotients import Quotient, with_quotients
from tests.effort import by_effort

LIMIT = 2**61 // 200
NUMBERS = st.one_of(
    st.integers(-LIMIT, LIMIT), st.integers(-1000, 1000), st.sampled_from((2**53, 2**53 + 1, -(2**53) - 1))
)
DIVISORS = st.one_of(st.integers(0, LIMIT), st.integers(0, 1000))
QUOTIENTS = {
    "up": Quotient(nw.col("a"), nw.col("b"), 100),
    "down": Quotient(nw.col("a"), nw.col("b"), 100, rounds_down=True),
}


def expected(a: int, b: int) -> tuple[int | None, int | None]:
    if b == 0:
        return None, None
    exact = Fraction(100 * a, b)
    return floor(exact + Fraction(1, 2)), floor(exact)


@settings(max_examples=by_effort(50, 2_000), deadline=None)
@given(st.lists(st.tuples(NUMBERS, DIVISORS), min_size=1, max_size=40))
def test_a_quotient_is_exact_on_polars_and_duckdb(pairs):
    frame = pl.DataFrame(pairs, schema={"a": pl.Int64, "b": pl.Int64}, orient="row").with_row_index("n")
    with duckdb.connect() as db:
        db.register("pairs", frame.to_arrow())
        lazy = nw.from_native(db.sql("FROM pairs")).lazy()
        duck = with_quotients(lazy, QUOTIENTS).to_native().pl().sort("n")
    polars = with_quotients(nw.from_native(frame.lazy()), QUOTIENTS).to_native().collect()
    values = [expected(a, b) for a, b in pairs]
    assert polars.select("up", "down").rows() == values
    assert duck.select("up", "down").rows() == values
