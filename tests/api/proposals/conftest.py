"""Two people who change the smallest rules, on each database."""

import pytest
from sqlalchemy import Engine

from api.releases import releases
from tests.api.proposals.gate import START, release
from tests.api.proposals.tiny_rules import TEXTS
from tests.api.proposals.two_people import TwoPeople


@pytest.fixture
def people(database: Engine) -> TwoPeople:
    """Wang and Li, after a release of a folder."""
    releases.record_release(database, release("twelve"), START, TEXTS["twelve"])
    return TwoPeople(database, START)
