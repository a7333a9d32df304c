"""Texts into the types of an event: what fits, and what is said of the rest."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from api.evidence.values import typed
from graph.events import SCHEMA


def lines(count: int) -> pl.Series:
    return pl.int_range(1, count + 1, dtype=pl.Int64, eager=True)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-03-01T09:30:00Z", (2024, 3, 1, 9, 30)),
        ("2024-03-01T09:30:00", (2024, 3, 1, 9, 30)),
        ("2024-03-01 09:30:00", (2024, 3, 1, 9, 30)),
        ("2024-03-01T09:30:00.25Z", (2024, 3, 1, 9, 30, 0, 250_000)),
        ("2024-03-01T17:30:00+08:00", (2024, 3, 1, 9, 30)),
        ("2024-03-01T17:30:00.000001+0800", (2024, 3, 1, 9, 30, 0, 1)),
        ("2024-03-01T09:30Z", (2024, 3, 1, 9, 30)),
        ("2024-03-01", (2024, 3, 1)),
    ],
)
def test_a_time_is_iso_8601_and_utc_where_it_says_nothing(written: str, meant: tuple[int, ...]) -> None:
    batch = typed(pl.DataFrame({"happened_at": ["2020-01-01T00:00:00Z", written]}), lines(2), 0, 0)
    assert batch.wrong == []
    assert batch.events.schema["happened_at"] == SCHEMA["happened_at"]
    assert batch.events["happened_at"][1] == datetime(*meant, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    "written", ["yesterday", "2024-13-01T00:00:00Z", "2024-02-30", "2024-01-01T25:00:00", "1704067200", "Z"]
)
def test_what_is_no_time_is_said_with_its_line(written: str) -> None:
    batch = typed(pl.DataFrame({"happened_at": ["2020-01-01T00:00:00Z", written]}), lines(2), 0, 0)
    assert [(wrong.line, wrong.row) for wrong in batch.wrong] == [(2, {"happened_at": written})]
    assert f"`happened_at` `{written}` is not a time" in batch.wrong[0].reason
    assert batch.events.height == batch.lines.len() == 1


def test_days_and_whole_numbers_are_read_and_nothing_is_rounded() -> None:
    texts = pl.DataFrame({"due": ["2024-02-29", "2023-02-29", None], "amount": ["-7", "7.5", None]})
    batch = typed(texts, lines(3), 0, 0)
    assert batch.events.rows() == [(date(2024, 2, 29), -7), (None, None)]
    assert [wrong.reason for wrong in batch.wrong] == [
        "`due` `2023-02-29` is not a day such as 2024-03-01; `amount` `7.5` is not a whole number"
    ]
