"""A refresh gives the same rows as a rebuild, for any events in any order and batches, on both databases."""

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

from api.evidence import link_sources
from api.features import refresh
from api.features.refresh import RefreshLimits
from api.store.database import open_database, reading
from engine.decide.evaluators import Evaluators
from tests.api.database_templates import Template
from tests.api.refresh_town import Refresher, append_events, assert_matches_rebuild, feature_rows
from tests.api.town import build_features, shipped_release
from tests.effort import by_effort, every
from tests.graph.random_ledgers import initial_events, random_events
from tests.graph.story import enrol, story
from tests.strategies import NOW, PEOPLE

BASE_EVENTS = story(enrol(*PEOPLE, "dan"))


@pytest.fixture(scope="module")
def evaluators() -> Iterator[Evaluators]:
    evaluators = Evaluators(shipped_release())
    yield evaluators
    evaluators.close()


@pytest.fixture
def databases(
    request: pytest.FixtureRequest, empty_template: Template, postgres: str, tmp_path: Path
) -> Iterator[list[Engine]]:
    """An empty database of each kind; in a usual run one of them, by turns."""
    with empty_template.lend("", tmp_path) as file, empty_template.lend(postgres, tmp_path) as url:
        databases = list(map(open_database, every(2, (file, url), request.node.callspec.indices["lines"])))
        yield databases
        for database in databases:
            database.dispose()


def stories(seed: int) -> list[pl.DataFrame]:
    """Batches of events, in the order in which they come."""
    chooser = Random(seed)
    events = random_events(chooser, 14, 10, links=chooser.choice([0, 4]))
    cuts = sorted(chooser.sample(range(4, events.height), 4))
    return [events[a:b] for a, b in zip([0, *cuts], [*cuts, events.height], strict=True)]


def refresh_batches(
    url: str, evaluators: Evaluators, batches: list[pl.DataFrame], follows: bool, limits: RefreshLimits
) -> None:
    """Record and refresh batches hours apart. After each batch, everyone's row must equal that of a rebuild."""
    database, now = open_database(url), NOW
    link_sources.allow(database, "bank", now)
    append_events(database, initial_events(), now)
    append_events(database, batches[0], now)
    build_features(database, now, "perks", now, follows=follows)
    for batch in batches[1:]:
        now += timedelta(hours=9)
        append_events(database, batch, now)
        Refresher(database, evaluators, limits).run(now)
        assert_matches_rebuild(database, now)
    database.dispose()


SQLITE_ONLY = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SMALL_LIMITS = RefreshLimits(events=2, people=2, rows=12, rows_of_one=6)


@settings(max_examples=by_effort(2, 120), deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([RefreshLimits(), SMALL_LIMITS]))
def test_a_refresh_equals_a_rebuild(
    empty_template: Template,
    tmp_path_factory: pytest.TempPathFactory,
    evaluators: Evaluators,
    seed: int,
    follows: bool,
    limits: RefreshLimits,
) -> None:
    folder = tmp_path_factory.mktemp("lived")
    with empty_template.lend("", folder) as url:
        refresh_batches(url, evaluators, stories(seed), follows, limits)
    shutil.rmtree(folder)


