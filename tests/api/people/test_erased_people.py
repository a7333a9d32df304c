"""Merchants get the same answers about an erased person as about an unknown id, in words and in counts."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select

from api.consent import consents
from api.decisions.batch import MAX_AMOUNTS
from api.evidence import erasure_tombstones
from api.people.erasure import drop_inquiries, erase
from api.store.database import reading
from api.store.tables import ERASED_INQUIRIES
from tests.api.comparison_client import PERSON_SUFFIXES, UNKNOWN_PERSON, ComparisonClient
from tests.api.full_record import LATER, ZEB, count_rows_with

HOUR: Final = timedelta(hours=1)
PEOPLE: Final = (ZEB, UNKNOWN_PERSON)


def request_consent(client: ComparisonClient, person: str) -> Iterator[Any]:
    """A merchant asks for consent, and reads the state of the request."""
    response = client.as_merchant(
        "POST", "/consents", {"service": "rooms", "subject": person, "classes": ["identity", "credit"]}
    )
    yield response
    yield client.as_merchant("GET", f"/consents/{response.json()['id']}")


def put_on_allow_lists(client: ComparisonClient, person: str) -> Iterator[Any]:
    """A merchant has the person on an allow-list, among others or alone, or not at all."""
    for n, allowed in enumerate(([person, "ann"], [person], ["ann"])):
        name = f"list-{n}-{PERSON_SUFFIXES[person]}"
        yield client.as_merchant("PUT", f"/services/{name}", {"perk": "hotel", "allowed": allowed})
        yield client.as_merchant("GET", f"/services/{name}")
        yield client.ask(person, 700 + n, name)


def first_requests(client: ComparisonClient, person: str) -> Iterator[Any]:
    yield from request_consent(client, person)
    yield from put_on_allow_lists(client, person)
    for amount in (700, 701):
        yield client.ask(person, amount)


def later_requests(client: ComparisonClient, person: str) -> Iterator[Any]:
    for amount in (300, 400, 500, 600, 700, 100):
        yield client.ask(person, amount)


def test_a_merchant_gets_the_same_answers_for_an_erased_person_as_for_an_unknown_one(
    comparison_client: ComparisonClient,
) -> None:
    before = {p: comparison_client.transcript_of(p, first_requests(comparison_client, p)) for p in PEOPLE}
    assert before[ZEB] == before[UNKNOWN_PERSON]
    assert [status for status, _ in before[ZEB]] == [201, 200, *[201, 200, 403] * 3, 403, 403]
    erase(comparison_client.database, ZEB, LATER)
    comparison_client.now += HOUR
    after = {p: comparison_client.transcript_of(p, later_requests(comparison_client, p)) for p in PEOPLE}
    assert after[ZEB] == after[UNKNOWN_PERSON]
    assert [status for status, _ in after[ZEB]] == [403, 403, 403, 429, 403, 429]
    for script in (first_requests, request_consent, put_on_allow_lists):
        comparison_client.now += 24 * HOUR
        comparison_client.tokens.clear()
        transcripts = {p: comparison_client.transcript_of(p, script(comparison_client, p)) for p in PEOPLE}
        assert transcripts[ZEB] == transcripts[UNKNOWN_PERSON], script
    assert count_rows_with(comparison_client.database, ZEB) == {}


def test_amounts_asked_before_an_erasure_count_for_a_day(comparison_client: ComparisonClient) -> None:
    for amount in range(1, MAX_AMOUNTS + 1):
        assert comparison_client.ask(ZEB, amount).status_code == 403
    erase(comparison_client.database, ZEB, LATER)
    comparison_client.now += 23 * HOUR
    assert comparison_client.ask(ZEB, 99).json()["code"] == "too_many_amounts"
    assert comparison_client.ask(ZEB, 1).json()["code"] == "no_consent"
    assert comparison_client.ask("ann", 99).json()["code"] == "no_consent"
    with reading(comparison_client.database) as connection:
        counts = connection.execute(select(ERASED_INQUIRIES.c.merchant, func.count()).group_by("merchant")).all()
    assert dict(tuple(row) for row in counts) == {"inn": 1, "motel": MAX_AMOUNTS}
    drop_inquiries(comparison_client.database, LATER + 23 * HOUR)
    assert comparison_client.ask(ZEB, 99).status_code == 429
    comparison_client.now += HOUR
    comparison_client.tokens.clear()
    assert comparison_client.ask(ZEB, 99).status_code == 403
    drop_inquiries(comparison_client.database, LATER + 24 * HOUR)
    with reading(comparison_client.database) as connection:
        assert connection.execute(select(ERASED_INQUIRIES)).first() is None


def test_an_erasure_withdraws_grants_and_keeps_open_requests(comparison_client: ComparisonClient) -> None:
    with reading(comparison_client.database) as connection:
        rows = consents.of_person(connection, ZEB)
    names = {row["state"]: row["id"] for row in rows}

    def states() -> dict[str, str]:
        payloads = {
            s: comparison_client.call("merchant", "inn", "GET", f"/consents/{name}").json() for s, name in names.items()
        }
        return {state: payload["state"] for state, payload in payloads.items()}

    assert states() == {"granted": "granted", "asked": "asked"}
    erase(comparison_client.database, ZEB, LATER)
    assert states() == {"granted": "withdrawn", "asked": "asked"}
    with reading(comparison_client.database) as connection:
        assert [row["state"] for row in consents.of_person(connection, ZEB)] == ["asked"]
        assert {row["state"] for row in consents.of_person(connection, "ann")} == {"granted", "asked"}
    comparison_client.now += 30 * 24 * HOUR
    comparison_client.tokens.clear()
    assert states()["asked"] == "expired"


def test_a_reinstated_person_starts_empty_and_sees_new_requests(
    comparison_client: ComparisonClient,
) -> None:
    erase(comparison_client.database, ZEB, LATER)
    request_id = next(request_consent(comparison_client, ZEB)).json()["id"]
    assert (
        comparison_client.as_person("GET", "/evidence").json()["items"] == []
    )  # we issued a token, which reinstates the person
    export = comparison_client.as_person("GET", "/export").json()
    assert (export["inquiries"], export["evidence"], export["monitoring"]) == ([], [], {})
    assert request_id in {r["id"] for r in comparison_client.as_person("GET", "/consents").json()["requests"]}
    assert (
        comparison_client.as_person("POST", f"/consents/{request_id}/grant", {"classes": ["identity"]}).status_code
        == 200
    )
    assert comparison_client.as_merchant("GET", f"/consents/{request_id}").json()["granted"] == ["identity"]
    erase(comparison_client.database, ZEB, LATER)
    assert comparison_client.as_merchant("GET", f"/consents/{request_id}").json()["state"] == "withdrawn"


def test_a_pseudonym_is_reserved_for_the_system(comparison_client: ComparisonClient) -> None:
    pseudonym = erasure_tombstones.pseudonym(comparison_client.database, ZEB)
    with reading(comparison_client.database) as connection:
        assert erasure_tombstones.pseudonyms(connection, [ZEB, "ann"]) == [
            pseudonym,
            erasure_tombstones.pseudonym(comparison_client.database, "ann"),
        ]
    assert re.fullmatch("[0-9a-f]{64}", pseudonym)
