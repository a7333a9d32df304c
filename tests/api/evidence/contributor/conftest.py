"""The API for contributors, over a database of one test or one that many tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.store.database import open_database
from tests.api.evidence.contributor.contributor_client import ContributorClient


@pytest.fixture
def client(database: Engine) -> ContributorClient:
    return ContributorClient(database)


@pytest.fixture
def sqlite_client(tmp_path: Path) -> Iterator[ContributorClient]:
    database = open_database(f"sqlite:///{tmp_path / 'iftah.db'}")
    yield ContributorClient(database)
    database.dispose()


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContributorClient]:
    """One client for many tests, with the data that earlier tests sent."""
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('used') / 'iftah.db'}")
    yield ContributorClient(database)
    database.dispose()
