"""Compare declared features with the same features in Python: `python -m tests.bench.declared [--people N] [--growth N] ...`.

The Python definitions are those that we had before features could be declared (`tests.graph.features.python_definitions`). Each
measurement runs in a process of its own, by turns, and we take the median of each side:

- *everyone*: from Parquet, the view and the features that `rules/features.yaml` declares, of a random population of ten payments
  and two ties a person (`tests.random_population`);
- *one person*: over a town in SQLite, a payment arrives, we refresh the payer's row, and answer a question about the payer. Both
  sides compute the features that are in no file in the same way;
- *growth*: 10 to 200 random features over a tenth as many people, whose payments lie in memory, beside one sum by payer in Polars over the same payments.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

import polars as pl
from rich.console import Console
from rich.table import Table

from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.evidence import ledger
from api.features import builds, refresh, refresh_rows
from api.releases import rules_folder
from api.runtime.context import AppContext
from api.store import clock
from api.store.database import open_database
from engine.decide.evaluators import Evaluators
from graph.evidence.codes import encode_events
from graph.evidence.events import conform
from graph.evidence.visibility import visible_from_parts
from graph.features.declared.columns import declared_features
from iftah.shipped import shipped_definitions
from tests import random_population
from tests.bench.fresh import settle
from tests.graph.features.declared.random_declarations import declared_definitions
from tests.graph.features.python_definitions.table import python_features
from tests.paths import RULES
from tests.random_population import END

SIDES: Final = ("in Python", "declared")
COUNTS: Final = (10, 50, 100, 200)  # features
PAYMENTS, TIES = 10, 2  # a person
WARM_UP: Final = 10  # people whom we refresh before we measure
ROUNDS: Final = 3  # of so many computations in a process, the growth has the quickest
_UNIT: Final = 1 if sys.platform == "darwin" else 1024
Figures = dict[str, float]


def view_of(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The view and the consents, with codes for ids, as a build computes them."""
    keep = {name for d in shipped_definitions() for name in d.reads}
    encoded = encode_events(random_population.sources(folder), keep=keep)
    return visible_from_parts(encoded.evidence, encoded.statements, END, END, "perks", encoded.coding)


def population_figures(side: str, folder: Path) -> Figures:
    """Seconds, processor seconds and the peak of memory in bytes, of the features of everyone."""
    clocks = time.perf_counter(), time.process_time()
    view, consents = view_of(folder)
    if side == "declared":
        table = declared_features(view, consents, shipped_definitions(), END)
    else:
        table = python_features(view, consents, END)
    seconds, cpu = time.perf_counter() - clocks[0], time.process_time() - clocks[1]
    assert table.height > 0
    return {"seconds": seconds, "cpu": cpu, "peak": _peak(), "people": table.height}


def person_figures(side: str, database_file: Path, people: int) -> Figures:
    """Median seconds, and processor seconds, of the refresh of a person after a payment, and of an answer then."""
    if side != "declared":
        refresh_rows.with_declared = _with_python  # type: ignore[assignment]
    database, evaluators = open_database(f"sqlite:///{database_file}"), Evaluators(rules_folder.load_folder(RULES))
    context = AppContext(database, evaluators)
    build = builds.latest_build(database)
    assert build
    sample = Random(1).choices(builds.people_of(database, build), k=people + WARM_UP)
    steps: dict[str, list[float]] = {name: [] for name in ("refresh", "refresh_cpu", "answer", "answer_cpu")}
    for number, person in enumerate(sample):
        event = conform(pl.DataFrame([_payment(person, number)]))
        append_result = ledger.append(database, event, clock.now())
        assert append_result.accepted == 1, append_result.refused
        question = EligibilityQuestion("bench", f"T{number}", person, "hotel", 50_000, "CNY", clock.now())
        actions: dict[str, Callable[[], Any]] = {
            "refresh": lambda: refresh.refresh(database, evaluators, clock.now()),
            "answer": lambda question=question: answer_question(context, question),
        }
        for name, action in actions.items():
            begin, cpu = time.perf_counter(), time.process_time()
            assert action()
            steps[name].append(time.perf_counter() - begin)
            steps[f"{name}_cpu"].append(time.process_time() - cpu)
    evaluators.close()
    return {name: median(seconds[WARM_UP:]) for name, seconds in steps.items()}


