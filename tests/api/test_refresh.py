"""Refreshed is rebuilt: whatever comes, in whatever order and batches, on both databases."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.event import listens_for

from api.database import open_database, reading
from api.features import builds, refresh
from api.features.refresh import Most
from engine.engines import Engines
from tests.api.databases import Template
from tests.api.refreshing import Refresher, append, rows, same_as_rebuilt
from tests.api.world import shipped
from tests.effort import pairs
from tests.graph.happenings import before, happenings
from tests.graph.story import story, willing
from tests.strategies import NOW, PEOPLE

BASE = story(willing(*PEOPLE, "dan"))


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    found = Engines(shipped())
    yield found
    found.close()


@pytest.fixture
def both(empty: Template, postgres: str, tmp_path: Path) -> Iterator[tuple[Engine, ...]]:
    """An empty database of each kind."""
    with empty.lent("", tmp_path) as file, empty.lent(postgres, tmp_path) as url:
        opened = tuple(map(open_database, (file, url)))
        yield opened
        for engine in opened:
            engine.dispose()


def stories(seed: int) -> list[pl.DataFrame]:
    """Batches of events, in the order in which they come."""
    chooser = Random(seed)
    events = happenings(chooser, 14, 10)
    cuts = sorted(chooser.sample(range(4, events.height), 4))
    return [events[a:b] for a, b in zip([0, *cuts], [*cuts, events.height], strict=True)]


def lived(url: str, engines: Engines, batches: list[pl.DataFrame], follows: bool, most: Most) -> None:
    """Batch after batch is recorded, and refreshed, hours apart; after each everyone's row is that of a rebuild."""
    engine, now = open_database(url), NOW
    append(engine, before(), now)
    append(engine, batches[0], now)
    builds.build(engine, now, "perks", now, follows=follows)
    for batch in batches[1:]:
        now += timedelta(hours=9)
        append(engine, batch, now)
        Refresher(engine, engines, most).all(now)
        same_as_rebuilt(engine, now)
    engine.dispose()


ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SMALL = Most(events=2, people=2, rows=12, rows_of_one=6)


@settings(max_examples=pairs(3, 120), deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([Most(), SMALL]))
def test_refreshed_is_rebuilt(
    empty: Template,
    tmp_path_factory: pytest.TempPathFactory,
    engines: Engines,
    seed: int,
    follows: bool,
    most: Most,
) -> None:
    folder = tmp_path_factory.mktemp("lived")
    with empty.lent("", folder) as url:
        lived(url, engines, stories(seed), follows, most)
    shutil.rmtree(folder)


@settings(max_examples=pairs(2, 40), deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([Most(), SMALL]))
def test_refreshed_is_rebuilt_on_postgresql(
    empty: Template, postgres: str, engines: Engines, seed: int, follows: bool, most: Most
) -> None:
    with empty.lent(postgres, Path()) as url:
        lived(url, engines, stories(seed), follows, most)


