"""A server's rows follow the ledger by themselves: through outages, new builds and new rules, kills and rivals."""

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

from api import actions, clock
from api.app import create_app
from api.catalogue import kinds, schema
from api.database import open_database
from api.evidence import ledger
from api.features import builds, refresh
from api.releases import releases
from api.world import World
from engine.engines import Engines
from engine.lang.check import release_of
from graph.events import conform
from tests.api import warm
from tests.api.refreshing import append, rows, same_as_rebuilt, scored
from tests.api.world import event, shipped
from tests.effort import pairs


def refreshes(url: str) -> None:
    """Until it is killed."""
    database, engines = open_database(url), Engines(shipped())
    print("ready", flush=True)
    while True:
        refresh.refresh(database, engines, clock.now(), refresh.Most(events=5))
        refresh.catch_up(database, engines, clock.now())


@pytest.fixture
def following(town: World) -> World:
    """The town as of now, followed."""
    now = clock.now()
    builds.build(town.database, now, "perks", now, follows=True)
    actions.scored(town, actions.ready(town))
    return town


def until(wanted: Callable[[], Any]) -> Any:
    """What is found, once it is something."""
    for _ in range(2_400):
        if found := wanted():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")


@contextmanager
def running(world: World) -> Iterator[TestClient]:
    with TestClient(create_app(world, works=True), raise_server_exceptions=False) as client:
        yield client


def paid(person: str, name: str) -> pl.DataFrame:
    return event("payment.made", person, clock.now(), name, other="shop", amount=100, currency="CNY")


def payments(world: World, person: str) -> int:
    return int(rows(world.database)[person][1]["behaviour.payments"])


def test_an_event_is_in_the_row_and_the_score_of_a_running_server(following: World) -> None:
    person = min(p for p, (s, _) in scored(following.database).items() if s)
    before = payments(following, person)
    with running(following) as client:
        append(following.database, paid(person, "new-1"), clock.now())
        until(lambda: payments(following, person) == before + 1)
        fresh = client.get("/v1/health").json()["fresh"]
        assert (fresh["events_behind"], fresh["people_put_off"], fresh["problem"]) == (0, 0, None)
        assert fresh["refreshed_at"]
        builds.build(
            following.database, clock.now(), "perks", clock.now(), follows=True
        )  # by another process, it might be
        append(following.database, paid(person, "new-2"), clock.now())
        until(lambda: payments(following, person) == before + 2)
    assert [t.name for t in threading.enumerate() if t.name in ("new events", "people put off")] == []
    append(following.database, paid(person, "new-3"), clock.now())
    assert payments(following, person) == before + 2, "it has stopped"
    found = refresh.lag(following.database, clock.now())
    assert (found.events, found.people) == (1, 0)


def test_new_rules_score_the_next_batch(following: World) -> None:
    person = min(p for p, (s, _) in scored(following.database).items() if s)
    files = dict(following.release.files)
    files["trust.yaml"] = files["trust.yaml"].replace("base: 480", "base: 490")
    other = Engines(release_of(files, schema(), kinds()))
    releases.keep(following.database, other.release, clock.micros(clock.now()))
    with running(following) as client:
        client.app.state.world = replace(following, engines=other)  # type: ignore[attr-defined]
        append(following.database, paid(person, "new-1"), clock.now())
        until(lambda: scored(following.database)[person][1] == other.release.id)
    other.close()


def test_a_database_that_goes_away_is_told_and_when_it_is_back_nothing_is_lost(following: World, town_url: str) -> None:
    if not town_url.startswith("postgresql"):
        return  # a file does not come back
    person = min(rows(following.database))
    before, name = payments(following, person), town_url.rpartition("/")[2]
    server = town_url.rpartition("/")[0] + "/postgres"
    with running(following) as client, psycopg.connect(server, autocommit=True) as admin:
        append(following.database, paid(person, "new-1"), clock.now())
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        until(lambda: client.app.state.stuck)  # type: ignore[attr-defined]
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        until(lambda: client.app.state.stuck is None)  # type: ignore[attr-defined]
        until(lambda: payments(following, person) == before + 1)


def sent(world: World, chance: Random, number: int) -> None:
    """A payment, and a few events of many kinds, of random people. A correction is of a payment: of others it is refused."""
    people, earlier = sorted(rows(world.database)), f"s{number - 1}-0"

    def some(name: str) -> pl.DataFrame:
        a, b = chance.sample(people, 2)
        at = clock.now()
        payment = event("payment.made", a, at, name, other=b, amount=5, currency="CNY")
        others = [
            event("tie.formed", a, at, name, other=b, tie="friend"),
            event("consent.withdrawn", a, at, name, purpose="perks", classes="relationship"),
            event("event.retracted", a, at, name, ref_event=earlier),
            event("event.corrected", a, at, name, ref_event=earlier, fields='{"amount": 9}'),
            event("obligation.missed", a, at, name, obligation="loan"),
        ]
        return payment if name.endswith("-0") else chance.choice([payment, *others])

    assert append(world.database, conform(pl.concat([some(f"s{number}-{n}") for n in range(4)])), clock.now()) == 4


def test_a_refresh_that_is_killed_loses_nothing(following: World, town_url: str, tmp_path: Path) -> None:
    chance, number = Random(5), 0
    for _ in range(pairs(2, 6)):
        process = warm.Process(tmp_path / f"log-{number}", os.environ, refreshes, town_url)
        until(process.said)
        for _ in range(4):
            number += 1
            sent(following, chance, number)
        time.sleep(chance.random() / 2)
        process.kill()  # SIGKILL: between any two of its steps
    refresh.until_done(following.database, following.engines, clock.now)
    same_as_rebuilt(following.database, clock.now())


def test_of_two_that_refresh_at_once_neither_undoes_the_other(following: World, town_url: str) -> None:
    stop = threading.Event()

    def refreshing(most: refresh.Most) -> int:
        engine, engines, done = open_database(town_url), Engines(following.release), 0
        while not stop.is_set():
            for work in (refresh.refresh, refresh.catch_up):
                found = work(engine, engines, clock.now(), most)
                done += found.people if found else 0
        engines.close()
        engine.dispose()
        return done

    chance = Random(6)
    with ThreadPoolExecutor(2) as pool:
        rivals = [pool.submit(refreshing, most) for most in (refresh.Most(), refresh.Most(events=3, people=2))]
        for number in range(1, pairs(6, 25)):
            sent(following, chance, number)
        until(lambda: not (found := refresh.lag(following.database, clock.now())).events and not found.people)
        stop.set()
        assert sum(rival.result() for rival in rivals)
    same_as_rebuilt(following.database, clock.now())


def test_what_is_recorded_while_a_build_is_made_is_refreshed_after_it(following: World) -> None:
    """The build has read the ledger, and not yet written its rows."""
    person = min(rows(following.database))
    before, made = payments(following, person), actions.ready(following)
    read = builds.features

    def meanwhile(*args: Any, **options: Any) -> pl.DataFrame:
        frame = read(*args, **options)
        append(following.database, paid(person, "meanwhile"), clock.now())
        return frame

    builds.features = meanwhile
    try:
        builds.build(following.database, clock.now(), "perks", clock.now(), follows=True)
    finally:
        builds.features = read
    assert actions.ready(following).id > made.id
    assert payments(following, person) == before
    refresh.until_done(following.database, following.engines, clock.now)
    assert payments(following, person) == before + 1
    assert ledger.extent(following.database).events == actions.ready(following).seen