def _payment(person: str, number: int) -> dict[str, Any]:
    return {
        "contributor": "bench",
        "event_id": f"b-{number}",
        "kind": "payment.made",
        "subject": person,
        "other": f"shop-{number % 200}",
        "happened_at": clock.now(),
        "amount": 100 + number,
        "currency": "CNY",
        "category": "groceries",
    }


def _with_python(
    table: pl.DataFrame,
    view: pl.DataFrame,
    consents: pl.DataFrame,
    _: object,
    as_of: Any,
    people: Any,
    zone: Any,
    **_tie_ratings: Any,
) -> pl.DataFrame:
    """In place of `graph.features.pipeline.with_declared`."""
    values = python_features(view, consents, as_of, people, zone)
    return table.drop(c for c in values.columns[1:] if c in table.columns).join(values, on="person", how="left")


def growth_figures(count: int, folder: Path) -> Figures:
    """Seconds of so many features of everyone in `folder`, and of the group-by beside them."""
    view, consents = view_of(folder)
    definitions = declared_definitions("".join(f"  - {line}\n" for line in declarations(count)), "UTC")
    payments = view.filter(pl.col("kind") == "payment.made")
    own, plain, cpu = list[float](), list[float](), list[float]()
    for _ in range(ROUNDS):
        begin, used = time.perf_counter(), time.process_time()
        assert declared_features(view, consents, definitions, END).width == count + 1
        middle = time.perf_counter()
        cpu.append(time.process_time() - used)
        payments.lazy().group_by("subject").agg(pl.col("amount").sum()).collect(engine="streaming")
        own.append(middle - begin)
        plain.append(time.perf_counter() - middle)
    return {"seconds": min(own), "cpu": min(cpu), "plain": min(plain), "events": payments.height}


def declarations(count: int) -> list[str]:
    """Features over payments: both sides, three windows, eight measures, with and without a condition, in a random order."""
    rng = Random(3)
    measures = (
        *("count", *(f"{m}, value: amount, currency: CNY" for m in ("sum", "mean", "max"))),
        *("distinct, value: other", "months_with", "days_since", 'share, where: "amount > LIMIT"'),
    )
    lines = []
    for number in range(count):
        measure = rng.choice(measures).replace("LIMIT", _amount(rng, 500, 20_000))
        where = rng.choice(["", f"amount > {_amount(rng, 100, 10_000)}", "category in ['groceries', 'dining']"])
        condition = f', where: "{where}"' if where and "where" not in measure else ""
        window, side = rng.choice(["{months: 24}", "{months: 12}", "90d"]), rng.choice(["subject", "other"])
        lines.append(
            f"{{id: a.f{number}, about: a, of: payment.made, as: {side}, window: {window}, measure: {measure}{condition}}}"
        )
    return lines


