"""Services: what a merchant signs up for, in versions."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from api import services
from api.database import reading
from api.services import Terms
from engine.errors import Refused
from tests.api.world import NOW

HOTEL = Terms("hotel", allowed=("ann",), callback="https://inn.example/hook")


def test_a_change_is_a_further_version_and_the_same_is_none(engine: Engine) -> None:
    first = services.sign_up(engine, "inn", "rooms", HOTEL, NOW)
    assert services.sign_up(engine, "inn", "rooms", HOTEL, NOW) == first
    second = services.sign_up(engine, "inn", "rooms", replace(HOTEL, allowed=None), NOW)
    assert (first.version, second.version) == (1, 2)
    assert services.versions(engine, "inn", "rooms") == [first, second]
    assert services.of_merchant(engine, "inn") == [second]
    with reading(engine) as connection:
        assert services.newest(connection, "inn", "rooms") == second
        assert services.version(connection, "inn", "rooms", 1) == first


def test_a_service_is_one_merchants_own(engine: Engine) -> None:
    services.sign_up(engine, "inn", "rooms", HOTEL, NOW)
    with reading(engine) as connection, pytest.raises(Refused, match="unknown service"):
        services.newest(connection, "lodge", "rooms")
    assert services.of_merchant(engine, "lodge") == []
    assert services.sign_up(engine, "lodge", "rooms", HOTEL, NOW).name == "lodge/rooms"
