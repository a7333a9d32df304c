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
        ("2024-03-01 09:30:00Z", (2024, 3, 1, 9, 30)),
        ("2024-03-01T09:30:00.25Z", (2024, 3, 1, 9, 30, 0, 250_000)),
        ("2024-03-01T17:30:00+08:00", (2024, 3, 1, 9, 30)),
        ("2024-03-01T17:30:00.000001+0800", (2024, 3, 1, 9, 30, 0, 1)),
        ("2024-03-01T09:30Z", (2024, 3, 1, 9, 30)),
    ],
)
def test_a_time_is_iso_8601_with_its_zone(written: str, meant: tuple[int, ...]) -> None:
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


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2024-03-01T09:30:00", "does not say its time zone: write 2024-03-01T09:30:00Z if it is UTC"),
        ("2024-03-01 09:30:00", "does not say its time zone: write 2024-03-01T09:30:00Z if it is UTC"),
        ("2024-03-01T09:30", "does not say its time zone"),
        ("2024-03-01", "is a day and not a time: write 2024-03-01T00:00:00Z if it is UTC"),
    ],
)
def test_a_time_without_its_zone_is_refused_with_what_to_write(written: str, said: str) -> None:
    for column in ("happened_at", "until"):
        batch = typed(pl.DataFrame({column: ["2020-01-01T00:00:00Z", written]}), lines(2), 0, 0)
        assert [wrong.line for wrong in batch.wrong] == [2]
        assert batch.wrong[0].reason.startswith(f"`{column}` `{written}` {said}")


@pytest.mark.parametrize("written", ["2024-3-1", "2024-03-01T00:00:00Z", "1709251200", " 2024-03-01"])
def test_a_day_is_read_in_one_way(written: str) -> None:
    (wrong,) = typed(pl.DataFrame({"due": [written]}), lines(1), 0, 0).wrong
    assert wrong.reason == f"`due` `{written}` is not a day such as 2024-03-01"


def test_days_and_whole_numbers_are_read_and_nothing_is_rounded() -> None:
    texts = pl.DataFrame({"due": ["2024-02-29", "2023-02-29", None], "amount": ["-7", "7.5", None]})
    batch = typed(texts, lines(3), 0, 0)
    assert batch.events.rows() == [(date(2024, 2, 29), -7), (None, None)]
    assert [wrong.reason for wrong in batch.wrong] == [
        "`due` `2023-02-29` is not a day such as 2024-03-01; `amount` `7.5` is not a whole number"
    ]
