"""Load files into the ledger: completely, in any format, despite interruptions."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sqlalchemy import Engine, inspect

from api.evidence import ledger
from api.evidence.load import BULK_ROWS, LoadReport, load_file, load_frames
from api.evidence.reading import read_file
from api.store.database import open_database
from engine.errors import Rejected
from graph.evidence.events import conform
from tests.api import fork_server
from tests.api.loading import NOW, WRITERS, as_text, load, payments, rejects


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_events(database: Engine, tmp_path: Path, name: str) -> None:
    WRITERS[name](payments(1000), tmp_path / name)
    progress: list[tuple[int, int | None]] = []
    report = load_file(
        database,
        tmp_path / name,
        now=lambda: NOW,
        batch_rows=170,
        on_progress=lambda *position: progress.append(position),
    )
    assert report == LoadReport(1000, 0, 0, None, None)
    assert_frame_equal(ledger.read(database).drop("recorded_at"), conform(payments(1000)).drop("recorded_at"))
    assert len(progress) >= 6
    assert progress == sorted(progress)
    assert progress[-1][0] == progress[-1][1]
    assert load(database, tmp_path / name) == LoadReport(0, 1000, 0, None, None)


def test_frames_are_loaded_like_files(database: Engine, tmp_path: Path) -> None:
    frames = [
        payments(10),
        payments(20).with_columns(amount=pl.col("amount") + pl.when(pl.col("event_id") == "p3").then(1).otherwise(0)),
    ]
    report = load_frames(database, frames, now=lambda: NOW, rejects_beside=tmp_path / "town")
    assert (report.accepted, report.duplicates, report.refused) == (20, 9, 1)
    assert rejects(report)[0][0] == 14


def test_a_large_load_leaves_the_indexes_in_place(database: Engine, tmp_path: Path) -> None:
    payments(BULK_ROWS).write_parquet(tmp_path / "p.parquet")
    indexes_during: list[set[str]] = []
    load_file(
        database,
        tmp_path / "p.parquet",
        now=lambda: NOW,
        on_progress=lambda *_: indexes_during.append(person_indexes(database)),
    )
    assert indexes_during == [set()]
    assert person_indexes(database) == {"events_of_subject", "events_of_other"}
    assert ledger.read(database, people=["person-5"]).height == len(range(5, BULK_ROWS, 97))


def person_indexes(database: Engine) -> set[str]:
    """The existing ones of the two indexes that a load may drop."""
    names = {str(i["name"]) for i in inspect(database).get_indexes("events")}
    return names & {"events_of_subject", "events_of_other"}


def test_a_block_is_cut_into_equal_parts(tmp_path: Path) -> None:
    as_text(payments(1001)).write_csv(tmp_path / "p.csv")
    assert [b.events.height for b in read_file(tmp_path / "p.csv", 400)] == [334, 334, 333]


def test_a_large_load_that_is_refused_midway_leaves_the_indexes_in_place(database: Engine) -> None:
    def frames() -> Iterator[pl.DataFrame]:
        yield payments(10)
        raise Rejected("the source is gone")

    with pytest.raises(Rejected, match="the source is gone"):
        load_frames(database, frames(), now=lambda: NOW, expected=BULK_ROWS)
    assert person_indexes(database) == {"events_of_subject", "events_of_other"}


def load_slowly(url: str, file: str) -> None:
    """Load a file in many batches and report each. We slow it down so that a test can kill it in time."""

    def report_batch(*_: object) -> None:
        print("batch", flush=True)
        time.sleep(0.005)

    load_file(open_database(url), Path(file), now=lambda: datetime.now(UTC), batch_rows=200, on_progress=report_batch)


@pytest.mark.parametrize("batches", [0, 1, 9])
def test_a_load_killed_at_any_moment_and_run_again_ends_with_exactly_the_file(
    database_url: str, tmp_path: Path, batches: int
) -> None:
    rows = as_text(payments(12_000)).write_csv().splitlines()
    rows[10] = rows[10] + ",too many"
    file = tmp_path / "in.csv"
    file.write_text("\n".join(rows))
    child = fork_server.Process(tmp_path / "log", os.environ, load_slowly, database_url, str(file))
    while child.poll() is None and child.output().count("batch\n") < max(batches, 1):
        time.sleep(0.001)
    time.sleep(0.003 * (batches == 0))
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL
    child.kill()
    database = open_database(database_url)
    before = ledger.extent(database).events
    assert 0 < before < 11_999
    assert before == ledger.read(database).height
    report = load(database, file)
    assert (report.accepted + before, report.duplicates, [line for line, _ in rejects(report)]) == (
        11_999,
        before,
        [11],
    )
    expected = payments(12_000).filter(pl.col("amount") != 9)
    assert_frame_equal(ledger.read(database).select(expected.columns), expected)
    assert {i["name"] for i in inspect(database).get_indexes("events")} >= {"events_of_subject", "events_of_other"}
    database.dispose()
