"""Compare two releases for everyone of a database, and for as many recorded decisions: `python -m tests.bench.swap [people [database]]`.

The people are those of a town, repeated under other names until there are enough. The database is SQLite, or PostgreSQL if you name it; it
has their features and flags as `iftah build` and `iftah score` store them. The change is of one characteristic, of one tier and of the base of the score,
so many people are moved. The decisions are about the perks by turns, with whole records. Each comparison runs in a process of its own, for
its own peak of memory. As a floor, we show the time in which the database alone reads the same rows. SQLite reads up to 1 GB of its file in place,
which counts as memory of the process, although the system can take it back at once; on Linux we show the peak without it too.
"""

import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import polars as pl
import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

from api.features.builds import as_json
from api.releases.catalogue import fingerprint, kinds, schema
from api.store.clock import micros
from api.store.database import open_database, writing
from api.store.tables import BUILDS, DECISION_SUBJECTS, DECISIONS, FEATURES, SCORES
from api.supervision.swap_decisions import compare_decisions
from api.supervision.swap_sets import SwapQuestion, compare_everyone
from engine.decide import decide as deciding
from engine.decide.decide import ReferenceEvaluator, decide
from engine.lang.check.release import release_of
from engine.lang.model.program import Release
from graph.datasets.town import END, town
from tests.api.database_templates import create_database, drop_database, url_of
from tests.bench.decide import DAY, questions, shipped_release, townspeople
from tests.shipped_features import features

PEOPLE: Final = 1_000_000
TOWN: Final = 2_000  # people whose features we repeat
MODELS: Final = 500  # people of a town whose decisions we repeat
ROWS: Final = 50_000  # inserted at once
SERVER: Final = "postgresql://postgres@127.0.0.1:5432/test"
STATM: Final = Path("/proc/self/statm")  # on Linux
_UNIT: Final = 1 if sys.platform == "darwin" else 1024


def changed_release() -> Release:
    """The shipped rules with three lines changed."""
    files = dict(shipped_release().files)
    for file, before, after in (
        ("trust.yaml", "base: 480", "base: 485"),
        ("trust.yaml", "points: [0, 18, 35, 52, 70]", "points: [0, 18, 35, 45, 60]"),
        ("perks.yaml", "when: score >= 650, waive: {up_to: 8000 CNY}", "when: score >= 640, waive: {up_to: 8000 CNY}"),
    ):
        assert files[file].count(before) == 1
        files[file] = files[file].replace(before, after)
    return release_of(files, schema(), kinds())


def fill(url: str, people: int) -> None:
    """Store a build of so many people."""
    events = pl.concat(list(town(min(TOWN, people), seed=1).events()))
    rows = features(events.with_columns(recorded_at=pl.col("happened_at")), END, END, "perks")
    texts = rows.select(as_json().alias("values"))["values"].to_list()
    program, at = shipped_release().at(DAY), micros(END)
    flags = json.dumps({pattern.flag: False for pattern in program.flags})
    database = open_database(url)
    build = {
        "id": 1,
        "as_of": at,
        "known_at": at,
        "purpose": "perks",
        "computed_at": at,
        "catalogue": fingerprint(program),
    }
    build |= {
        "events": 0,
        "people": people,
        "follows": False,
        "seq": 0,
        "events_counted": 0,
        "future_events": 0,
        "timezone": "UTC",
    }
    with writing(database) as connection:
        connection.execute(insert(BUILDS), [build])
        for start in range(0, people, ROWS):
            numbers = range(start, min(start + ROWS, people))
            names = [f"p-{n:09}" for n in numbers]
            values = [
                {"build": 1, "person": p, "values": texts[n % len(texts)]} for n, p in zip(numbers, names, strict=True)
            ]
            scores = [{"build": 1, "person": p, "release": program.release, "flags": flags} for p in names]
            connection.execute(insert(FEATURES), values)
            connection.execute(insert(SCORES), scores)
    database.dispose()


