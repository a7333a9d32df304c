"""Services: the terms of a merchant in versions, and the secret with which we sign its callbacks."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from api.merchants import callback_keys, services
from api.merchants.services import Terms
from api.runtime.context import AppContext
from api.store.database import reading, writing
from engine.errors import Rejected
from tests.api.merchant_client import MerchantClient, assert_problem
from tests.api.town import NOW

HOTEL = Terms("hotel", allowed=("ann",), callback="https://inn.example/hook")


def test_a_change_makes_a_new_version_and_a_repeat_makes_none(database: Engine) -> None:
    first = services.sign_up(database, "inn", "rooms", HOTEL, NOW)
    assert services.sign_up(database, "inn", "rooms", HOTEL, NOW) == first
    second = services.sign_up(database, "inn", "rooms", replace(HOTEL, allowed=None), NOW)
    assert (first.version, second.version) == (1, 2)
    assert services.versions(database, "inn", "rooms", 9) == [second, first]
    assert services.of_merchant(database, "inn", 9) == [second]
    with reading(database) as connection:
        assert services.newest(connection, "inn", "rooms") == second
        assert services.version(connection, "inn", "rooms", 1) == first


def test_a_service_belongs_to_one_merchant(database: Engine) -> None:
    services.sign_up(database, "inn", "rooms", HOTEL, NOW)
    with reading(database) as connection, pytest.raises(Rejected, match="unknown service"):
        services.newest(connection, "lodge", "rooms")
    assert services.of_merchant(database, "lodge", 9) == []
    assert services.sign_up(database, "lodge", "rooms", HOTEL, NOW).name == "lodge/rooms"


def test_after_a_rotation_both_secrets_sign_for_a_day(database: Engine) -> None:
    (first,) = callback_keys.ensure_secrets(database, "inn", NOW)
    assert callback_keys.ensure_secrets(database, "inn", NOW) == [first]
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32
    second, previous_secret = callback_keys.rotate(database, "inn", NOW)
    assert previous_secret == first
    assert second != first
    third = callback_keys.rotate(database, "inn", NOW + timedelta(hours=12))[0]
    for hours, expected in ((23, [third, second, first]), (24, [third, second]), (36, [third])):
        with reading(database) as connection:
            assert callback_keys.current_secrets(connection, "inn", NOW + timedelta(hours=hours)) == expected
    with writing(database) as connection:
        (other,) = callback_keys.current_secrets(connection, "lodge", NOW)
    assert other not in (first, second, third)


class ServicesClient:
    """A merchant that signs up by the API."""

    def __init__(self, context: AppContext) -> None:
        self.client = MerchantClient(context)

    def call(self, method: str, path: str = "/v1/services", token: str | None = None, **options: Any) -> Any:
        headers = self.client.bearer(token or self.client.token)
        return self.client.http.request(method, path, headers=headers, **options)

    def put_service(self, name: str = "rooms", **terms: Any) -> Any:
        return self.call("PUT", f"/v1/services/{name}", json={"perk": "hotel"} | terms)


def test_a_merchant_signs_up_changes_its_terms_and_asks_under_the_newest_version(town: AppContext) -> None:
    services_client = ServicesClient(town)
    client = services_client.client
    first = services_client.put_service(allowed=["bob", "ann", "bob"])
    assert (first.status_code, first.json()["version"], first.json()["name"]) == (201, 1, "inn/rooms")
    assert first.json()["allowed_people"] == 2
    client.now += timedelta(hours=1)
    assert services_client.put_service(allowed=["ann", "bob"]).status_code == 200
    person = client.scored_person()
    client.consent(person, service="rooms")
    assert_problem(client.post_question(person, service="rooms"), 403, "not_on_allow_list")
    second = services_client.put_service(callback="https://93.184.216.34/hook")
    assert (second.status_code, second.json()["version"]) == (201, 2)
    decision = client.post_question(person, service="rooms").json()
    assert client.get_decision(decision["decision_id"]).json()["service_version"] == 2
    payload = services_client.call("GET", "/v1/services/rooms").json()
    assert [version["version"] for version in payload["versions"]["items"]] == [2, 1]
    assert payload["service"] == second.json() == services_client.call("GET").json()["items"][0]
    other = client.issue("merchant", "lodge")
    assert services_client.call("GET", token=other).json() == {"items": [], "next": None}
    assert_problem(services_client.call("GET", "/v1/services/rooms", other), 404, "unknown_service")


REJECTED_TERMS: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("unknown_perk", {"perk": "hotle"}), ("bad_ceiling", {"mode": "enjoy_first"})),
    *(("bad_ceiling", {"ceiling": 2_000_001}), ("bad_request", {"ceiling": 0}), ("bad_request", {"mode": "later"})),
    *(("bad_request", {"allowed": ["x"] * 1001}), ("bad_request", {"allowed": ["a\x00"]})),
    *(("bad_callback", {"callback": u}) for u in ("http://inn.example", "https://", "https://a:b@inn.example", "x")),
    *(("bad_callback", {"callback": u}) for u in ("https://[", "https://inn.example/\n", "ftp://inn.example")),
    ("bad_request", {"version": 7}),
)


def test_terms_against_the_rules_are_refused_and_create_no_service(town: AppContext) -> None:
    services_client = ServicesClient(town)
    for code, terms in REJECTED_TERMS:
        status = 404 if code == "unknown_perk" else 422
        assert_problem(services_client.put_service(**terms), status, code)
    for name in ("Rooms", "a" * 41, "a.b", "é"):
        assert_problem(services_client.put_service(name), 422, "bad_request")
    assert services_client.call("GET").json() == {"items": [], "next": None}
    assert services_client.put_service(mode="enjoy_first", ceiling=2_000_000, allowed=["x"] * 1000).status_code == 201
    secret = services_client.call("GET", "/v1/callbacks/secret").json()
    assert secret == services_client.call("GET", "/v1/callbacks/secret").json()
    rotation = services_client.call("POST", "/v1/callbacks/secret/rotate").json()
    assert rotation["others"] == [secret["secret"]]
