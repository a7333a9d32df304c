"""The contributor's door, over a database of the test's own or one that many share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.database import open_database
from tests.api.contributor.door import Door


@pytest.fixture
def door(engine: Engine) -> Door:
    return Door(engine)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Door]:
    engine = open_database(f"sqlite:///{tmp_path / 'iftah.db'}")
    yield Door(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One for many tests, which leave in it what they leave."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('used') / 'iftah.db'}")
    yield Door(engine)
    engine.dispose()
