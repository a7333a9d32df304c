"""`iftah import`: a dry run, a run that is killed, and the bar on a terminal."""

import json
import os
import signal
import time
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from api.evidence import ledger
from api.evidence.imports.event_targets import event_targets
from api.evidence.imports.file_sources import open_file
from api.evidence.imports.importing import import_source, plan_import, read_map
from api.evidence.load import load_file
from api.store import clock
from api.store.database import open_database
from graph.evidence.events import CONTENT_COLUMNS, conform
from graph.evidence.vocabulary import STANDARD
from tests.api import fork_server
from tests.api.imports import ORDER_MAP, ORDERS, ImportRunner
from tests.api.terminal import environment, terminal_output


def test_a_dry_run_shows_events_counts_and_problems_and_writes_nothing(tmp_path: Path) -> None:
    runner = ImportRunner(f"sqlite:///{tmp_path / 'none' / 'iftah.db'}", tmp_path)
    wrong = "5,eva,paid,x,CNY,07/01/2026 10:00\n6,eva,paid,yy,CNY,08/01/2026 10:00\n7,short\n"
    completed = runner.import_text(ORDER_MAP, ORDERS + wrong, "orders.csv", "--dry-run")
    assert (completed.returncode, completed.stderr) == (1, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.yaml", "orders.csv"]
    lines = completed.stdout.splitlines()
    first_events = [json.loads(line) for line in lines[2:8]]
    assert [event["event_id"] for event in first_events] == [
        *("enrolled-ann", "consent-ann", "order-1"),  # of the first row
        *("enrolled-ben", "consent-ben", "order-3"),
    ]
    assert lines[8:] == [
        "by kind:",
        "  consent.granted: 4 events, 2 duplicates, 0 rejected",
        "  payment.made: 3 events, 0 duplicates, 2 rejected",
        "  person.enrolled: 4 events, 2 duplicates, 0 rejected",
        "  rows: 0 events, 0 duplicates, 1 rejected",
        "problems:",
        "  2 times: payment.made: `amount`: `…` in `total` is not a number",
        '    such as line 6: {"order": "5", "customer": "eva", "Status": "paid", "total": "x", "currency": "CNY", '
        '"placed": "07/01/2026 10:00"}',
        "  1 times: … fields in place of 6: a comma inside a text needs quotes around it",
        '    such as line 8: "7,short"',
        "nothing is written: orders.csv: 11 accepted, 4 duplicates, 3 rejected",
    ]


def test_the_first_events_of_a_dry_run_load_as_they_stand(tmp_path: Path) -> None:
    runner = ImportRunner(f"sqlite:///{tmp_path / 'iftah.db'}", tmp_path)
    first_lines = runner.import_text(ORDER_MAP, ORDERS, "orders.csv", "--dry-run").stdout.splitlines()[2:8]
    (tmp_path / "first.ndjson").write_text("\n".join(first_lines))
    database = open_database(runner.url)
    assert load_file(database, tmp_path / "first.ndjson", now=clock.now).accepted == 6
    database.dispose()
    assert "3 accepted, 8 duplicates, 0 rejected" in runner.run("orders.csv").stdout


def test_a_dry_run_finds_ids_that_are_not_unique(tmp_path: Path) -> None:
    runner = ImportRunner(f"sqlite:///{tmp_path / 'iftah.db'}", tmp_path)
    map_text = ORDER_MAP.replace('"order-{order}"', '"order-{customer}"')
    completed = runner.import_text(map_text, ORDERS, "orders.csv", "--dry-run")
    assert "1 times: payment.made: `event_id` was sent before with other content, see `happened_at`" in completed.stdout
    assert completed.returncode == 1


# --- a killed import -----------------------------------------------------------------------------------------------

ROWS = 12_000


def orders(rows: int) -> str:
    """Orders of 97 customers; row 10 has too many fields, and the amount of row 20 is no number."""
    lines = ["order,customer,Status,total,currency,placed"]
    for number in range(rows):
        total = "x" if number == 20 else f"{number}.05"
        lines.append(f"{number},c-{number % 97},paid,{total},CNY,03/01/2026 09:{number % 60:02}{',' * (number == 10)}")
    return "\n".join(lines)


def import_slowly(url: str, folder: str) -> None:
    """In many batches, each told of when it is in the ledger; not so fast that it ends before it is killed."""

    def report_batch(*_: object) -> None:
        print("batch", flush=True)
        time.sleep(0.005)

    import_map, problems = read_map(Path(folder) / "map.yaml", event_targets(STANDARD))
    with open_file(Path(folder) / "in.csv", batch_rows=200) as source:
        plan = plan_import(import_map, problems, STANDARD, source)
        import_source(open_database(url), source, plan, (), now=clock.now, on_progress=report_batch)


@pytest.mark.parametrize("batches", [0, 1, 2, 40])
def test_an_import_killed_at_any_moment_and_run_again_ends_with_exactly_the_events_of_the_file(
    database_url: str, tmp_path: Path, batches: int
) -> None:
    runner = ImportRunner(database_url, tmp_path)
    runner.write("map.yaml", ORDER_MAP)
    runner.write("in.csv", orders(ROWS))
    child = fork_server.Process(tmp_path / "log", os.environ, import_slowly, database_url, str(tmp_path))
    while child.poll() is None and child.output().count("batch\n") < max(batches, 1):
        time.sleep(0.001)
    time.sleep(0.003 * (batches == 0))
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL
    child.kill()
    before = len(runner.events("event_id"))
    # 97 enrolments, 97 consents, and a payment of each row but two
    assert 0 < before < 97 + 97 + ROWS - 2
    completed = runner.run("in.csv")
    assert completed.stdout.endswith("rejected, see in.csv.rejects.ndjson\n"), completed.stdout + completed.stderr
    assert [line for line, _ in runner.rejects()] == [12, 22]
    expected = ImportRunner(f"sqlite:///{tmp_path / 'whole.db'}", tmp_path)
    expected.run("in.csv")
    assert_frame_equal(content(database_url), content(expected.url))
    assert content(database_url).height == 97 + 97 + ROWS - 2


def content(url: str) -> pl.DataFrame:
    """The events in the ledger, in order of their ids."""
    database = open_database(url)
    events = conform(ledger.read(database)).select(CONTENT_COLUMNS).sort("event_id")
    database.dispose()
    return events


# --- a terminal ----------------------------------------------------------------------------------------------------


def test_a_bar_is_drawn_on_a_terminal_alone(tmp_path: Path) -> None:
    runner = ImportRunner(f"sqlite:///{tmp_path / 'iftah.db'}", tmp_path)
    runner.write("map.yaml", ORDER_MAP)
    runner.write("in.csv", ORDERS)
    env = environment(IFTAH_DATABASE_URL=runner.url, TERM="xterm", COLUMNS="100")
    output = terminal_output(tmp_path, ("import", "in.csv"), env)
    assert "\x1b[" in output
    assert "in.csv: 9 accepted, 2 duplicates, 0 rejected" in output
    plain = runner.run("in.csv").stdout
    assert plain == "importing in.csv ...\nin.csv: 0 accepted, 11 duplicates, 0 rejected\n"