@settings(max_examples=by_effort(1, 40), deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([RefreshLimits(), SMALL_LIMITS]))
def test_a_refresh_equals_a_rebuild_on_postgresql(
    empty_template: Template, postgres: str, evaluators: Evaluators, seed: int, follows: bool, limits: RefreshLimits
) -> None:
    with empty_template.lend(postgres, Path()) as url:
        refresh_batches(url, evaluators, stories(seed), follows, limits)


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
        """2024-01-01 payment.made ann > eve #p amount=5 currency=CNY
        2024-01-01 tie.formed bob > cy #t tie=friend
        2024-01-01 person.same_as ann > bob #l
        2024-01-02 tie.formed ann > cy #s tie=friend
        2024-01-02 person.same_as dan > bob #m
        2024-01-03 consent.withdrawn bob @desk #w purpose=perks classes=behaviour
        2024-01-04 consent.withdrawn bob @desk #v purpose=perks classes=identity
        2024-01-05 consent.granted bob @desk #g purpose=perks classes=identity
        2024-01-06 dispute.opened dan @ann #d ref_event=m ref_contributor=bank
        2024-01-07 event.corrected ann #x ref_event=l fields={"other":"cy"}
        2024-01-08 event.retracted ann #r ref_event=l""",
        """2020-01-01 payment.made ann > bob #p amount=5 currency=CNY
        2024-01-02 event.corrected ann #x ref_event=p fields={"happened_at":"2024-01-01T09:00:00Z"}
        2020-02-01 account.balance ann #q amount=5 currency=CNY
        2024-01-02 event.corrected ann #y ref_event=q fields={"happened_at":"2024-01-01T09:00:00Z"}""",
    ],
)
def test_a_refresh_after_each_event_equals_a_rebuild(
    databases: list[Engine], evaluators: Evaluators, lines: str
) -> None:
    """We refresh after each event, so that no other event hides a missed invalidation."""
    for database in databases:
        link_sources.allow(database, "bank", NOW)
        append_events(database, BASE_EVENTS, NOW)
        build_features(database, NOW, "perks", NOW, follows=True)
    snapshots = [[feature_rows(database) for database in databases]]
    for line in lines.splitlines():
        for database in databases:
            assert append_events(database, story(line), NOW) == 1
            Refresher(database, evaluators).run(NOW)
            assert_matches_rebuild(database, NOW)
        snapshots.append([feature_rows(database) for database in databases])
    assert all(any(a != b for a, b in pairwise(history)) for history in zip(*snapshots, strict=True))


@SQLITE_ONLY
def test_a_refresh_reads_through_indexes_only(database: Engine, evaluators: Evaluators) -> None:
    """The cost must not grow with the ledger. We check SQLite's query plans, which depend on rules and not on statistics."""
    append_events(database, BASE_EVENTS, NOW)
    build_features(database, NOW, "perks", NOW, follows=True)
    lines = """
        2024-02-01 tie.formed ann > bob #t tie=friend
        2024-02-01 payment.made ann > cy #p amount=5 currency=CNY
        2024-02-02 consent.withdrawn bob purpose=perks
        2024-02-02 dispute.opened ann ref_event=p
        2024-02-02 event.corrected ann ref_event=t fields={"other":"dan"}"""
    append_events(database, story(lines), NOW)
    statements: list[str] = []

    @listens_for(database, "connect")
    def trace_connection(driver: Any, _record: object) -> None:
        driver.set_trace_callback(statements.append)

    database.dispose()
    assert refresh.refresh(database, evaluators, NOW)
    with reading(database) as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.set_trace_callback(None)
        reads = [sql for sql in statements if sql.startswith("SELECT") and "events" in sql]
        plans = [row[3] for sql in reads for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]
    database.dispose()
    assert len(reads) > 10
    assert [p for p in plans if p.startswith("SCAN events")] == []


@SQLITE_ONLY
def test_a_person_with_very_many_payments_is_refreshed_without_delaying_others(
    database: Engine, evaluators: Evaluators
) -> None:
    """Like a person with a million events: we lower the limits instead."""
    append_events(database, BASE_EVENTS, NOW)
    payments = "\n".join(
        f"2024-01-{n % 28 + 1:02} payment.made payer{n} > ann #p{n} amount=5 currency=CNY" for n in range(3_000)
    )
    append_events(database, story(payments), NOW)
    build_features(database, NOW, "perks", NOW, follows=True)
    last_payments = "2024-02-28 payment.made ann > shop #x amount=5 currency=CNY\n2024-02-28 payment.made bob > shop #y amount=5 currency=CNY"
    append_events(database, story(last_payments), NOW)
    limits = RefreshLimits(rows_of_one=1_000)
    assert refresh.refresh(database, evaluators, NOW, limits) == refresh.RefreshResult(2, 1, 1)
    assert feature_rows(database)["bob"][1]["behaviour.payments"] == 1
    assert feature_rows(database)["ann"][1]["behaviour.payments"] == 0
    assert refresh.catch_up(database, evaluators, NOW, limits) == refresh.RefreshResult(0, 1, 0)
    values = feature_rows(database)["ann"][1]
    assert (values["behaviour.payments"], values["capacity.distinct_payers"]) == (1, 3_000)
    assert_matches_rebuild(database, NOW)
