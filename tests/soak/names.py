"""A name server that does not answer: everybody else is answered meanwhile. Part of `python -m tests.soak.outages`."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from api import clock
from api.access import tokens
from api.database import open_database
from tests.bench.ask import prepared, questions
from tests.bench.fresh import served
from tests.soak.lock import Answers

PEOPLE: Final = 60
SIGN_UPS: Final = 45
SECONDS: Final = 15.0  # that the others ask
SLOWEST: Final = 3.0  # seconds to an answer to somebody else
# A server whose names of one domain take twenty seconds each.
SERVES: Final = """
import socket, time
resolve = socket.getaddrinfo
def slow(host, *args, **how):
    if str(host).endswith(".slow.example"):
        time.sleep(20)
    return resolve(host, *args, **how)
socket.getaddrinfo = slow
from api.cli import app
app(["serve"])
"""


def slow_names(url: str, seconds: float = SECONDS) -> tuple[Answers, Answers]:
    """What one merchant's sign-ups with such names were answered, and what another's questions were meanwhile."""
    merchants, people = prepared(url, PEOPLE)
    engine, now = open_database(url), clock.now()
    slow = tokens.issue(engine, "merchant", "slow", "slow", now, clock.later(now, days=1)).secret
    engine.dispose()
    ask = questions(merchants, people, 1)[0]
    signed_up, answered = Answers(), Answers()

    def sign_up(number: int) -> int:
        terms = {"perk": "hotel", "callback": f"https://n{number}.slow.example/hook"}
        return signed_up.ask(port, "PUT", f"/v1/services/s{number}", slow, terms)

    with served(url, "-c", SERVES) as (_, port), ThreadPoolExecutor(SIGN_UPS) as threads:
        answered.put(port, ask())
        working: list[Any] = [threads.submit(sign_up, number) for number in range(SIGN_UPS)]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answered.put(port, ask())
            time.sleep(0.1)
        for work in working:
            work.result()
    return signed_up, answered


def problems(signed_up: Answers, answered: Answers) -> list[str]:
    """What is not as it must be."""
    found = []
    if set(answered.statuses) != {200} or answered.slowest > SLOWEST:
        found.append(f"questions: {dict(answered.statuses)}, slowest {answered.slowest:.1f} s")
    if set(signed_up.statuses) != {422}:
        found.append(f"sign-ups: {dict(signed_up.statuses)}")
    return found
