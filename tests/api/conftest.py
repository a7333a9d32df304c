"""Databases to test on: each test that asks for `database_url` runs on SQLite and on PostgreSQL."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine

from api.database import open_database
from api.world import World
from engine.engines import Engines
from tests.api.world import settle, shipped

POSTGRES = os.environ.get("IFTAH_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


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


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of the test's own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'iftah.db'}"
        return
    server = request.getfixturevalue("postgres")
    name = created(server, "template0")
    yield named(server, name)
    dropped(server, name)


def created(server: str, template: str) -> str:
    name = f"iftah_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return name


def dropped(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def named(server: str, name: str) -> str:
    return server.rpartition("/")[0] + f"/{name}"


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], str]]:
    """Asked for `sqlite` or `postgresql`: a database with a scored town in it, made once, to copy from."""
    made: dict[str, str] = {}
    names: list[tuple[str, str]] = []

    def prepare(kind: str, server: str) -> str:
        if kind not in made:
            made[kind] = f"sqlite:///{tmp_path_factory.mktemp('town') / 'iftah.db'}"
            if kind == "postgresql":
                names.append((server, created(server, "template0")))
                made[kind] = named(server, names[0][1])
            engine = open_database(made[kind])
            settle(engine)
            engine.dispose()
        return made[kind]

    yield prepare
    for server, name in names:
        dropped(server, name)


@pytest.fixture(params=["sqlite", "postgresql"])
def town_url(request: pytest.FixtureRequest, tmp_path: Path, prepared: Callable[[str, str], str]) -> Iterator[str]:
    """The URL of a database of the test's own, with a scored town in it."""
    if request.param == "sqlite":
        made = prepared("sqlite", "")
        shutil.copy(made.removeprefix("sqlite:///"), tmp_path / "iftah.db")
        yield f"sqlite:///{tmp_path / 'iftah.db'}"
        return
    server = request.getfixturevalue("postgres")
    name = created(server, prepared("postgresql", server).rpartition("/")[2])
    yield named(server, name)
    dropped(server, name)


@pytest.fixture
def town(town_url: str) -> Iterator[World]:
    """A scored town and the shipped rules."""
    engine = open_database(town_url)
    world = World(engine, Engines(shipped()))
    yield world
    world.engines.close()
    engine.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An open, migrated, empty database."""
    engine = open_database(database_url)
    yield engine
    engine.dispose()
