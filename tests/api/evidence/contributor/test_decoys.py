"""Whether somebody has left makes no difference to what a submission does, nor do the decoys that see to that stay anywhere."""

import re
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event, func, select, text

from api.evidence import ledger
from api.people.erasure import erase, vacuum
from api.store.database import reading
from api.store.tables import EVENTS, WITHHELD_EVENTS
from tests.api.comparison_client import PERSON_SUFFIXES, UNKNOWN_PERSON, ComparisonClient
from tests.api.evidence.contributor.contributor_client import payment
from tests.api.full_record import LATER, ZEB, remaining_texts

Rows = list[dict[str, object]]


@pytest.fixture
def client(comparison_client: ComparisonClient) -> ComparisonClient:
    """The shared one, after the person has left."""
    erase(comparison_client.database, ZEB, LATER)
    assert vacuum(comparison_client.database)
    return comparison_client


def payments(person: str, **more: object) -> Rows:
    sides = ({"subject": person}, {"other": person})
    return [payment(f"p{n}-{PERSON_SUFFIXES[person]}", **fields, **more) for n, fields in enumerate(sides * 3)]


def submissions(person: str) -> dict[str, tuple[str, Rows]]:
    """Query and rows of each: new events, the same again, others under the same ids, and a mixture of these."""
    sign, rest = PERSON_SUFFIXES[person], "?all_or_nothing=true"
    new = [payment(f"n{n}-{sign}", subject=person) for n in range(4)]
    return {
        "new": ("", payments(person)),
        "again": ("", payments(person)),
        "changed": ("", payments(person, amount=7)),
        "mixed": ("", [*payments(person)[:2], *payments(person, amount=7)[2:4], *new[:2], payment(f"bob-{sign}")]),
        "all, one changed": (rest, [*payments(person, amount=7)[:1], *new[2:]]),
        "all, new": (rest, new[2:]),
    }


def count_statements(client: ComparisonClient, query: str, rows: Rows) -> Counter[str]:
    """What SQLite is told to do in the transaction of a submission: the first words of each statement, and how often."""
    statement_heads: list[str] = []

    def watch(connection: Any, *_: object) -> None:
        connection.set_trace_callback(
            lambda sql: statement_heads.append(re.sub(r"_\d+$", "", " ".join(sql.split()[:3])))
        )

    event.listen(client.database, "checkout", watch)
    assert client.as_contributor("POST", query, rows).status_code == 200
    event.remove(client.database, "checkout", watch)
    last = statement_heads.index("INSERT INTO submissions")
    first = max(n for n, words in enumerate(statement_heads[:last]) if words == "BEGIN IMMEDIATE")
    return Counter(statement_heads[first:last])


@pytest.mark.parametrize("comparison_client", ["sqlite"], indirect=True)
def test_a_submission_runs_the_same_statements_for_erased_and_other_people(client: ComparisonClient) -> None:
    scripts = {person: submissions(person) for person in (ZEB, UNKNOWN_PERSON)}
    client.as_contributor("GET", "/none")  # a first token
    for name, submission in scripts[ZEB].items():
        counts = (
            count_statements(client, *submission),
            count_statements(client, *scripts[UNKNOWN_PERSON][name]),
        )
        assert counts[0] == counts[1], name
        assert counts[0]["INSERT INTO withheld_events"] or name in ("again", "changed", "all, one changed"), counts


def count_in_table_file(client: ComparisonClient, word: str) -> int:
    """How often a word is in the file of PostgreSQL's table: rows that were rolled back are there, too."""
    with client.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
        query = text("SELECT pg_read_binary_file(pg_relation_filepath('events'))")
        return bytes(connection.execute(query).scalar_one()).count(word.encode())


def test_decoys_stay_in_no_table_and_name_no_person(client: ComparisonClient) -> None:
    database = client.database
    before = count_in_table_file(client, ZEB) if database.dialect.name == "postgresql" else 0
    for query, rows in submissions(ZEB).values():
        client.as_contributor("POST", query, rows)
    with reading(database) as connection:
        events = select(func.count()).select_from(EVENTS).where(EVENTS.c.contributor == "depot")
        assert connection.execute(events).scalar_one() == 1  # `bob-z`, which names nobody who has left
        assert connection.execute(select(func.count()).select_from(WITHHELD_EVENTS)).scalar_one() >= 11
        event_count = connection.execute(select(func.count()).select_from(EVENTS)).scalar_one()
    assert ledger.extent(database).events == event_count
    if database.dialect.name == "sqlite":
        assert remaining_texts(database, ZEB) == {}
        return
    assert before or not count_in_table_file(client, ZEB)  # what left may be in the file until the next vacuum
    assert count_in_table_file(client, "bob-z")
    assert [word for word in ("p0-z", "n0-z", "n2-z") if count_in_table_file(client, word)] == []
