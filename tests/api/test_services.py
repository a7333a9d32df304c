"""Services: what a merchant signs up for, in versions; and the secret that its callbacks are signed by."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from api import services
from api.database import reading, writing
from api.orders import callback_keys
from api.services import Terms
from api.world import World
from engine.errors import Refused
from tests.api.door import Door, refused
from tests.api.world import NOW

HOTEL = Terms("hotel", allowed=("ann",), callback="https://inn.example/hook")


def test_a_change_is_a_further_version_and_the_same_is_none(engine: Engine) -> None:
    first = services.sign_up(engine, "inn", "rooms", HOTEL, NOW)
    assert services.sign_up(engine, "inn", "rooms", HOTEL, NOW) == first
    second = services.sign_up(engine, "inn", "rooms", replace(HOTEL, allowed=None), NOW)
    assert (first.version, second.version) == (1, 2)
    assert services.versions(engine, "inn", "rooms", 9) == [second, first]
    assert services.of_merchant(engine, "inn", 9) == [second]
    with reading(engine) as connection:
        assert services.newest(connection, "inn", "rooms") == second
        assert services.version(connection, "inn", "rooms", 1) == first


def test_a_service_is_one_merchants_own(engine: Engine) -> None:
    services.sign_up(engine, "inn", "rooms", HOTEL, NOW)
    with reading(engine) as connection, pytest.raises(Refused, match="unknown service"):
        services.newest(connection, "lodge", "rooms")
    assert services.of_merchant(engine, "lodge", 9) == []
    assert services.sign_up(engine, "lodge", "rooms", HOTEL, NOW).name == "lodge/rooms"


def test_after_a_rotation_both_secrets_sign_for_a_day(engine: Engine) -> None:
    (first,) = callback_keys.kept(engine, "inn", NOW)
    assert callback_keys.kept(engine, "inn", NOW) == [first]
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32
    second, again = callback_keys.rotated(engine, "inn", NOW)
    assert again == first
    assert second != first
    third = callback_keys.rotated(engine, "inn", NOW + timedelta(hours=12))[0]
    for hours, expected in ((23, [third, second, first]), (24, [third, second]), (36, [third])):
        with reading(engine) as connection:
            assert callback_keys.current(connection, "inn", NOW + timedelta(hours=hours)) == expected
    with writing(engine) as connection:
        (other,) = callback_keys.current(connection, "lodge", NOW)
    assert other not in (first, second, third)


class Counter:
    """A merchant who signs up by the API."""

    def __init__(self, world: World) -> None:
        self.door = Door(world)

    def call(self, method: str, path: str = "/v1/services", token: str | None = None, **given: Any) -> Any:
        headers = self.door.bearer(token or self.door.token)
        return self.door.client.request(method, path, headers=headers, **given)

    def put(self, name: str = "rooms", **terms: Any) -> Any:
        return self.call("PUT", f"/v1/services/{name}", json={"perk": "hotel"} | terms)


def test_a_merchant_signs_up_changes_its_terms_and_asks_under_the_newest(town: World) -> None:
    counter = Counter(town)
    door = counter.door
    first = counter.put(allowed=["bob", "ann", "bob"])
    assert (first.status_code, first.json()["version"], first.json()["name"]) == (201, 1, "inn/rooms")
    assert first.json()["allowed_people"] == 2
    door.now += timedelta(hours=1)
    assert counter.put(allowed=["ann", "bob"]).status_code == 200
    person = door.anyone()
    door.consent(person, service="rooms")
    refused(door.put(person, service="rooms"), 403, "not_on_allow_list")
    second = counter.put(callback="https://93.184.216.34/hook")
    assert (second.status_code, second.json()["version"]) == (201, 2)
    told = door.put(person, service="rooms").json()
    assert door.show(told["decision_id"]).json()["service_version"] == 2
    shown = counter.call("GET", "/v1/services/rooms").json()
    assert [version["version"] for version in shown["versions"]["items"]] == [2, 1]
    assert shown["service"] == second.json() == counter.call("GET").json()["items"][0]
    other = door.issue("merchant", "lodge")
    assert counter.call("GET", token=other).json() == {"items": [], "next": None}
    refused(counter.call("GET", "/v1/services/rooms", other), 404, "unknown_service")


REFUSED: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("unknown_perk", {"perk": "hotle"}), ("bad_ceiling", {"mode": "enjoy_first"})),
    *(("bad_ceiling", {"ceiling": 2_000_001}), ("bad_request", {"ceiling": 0}), ("bad_request", {"mode": "later"})),
    *(("bad_request", {"allowed": ["x"] * 1001}), ("bad_request", {"allowed": ["a\x00"]})),
    *(("bad_callback", {"callback": u}) for u in ("http://inn.example", "https://", "https://a:b@inn.example", "x")),
    *(("bad_callback", {"callback": u}) for u in ("https://[", "https://inn.example/\n", "ftp://inn.example")),
    ("bad_request", {"version": 7}),
)


def test_terms_that_the_rules_do_not_let_be_are_refused_and_nothing_is_signed_up_for(town: World) -> None:
    counter = Counter(town)
    for code, terms in REFUSED:
        status = 404 if code == "unknown_perk" else 422
        refused(counter.put(**terms), status, code)
    for name in ("Rooms", "a" * 41, "a.b", "é"):
        refused(counter.put(name), 422, "bad_request")
    assert counter.call("GET").json() == {"items": [], "next": None}
    assert counter.put(mode="enjoy_first", ceiling=2_000_000, allowed=["x"] * 1000).status_code == 201
    secret = counter.call("GET", "/v1/callbacks/secret").json()
    assert secret == counter.call("GET", "/v1/callbacks/secret").json()
    rotated = counter.call("POST", "/v1/callbacks/secret/rotate").json()
    assert rotated["others"] == [secret["secret"]]