def _amount(rng: Random, low: int, high: int) -> str:
    return f"{rng.randrange(low, high) / 100:.2f} CNY"


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def _run(*arguments: object) -> Figures:
    """One measurement in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.declared", "--step", *map(str, arguments)]
    completed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(completed.stdout)
    return figures


def by_turns(repeats: int, run: Callable[[str], Figures]) -> dict[str, Figures]:
    """The median of each figure of both sides, which run by turns."""
    runs = {side: list[Figures]() for side in SIDES}
    for number in range(repeats):
        for side in SIDES if number % 2 == 0 else reversed(SIDES):
            runs[side].append(run(side))
    return {side: {name: median(f[name] for f in rows) for name in rows[0]} for side, rows in runs.items()}


def comparison(options: argparse.Namespace) -> Iterator[Table]:
    """Both sides, of everyone and of one person."""
    titles = ("measure", *SIDES, "of Python")
    title = f"declared features beside the same in Python: {options.people:,} people, {options.people * PAYMENTS:,} payments"
    table = Table(*titles, title=title, title_justify="left")
    with tempfile.TemporaryDirectory() as folder:
        _run("write", folder, options.people)
        figures = by_turns(options.repeats, lambda side: _run("everyone", side, folder))
    for name, label, scale in (
        ("seconds", "everyone, seconds", 1.0),
        ("cpu", "everyone, processor seconds", 1.0),
        ("peak", "everyone, peak MB", 1e-6),
    ):
        table.add_row(label, *_cells(figures, name, scale))
    with tempfile.TemporaryDirectory() as folder:
        settle(f"sqlite:///{folder}/town.db", options.town)
        figures = by_turns(options.repeats, lambda side: _person_run(side, Path(folder), options.refreshes))
    for step, words in (("refresh", "refresh of one person"), ("answer", "one answer then")):
        table.add_row(f"{words}, ms", *_cells(figures, step, 1e3))
        table.add_row(f"{words}, processor ms", *_cells(figures, f"{step}_cpu", 1e3))
    yield table


def _person_run(side: str, folder: Path, refreshes: int) -> Figures:
    """In a copy of the town's database."""
    with tempfile.TemporaryDirectory() as copy:
        for path in folder.iterdir():
            shutil.copy(path, copy)
        return _run("person", side, Path(copy) / "town.db", refreshes)


def _cells(figures: dict[str, Figures], name: str, scale: float) -> list[str]:
    python, declared = (figures[side][name] for side in SIDES)
    return [f"{python * scale:,.1f}", f"{declared * scale:,.1f}", f"{declared / python:.2f}"]


def growth_table(people: int) -> Table:
    """How the time grows with the number of features."""
    with tempfile.TemporaryDirectory() as folder:
        _run("write", folder, people)
        rows = {count: _run("growth", count, folder) for count in COUNTS}
    first = rows[COUNTS[0]]
    title = f"declared features of {people:,} people over {first['events']:,.0f} payments"
    table = Table(
        *("features", "seconds", "processor s", "of the group-by", "times 10 features", "in proportion"),
        title=title,
        title_justify="left",
    )
    for count, f in rows.items():
        times = f["seconds"] / first["seconds"], count / COUNTS[0]
        cells = (f"{f['seconds']:.2f}", f"{f['cpu']:.2f}", f"{f['seconds'] / f['plain']:.0f} times")
        table.add_row(str(count), *cells, f"{times[0]:.1f}", f"{times[1]:.1f}")
    return table


def step(arguments: list[str]) -> None:
    """Do one step in this process."""
    match arguments:
        case ["write", folder, people]:
            random_population.write(Path(folder), int(people), int(people) * PAYMENTS, int(people) * TIES)
            print("{}")
        case ["everyone", side, folder]:
            print(json.dumps(population_figures(side, Path(folder))))
        case ["person", side, database_file, refreshes]:
            print(json.dumps(person_figures(side, Path(database_file), int(refreshes))))
        case ["growth", count, folder]:
            print(json.dumps(growth_figures(int(count), Path(folder))))


def main(arguments: list[str]) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.declared", description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000, help="of the comparison")
    parser.add_argument("--growth", type=int, default=100_000, help="people of the growth")
    parser.add_argument("--town", type=int, default=2_000, help="people of the town")
    parser.add_argument("--refreshes", type=int, default=200, help="people whom we refresh")
    parser.add_argument("--repeats", type=int, default=3, help="processes of each side")
    options = parser.parse_args(arguments)
    for table in chain(comparison(options), map(growth_table, [options.growth])):  # each as soon as it is there
        for column in table.columns[1:]:
            column.justify = "right"
        Console().print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        step(sys.argv[2:])
    else:
        main(sys.argv[1:])
