"""Who has left is answered about as somebody who never was: the same words and the same counts, whoever asks."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from api import deps, services
from api.access import tokens
from api.consent import consents
from api.database import open_database, reading
from api.decisions.eligibility import MOST_AMOUNTS
from api.evidence import departed
from api.people.erasure import drop_inquiries, erase
from api.services import Terms
from api.tables import ERASED_INQUIRIES
from api.world import World
from engine.engines import Engines
from tests.api.apps import app_over
from tests.api.conftest import server_of
from tests.api.databases import Template
from tests.api.leaving import LATER, ZEB, naming

NOBODY: Final = "nobody-at-all"
SIGNS: Final = {ZEB: "z", NOBODY: "n"}
HOUR: Final = timedelta(hours=1)
_CHANGING: Final = re.compile(r'"(?:[0-9a-f]{16}|[0-9a-f]{32})"')  # ids of our own


class Street:
    """A world with callers at its door, and what each of them was answered."""

    def __init__(self, url: str, engines: Engines) -> None:
        self.database, self.now = open_database(url), LATER
        app = app_over(World(self.database, engines))
        app.dependency_overrides[deps.present] = lambda: self.now
        self.client = TestClient(app, raise_server_exceptions=False)
        self.tokens: dict[str, str] = {}
        services.sign_up(self.database, "motel", "rooms", Terms("hotel"), LATER)

    def call(self, role: str, party: str, method: str, path: str, body: object = None) -> Any:
        if party not in self.tokens:
            self.tokens[party] = tokens.issue(self.database, role, party, party, LATER).secret
        bearer = {"Authorization": f"Bearer {self.tokens[party]}"}
        return self.client.request(method, f"/v1{path}", json=body, headers=bearer)

    def motel(self, method: str, path: str, body: object = None) -> Any:
        return self.call("merchant", "motel", method, path, body)

    def ask(self, person: str, amount: int, service: str = "rooms") -> Any:
        body = {"transaction_id": f"T-{amount}", "service": service, "subject": person, "amount": amount}
        return self.motel("POST", "/eligibility", body)

    def me(self, method: str, path: str, body: object = None) -> Any:
        return self.call("subject", ZEB, method, f"/me{path}", body)


@pytest.fixture(params=["sqlite", "postgresql"])
def street(
    request: pytest.FixtureRequest, tmp_path: Path, lived: Template, shipped_engines: Engines
) -> Iterator[Street]:
    with lived.lent(server_of(request), tmp_path) as url:
        made = Street(url, shipped_engines)
        yield made
        made.database.dispose()


def told(person: str, *responses: Any) -> list[tuple[int, str]]:
    """What was answered, but for the person's name and ids that are new each time."""
    texts = (_CHANGING.sub('"id"', r.text).replace(person, "X") for r in responses)
    return [
        (r.status_code, re.sub(f"-{SIGNS[person]}\\b", "-x", text)) for r, text in zip(responses, texts, strict=True)
    ]


def asks_for_consent(street: Street, person: str) -> list[Any]:
    """A merchant asks for consent, and looks what came of it."""
    body = {"service": "rooms", "subject": person, "classes": ["identity", "credit"]}
    asked = street.motel("POST", "/consents", body)
    return [asked, street.motel("GET", f"/consents/{asked.json()['id']}")]


def lists_them(street: Street, person: str) -> list[Any]:
    """A merchant has them on a list, among others, or has them not; one list is no longer in force."""
    said = []
    for n, allowed in enumerate(([person, "ann"], [person], ["ann"])):
        name = f"list-{n}-{SIGNS[person]}"
        said.append(street.motel("PUT", f"/services/{name}", {"perk": "hotel", "allowed": allowed}))
        said += [street.motel("GET", f"/services/{name}"), street.ask(person, 700 + n, name)]
    return said


