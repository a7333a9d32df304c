"""A contributor cannot tell somebody who has left from somebody who never was; and nothing that it sends of them is kept."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import func, select

from api.access import tokens
from api.database import reading
from api.evidence import departed, ledger
from api.people.erasure import erase
from api.tables import EVENTS, WITHHELD_EVENTS
from tests.api.contributor.door import about, payment
from tests.api.leaving import LATER, ZEB, naming
from tests.api.street import NOBODY, SIGNS, Street

PEOPLE: Final = (ZEB, NOBODY)


def own(person: str) -> list[dict[str, object]]:
    """Events of a person and with a person, one of which has their name in its id; and one that is another's alone."""
    sign = SIGNS[person]
    return [
        payment(f"p1-{sign}", subject=person),
        payment(f"pay {person} 2", subject=person, amount=7),
        payment(f"p3-{sign}", other=person),
        payment(f"p4-{sign}"),
        about("event.corrected", f"c1-{sign}", f"p1-{sign}", subject=person, fields={"amount": 9}),
        about("event.corrected", f"c4-{sign}", f"p4-{sign}", fields={"other": person}),
        about("event.retracted", f"r2-{sign}", f"pay {person} 2", subject=person),
    ]


def looks(street: Street, rows: list[dict[str, object]]) -> Iterator[Any]:
    """What came of each event; of all that was sent, and of each sending."""
    for row in rows:
        yield street.depot("GET", f"/{row['event_id']}")


def sends(street: Street, *rows: dict[str, object], query: str = "") -> Iterator[Any]:
    sent = street.depot("POST", query, list(rows))
    yield sent
    yield street.depot("GET", f"/submissions/{sent.json()['id']}")


def before(street: Street, person: str) -> Iterator[Any]:
    yield from sends(street, *own(person))
    yield from looks(street, own(person))


def after(street: Street, person: str) -> Iterator[Any]:
    """All that a contributor can try: the same again, others under the same ids, new ones, broken ones."""
    sign = SIGNS[person]
    yield from sends(street, *own(person))
    yield from looks(street, own(person))
    changed = [row | {"happened_at": "2024-03-03T00:00:00Z"} for row in own(person)]
    yield from sends(street, *changed)
    yield from sends(
        street, payment(f"p1-{sign}", subject="bob"), payment(f"p3-{sign}", other="bob"), payment(f"p9-{sign}")
    )
    new = [
        *(payment(f"n1-{sign}", subject=person), payment(f"n2-{sign}", other=person), payment(f"n3-{sign}")),
        about("event.corrected", f"n4-{sign}", f"n3-{sign}", fields={"other": person}),
        about("event.corrected", f"n5-{sign}", f"p1-{sign}", subject=person, fields={"amount": 8}),
        *(
            payment(f"n1-{sign}", subject=person),
            payment(f"n1-{sign}", subject="bob"),
            payment(f"n3-{sign}", other=person),
        ),
        *(payment(f"n6-{sign}", subject="bob"), payment(f"n6-{sign}", subject=person)),
    ]
    yield from sends(street, *new)
    yield from sends(street, *new, query="?all_or_nothing=true")
    yield from looks(street, [*new, *own(person)])
    broken = payment(f"pay-{person}-9", subject=person, amount="much")
    yield from sends(street, broken, payment(f"n7-{sign}", subject=person, currency="nonsense"))
    yield from sends(street, payment(f"n8-{sign}", subject=person), broken, query="?all_or_nothing=true")
    yield from sends(street, payment(f"n8-{sign}", subject=person), query="?all_or_nothing=true")
    yield from sends(street, about("event.retracted", f"n9-{sign}", f"n8-{sign}", subject=person))
    yield from looks(street, [payment(f"n8-{sign}"), payment(f"n7-{sign}"), payment(f"never-{sign}")])


def test_a_contributor_is_answered_of_who_left_as_of_nobody(street: Street) -> None:
    first = {p: street.told(p, before(street, p)) for p in PEOPLE}
    assert first[ZEB] == first[NOBODY]
    erase(street.database, ZEB, LATER)
    sent = {p: street.told(p, after(street, p)) for p in PEOPLE}
    for one, other in zip(sent[ZEB], sent[NOBODY], strict=True):
        assert one == other
    assert '"duplicate"' in sent[ZEB][0][1]
    assert naming(street.database, ZEB) == {}
    with reading(street.database) as connection:
        events = connection.execute(select(func.count()).select_from(EVENTS)).scalar_one()
    assert ledger.extent(street.database).events == events


def test_whoever_comes_back_may_be_told_of_again(street: Street) -> None:
    list(before(street, ZEB))
    erase(street.database, ZEB, LATER)
    late = payment("late", subject=ZEB)
    assert [street.depot("POST", "", [late]).json()["accepted"] for _ in range(2)] == [1, 0]
    tokens.issue(street.database, "subject", ZEB, "phone", LATER)
    with reading(street.database) as connection:
        assert connection.execute(select(WITHHELD_EVENTS)).first() is None
    assert street.depot("POST", "", [late]).json()["accepted"] == 1
    assert naming(street.database, ZEB)["events"] == 1


def test_what_is_withheld_of_one_stays_when_another_comes_back(street: Street) -> None:
    for person in (ZEB, "ann"):
        erase(street.database, person, LATER)
        street.depot("POST", "", [payment(f"of-{person}", subject=person)])
    tokens.issue(street.database, "subject", "ann", "phone", LATER)
    pseudonym = departed.pseudonym(street.database, ZEB)
    with reading(street.database) as connection:
        assert set(connection.execute(select(WITHHELD_EVENTS.c.person)).scalars()) == {pseudonym}
    assert street.depot("POST", "", [payment(f"of-{ZEB}", subject=ZEB)]).json()["duplicates"] == 1
