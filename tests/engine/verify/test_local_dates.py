"""Check that a date compared with a moment is the first moment of its day in the policy's time zone, in every engine."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest

from engine.decide.evaluators import Evaluators
from engine.lang.check.release import release_of, stored_release
from engine.lang.engines import columns
from engine.lang.engines.durable import DurableEvaluator
from engine.lang.engines.lowering import exact_reader
from engine.lang.engines.reference import evaluate, number
from engine.lang.model.conditions import Attr, DayStart
from engine.lang.model.program import Release
from engine.lang.model.timezones import start_of, start_second, utc_offsets
from engine.lang.model.types import day_of
from engine.verify.differential_test import disagreement
from tests.engine import small_rules

ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Asia/Beirut", "Asia/Kathmandu")
NOTICE = "      notice: {type: duration}\n"
WRITTEN, COMPARED, LATER, LISTED = (f"villa.{name}" for name in ("written", "compared", "later", "listed"))
CONDITIONS = {
    WRITTEN: "request.at >= 2024-03-10",
    COMPARED: "request.at >= request.starts",
    LATER: "request.at < request.starts + 24h",
    LISTED: "request.at in [2024-03-10, 2024-03-11]",
}


def folder(timezone: str, texts: dict[str, str] | None = None) -> dict[str, str]:
    files = dict(texts or small_rules.base())
    files["policy.yaml"] = files["policy.yaml"].replace("timezone: UTC", f"timezone: {timezone}")
    begin, perk, rest = files["perks.yaml"].partition("  - id: villa\n")
    rest = rest.replace(NOTICE, NOTICE + "      at: {type: timestamp}\n")
    lines = "".join(f"      - {{id: {i}, when: '{w}', unknown: pass, reason: missed}}\n" for i, w in CONDITIONS.items())
    rest = rest.replace("    tiers:\n", f"    knockouts:\n{lines}    tiers:\n", 1)
    files["perks.yaml"] = begin + perk + rest
    return files


def make_release(timezone: str) -> Release:
    return release_of(folder(timezone), small_rules.SCHEMA, small_rules.KINDS)


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def statuses(release: Release, *moments: tuple[str | None, str | None]) -> list[dict[str, bool | None]]:
    """For each `at` and `starts`, the status on which the reference, durable-rules, Polars and DuckDB agree."""
    program = release.at(small_rules.DAY)
    people: list[dict[str, Any]] = [
        {"request.at": at and seconds(at), "request.starts": starts and day_of(starts)} for at, starts in moments
    ]
    stage = {id_: truth for id_, truth in program.stages["villa"].items() if id_ in CONDITIONS}
    expected = [dict(evaluate(stage, values)) for values in people]
    with closing(DurableEvaluator(program)) as evaluator:
        answers = [evaluator.statuses("villa", values) for values in people]
    assert [{id_: answer[id_] for id_ in stage} for answer in answers] == expected
    frame = pl.DataFrame(people, schema=dict.fromkeys(people[0], pl.Int64)).with_row_index("n")
    selections = [columns.truth(truth, small_rules.DAY).alias(id_) for id_, truth in stage.items()]
    for backend in (frame, duckdb.from_arrow(frame.to_arrow())):
        rows = nw.from_native(backend).lazy().select("n", *selections).collect("polars").to_native()  # type: ignore[arg-type]
        assert rows.sort("n").drop("n").to_dicts() == expected
    return expected


@pytest.mark.parametrize(
    ("timezone", "first", "next_"),
    [  # the first moments of 10 March and of 11 March 2024
        ("UTC", "2024-03-10T00:00:00Z", "2024-03-11T00:00:00Z"),
        ("Asia/Shanghai", "2024-03-09T16:00:00Z", "2024-03-10T16:00:00Z"),
        ("America/New_York", "2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z"),  # a day of 23 hours
    ],
)
def test_a_day_begins_at_local_midnight(timezone: str, first: str, next_: str) -> None:
    release = make_release(timezone)
    before = datetime.fromtimestamp(seconds(first) - 1, UTC).isoformat()
    moments = (
        (before, "2024-03-10"),
        (first, "2024-03-10"),
        (next_, "2024-03-11"),
        (first, None),
        (None, "2024-03-10"),
    )
    assert [tuple(row[id_] for id_ in CONDITIONS) for row in statuses(release, *moments)] == [
        (False, False, True, False),
        (True, True, True, True),
        (True, True, True, True),
        (True, None, None, True),
        (None, None, None, None),
    ]


def test_at_2330_utc_it_is_the_next_day_in_shanghai() -> None:
    moments = ("2024-03-09T23:30:00Z", "2024-03-10")
    assert [statuses(make_release(zone), moments)[0][COMPARED] for zone in ("Asia/Shanghai", "UTC")] == [True, False]


@pytest.mark.parametrize("timezone", ZONES)
def test_every_engine_uses_one_table(timezone: str) -> None:
    """At each change of the clocks, the day before and after it, and long before and after the table."""
    days = sorted({d + n for d, _ in utc_offsets(timezone) for n in (-1, 0, 1)} | {-20_000, 0, 19_783, 60_000})
    node = DayStart(Attr("d"), timezone)
    expected = [number(node, {"d": day}) for day in days]
    assert [exact_reader(node)({"d": day}) for day in days] == expected
    frame = pl.DataFrame({"d": [*days, None]})
    for backend in (frame, duckdb.from_arrow(frame.to_arrow())):
        result = nw.from_native(backend).lazy().select(s=columns.number(node, 0)).collect("polars")  # type: ignore[arg-type]
        assert sorted(result["s"].drop_nulls().to_list()) == sorted(expected)
    inside = [day for day in days if 0 <= day <= 47_000]
    assert [start_second(timezone, day) for day in inside] == [
        int(start_of(timezone, day).timestamp()) for day in inside
    ]


@pytest.mark.parametrize("timezone", ["America/New_York"])
def test_the_probe_finds_no_difference(timezone: str) -> None:
    with closing(Evaluators(make_release(timezone))) as evaluators:
        assert disagreement(evaluators) is None


def test_a_release_of_version_2_keeps_the_days_of_utc() -> None:
    """Version 2 gave the files this name, and a date was the first moment of its day in UTC."""
    name = "4bead3c65104f105f750c9353778d725d20bf3f38924013a1d01bce3004e3d25"
    release = stored_release(
        name, folder("Asia/Shanghai", small_rules.former_texts()), small_rules.SCHEMA, small_rules.KINDS
    )
    assert (release.id, release.timezone) == (name, "Asia/Shanghai")
    assert statuses(release, ("2024-03-09T23:30:00Z", "2024-03-10"))[0][COMPARED] is False
