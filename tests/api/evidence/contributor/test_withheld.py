"""A contributor cannot distinguish an erased person from an unknown id, and we keep nothing that it sends about them."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import func, select

from api.access import tokens
from api.evidence import erasure_tombstones, ledger
from api.people.erasure import erase
from api.store.database import reading
from api.store.tables import EVENTS, WITHHELD_EVENTS
from tests.api.comparison_client import PERSON_SUFFIXES, UNKNOWN_PERSON, ComparisonClient
from tests.api.evidence.contributor.contributor_client import payment, reference_event
from tests.api.full_record import LATER, ZEB, count_rows_with

PEOPLE: Final = (ZEB, UNKNOWN_PERSON)


def own_events(person: str) -> list[dict[str, object]]:
    """Events of and with a person. One has their name in its id, and one is another person's alone."""
    sign = PERSON_SUFFIXES[person]
    return [
        payment(f"p1-{sign}", subject=person),
        payment(f"pay {person} 2", subject=person, amount=7),
        payment(f"p3-{sign}", other=person),
        payment(f"p4-{sign}"),
        reference_event("event.corrected", f"c1-{sign}", f"p1-{sign}", subject=person, fields={"amount": 9}),
        reference_event("event.corrected", f"c4-{sign}", f"p4-{sign}", fields={"other": person}),
        reference_event("event.retracted", f"r2-{sign}", f"pay {person} 2", subject=person),
    ]


def look_up(client: ComparisonClient, rows: list[dict[str, object]]) -> Iterator[Any]:
    """The state of each event, of all events and of each submission."""
    for row in rows:
        yield client.as_contributor("GET", f"/{row['event_id']}")


def submit(client: ComparisonClient, *rows: dict[str, object], query: str = "") -> Iterator[Any]:
    response = client.as_contributor("POST", query, list(rows))
    yield response
    yield client.as_contributor("GET", f"/submissions/{response.json()['id']}")


def first_session(client: ComparisonClient, person: str) -> Iterator[Any]:
    yield from submit(client, *own_events(person))
    yield from look_up(client, own_events(person))


def later_session(client: ComparisonClient, person: str) -> Iterator[Any]:
    """Everything that a contributor can try: repeated events, reused ids, new events, broken ones."""
    sign = PERSON_SUFFIXES[person]
    yield from submit(client, *own_events(person))
    yield from look_up(client, own_events(person))
    changed_rows = [row | {"happened_at": "2024-03-03T00:00:00Z"} for row in own_events(person)]
    yield from submit(client, *changed_rows)
    yield from submit(
        client, payment(f"p1-{sign}", subject="bob"), payment(f"p3-{sign}", other="bob"), payment(f"p9-{sign}")
    )
    new_rows = [
        *(payment(f"n1-{sign}", subject=person), payment(f"n2-{sign}", other=person), payment(f"n3-{sign}")),
        reference_event("event.corrected", f"n4-{sign}", f"n3-{sign}", fields={"other": person}),
        reference_event("event.corrected", f"n5-{sign}", f"p1-{sign}", subject=person, fields={"amount": 8}),
        *(
            payment(f"n1-{sign}", subject=person),
            payment(f"n1-{sign}", subject="bob"),
            payment(f"n3-{sign}", other=person),
        ),
        *(payment(f"n6-{sign}", subject="bob"), payment(f"n6-{sign}", subject=person)),
    ]
    yield from submit(client, *new_rows)
    yield from submit(client, *new_rows, query="?all_or_nothing=true")
    yield from look_up(client, [*new_rows, *own_events(person)])
    bad_row = payment(f"pay-{person}-9", subject=person, amount="much")
    yield from submit(client, bad_row, payment(f"n7-{sign}", subject=person, currency="nonsense"))
    yield from submit(client, payment(f"n8-{sign}", subject=person), bad_row, query="?all_or_nothing=true")
    yield from submit(client, payment(f"n8-{sign}", subject=person), query="?all_or_nothing=true")
    yield from submit(client, reference_event("event.retracted", f"n9-{sign}", f"n8-{sign}", subject=person))
    yield from look_up(client, [payment(f"n8-{sign}"), payment(f"n7-{sign}"), payment(f"never-{sign}")])


def test_a_contributor_gets_the_same_answers_for_an_erased_person_as_for_an_unknown_one(
    comparison_client: ComparisonClient,
) -> None:
    first = {p: comparison_client.transcript_of(p, first_session(comparison_client, p)) for p in PEOPLE}
    assert first[ZEB] == first[UNKNOWN_PERSON]
    erase(comparison_client.database, ZEB, LATER)
    second = {p: comparison_client.transcript_of(p, later_session(comparison_client, p)) for p in PEOPLE}
    for actual, expected in zip(second[ZEB], second[UNKNOWN_PERSON], strict=True):
        assert actual == expected
    assert '"duplicate"' in second[ZEB][0][1]
    assert count_rows_with(comparison_client.database, ZEB) == {}
    with reading(comparison_client.database) as connection:
        events = connection.execute(select(func.count()).select_from(EVENTS)).scalar_one()
    assert ledger.extent(comparison_client.database).events == events


def test_events_about_a_reinstated_person_are_accepted_again(comparison_client: ComparisonClient) -> None:
    list(first_session(comparison_client, ZEB))
    erase(comparison_client.database, ZEB, LATER)
    late_row = payment("late", subject=ZEB)
    assert [comparison_client.as_contributor("POST", "", [late_row]).json()["accepted"] for _ in range(2)] == [1, 0]
    tokens.issue(comparison_client.database, "subject", ZEB, "phone", LATER)
    with reading(comparison_client.database) as connection:
        assert connection.execute(select(WITHHELD_EVENTS)).first() is None
    assert comparison_client.as_contributor("POST", "", [late_row]).json()["accepted"] == 1
    assert count_rows_with(comparison_client.database, ZEB)["events"] == 1


def test_reinstating_one_person_keeps_the_withheld_events_of_another(comparison_client: ComparisonClient) -> None:
    for person in (ZEB, "ann"):
        erase(comparison_client.database, person, LATER)
        comparison_client.as_contributor("POST", "", [payment(f"of-{person}", subject=person)])
    tokens.issue(comparison_client.database, "subject", "ann", "phone", LATER)
    pseudonym = erasure_tombstones.pseudonym(comparison_client.database, ZEB)
    with reading(comparison_client.database) as connection:
        assert set(connection.execute(select(WITHHELD_EVENTS.c.person)).scalars()) == {pseudonym}
    assert comparison_client.as_contributor("POST", "", [payment(f"of-{ZEB}", subject=ZEB)]).json()["duplicates"] == 1