@pytest.mark.parametrize(
    "lines",
    [
        """2024-01-01 payment.made ann > shop #p amount=5 currency=CNY
        2024-01-02 dispute.opened ann @ann #d ref_event=p ref_contributor=bank
        2024-01-03 event.retracted cy @ann #r ref_event=d""",
        """2024-01-01 payment.made ann > bob #p amount=5 currency=CNY
        2024-01-02 event.corrected cy #x ref_event=p fields={"other":"dan"}
        2024-01-03 event.retracted cy #r ref_event=x""",
        """2024-01-02 event.corrected cy #x ref_event=p fields={"other":"dan"}
        2024-01-01 payment.made ann > bob #p amount=5 currency=CNY
        2024-01-03 event.retracted cy #r ref_event=p""",
        """2024-01-01 tie.formed ann > bob #t tie=friend
        2024-01-02 event.corrected cy #x ref_event=t fields={"other":"dan"}
        2024-01-03 consent.withdrawn dan @desk #w purpose=perks classes=relationship
        2024-01-04 event.retracted dan @desk #r ref_event=w""",
        """2024-01-01 payment.made ann > eve #p amount=5 currency=CNY
        2024-01-02 person.enrolled eve #e identity_level=1
        2024-01-02 consent.granted eve #g purpose=perks classes=identity
        2024-01-03 event.retracted ann #r ref_event=e""",
        """2020-01-01 payment.made ann > bob #p amount=5 currency=CNY
        2024-01-02 event.corrected ann #x ref_event=p fields={"happened_at":"2024-01-01T09:00:00Z"}
        2020-02-01 account.balance ann #q amount=5 currency=CNY
        2024-01-02 event.corrected ann #y ref_event=q fields={"happened_at":"2024-01-01T09:00:00Z"}""",
    ],
)
def test_one_after_the_other(both: tuple[Engine, ...], engines: Engines, lines: str) -> None:
    """Each is refreshed by itself, so that no other event covers for a mark that was missed."""
    for engine in both:
        append(engine, BASE, NOW)
        builds.build(engine, NOW, "perks", NOW, follows=True)
    seen = [[rows(engine) for engine in both]]
    for line in lines.splitlines():
        for engine in both:
            assert append(engine, story(line), NOW) == 1
            Refresher(engine, engines).all(NOW)
            same_as_rebuilt(engine, NOW)
        seen.append([rows(engine) for engine in both])
    assert [any(a != b for a, b in pairwise(one)) for one in zip(*seen, strict=True)] == [True, True]


@ON_SQLITE
def test_what_a_refresh_reads_goes_by_indexes_alone(engine: Engine, engines: Engines) -> None:
    """So that its cost does not grow with the ledger. The plans are SQLite's, which go by its rules and not by its statistics."""
    append(engine, BASE, NOW)
    builds.build(engine, NOW, "perks", NOW, follows=True)
    told = """
        2024-02-01 tie.formed ann > bob #t tie=friend
        2024-02-01 payment.made ann > cy #p amount=5 currency=CNY
        2024-02-02 consent.withdrawn bob purpose=perks
        2024-02-02 dispute.opened ann ref_event=p
        2024-02-02 event.corrected ann ref_event=t fields={"other":"dan"}"""
    append(engine, story(told), NOW)
    said: list[str] = []

    @listens_for(engine, "connect")
    def connected(driver: Any, _record: object) -> None:
        driver.set_trace_callback(said.append)

    engine.dispose()
    assert refresh.refresh(engine, engines, NOW)
    with reading(engine) as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.set_trace_callback(None)
        reads = [sql for sql in said if sql.startswith("SELECT") and "events" in sql]
        plans = [row[3] for sql in reads for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]
    engine.dispose()
    assert len(reads) > 10
    assert [p for p in plans if p.startswith("SCAN events")] == []


@ON_SQLITE
def test_a_person_with_very_many_payments_is_right_and_keeps_nobody_waiting(engine: Engine, engines: Engines) -> None:
    """As with a million, with fewer: the limits are as low."""
    append(engine, BASE, NOW)
    paid = "\n".join(
        f"2024-01-{n % 28 + 1:02} payment.made payer{n} > ann #p{n} amount=5 currency=CNY" for n in range(3_000)
    )
    append(engine, story(paid), NOW)
    builds.build(engine, NOW, "perks", NOW, follows=True)
    last = "2024-02-28 payment.made ann > shop #x amount=5 currency=CNY\n2024-02-28 payment.made bob > shop #y amount=5 currency=CNY"
    append(engine, story(last), NOW)
    most = Most(rows_of_one=1_000)
    assert refresh.refresh(engine, engines, NOW, most) == refresh.Refreshed(2, 1, 1)
    assert rows(engine)["bob"][1]["behaviour.payments"] == 1
    assert rows(engine)["ann"][1]["behaviour.payments"] == 0
    assert refresh.catch_up(engine, engines, NOW, most) == refresh.Refreshed(0, 1, 0)
    ann = rows(engine)["ann"][1]
    assert (ann["behaviour.payments"], ann["capacity.payers"]) == (1, 3_000)
    same_as_rebuilt(engine, NOW)
