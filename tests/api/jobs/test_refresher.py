"""A server's rows follow the ledger by themselves: through outages, new builds, new rules, kills and concurrent servers."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import psycopg
import pytest
from fastapi.testclient import TestClient

from api.evidence import ledger
from api.features import builds, refresh
from api.http.app import create_app
from api.releases import releases
from api.releases.catalogue import kinds, schema
from api.runtime.context import AppContext
from api.runtime.scoring import current_build, score_everyone
from api.store import clock
from api.store.database import open_database
from engine.decide.evaluators import Evaluators
from engine.lang.check.release import release_of
from graph.evidence.events import conform
from tests.api import fork_server
from tests.api.refresh_town import append_events, assert_matches_rebuild, current_scores, feature_rows
from tests.api.town import build_features, event, shipped_release
from tests.effort import by_effort


def refresh_forever(url: str) -> None:
    """Refresh until killed."""
    database, evaluators = open_database(url), Evaluators(shipped_release())
    print("ready", flush=True)
    while True:
        refresh.refresh(database, evaluators, clock.now(), refresh.RefreshLimits(events=5))
        refresh.catch_up(database, evaluators, clock.now())


@pytest.fixture
def following_town(town: AppContext) -> AppContext:
    """The town as of now, with a running refresher."""
    now = clock.now()
    build_features(town.database, now, "perks", now, follows=True)
    score_everyone(town, current_build(town))
    return town


def wait_until(condition: Callable[[], Any]) -> Any:
    """The first result that is not empty."""
    for _ in range(2_400):
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError("it never came")


@contextmanager
def run_server(context: AppContext) -> Iterator[TestClient]:
    with TestClient(create_app(context, background=True), raise_server_exceptions=False) as client:
        yield client


def payment_event(person: str, name: str) -> pl.DataFrame:
    return event("payment.made", person, clock.now(), name, other="shop", amount=100, currency="CNY")


def payment_count(context: AppContext, person: str) -> int:
    return int(feature_rows(context.database)[person][1]["behaviour.payments"])


def test_a_running_server_refreshes_the_row_and_score_after_an_event(following_town: AppContext) -> None:
    person = min(p for p, (s, _) in current_scores(following_town.database).items() if s)
    count_before = payment_count(following_town, person)
    with run_server(following_town) as client:
        append_events(following_town.database, payment_event(person, "new-1"), clock.now())
        wait_until(lambda: payment_count(following_town, person) == count_before + 1)
        freshness = client.get("/v1/health").json()["fresh"]
        assert (freshness["events_behind"], freshness["people_put_off"], freshness["problem"]) == (0, 0, None)
        assert freshness["refreshed_at"]
        build_features(
            following_town.database, clock.now(), "perks", clock.now(), follows=True
        )  # by another process in production
        append_events(following_town.database, payment_event(person, "new-2"), clock.now())
        wait_until(lambda: payment_count(following_town, person) == count_before + 2)
    assert [t.name for t in threading.enumerate() if t.name in ("new events", "people put off")] == []
    append_events(following_town.database, payment_event(person, "new-3"), clock.now())
    assert payment_count(following_town, person) == count_before + 2, "it has stopped"
    lag = refresh.lag(following_town.database, clock.now())
    assert (lag.events, lag.people) == (1, 0)


def test_the_next_batch_is_scored_by_new_rules(following_town: AppContext) -> None:
    person = min(p for p, (s, _) in current_scores(following_town.database).items() if s)
    files = dict(following_town.release.files)
    files["trust.yaml"] = files["trust.yaml"].replace("base: 480", "base: 490")
    other_evaluators = Evaluators(release_of(files, schema(), kinds()))
    releases.record_release(following_town.database, other_evaluators.release, clock.micros(clock.now()))
    with run_server(following_town) as client:
        client.app.state.context = replace(following_town, evaluators=other_evaluators)  # type: ignore[attr-defined]
        append_events(following_town.database, payment_event(person, "new-1"), clock.now())
        wait_until(lambda: current_scores(following_town.database)[person][1] == other_evaluators.release.id)
    other_evaluators.close()


def test_a_database_outage_is_logged_and_loses_no_event(following_town: AppContext, town_url: str) -> None:
    if not town_url.startswith("postgresql"):
        return  # a file does not come back
    person = min(feature_rows(following_town.database))
    count_before, name = payment_count(following_town, person), town_url.rpartition("/")[2]
    server = town_url.rpartition("/")[0] + "/postgres"
    with run_server(following_town) as client, psycopg.connect(server, autocommit=True) as admin:
        append_events(following_town.database, payment_event(person, "new-1"), clock.now())
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        wait_until(lambda: client.app.state.refresh_problem)  # type: ignore[attr-defined]
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        wait_until(lambda: client.app.state.refresh_problem is None)  # type: ignore[attr-defined]
        wait_until(lambda: payment_count(following_town, person) == count_before + 1)


def append_random_events(context: AppContext, random: Random, number: int) -> None:
    """A payment, and a few events of many kinds, of random people. A correction is of a payment; others are rejected."""
    people, earlier = sorted(feature_rows(context.database)), f"s{number - 1}-0"

    def random_event(name: str) -> pl.DataFrame:
        a, b = random.sample(people, 2)
        at = clock.now()
        payment = event("payment.made", a, at, name, other=b, amount=5, currency="CNY")
        other_events = [
            event("tie.formed", a, at, name, other=b, tie="friend"),
            event("consent.withdrawn", a, at, name, purpose="perks", classes="relationship"),
            event("event.retracted", a, at, name, ref_event=earlier),
            event("event.corrected", a, at, name, ref_event=earlier, fields='{"amount": 9}'),
            event("obligation.missed", a, at, name, obligation="loan"),
        ]
        return payment if name.endswith("-0") else random.choice([payment, *other_events])

    assert (
        append_events(
            context.database, conform(pl.concat([random_event(f"s{number}-{n}") for n in range(4)])), clock.now()
        )
        == 4
    )


def test_a_killed_refresh_loses_no_event(following_town: AppContext, town_url: str, tmp_path: Path) -> None:
    random, number = Random(5), 0
    for _ in range(by_effort(1, 6)):
        process = fork_server.Process(tmp_path / f"log-{number}", os.environ, refresh_forever, town_url)
        wait_until(process.output)
        for _ in range(4):
            number += 1
            append_random_events(following_town, random, number)
        time.sleep(random.random() / 2)
        process.kill()  # SIGKILL: between any two of its steps
    refresh.refresh_all(following_town.database, following_town.evaluators, clock.now)
    assert_matches_rebuild(following_town.database, clock.now())


def test_two_concurrent_refreshes_do_not_undo_each_other(following_town: AppContext, town_url: str) -> None:
    stop = threading.Event()

    def refresh_until_stopped(limits: refresh.RefreshLimits) -> int:
        database, evaluators, people_count = open_database(town_url), Evaluators(following_town.release), 0
        while not stop.wait(0.01):
            for work in (refresh.refresh, refresh.catch_up):
                result = work(database, evaluators, clock.now(), limits)
                people_count += result.people if result else 0
        evaluators.close()
        database.dispose()
        return people_count

    random = Random(6)
    with ThreadPoolExecutor(2) as pool:
        futures = [
            pool.submit(refresh_until_stopped, limits)
            for limits in (refresh.RefreshLimits(), refresh.RefreshLimits(events=3, people=2))
        ]
        for number in range(1, by_effort(4, 25)):
            append_random_events(following_town, random, number)
        wait_until(lambda: not (lag := refresh.lag(following_town.database, clock.now())).events and not lag.people)
        stop.set()
        assert sum(future.result() for future in futures)
    assert_matches_rebuild(following_town.database, clock.now())


def test_events_recorded_during_a_build_are_refreshed_after_it(following_town: AppContext) -> None:
    """The build has read the ledger, and not yet written its rows."""
    person = min(feature_rows(following_town.database))
    count_before, build = payment_count(following_town, person), current_build(following_town)
    original = builds.features

    def append_meanwhile(*args: Any, **options: Any) -> pl.DataFrame:
        frame = original(*args, **options)
        append_events(following_town.database, payment_event(person, "meanwhile"), clock.now())
        return frame

    builds.features = append_meanwhile
    try:
        build_features(following_town.database, clock.now(), "perks", clock.now(), follows=True)
    finally:
        builds.features = original
    assert current_build(following_town).id > build.id
    assert payment_count(following_town, person) == count_before
    refresh.refresh_all(following_town.database, following_town.evaluators, clock.now)
    assert payment_count(following_town, person) == count_before + 1
    assert ledger.extent(following_town.database).events == current_build(following_town).events_counted
