"""An issuer of tokens that publishes its keys, and what we know of it."""

from collections.abc import Iterator

import pytest

from api.access.oidc import Issuer
from api.http.gate import gate_of
from tests.api.access.token_publisher import Publisher


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    yield publisher
    publisher.close()


@pytest.fixture
def issuer(publisher: Publisher) -> Issuer:
    issuer = gate_of(publisher.settings()).issuer
    assert issuer is not None
    return issuer
