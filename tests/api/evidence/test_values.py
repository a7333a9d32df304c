"""Parse texts into the types of an event: the valid texts, and our messages about others."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from api.evidence.values import parse_batch
from graph.evidence.events import SCHEMA


def lines(count: int) -> pl.Series:
    return pl.int_range(1, count + 1, dtype=pl.Int64, eager=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-01T09:30:00Z", (2024, 3, 1, 9, 30)),
        ("2024-03-01 09:30:00Z", (2024, 3, 1, 9, 30)),
        ("2024-03-01T09:30:00.25Z", (2024, 3, 1, 9, 30, 0, 250_000)),
        ("2024-03-01T17:30:00+08:00", (2024, 3, 1, 9, 30)),
        ("2024-03-01T17:30:00.000001+0800", (2024, 3, 1, 9, 30, 0, 1)),
        ("2024-03-01T09:30Z", (2024, 3, 1, 9, 30)),
    ],
)
def test_a_time_is_iso_8601_with_its_zone(text: str, expected: tuple[int, ...]) -> None:
    batch = parse_batch(pl.DataFrame({"happened_at": ["2020-01-01T00:00:00Z", text]}), lines(2), 0, 0)
    assert batch.bad_rows == []
    assert batch.events.schema["happened_at"] == SCHEMA["happened_at"]
    assert batch.events["happened_at"][1] == datetime(*expected, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    "text", ["yesterday", "2024-13-01T00:00:00Z", "2024-02-30", "2024-01-01T25:00:00", "1704067200", "Z"]
)
def test_an_invalid_time_is_reported_with_its_line(text: str) -> None:
    batch = parse_batch(pl.DataFrame({"happened_at": ["2020-01-01T00:00:00Z", text]}), lines(2), 0, 0)
    assert [(problem.line, problem.row) for problem in batch.bad_rows] == [(2, {"happened_at": text})]
    assert f"`happened_at` `{text}` is not a time" in batch.bad_rows[0].reason
    assert batch.events.height == batch.lines.len() == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2024-03-01T09:30:00", "does not say its time zone: write 2024-03-01T09:30:00Z if it is UTC"),
        ("2024-03-01 09:30:00", "does not say its time zone: write 2024-03-01T09:30:00Z if it is UTC"),
        ("2024-03-01T09:30", "does not say its time zone"),
        ("2024-03-01", "is a day and not a time: write 2024-03-01T00:00:00Z if it is UTC"),
    ],
)
def test_a_time_without_a_zone_is_refused_with_a_hint(text: str, message: str) -> None:
    for column in ("happened_at", "until"):
        batch = parse_batch(pl.DataFrame({column: ["2020-01-01T00:00:00Z", text]}), lines(2), 0, 0)
        assert [problem.line for problem in batch.bad_rows] == [2]
        assert batch.bad_rows[0].reason.startswith(f"`{column}` `{text}` {message}")


@pytest.mark.parametrize("text", ["2024-3-1", "2024-03-01T00:00:00Z", "1709251200", " 2024-03-01"])
def test_a_day_has_one_format(text: str) -> None:
    (problem,) = parse_batch(pl.DataFrame({"due": [text]}), lines(1), 0, 0).bad_rows
    assert problem.reason == f"`due` `{text}` is not a day such as 2024-03-01"


def test_days_and_whole_numbers_are_read_and_nothing_is_rounded() -> None:
    texts = pl.DataFrame({"due": ["2024-02-29", "2023-02-29", None], "amount": ["-7", "7.5", None]})
    batch = parse_batch(texts, lines(3), 0, 0)
    assert batch.events.rows() == [(date(2024, 2, 29), -7), (None, None)]
    assert [problem.reason for problem in batch.bad_rows] == [
        "`due` `2023-02-29` is not a day such as 2024-03-01; `amount` `7.5` is not a whole number"
    ]
