"""A name server that does not answer: other callers get answers meanwhile. Part of `python -m tests.soak.outages`."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from api.access import tokens
from api.store import clock
from api.store.database import open_database
from tests.bench.ask import prepare, questions
from tests.bench.fresh import running_server
from tests.soak.lock import AnswerStats

PEOPLE: Final = 60
SIGN_UPS: Final = 45
DURATION_SECONDS: Final = 15.0  # of the other callers
MAX_ANSWER_SECONDS: Final = 3.0  # seconds until an answer to another caller


def slow_names(url: str, seconds: float = DURATION_SECONDS) -> tuple[AnswerStats, AnswerStats]:
    """The answers to one merchant's sign-ups with such names, and to another merchant's questions meanwhile."""
    merchants, people = prepare(url, PEOPLE)
    database, now = open_database(url), clock.now()
    slow = tokens.issue(database, "merchant", "slow", "slow", now, clock.add_days(now, days=1)).secret
    database.dispose()
    ask = questions(merchants, people, 1)[0]
    sign_up_stats, question_stats = AnswerStats(), AnswerStats()

    def sign_up(number: int) -> int:
        terms = {"perk": "hotel", "callback": f"https://n{number}.slow.example/hook"}
        return sign_up_stats.ask(port, "PUT", f"/v1/services/s{number}", slow, terms)

    with running_server(url, "-m", "tests.soak.serve_slow_names") as (_, port), ThreadPoolExecutor(SIGN_UPS) as threads:
        question_stats.send(port, ask())
        futures: list[Any] = [threads.submit(sign_up, number) for number in range(SIGN_UPS)]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            question_stats.send(port, ask())
            time.sleep(0.1)
        for future in futures:
            future.result()
    return sign_up_stats, question_stats


def problems(sign_up_stats: AnswerStats, question_stats: AnswerStats) -> list[str]:
    """The faults."""
    result = []
    if set(question_stats.statuses) != {200} or question_stats.slowest > MAX_ANSWER_SECONDS:
        result.append(f"questions: {dict(question_stats.statuses)}, slowest {question_stats.slowest:.1f} s")
    if set(sign_up_stats.statuses) != {422}:
        result.append(f"sign-ups: {dict(sign_up_stats.statuses)}")
    return result
