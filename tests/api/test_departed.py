"""Who has left is answered about as somebody who never was: the same words and the same counts, whichever merchant asks."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select

from api.consent import consents
from api.database import reading
from api.decisions.eligibility import MOST_AMOUNTS
from api.evidence import departed
from api.people.erasure import drop_inquiries, erase
from api.tables import ERASED_INQUIRIES
from tests.api.leaving import LATER, ZEB, naming
from tests.api.street import NOBODY, SIGNS, Street

HOUR: Final = timedelta(hours=1)
PEOPLE: Final = (ZEB, NOBODY)


def asks_for_consent(street: Street, person: str) -> Iterator[Any]:
    """A merchant asks for consent, and looks what came of it."""
    asked = street.motel(
        "POST", "/consents", {"service": "rooms", "subject": person, "classes": ["identity", "credit"]}
    )
    yield asked
    yield street.motel("GET", f"/consents/{asked.json()['id']}")


def lists_them(street: Street, person: str) -> Iterator[Any]:
    """A merchant has them on a list, among others or alone, or has them not."""
    for n, allowed in enumerate(([person, "ann"], [person], ["ann"])):
        name = f"list-{n}-{SIGNS[person]}"
        yield street.motel("PUT", f"/services/{name}", {"perk": "hotel", "allowed": allowed})
        yield street.motel("GET", f"/services/{name}")
        yield street.ask(person, 700 + n, name)


def begins(street: Street, person: str) -> Iterator[Any]:
    yield from asks_for_consent(street, person)
    yield from lists_them(street, person)
    for amount in (700, 701):
        yield street.ask(person, amount)


def goes_on(street: Street, person: str) -> Iterator[Any]:
    for amount in (300, 400, 500, 600, 700, 100):
        yield street.ask(person, amount)


def test_a_merchant_is_answered_of_who_left_as_of_nobody(street: Street) -> None:
    before = {p: street.told(p, begins(street, p)) for p in PEOPLE}
    assert before[ZEB] == before[NOBODY]
    assert [status for status, _ in before[ZEB]] == [201, 200, *[201, 200, 403] * 3, 403, 403]
    erase(street.database, ZEB, LATER)
    street.now += HOUR
    after = {p: street.told(p, goes_on(street, p)) for p in PEOPLE}
    assert after[ZEB] == after[NOBODY]
    assert [status for status, _ in after[ZEB]] == [403, 403, 403, 429, 403, 429]
    for script in (begins, asks_for_consent, lists_them):
        street.now += 24 * HOUR
        street.tokens.clear()
        found = {p: street.told(p, script(street, p)) for p in PEOPLE}
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
    asked = next(asks_for_consent(street, ZEB)).json()["id"]
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
