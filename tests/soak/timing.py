"""Test whether response times reveal anything: `python -m tests.soak.timing [calls]`.

A merchant asks a server, one question after the other and in random order, about four kinds of subjects: people without consent,
ids that do not exist, people who have left, and declined people. A contributor then sends events about ids that do not exist and
about people who have left, one event and 5,000 at once, and sends each submission again. We compare the times of each two kinds by
the two-sample test of Kolmogorov and Smirnov (`scipy.stats.ks_2samp`).

If times revealed the kind, p would be next to 0: with 2,000 calls each, the test finds a fortieth of the calls moved by one step of
two milliseconds. The exit status is 1 if p is below 0.01 for any pair. There are twenty comparisons, so one in five or six runs fails
by chance even for equal times: run it again.
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

from api.access import tokens
from api.evidence import ledger
from api.features import builds, refresh
from api.merchants import services
from api.merchants.services import Terms
from api.people.erasure import erase
from api.releases import rules_folder
from api.store import clock
from api.store.database import open_database
from engine.decide.evaluators import Evaluators
from tests.api.merchant_client import consent_events
from tests.bench.fresh import RULES, on_postgres, running_server, settle

CALLS: Final = 2_000
PEOPLE: Final = 900
PEOPLE_PER_KIND: Final = 200  # people of each kind
MIN_P: Final = 0.01
ERASED_COUNT: Final = 60  # people of each kind that we ask about: as many of each, so that each has as long a history
SUBMISSIONS: Final = {1: 4, 5_000: 100}  # events in each; one submission per this number of calls
Kind = str


def prepare(url: str) -> tuple[str, str, dict[Kind, list[str]]]:
    """A town in which a third of the people consented to a service whose perk they do not get.

    Returns tokens of a merchant and of a contributor, and people of each kind.
    """
    settle(url, PEOPLE)
    database, now = open_database(url), clock.now()
    build = builds.latest_build(database)
    assert build
    scores = builds.scores(database, build)
    low = scores.filter(scores["score"].is_not_null()).sort("score")["person"].head(PEOPLE_PER_KIND).to_list()
    silent = (
        scores.filter(scores["score"].is_not_null())
        .sort("score")["person"]
        .tail(PEOPLE_PER_KIND + ERASED_COUNT)
        .to_list()
    )
    services.sign_up(database, "inn", "rooms", Terms("apartment"), now)
    ledger.append(database, consent_events(low, "inn", "rooms", now), now)
    evaluators = Evaluators(rules_folder.load_folder(RULES))
    refresh.refresh_all(database, evaluators, clock.now)
    evaluators.close()
    silent, erased_people = silent[:PEOPLE_PER_KIND], silent[PEOPLE_PER_KIND:]
    for person in erased_people:
        erase(database, person, clock.now())
    merchant, contributor = (
        tokens.issue(database, role, party, party, now, clock.add_days(now, days=1)).secret
        for role, party in (("merchant", "inn"), ("contributor", "depot"))
    )
    database.dispose()
    nobody = [f"p-{n}x" for n in range(PEOPLE_PER_KIND)]
    return merchant, contributor, {"declined": low, "no consent": silent, "nobody": nobody, "left": erased_people}


def time_questions(port: int, token: str, kinds: dict[Kind, list[str]], calls: int) -> dict[Kind, list[float]]:
    """Seconds of each call by kind; for declined people only those answered DECLINE."""
    connection, rng = http.client.HTTPConnection("127.0.0.1", port), random.Random(1)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    durations: dict[Kind, list[float]] = {kind: [] for kind in kinds}
    declined_people: set[str] | None = None
    for number in range(-PEOPLE_PER_KIND, calls * len(kinds) * 3):
        open_ = [kind for kind in kinds if len(durations[kind]) < calls]
        if not open_:
            break
        kind = "declined" if number < 0 else rng.choice(open_)  # to warm up, and to find the declined people
        people = kinds[kind] if number < 0 or kind != "declined" else sorted(declined_people or ())
        subject = people[number % len(people)] if number < 0 else rng.choice(people[:ERASED_COUNT])
        body = {"transaction_id": f"n{number}", "service": "rooms", "subject": subject, "amount": 500_000}
        started_at = time.perf_counter()
        connection.request("POST", "/v1/eligibility", json.dumps(body | {"context": {"city": "Hangzhou"}}), headers)
        response = connection.getresponse()
        payload = json.loads(response.read())
        ended_at = time.perf_counter()
        if number < 0:
            declined_people = (declined_people or set()) | ({subject} if payload.get("outcome") == "DECLINE" else set())
            continue
        assert payload.get("outcome", payload.get("code")) == ("DECLINE" if kind == "declined" else "no_consent"), (
            payload
        )
        durations[kind].append(ended_at - started_at)
    return durations


def time_submissions(
    port: int, token: str, kinds: dict[Kind, list[str]], calls: int, size: int
) -> dict[Kind, list[float]]:
    """Seconds of each submission of this number of events by kind, and of its repetition."""
    connection, rng = http.client.HTTPConnection("127.0.0.1", port), random.Random(1)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    durations: dict[Kind, list[float]] = {f"{turn} {kind}": [] for turn in ("new", "again") for kind in kinds}
    for number in range(-2, calls):  # two to warm up
        for kind in rng.sample(sorted(kinds), len(kinds)):
            rows = json.dumps([_event(rng.choice(kinds[kind]), f"{kind} {size} {number} {n}") for n in range(size)])
            for turn in ("new", "again"):
                started_at = time.perf_counter()
                connection.request("POST", "/v1/events", rows, headers)
                payload = json.loads(connection.getresponse().read())
                ended_at = time.perf_counter()
                assert payload["accepted" if turn == "new" else "duplicates"] == size, payload
                if number >= 0:
                    durations[f"{turn} {kind}"].append(ended_at - started_at)
    return durations


def _event(person: str, event_id: str) -> dict[str, object]:
    row = {"event_id": event_id, "kind": "payment.made", "subject": person, "other": "shop"}
    return row | {"happened_at": "2026-01-01T00:00:00Z", "amount": 100, "currency": "CNY", "category": "groceries"}


def compare(durations: dict[Kind, list[float]]) -> Iterator[tuple[str, float, float]]:
    """For each two kinds: their names, the largest distance of the distributions, and p."""
    for one, other in combinations(durations, 2):
        result = ks_2samp(durations[one], durations[other])
        yield f"{one} / {other}", float(result.statistic), float(result.pvalue)


def measure(url: str, calls: int) -> Iterator[tuple[str, dict[Kind, list[float]]]]:
    """The requests to a server over the database, and the times of the kinds that must be alike."""
    merchant, contributor, kinds = prepare(url)
    with running_server(url) as (_, port):
        yield "question", time_questions(port, merchant, kinds, calls)
        people = {"nobody": [f"q-{n}x" for n in range(ERASED_COUNT)], "left": kinds["left"]}
        for size, share in SUBMISSIONS.items():
            durations = time_submissions(port, contributor, people, max(calls // share, 5), size)
            for turn in ("new", "again"):
                yield f"{size:,} events", {kind: times for kind, times in durations.items() if kind.startswith(turn)}


def main(calls: int = CALLS) -> None:
    """Print the tests as a table."""
    title = f"{calls:,} questions of each kind, one at a time; fewer submissions"
    table = Table("database", "sent", "told apart?", "distance", "p", title=title)
    leak = False
    with tempfile.TemporaryDirectory() as folder, on_postgres() as postgres:
        urls = {"SQLite": f"sqlite:///{folder}/iftah.db"} | ({"PostgreSQL": postgres} if postgres else {})
        for database, url in urls.items():
            for label, durations in measure(url, calls):
                for names, distance, p in compare(durations):
                    leak |= p < MIN_P
                    table.add_row(database, label, names, f"{distance:.3f}", f"{p:.3f}")
                medians = ", ".join(f"{kind} {1000 * median(times):.2f}" for kind, times in durations.items())
                table.add_row(database, label, f"medians, ms: {medians}", "", "")
    Console(width=130).print(table)
    sys.exit(1 if leak else 0)


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
