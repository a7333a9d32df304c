"""Whether time tells: `python -m tests.soak.timing [calls]`.

A merchant asks a server, one question after the other and in random order, about people who have not consented, about nobody, about
people who have left, and about people who are declined. A contributor then sends events about nobody and about people who have left,
one event and 5,000 at once, and sends each submission again. The times of each two kinds are put to the two-sample test of Kolmogorov
and Smirnov (`scipy.stats.ks_2samp`). Where time told, its p would be next to nothing: a fortieth of the calls moved by one step of two
milliseconds is found among 2,000 calls each. Ends with 1 when it is below a hundredth for any of the pairs; of twenty comparisons of
what is the same, one in five or six runs says so by chance: run it again.
"""

import http.client
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import combinations
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table
from scipy.stats import ks_2samp

from api import clock, services
from api.access import tokens
from api.database import open_database
from api.evidence import ledger
from api.features import builds, refresh
from api.people.erasure import erase
from api.releases import rules_folder
from api.services import Terms
from engine.engines import Engines
from tests.api.door import consents
from tests.bench.fresh import RULES, on_postgres, served, settle

CALLS: Final = 2_000
PEOPLE: Final = 900
EACH: Final = 200  # people of each kind
LEAST: Final = 0.01
DEPARTED: Final = 60
SUBMISSIONS: Final = {1: 4, 5_000: 100}  # events in each; a submission for so many calls
Kind = str


def prepared(url: str) -> tuple[str, str, dict[Kind, list[str]]]:
    """A town in which a third has consented to a service whose perk they do not get: tokens of a merchant and of a contributor, and
    people of each kind.
    """
    settle(url, PEOPLE)
    engine, now = open_database(url), clock.now()
    made = builds.latest(engine)
    assert made
    scores = builds.scores(engine, made)
    low = scores.filter(scores["score"].is_not_null()).sort("score")["person"].head(EACH).to_list()
    silent = scores.filter(scores["score"].is_not_null()).sort("score")["person"].tail(EACH + DEPARTED).to_list()
    services.sign_up(engine, "inn", "rooms", Terms("apartment"), now)
    ledger.append(engine, consents(low, "inn", "rooms", now), now)
    engines = Engines(rules_folder.load(RULES))
    refresh.until_done(engine, engines, clock.now)
    engines.close()
    silent, departed = silent[:EACH], silent[EACH:]
    for person in departed:
        erase(engine, person, clock.now())
    merchant, contributor = (
        tokens.issue(engine, role, party, party, now, clock.later(now, days=1)).secret
        for role, party in (("merchant", "inn"), ("contributor", "depot"))
    )
    engine.dispose()
    nobody = [f"p-{n}x" for n in range(EACH)]
    return merchant, contributor, {"declined": low, "no consent": silent, "nobody": nobody, "left": departed}


def asked(port: int, token: str, kinds: dict[Kind, list[str]], calls: int) -> dict[Kind, list[float]]:
    """Seconds of each call, by kind; of those declined, only where the answer is DECLINE."""
    line, chance = http.client.HTTPConnection("127.0.0.1", port), random.Random(1)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    took: dict[Kind, list[float]] = {kind: [] for kind in kinds}
    declined: set[str] | None = None
    for number in range(-EACH, calls * len(kinds) * 3):
        open_ = [kind for kind in kinds if len(took[kind]) < calls]
        if not open_:
            break
        kind = "declined" if number < 0 else chance.choice(open_)  # to warm up, and to see who is declined
        people = kinds[kind] if number < 0 or kind != "declined" else sorted(declined or ())
        subject = people[number % len(people)] if number < 0 else chance.choice(people)
        body = {"transaction_id": f"n{number}", "service": "rooms", "subject": subject, "amount": 500_000}
        began = time.perf_counter()
        line.request("POST", "/v1/eligibility", json.dumps(body | {"context": {"city": "Hangzhou"}}), headers)
        answer = line.getresponse()
        said = json.loads(answer.read())
        ended = time.perf_counter()
        if number < 0:
            declined = (declined or set()) | ({subject} if said.get("outcome") == "DECLINE" else set())
            continue
        assert said.get("outcome", said.get("code")) == ("DECLINE" if kind == "declined" else "no_consent"), said
        took[kind].append(ended - began)
    return took


def submitted(port: int, token: str, kinds: dict[Kind, list[str]], calls: int, size: int) -> dict[Kind, list[float]]:
    """Seconds of each submission of so many events, by kind; and of the same when it is sent again."""
    line, chance = http.client.HTTPConnection("127.0.0.1", port), random.Random(1)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    took: dict[Kind, list[float]] = {f"{turn} {kind}": [] for turn in ("new", "again") for kind in kinds}
    for number in range(-2, calls):  # two to warm up
        for kind in chance.sample(sorted(kinds), len(kinds)):
            rows = json.dumps([_event(chance.choice(kinds[kind]), f"{kind} {size} {number} {n}") for n in range(size)])
            for turn in ("new", "again"):
                began = time.perf_counter()
                line.request("POST", "/v1/events", rows, headers)
                payload = json.loads(line.getresponse().read())
                ended = time.perf_counter()
                assert payload["accepted" if turn == "new" else "duplicates"] == size, payload
                if number >= 0:
                    took[f"{turn} {kind}"].append(ended - began)
    return took


def _event(person: str, event_id: str) -> dict[str, object]:
    row = {"event_id": event_id, "kind": "payment.made", "subject": person, "other": "shop"}
    return row | {"happened_at": "2026-01-01T00:00:00Z", "amount": 100, "currency": "CNY", "category": "groceries"}


def compared(took: dict[Kind, list[float]]) -> Iterator[tuple[str, float, float]]:
    """Each two kinds: their names, the largest distance of the distributions, and p."""
    for one, other in combinations(took, 2):
        found = ks_2samp(took[one], took[other])
        yield f"{one} / {other}", float(found.statistic), float(found.pvalue)


def measured(url: str, calls: int) -> Iterator[tuple[str, dict[Kind, list[float]]]]:
    """What was sent to a server over the database, and the times of the kinds that must be alike."""
    merchant, contributor, kinds = prepared(url)
    with served(url) as (_, port):
        yield "question", asked(port, merchant, kinds, calls)
        people = {"nobody": [f"q-{n}x" for n in range(DEPARTED)], "left": kinds["left"]}
        for size, share in SUBMISSIONS.items():
            took = submitted(port, contributor, people, max(calls // share, 5), size)
            for turn in ("new", "again"):
                yield f"{size:,} events", {kind: times for kind, times in took.items() if kind.startswith(turn)}


def main(calls: int = CALLS) -> None:
    """Print the tests as a table."""
    title = f"{calls:,} questions of each kind, one at a time; fewer submissions"
    table = Table("database", "sent", "told apart?", "distance", "p", title=title)
    told = False
    with tempfile.TemporaryDirectory() as folder, on_postgres() as postgres:
        urls = {"SQLite": f"sqlite:///{folder}/iftah.db"} | ({"PostgreSQL": postgres} if postgres else {})
        for database, url in urls.items():
            for sent, took in measured(url, calls):
                for names, distance, p in compared(took):
                    told |= p < LEAST
                    table.add_row(database, sent, names, f"{distance:.3f}", f"{p:.3f}")
                medians = ", ".join(f"{kind} {1000 * median(times):.2f}" for kind, times in took.items())
                table.add_row(database, sent, f"medians, ms: {medians}", "", "")
    Console(width=130).print(table)
    sys.exit(1 if told else 0)


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
