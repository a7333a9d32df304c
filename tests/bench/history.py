"""Measure what a person's history costs an answer: `python -m tests.bench.history [questions people database]`.

One process answers questions about three groups of people of a small town: without earlier decisions, with a hundred old and expired
declines each, and with a thousand. The groups take turns in blocks of questions, eight in a transaction, so that what else the machine
does falls on each alike. `of empty` is the median over the rounds of the rate beside that of the people without a history.
"""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from time import perf_counter, process_time
from typing import Final
from uuid import uuid4

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, select

from api.decisions import decisions
from api.decisions.decisions import ChainTail, DecisionRow
from api.decisions.eligibility import answer_questions
from api.decisions.question import EligibilityQuestion
from api.features import builds
from api.releases import rules_folder
from api.runtime.context import AppContext
from api.runtime.scoring import current_build
from api.store.clock import micros, moment
from api.store.database import fetch_rows, writing
from api.store.tables import DECISION_SUBJECTS
from engine.decide.evaluators import Evaluators
from tests.api.town import NOW
from tests.bench.trial import small_town
from tests.paths import RULES

QUESTIONS: Final = 3_000  # of each group
PEOPLE: Final = 48  # in each group
BLOCK: Final = 48  # questions in a row about one group
BATCH: Final = 8  # questions in a transaction
HISTORIES: Final = (0, 100, 1_000)  # old decisions of each person
GOAL: Final = 0.9
Figure = tuple[float, float]  # seconds of wall clock, and of this process's processor


def main(questions: int = QUESTIONS, people: int = PEOPLE, only: str = "") -> None:
    """Print the figures as a table."""
    table = Table("database", "old decisions a person", "ms an answer", "of empty", "goal", "processor, of empty")
    for name in ("SQLite", "PostgreSQL"):
        if only in ("", name):
            with small_town(name) as database:
                seconds = _measure(database, questions, people)
            for number in HISTORIES:
                millis = statistics.median(wall for wall, _ in seconds[number]) * 1_000 / BLOCK
                pairs = list(zip(seconds[0], seconds[number], strict=True))
                ratio, processor = (statistics.median(empty[n] / own[n] for empty, own in pairs) for n in range(2))
                goal = f"{GOAL:.2f}" if number else ""
                table.add_row(name, f"{number:,}", f"{millis:.2f}", f"{ratio:.2f}", goal, f"{processor:.2f}")
    Console().print(table)


def _measure(database: Engine, questions: int, people: int) -> dict[int, list[Figure]]:
    """The seconds of each block, by the number of old decisions."""
    context = AppContext(database, Evaluators(rules_folder.load_folder(RULES)))
    persons = builds.scores(database, current_build(context))["person"].to_list()
    groups = {n: persons[at * people : (at + 1) * people] for at, n in enumerate(HISTORIES)}
    _ask(context, [person for group in groups.values() for person in group], micros(NOW))
    for number, group in groups.items():
        _give_history(database, group, number)
    asked_at, seconds = micros(NOW), {number: list[Figure]() for number in HISTORIES}
    for number in range(0, questions + BLOCK, BLOCK):
        turn = number // BLOCK % len(HISTORIES)
        for history in HISTORIES[turn:] + HISTORIES[:turn]:
            asked_at += 60_000_000
            group = groups[history]
            block = [group[(number + n) % len(group)] for n in range(BLOCK)]
            elapsed = _ask(context, block, asked_at)
            if number:  # the first block is to warm up
                seconds[history].append(elapsed)
    context.evaluators.close()
    return seconds


def _ask(context: AppContext, people: Sequence[str], asked_at: int) -> Figure:
    """Ask about these people, and return the time that it took."""
    block = [EligibilityQuestion("stand", None, person, "hotel", 50_000, "CNY", moment(asked_at)) for person in people]
    wall, processor = perf_counter(), process_time()
    for first in range(0, len(block), BATCH):
        for result in answer_questions(context, block[first : first + BATCH]):
            assert not isinstance(result, Exception), result
    return perf_counter() - wall, process_time() - processor


def _give_history(database: Engine, people: Sequence[str], number: int) -> None:
    """So many declines of each person, of the last year but for its last two months."""
    with database.connect() as connection:
        record = connection.execute(select(DECISION_SUBJECTS.c.record).limit(1)).scalar_one()
    row = DecisionRow(
        id="",
        merchant="stand",
        transaction_id=None,
        service=None,
        service_version=None,
        subject="",
        perk="hotel",
        amount=0,
        currency="CNY",
        context="{}",
        outcome="DECLINE",
        waived=0,
        deposit=50_000,
        held_since=None,
        release="0" * 64,
        decided_at=0,
        valid_until=0,
        salt="0" * 64,
        record=record,
        commitment="0" * 64,
    )
    for person in people:
        rows = []
        for n in range(number):
            at = micros(NOW - timedelta(days=365 - 300 * n // number, minutes=n))
            change = {"amount": 10_000 + n % 500, "decided_at": at, "valid_until": at + 86_400_000_000}
            rows.append(replace(row, id=uuid4().hex, subject=person, merchant=f"stand-{n % 8}", **change))
        with writing(database) as connection:
            (newest,) = fetch_rows(connection, decisions.NEWEST_DECISION)
            decisions.append_decisions(connection, rows, ChainTail(*newest[0]) if newest else None)


if __name__ == "__main__":
    main(*(kind(a) for kind, a in zip((int, int, str), sys.argv[1:], strict=False)))
