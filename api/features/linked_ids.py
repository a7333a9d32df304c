"""Linked ids: the other ids of a person whose events the person's row counts.

A row has the classes of evidence that counted for each id. So we know, when the consent of one of them has changed since, which
values we may still use.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection, bindparam, delete, func, literal, select, union_all, update

from api.store.statements import Query, is_any_of, texts
from api.store.tables import BUILDS, LINKED_IDS
from graph.evidence.links import ids_by_person
from graph.evidence.visibility import consents_in_force

LinkedClasses = Mapping[str, frozenset[str]]  # by linked id: the classes of its evidence that the row counts
_SCHEMA: Final = {"person": pl.String, "linked": pl.String, "classes": pl.String}
_BUILD: Final = select(func.max(BUILDS.c.id)).scalar_subquery()
_COLUMNS: Final = (LINKED_IDS.c.person, LINKED_IDS.c.linked, LINKED_IDS.c.classes)
# The last row says that there is any linked id, so that we take the same steps for everyone then.
_AMONG: Final = union_all(
    select(*_COLUMNS).where(LINKED_IDS.c.build == _BUILD, is_any_of(LINKED_IDS.c.person, texts("people"))),
    select(literal(""), literal(""), literal("")).where(
        select(LINKED_IDS.c.person).where(LINKED_IDS.c.build == _BUILD).exists()
    ),
)
_IDS_OF: Final = select(LINKED_IDS.c.linked).where(
    LINKED_IDS.c.build == _BUILD, LINKED_IDS.c.person == bindparam("person")
)


def rows_of(
    linked: Mapping[str, str], events: pl.DataFrame, as_of: datetime, known_at: datetime, purpose: str
) -> pl.DataFrame:
    """The rows of `LINKED_IDS` without their build, for the result of `linked_people`."""
    if not linked:
        return pl.DataFrame(schema=_SCHEMA)
    consents = consents_in_force(events, as_of, known_at, purpose)
    classes = {person: ",".join(consents.filter(person=person)["data_class"].sort()) for person in sorted(linked)}
    rows = [(person, one, classes[one]) for person, ids in ids_by_person(linked).items() for one in ids]
    return pl.DataFrame(sorted(rows), schema=_SCHEMA, orient="row")


def query_for(people: Collection[str]) -> Query:
    """The query whose rows `collect` takes."""
    return Query(_AMONG, {"people": sorted(people)})


def collect(rows: Iterable[Sequence[Any]]) -> dict[str, dict[str, frozenset[str]]]:
    """The linked ids of each person, with the classes that the row counts."""
    result: dict[str, dict[str, frozenset[str]]] = {}
    for person, one, classes in rows:
        if person:
            result.setdefault(person, {})[one] = frozenset(classes.split(",")) - {""}
    return result


def ids_of(connection: Connection, person: str) -> tuple[str, ...]:
    """All ids that we read as this person, in order; of most people, their one id."""
    return tuple(sorted({person, *connection.execute(_IDS_OF, {"person": person}).scalars()}))


def erase(connection: Connection, person: str) -> set[str]:
    """Take a person's name out. Returns the others' ids: their rows count evidence of a person who has left, until a refresh."""
    other_ids = set(connection.execute(select(LINKED_IDS.c.person).where(LINKED_IDS.c.linked == person)).scalars())
    connection.execute(delete(LINKED_IDS).where(LINKED_IDS.c.person == person))
    change = update(LINKED_IDS).where(LINKED_IDS.c.linked == person)
    connection.execute(change.values(linked=f"gone-{secrets.token_hex(12)}"))
    return other_ids - {person}
