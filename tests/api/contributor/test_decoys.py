"""Whether somebody has left makes no difference to what a submission does, nor do the decoys that see to that stay anywhere."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, text

from api.database import reading
from api.evidence import ledger
from api.people.erasure import erase, sweep
from api.tables import EVENTS, WITHHELD_EVENTS
from engine.engines import Engines
from tests.api.conftest import server_of
from tests.api.contributor.door import payment
from tests.api.databases import Template
from tests.api.leaving import LATER, ZEB, left_in
from tests.api.street import NOBODY, SIGNS, Street

Rows = list[dict[str, object]]


@pytest.fixture(params=["sqlite", "postgresql"])
def street(
    request: pytest.FixtureRequest, tmp_path: Path, lived: Template, shipped_engines: Engines
) -> Iterator[Street]:
    with lived.lent(server_of(request), tmp_path) as url:
        made = Street(url, shipped_engines)
        erase(made.database, ZEB, LATER)
        assert sweep(made.database)
        yield made
        made.database.dispose()


def payments(person: str, **more: object) -> Rows:
    sides = ({"subject": person}, {"other": person})
    return [payment(f"p{n}-{SIGNS[person]}", **side, **more) for n, side in enumerate(sides * 3)]


def submissions(person: str) -> dict[str, tuple[str, Rows]]:
    """Query and rows of each: new events, the same again, others under the same ids, and a mixture of these."""
    sign, rest = SIGNS[person], "?all_or_nothing=true"
    new = [payment(f"n{n}-{sign}", subject=person) for n in range(4)]
    return {
        "new": ("", payments(person)),
        "again": ("", payments(person)),
        "changed": ("", payments(person, amount=7)),
        "mixed": ("", [*payments(person)[:2], *payments(person, amount=7)[2:4], *new[:2], payment(f"bob-{sign}")]),
        "all, one changed": (rest, [*payments(person, amount=7)[:1], *new[2:]]),
        "all, new": (rest, new[2:]),
    }


def statements(street: Street, query: str, rows: Rows) -> Counter[str]:
    """What SQLite is told to do in the transaction of a submission: the first words of each statement, and how often."""
    seen: list[str] = []

    def watch(connection: Any, *_: object) -> None:
        connection.set_trace_callback(lambda sql: seen.append(re.sub(r"_\d+$", "", " ".join(sql.split()[:3]))))

    event.listen(street.database, "checkout", watch)
    assert street.depot("POST", query, rows).status_code == 200
    event.remove(street.database, "checkout", watch)
    last = seen.index("INSERT INTO submissions")
    first = max(n for n, words in enumerate(seen[:last]) if words == "BEGIN IMMEDIATE")
    return Counter(seen[first:last])


@pytest.mark.parametrize("street", ["sqlite"], indirect=True)
def test_a_submission_does_the_same_whomever_it_names(street: Street) -> None:
    scripts = {person: submissions(person) for person in (ZEB, NOBODY)}
    street.depot("GET", "/none")  # a first token
    for name, left in scripts[ZEB].items():
        done = statements(street, *left), statements(street, *scripts[NOBODY][name])
        assert done[0] == done[1], name
        assert done[0]["INSERT INTO withheld_events"] or name in ("again", "changed", "all, one changed"), done


def in_the_table(street: Street, word: str) -> int:
    """How often a word is in the file of PostgreSQL's table: rows that were rolled back are there, too."""
    with street.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
        query = text("SELECT pg_read_binary_file(pg_relation_filepath('events'))")
        return bytes(connection.execute(query).scalar_one()).count(word.encode())


def test_decoys_are_in_no_table_and_name_nobody(street: Street) -> None:
    engine = street.database
    before = in_the_table(street, ZEB) if engine.dialect.name == "postgresql" else 0
    for query, rows in submissions(ZEB).values():
        street.depot("POST", query, rows)
    with reading(engine) as connection:
        events = select(func.count()).select_from(EVENTS).where(EVENTS.c.contributor == "depot")
        assert connection.execute(events).scalar_one() == 1  # `bob-z`, which names nobody who has left
        assert connection.execute(select(func.count()).select_from(WITHHELD_EVENTS)).scalar_one() >= 11
        whole = connection.execute(select(func.count()).select_from(EVENTS)).scalar_one()
    assert ledger.extent(engine).events == whole
    if engine.dialect.name == "sqlite":
        assert left_in(engine, ZEB) == {}
        return
    assert before or not in_the_table(street, ZEB)  # what left may be in the file until the next vacuum
    assert in_the_table(street, "bob-z")
    assert [word for word in ("p0-z", "n0-z", "n2-z") if in_the_table(street, word)] == []
