"""Databases to test on: each test that asks for `database_url` runs on SQLite and on PostgreSQL."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from api import clock
from api.database import open_database
from api.world import World
from engine.engines import Engines
from tests.api.apps import lending
from tests.api.databases import Template, created, dropped, named
from tests.api.leaving import arrived
from tests.api.side import Side, peopled
from tests.api.street import Street
from tests.api.world import settle, shipped

POSTGRES = os.environ.get("IFTAH_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


@pytest.fixture(autouse=True)
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests live at moments of their own, none of which is later than the steady clock."""
    monkeypatch.setattr(clock, "_anchor", (datetime(2200, 1, 1, tzinfo=UTC), 0.0))


@pytest.fixture(autouse=True)
def applications() -> Iterator[None]:
    with lending():
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


def server_of(request: pytest.FixtureRequest) -> str:
    """The server for a fixture that is asked for `postgresql`; none for `sqlite`."""
    return str(request.getfixturevalue("postgres")) if request.param == "postgresql" else ""


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of the test's own, without a table."""
    if not (server := server_of(request)):
        yield f"sqlite:///{tmp_path / 'iftah.db'}"
        return
    name = created(server)
    yield named(server, name)
    dropped(server, name)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """Tables with nothing in them."""
    template = Template(tmp_path_factory.mktemp("empty"))
    yield template
    template.drop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, empty: Template, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of the test's own, with nothing in its tables."""
    with empty.lent(server_of(request), tmp_path) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The same, open."""
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """A scored town."""
    template = Template(tmp_path_factory.mktemp("town"), settle)
    yield template
    template.drop()


@pytest.fixture(params=["sqlite", "postgresql"])
def town_url(request: pytest.FixtureRequest, settled: Template, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of the test's own, with a scored town in it."""
    with settled.lent(server_of(request), tmp_path) as url:
        yield url


@pytest.fixture
def town(town_url: str, shipped_engines: Engines) -> Iterator[World]:
    """A scored town and the shipped rules."""
    engine = open_database(town_url)
    yield World(engine, shipped_engines)
    engine.dispose()


@pytest.fixture(scope="session")
def shipped_engines() -> Iterator[Engines]:
    """The engines of the shipped rules, made once."""
    engines = Engines(shipped())
    yield engines
    engines.close()


@pytest.fixture(scope="session")
def around_zeb(tmp_path_factory: pytest.TempPathFactory, shipped_engines: Engines) -> Iterator[Template]:
    """The small world of `tests.api.side`."""
    template = Template(tmp_path_factory.mktemp("side"), lambda engine: peopled(engine, shipped_engines))
    yield template
    template.drop()


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory, shipped_engines: Engines) -> Iterator[Template]:
    """Somebody with two of everything that is kept of a person, and the few people around."""
    template = Template(tmp_path_factory.mktemp("lived"), lambda engine: arrived(World(engine, shipped_engines)))
    yield template
    template.drop()


@pytest.fixture
def side(around_zeb: Template, tmp_path: Path, shipped_engines: Engines) -> Iterator[Side]:
    """The person's side of the door, in a small world of its own."""
    with around_zeb.lent("", tmp_path) as url:
        engine = open_database(url)
        yield Side(engine, shipped_engines)
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_side(
    request: pytest.FixtureRequest, around_zeb: Template, tmp_path: Path, shipped_engines: Engines
) -> Iterator[Side]:
    """The same on each database."""
    with around_zeb.lent(server_of(request), tmp_path) as url:
        engine = open_database(url)
        yield Side(engine, shipped_engines)
        engine.dispose()


@pytest.fixture
def sqlite(empty: Template, tmp_path: Path) -> Iterator[Engine]:
    """A database of SQLite with nothing in its tables, open."""
    with empty.lent("", tmp_path) as url:
        engine = open_database(url)
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def street(
    request: pytest.FixtureRequest, tmp_path: Path, lived: Template, shipped_engines: Engines
) -> Iterator[Street]:
    """The contributors and merchants around a person who has left."""
    with lived.lent(server_of(request), tmp_path) as url:
        opened = Street(url, shipped_engines)
        yield opened
        opened.database.dispose()
