"""Text tables: the values that we read, and the messages for tables that we cannot read."""

import gzip
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.datasets.dataset import SourceError
from graph.datasets.table import money, parse, read, scaled_integer


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_money_in_text_becomes_minor_units_exactly(amount: Decimal) -> None:
    actual = pl.DataFrame({"amount": [str(amount)]}).select(scaled_integer("amount", 2)).item()
    assert actual == int(amount * 100)


@pytest.mark.parametrize(
    ("text", "minor"), [("7", 700), ("7.5", 750), ("0.07", 7), ("-0.05", -5), ("1003.35", 100_335)]
)
def test_short_fractions_are_padded(text: str, minor: int) -> None:
    assert pl.DataFrame({"a": [text]}).select(scaled_integer("a", 2)).item() == minor


@pytest.mark.parametrize("text", ["", "x", "1.234", "1,50", "1e3", "--1", "NaN"])
def test_an_invalid_decimal_is_refused_with_its_row(text: str) -> None:
    table = pl.DataFrame({"amount": ["1.00", text]})
    with pytest.raises(SourceError, match=r"^`some.csv`, row 2: no valid `amount`"):
        parse(table, "some.csv", amount=scaled_integer("amount", 2))


@pytest.mark.parametrize("text", ["-0.01", "10000000000000.01", "99999999999999999999999"])
def test_an_amount_out_of_range_is_refused_with_its_row(text: str) -> None:
    table = pl.DataFrame({"amount": ["0", "10000000000000.00", text]})
    with pytest.raises(SourceError, match=r"^`some.csv`, row 3: no valid `amount`"):
        parse(table, "some.csv", amount=money("amount"))


def test_a_missing_file_is_named_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"absent\.csv` is missing, also as `\.gz`: give the folder that holds the data set$"
    ):
        read(tmp_path, "absent.csv", ("a",))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "some.csv").write_text("a;b\n1;2\n")
    with pytest.raises(SourceError, match=r"some\.csv` has no column `c`, `d`: use the data set's original file$"):
        read(tmp_path, "some.csv", ("a", "c", "d"), separator=";")


def test_an_empty_file_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "some.csv").write_text("")
    with pytest.raises(SourceError, match="cannot be read as a table") as error:
        read(tmp_path, "some.csv", ("a",))
    assert "\n" not in str(error.value)


def test_a_truncated_archive_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "some.csv.gz").write_bytes(gzip.compress(b"a,b\n" + bytes(range(48, 58)) * 5000)[:40])
    with pytest.raises(SourceError, match="some") as error:
        read(tmp_path, "some.csv", ("a", "b"))
    assert "\n" not in str(error.value)


def test_a_table_is_the_same_compressed_or_not(tmp_path: Path) -> None:
    text = 'a;b\r\n"1";" x "\r\n2;\r\n'
    (tmp_path / "plain.asc").write_text(text, newline="")
    (tmp_path / "packed.asc.gz").write_bytes(gzip.compress(text.encode()))
    plain, packed = (read(tmp_path, n, ("b", "a"), separator=";") for n in ("plain.asc", "packed.asc"))
    assert plain.equals(packed)
    assert plain.rows() == [("x", "1"), ("", "2")]
