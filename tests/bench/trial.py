"""Measure what a release on trial costs an answer: `python -m tests.bench.trial [questions database]`.

One process answers questions about the people of a small town, one in each transaction and sixteen in each: without a trial, with a
release in shadow that has the same scorecard, with one that has another (both releases decide), and with one for half of the people (one
release decides). They take turns in blocks,
so that what else the machine does falls on each alike. `of none` is the median over the rounds of the ratio to the block without a
trial beside it.

Then a server answers the questions of eight connections over HTTP, in turns without a trial and with a release in shadow that has
another scorecard.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, func, select

from api.decisions.eligibility import answer_questions
from api.decisions.question import EligibilityQuestion
from api.features import builds
from api.proposals import activations
from api.releases.release_log import read_state
from api.runtime.context import AppContext
from api.runtime.rules_in_force import EvaluatorsCache, context_of
from api.runtime.scoring import current_build
from api.store import clock
from api.store.clock import micros, moment
from api.store.database import open_database, reading
from api.store.tables import TRIAL_ANSWERS
from tests.api.database_templates import create_database, discard_database, url_of
from tests.api.proposals.two_people import TwoPeople, changed_files
from tests.api.town import NOW, build_town
from tests.bench.ask import load, measure, prepare, questions
from tests.bench.fresh import databases, peak_memory, running_server

QUESTIONS: Final = 4_000  # of each kind
BLOCK: Final = 64  # questions in a row of one kind
CONNECTIONS: Final = 8
PEOPLE: Final = 500  # of the server
TURNS: Final = 5
TURN_SECONDS: Final = 6.0
SETTLE_SECONDS: Final = 3.0
BATCHES: Final = (1, 16)  # questions in a transaction
SERVER: Final = "postgresql://postgres@127.0.0.1:5432/test"
CHANGE: Final = {"perks": "{id: power_bank.550, when: score >= 550 -> {id: power_bank.550, when: score >= 650"}
HALF: Final = {"stages": [{"share": "50%", "hours": 1}, {"share": "100%"}]}
OTHER_CARD: Final = {"trust": "base: 480 -> base: 485"}
NONE, SHADOW, OTHER_SHADOW, PARTIAL = "none", "shadow", "shadow, another scorecard", "half of the people"
KINDS: Final = (NONE, SHADOW, OTHER_SHADOW, PARTIAL)
Figure = tuple[float, float]  # seconds of wall clock and of the processor


class TwoPeopleNow(TwoPeople):
    """Two people whose steps are at the time of the machine, since a server appends steps too."""

    def tick(self, seconds: int = 1) -> int:
        self.now = max(self.now + 1, micros(clock.now()))
        return self.now


def main(count: int = QUESTIONS, only: str = "") -> None:
    """Print the figures as a table."""
    table = Table("database", "questions in a transaction", "trial", "ms an answer", "of none", "processor, of none")
    for name in ("SQLite", "PostgreSQL"):
        if only in ("", name):
            with small_town(name) as database:
                contexts = _contexts(database)
                for batch in BATCHES:
                    _add_rows(table, name, batch, _measure(contexts, count, batch))
    Console().print(table)
    served = Table("database", "connections", "trial", "ms an answer", "of none", title="over HTTP")
    with databases(only) as urls:
        for name, url in urls.items():
            turns = TURNS if count >= QUESTIONS else 1
            _add_served(served, name, _measure_served(url, turns, seconds=count / QUESTIONS * TURN_SECONDS))
    Console().print(served)
    print(f"peak MB of this process: {peak_memory(os.getpid()) / 1e6:,.0f}")


@contextmanager
def small_town(name: str) -> Iterator[Engine]:
    """A small scored town in a database of the benchmark's own."""
    with tempfile.TemporaryDirectory() as folder:
        stored = create_database(SERVER) if name == "PostgreSQL" else ""
        database = open_database(url_of(SERVER, stored) if stored else f"sqlite:///{Path(folder) / 'iftah.db'}")
        build_town(database)
        yield database
        database.dispose()
        if stored:
            discard_database(SERVER, stored)


