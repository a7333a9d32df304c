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

from api import builds, refresh
from api.database import open_database, reading, writing
from api.refresh import Most
from engine.engines import Engines
from tests.api.conftest import created, dropped, named
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


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "iftah.db"
    open_database(f"sqlite:///{path}").dispose()
    return path


def emptied(engine: Engine) -> None:
    """As when it was new: what is append-only is so for everyone but a test."""
    with writing(engine) as connection:
        for table in ("scores", "features", "marks", "waiting", "builds", "moves"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        connection.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.exec_driver_sql("DELETE FROM events")
        connection.exec_driver_sql("ALTER TABLE events ENABLE TRIGGER ALL")
        connection.exec_driver_sql("UPDATE extent SET events = 0, recorded_at = NULL, happened_at = NULL")


def stories(seed: int) -> list[pl.DataFrame]:
    """Batches of events, in the order in which they come."""
    chooser = Random(seed)
    events = happenings(chooser, 14, 10)
    cuts = sorted(chooser.sample(range(4, events.height), 4))
    return [events[a:b] for a, b in zip([0, *cuts], [*cuts, events.height], strict=True)]


def lived(engine: Engine, engines: Engines, batches: list[pl.DataFrame], follows: bool, most: Most) -> None:
    """Batch after batch is recorded, and refreshed, hours apart; after each everyone's row is that of a rebuild."""
    now = NOW
    append(engine, before(), now)
    append(engine, batches[0], now)
    builds.build(engine, now, "perks", now, follows=follows)
    for batch in batches[1:]:
        now += timedelta(hours=9)
        append(engine, batch, now)
        Refresher(engine, engines, most).all(now)
        same_as_rebuilt(engine, now)


SMALL = Most(events=2, people=2, rows=12, rows_of_one=6)


@settings(max_examples=pairs(5, 120), deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([Most(), SMALL]))
def test_refreshed_is_rebuilt(
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    engines: Engines,
    seed: int,
    follows: bool,
    most: Most,
) -> None:
    folder = tmp_path_factory.mktemp("lived")
    shutil.copy(template, folder / "iftah.db")
    engine = open_database(f"sqlite:///{folder / 'iftah.db'}")
    try:
        lived(engine, engines, stories(seed), follows, most)
    finally:
        engine.dispose()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def server(postgres: str) -> Iterator[Engine]:
    """A PostgreSQL database for all stories, emptied before each."""
    name = created(postgres, "template0")
    engine = open_database(named(postgres, name))
    yield engine
    engine.dispose()
    dropped(postgres, name)


@settings(max_examples=pairs(3, 40), deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([Most(), SMALL]))
def test_refreshed_is_rebuilt_on_postgresql(
    server: Engine, engines: Engines, seed: int, follows: bool, most: Most
) -> None:
    emptied(server)
    lived(server, engines, stories(seed), follows, most)


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
def test_one_after_the_other(engine: Engine, engines: Engines, lines: str) -> None:
    """Each is refreshed by itself, so that no other event covers for a mark that was missed."""
    append(engine, BASE, NOW)
    builds.build(engine, NOW, "perks", NOW, follows=True)
    seen = [rows(engine)]
    for line in lines.splitlines():
        assert append(engine, story(line), NOW) == 1
        Refresher(engine, engines).all(NOW)
        same_as_rebuilt(engine, NOW)
        seen.append(rows(engine))
    assert any(a != b for a, b in pairwise(seen))


def test_what_a_refresh_reads_goes_by_indexes_alone(engines: Engines, template: Path, tmp_path: Path) -> None:
    """So that its cost does not grow with the ledger. The plans are SQLite's, which go by its rules and not by its statistics."""
    shutil.copy(template, tmp_path / "iftah.db")
    engine = open_database(f"sqlite:///{tmp_path / 'iftah.db'}")
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


def test_a_person_with_very_many_payments_is_right_and_keeps_nobody_waiting(
    engines: Engines, template: Path, tmp_path: Path
) -> None:
    """As with a million, with fewer: the limits are as low."""
    shutil.copy(template, tmp_path / "iftah.db")
    engine = open_database(f"sqlite:///{tmp_path / 'iftah.db'}")
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
    engine.dispose()
