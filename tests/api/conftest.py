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
from tests.api.side import Side, peopled
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


@pytest.fixture(scope="session")
def shipped_engines() -> Iterator[Engines]:
    """The engines of the shipped rules, made once."""
    engines = Engines(shipped())
    yield engines
    engines.close()


class Template:
    """A database filled once, to copy from, of each kind that is asked for."""

    def __init__(self, folder: Path, fill: Callable[[Engine], None]) -> None:
        self.folder, self.fill = folder, fill
        self.made: dict[str, str] = {}
        self.server = ""

    def copy(self, kind: str, server: str, folder: Path) -> str:
        """The URL of a copy: in a file of the folder, or a database of the server."""
        if kind not in self.made:
            self.server = server or self.server
            self.made[kind] = self._new(kind)
            engine = open_database(self.made[kind])
            self.fill(engine)
            engine.dispose()
        if kind == "postgresql":
            return named(server, created(server, self.made[kind].rpartition("/")[2]))
        shutil.copy(self.made[kind].removeprefix("sqlite:///"), folder / "iftah.db")
        return f"sqlite:///{folder / 'iftah.db'}"

    def _new(self, kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{self.folder / 'template.db'}"
        return named(self.server, created(self.server, "template0"))

    def drop(self) -> None:
        if "postgresql" in self.made:
            dropped(self.server, self.made["postgresql"].rpartition("/")[2])


@pytest.fixture(scope="session")
def around_zeb(tmp_path_factory: pytest.TempPathFactory, shipped_engines: Engines) -> Iterator[Template]:
    """The small world of `tests.api.side`."""
    template = Template(tmp_path_factory.mktemp("side"), lambda engine: peopled(engine, shipped_engines))
    yield template
    template.drop()


@pytest.fixture
def side(around_zeb: Template, tmp_path: Path, shipped_engines: Engines) -> Iterator[Side]:
    """The person's side of the door, in a small world of its own."""
    engine = open_database(around_zeb.copy("sqlite", "", tmp_path))
    yield Side(engine, shipped_engines)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_side(
    request: pytest.FixtureRequest, around_zeb: Template, tmp_path: Path, shipped_engines: Engines
) -> Iterator[Side]:
    """The same on each database."""
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else ""
    url = around_zeb.copy(request.param, server, tmp_path)
    engine = open_database(url)
    yield Side(engine, shipped_engines)
    engine.dispose()
    if server:
        dropped(server, url.rpartition("/")[2])