def _contexts(database: Engine) -> dict[str, AppContext]:
    """A context of each kind, of one database. None compares the log: we change it between them."""
    people, cache = TwoPeople(database, micros(NOW)), EvaluatorsCache()

    def context() -> AppContext:
        return replace(context_of(database, read_state(database), cache, moment(people.now)), head="")

    contexts = {NONE: context()}
    for kind, change in ((SHADOW, CHANGE), (OTHER_SHADOW, OTHER_CARD)):
        number = people.approved(changed_files(**change), HALF).number
        activations.begin_shadow(database, people.wang, number, people.tick())
        contexts[kind] = context()
        if kind == SHADOW:
            activations.release_proposal(database, people.wang, number, people.tick())
            contexts[PARTIAL] = context()
        activations.stop(database, people.wang, number, "measured", people.tick())
    return contexts


def _measure(contexts: dict[str, AppContext], questions: int, batch: int) -> dict[str, list[Figure]]:
    """The seconds of each block, by kind."""
    context = contexts[NONE]
    persons = builds.scores(context.database, current_build(context))["person"].to_list()
    asked_at, figures = micros(NOW), {kind: list[Figure]() for kind in KINDS}
    for number in range(0, questions, BLOCK):
        turn = number // BLOCK % len(KINDS)
        for kind in KINDS[turn:] + KINDS[:turn]:
            asked_at += 60_000_000
            block = [
                EligibilityQuestion(
                    "stand", None, persons[(number + n) % len(persons)], "hotel", 50_000, "CNY", moment(asked_at), {}
                )
                for n in range(BLOCK)
            ]
            wall, processor = perf_counter(), process_time()
            for first in range(0, BLOCK, batch):
                answer_questions(contexts[kind], block[first : first + batch])
            figures[kind].append((perf_counter() - wall, process_time() - processor))
    return figures


def _measure_served(url: str, turns: int, seconds: float) -> dict[str, list[Figure]]:
    """The seconds of an answer of a server in each turn, by kind. Each kind of a turn takes `seconds`."""
    tokens, persons = prepare(url, PEOPLE)
    database, figures = open_database(url), {kind: list[Figure]() for kind in (NONE, OTHER_SHADOW)}
    people = TwoPeopleNow(database, micros(clock.now()))
    people.release(changed_files())  # with two people, none comes into force from the folder
    asks = questions(tokens, persons, CONNECTIONS)
    with running_server(url) as (pid, port):
        for _ in range(turns):
            number = people.approved(changed_files(**OTHER_CARD), HALF).number
            for kind in figures:
                if kind == OTHER_SHADOW:
                    activations.begin_shadow(database, people.wang, number, people.tick())
                load(port, asks, SETTLE_SECONDS)  # until the server has followed the log
                figure = measure(kind, port, pid, asks, seconds)
                assert set(figure.statuses) == {200}, figure.statuses
                figures[kind].append((1 / figure.rate, 0.0))
            activations.stop(database, people.wang, number, "measured", people.tick())
            assert _shadows(database), "the server decided without the release in shadow"
    database.dispose()
    return figures


def _shadows(database: Engine) -> int:
    with reading(database) as connection:
        return connection.execute(select(func.count()).select_from(TRIAL_ANSWERS)).scalar_one()


def _add_served(table: Table, name: str, figures: dict[str, list[Figure]]) -> None:
    for kind, turns in figures.items():
        ratio = statistics.median(own[0] / none[0] for own, none in zip(turns, figures[NONE], strict=True))
        millis = statistics.median(wall for wall, _ in turns) * 1_000
        table.add_row(name, str(CONNECTIONS), kind, f"{millis:.2f}", f"{ratio:.2f}")


def _add_rows(table: Table, name: str, batch: int, figures: dict[str, list[Figure]]) -> None:
    for kind in KINDS:
        millis = statistics.median(wall for wall, _ in figures[kind]) * 1_000 / BLOCK
        ratios = [
            statistics.median(own[n] / none[n] for own, none in zip(figures[kind], figures[NONE], strict=True))
            for n in range(2)
        ]
        table.add_row(name, str(batch), kind, f"{millis:.2f}", *(f"{ratio:.2f}" for ratio in ratios))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else QUESTIONS, *sys.argv[2:3])