def test_a_merchant_is_answered_of_who_left_as_of_nobody(street: Street) -> None:
    people = (ZEB, NOBODY)
    before = {p: told(p, *asks_for_consent(street, p), street.ask(p, 100), street.ask(p, 200)) for p in people}
    assert before[ZEB] == before[NOBODY]
    erase(street.database, ZEB, LATER)
    street.now += HOUR
    assert [status for status, _ in before[ZEB]] == [201, 200, 403, 403]
    after = {p: told(p, *(street.ask(p, n) for n in (300, 400, 500, 600, 100, 700))) for p in people}
    assert after[ZEB] == after[NOBODY]
    assert [status for status, _ in after[ZEB]] == [403, 403, 403, 429, 403, 429]
    for script in (asks_for_consent, lists_them, lists_them):
        street.now += 24 * HOUR
        street.tokens.clear()
        found = {p: told(p, *script(street, p)) for p in people}
        assert found[ZEB] == found[NOBODY], script
    assert naming(street.database, ZEB) == {}


def test_amounts_of_before_count_for_a_day_and_are_forgotten(street: Street) -> None:
    for amount in range(1, MOST_AMOUNTS + 1):
        assert street.ask(ZEB, amount).status_code == 403
    erase(street.database, ZEB, LATER)
    street.now += 23 * HOUR
    assert street.ask(ZEB, 99).json()["code"] == "too_many_amounts"
    assert street.ask(ZEB, 1).json()["code"] == "no_consent"
    assert street.ask("ann", 99).json()["code"] == "no_consent"
    with reading(street.database) as connection:
        counted = connection.execute(select(ERASED_INQUIRIES.c.merchant, func.count()).group_by("merchant")).all()
    assert dict(tuple(row) for row in counted) == {"inn": 1, "motel": MOST_AMOUNTS}
    drop_inquiries(street.database, LATER + 23 * HOUR)
    assert street.ask(ZEB, 99).status_code == 429
    street.now += HOUR
    street.tokens.clear()
    assert street.ask(ZEB, 99).status_code == 403
    drop_inquiries(street.database, LATER + 24 * HOUR)
    with reading(street.database) as connection:
        assert connection.execute(select(ERASED_INQUIRIES)).first() is None


def test_what_they_had_granted_is_withdrawn_and_what_waits_waits(street: Street) -> None:
    with reading(street.database) as connection:
        found = consents.of_person(connection, ZEB)
    names = {row["state"]: row["id"] for row in found}

    def states() -> dict[str, str]:
        shown = {s: street.call("merchant", "inn", "GET", f"/consents/{name}").json() for s, name in names.items()}
        return {state: answer["state"] for state, answer in shown.items()}

    assert states() == {"granted": "granted", "asked": "asked"}
    erase(street.database, ZEB, LATER)
    assert states() == {"granted": "withdrawn", "asked": "asked"}
    with reading(street.database) as connection:
        assert [row["state"] for row in consents.of_person(connection, ZEB)] == ["asked"]
        assert {row["state"] for row in consents.of_person(connection, "ann")} == {"granted", "asked"}
    street.now += 30 * 24 * HOUR
    street.tokens.clear()
    assert states()["asked"] == "expired"


def test_who_comes_back_begins_with_nothing_and_sees_what_is_asked_of_them_now(street: Street) -> None:
    erase(street.database, ZEB, LATER)
    asked = asks_for_consent(street, ZEB)[0].json()["id"]
    assert street.me("GET", "/evidence").json()["items"] == []  # a token of the house: they are here again
    export = street.me("GET", "/export").json()
    assert (export["inquiries"], export["evidence"], export["monitoring"]) == ([], [], {})
    assert asked in {r["id"] for r in street.me("GET", "/consents").json()["requests"]}
    assert street.me("POST", f"/consents/{asked}/grant", {"classes": ["identity"]}).status_code == 200
    assert street.motel("GET", f"/consents/{asked}").json()["granted"] == ["identity"]
    erase(street.database, ZEB, LATER)
    assert street.motel("GET", f"/consents/{asked}").json()["state"] == "withdrawn"


def test_a_pseudonym_is_the_house_s_own(street: Street) -> None:
    one = departed.pseudonym(street.database, ZEB)
    with reading(street.database) as connection:
        assert departed.pseudonyms(connection, [ZEB, "ann"]) == [one, departed.pseudonym(street.database, "ann")]
    assert re.fullmatch("[0-9a-f]{64}", one)
    assert ZEB not in json.dumps(one)