def fill_decisions(url: str, count: int) -> None:
    """Record so many decisions."""
    models_of = townspeople(MODELS).head(MODELS // 5)
    asked_questions = questions(shipped_release().at(DAY), models_of)
    evaluator = ReferenceEvaluator(shipped_release().at(DAY))
    models = [decide(evaluator, replace(q, timezone="UTC", in_service=0, unpaid=0, overdue=0)) for q in asked_questions]
    records = [deciding.as_json({"decision": decision.as_dict()}) for decision in models]
    database, at = open_database(url), micros(END)
    with writing(database) as connection:
        for start in range(1, count + 1, ROWS // 5):
            numbers = range(start, min(start + ROWS // 5, count + 1))
            entries, subjects = [], []
            for n in numbers:
                decision, record = models[n % len(models)], records[n % len(models)]
                question, answer = decision.question, decision.answer
                entry = {
                    "seq": n,
                    "id": f"d-{n}",
                    "merchant": f"m-{n % 50}",
                    "perk": question.perk,
                    "amount": question.amount,
                }
                entry |= {"currency": question.currency, "outcome": answer.outcome, "waived": answer.waived}
                entry |= {
                    "deposit": answer.deposit,
                    "decided_at": at + n,
                    "valid_until": at + n,
                    "release": decision.release,
                }
                entries.append(entry | {"commitment": "", "previous_hash": "", "hash": str(n)})
                subjects.append({"seq": n, "merchant": entry["merchant"], "subject": "p", "salt": "", "record": record})
            connection.execute(insert(DECISIONS), entries)
            connection.execute(insert(DECISION_SUBJECTS), subjects)
    database.dispose()


def read_rows(url: str, unit: str) -> float:
    """The seconds in which the database alone gives the rows that the comparison needs."""
    queries = {
        "people": 'SELECT person, "values" FROM features WHERE build = 1 ORDER BY person',
        "decisions": "SELECT d.id, s.record FROM decisions d JOIN decision_subjects s ON s.seq = d.seq ORDER BY d.decided_at, d.seq",
    }
    begin = time.perf_counter()
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            for _ in connection.execute(queries[unit]):
                pass
    else:
        with (
            psycopg.connect(url) as server,
            server.cursor("rows") as cursor,
        ):  # by pages, so that they are not all in memory
            cursor.itersize = ROWS // 5
            for _ in cursor.execute(queries[unit]):
                pass
    return time.perf_counter() - begin


def own_memory() -> int:
    """The bytes of this process now, without files that it reads in place. 0 where we cannot tell."""
    if not STATM.exists():
        return 0
    resident, shared = map(int, STATM.read_text(encoding="ascii").split()[1:3])
    return (resident - shared) * resource.getpagesize()


def measure(url: str, unit: str) -> dict[str, float]:
    """Compare everyone or the decisions, in this process."""
    database, question = open_database(url), SwapQuestion(shipped_release(), changed_release())
    floor, own_peak = read_rows(url, unit), 0

    def progress(_count: int, _total: int | None) -> None:
        nonlocal own_peak
        own_peak = max(own_peak, own_memory())

    begin, begin_cpu = time.perf_counter(), time.process_time()
    if unit == "people":
        report = compare_everyone(database, question, progress)
    else:
        report = compare_decisions(database, question, END, END + timedelta(days=1), progress)
    return {
        "seconds": time.perf_counter() - begin,
        "floor": floor,
        "processor": time.process_time() - begin_cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT,
        "own": own_peak,
        "count": report.perks[0].total if unit == "people" else sum(perk.total for perk in report.perks),
        "swaps": sum(perk.moved_total for perk in report.perks),
    }


@contextmanager
def _empty_database(kind: str) -> Iterator[str]:
    if kind != "PostgreSQL":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'swap.db'}"
        return
    name = create_database(SERVER)
    try:
        yield url_of(SERVER, name)
    finally:
        drop_database(SERVER, name)


def main() -> None:
    """Print the figures."""
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(*sys.argv[2:4])))
        return
    people = int(sys.argv[1]) if sys.argv[1:] else PEOPLE
    kind = sys.argv[2] if sys.argv[2:] else "SQLite"
    table = Table(
        "compared",
        "moves",
        "seconds",
        "of the floor",
        "processor",
        "peak MB",
        "without the file",
        title=f"Compare two releases, {kind}",
        title_justify="left",
    )
    for unit, fill_rows in (("people", fill), ("decisions", fill_decisions)):
        with _empty_database(kind) as url:
            fill_rows(url, people)
            command = [sys.executable, "-m", "tests.bench.swap", "--measure", url, unit]
            figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        table.add_row(
            f"{figures['count']:,.0f} {unit}",
            f"{figures['swaps']:,.0f}",
            f"{figures['seconds']:.1f}",
            f"{figures['seconds'] / figures['floor']:.1f} times",
            f"{figures['processor']:.1f}",
            f"{figures['peak'] / 1e6:,.0f}",
            f"{figures['own'] / 1e6:,.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
