"""Databases to test on: each test that asks for `database_url` runs on SQLite and on PostgreSQL."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine

from api.runtime.context import AppContext
from api.store import clock
from api.store.database import open_database
from engine.decide.evaluators import Evaluators
from tests.api.app_pool import app_pool
from tests.api.comparison_client import ComparisonClient
from tests.api.database_templates import Template, create_database, discard_database, drop_everything, url_of
from tests.api.databases_by_turns import mark_turns
from tests.api.full_record import seed_full_record
from tests.api.person_client import PersonClient, seed_events
from tests.api.town import build_town, shipped_release

POSTGRES = os.environ.get("IFTAH_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_turns(items)


@pytest.fixture(autouse=True)
def future_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests use moments of their own, and none of them is later than the steady clock."""
    monkeypatch.setattr(clock, "_anchor", (datetime(2200, 1, 1, tzinfo=UTC), 0.0))


@pytest.fixture(autouse=True)
def anchors(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each test has anchors of its own: we lend one database to many tests, each from the beginning of its log."""
    monkeypatch.setenv("IFTAH_ANCHORS", str(tmp_path_factory.getbasetemp() / uuid4().hex))


@pytest.fixture(autouse=True)
def applications() -> Iterator[None]:
    with app_pool():
        yield


@pytest.fixture(scope="session")
def postgres() -> str:
    """The address of a PostgreSQL server that answers."""
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError:
        message = "no PostgreSQL answers at IFTAH_TEST_POSTGRES: its tests are left out"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return POSTGRES


@pytest.fixture(scope="session", autouse=True)
def discarded_databases() -> Iterator[None]:
    """Made first, and so ended last."""
    yield
    drop_everything()


def server_of(request: pytest.FixtureRequest) -> str:
    """The server for a fixture that is asked for `postgresql`; none for `sqlite`."""
    return str(request.getfixturevalue("postgres")) if request.param == "postgresql" else ""


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database for one test, without tables."""
    if not (server := server_of(request)):
        yield f"sqlite:///{tmp_path / 'iftah.db'}"
        return
    name = create_database(server)
    yield url_of(server, name)
    discard_database(server, name)


@pytest.fixture(scope="session")
def empty_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """Empty tables."""
    template = Template(tmp_path_factory.mktemp("empty"))
    yield template
    template.drop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, empty_template: Template, tmp_path: Path) -> Iterator[str]:
    """The URL of a database for one test, with empty tables."""
    with empty_template.lend(server_of(request), tmp_path) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    """The same, open."""
    database = open_database(database_url)
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def town_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """A scored town."""
    template = Template(tmp_path_factory.mktemp("town"), build_town)
    yield template
    template.drop()


@pytest.fixture(params=["sqlite", "postgresql"])
def town_url(request: pytest.FixtureRequest, town_template: Template, tmp_path: Path) -> Iterator[str]:
    """The URL of a database for one test, with a scored town."""
    with town_template.lend(server_of(request), tmp_path) as url:
        yield url


@pytest.fixture
def town(town_url: str, shipped_evaluators: Evaluators) -> Iterator[AppContext]:
    """A scored town and the shipped rules."""
    database = open_database(town_url)
    yield AppContext(database, shipped_evaluators)
    database.dispose()


@pytest.fixture(scope="session")
def shipped_evaluators() -> Iterator[Evaluators]:
    """The evaluators of the shipped rules. We make them once."""
    evaluators = Evaluators(shipped_release())
    yield evaluators
    evaluators.close()


@pytest.fixture(scope="session")
def events_template(tmp_path_factory: pytest.TempPathFactory, shipped_evaluators: Evaluators) -> Iterator[Template]:
    """The small population of `tests.api.person_client`."""
    template = Template(tmp_path_factory.mktemp("side"), lambda database: seed_events(database, shipped_evaluators))
    yield template
    template.drop()


@pytest.fixture(scope="session")
def full_record_template(
    tmp_path_factory: pytest.TempPathFactory, shipped_evaluators: Evaluators
) -> Iterator[Template]:
    """A person with two of every kind of data that we keep about people, and the few people around."""
    template = Template(
        tmp_path_factory.mktemp("lived"), lambda database: seed_full_record(AppContext(database, shipped_evaluators))
    )
    yield template
    template.drop()


@pytest.fixture
def person_client(events_template: Template, tmp_path: Path, shipped_evaluators: Evaluators) -> Iterator[PersonClient]:
    """The API for a person, with a small population."""
    with events_template.lend("", tmp_path) as url:
        database = open_database(url)
        yield PersonClient(database, shipped_evaluators)
        database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def each_person_client(
    request: pytest.FixtureRequest, events_template: Template, tmp_path: Path, shipped_evaluators: Evaluators
) -> Iterator[PersonClient]:
    """The same on each database."""
    with events_template.lend(server_of(request), tmp_path) as url:
        database = open_database(url)
        yield PersonClient(database, shipped_evaluators)
        database.dispose()


@pytest.fixture
def sqlite_database(empty_template: Template, tmp_path: Path) -> Iterator[Engine]:
    """An open SQLite database with empty tables."""
    with empty_template.lend("", tmp_path) as url:
        database = open_database(url)
        yield database
        database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def comparison_client(
    request: pytest.FixtureRequest, tmp_path: Path, full_record_template: Template, shipped_evaluators: Evaluators
) -> Iterator[ComparisonClient]:
    """The contributors and merchants around an erased person."""
    with full_record_template.lend(server_of(request), tmp_path) as url:
        client = ComparisonClient(url, shipped_evaluators)
        yield client
        client.database.dispose()
