"""Shared decisions: those about other ids to which a person was linked at the time. They go on counting for the person."""

from collections.abc import Collection

from sqlalchemy import Connection, delete, select

from api.evidence import counting_lists, erasure_tombstones
from api.store.tables import DECISION_SUBJECTS, SHARED_DECISIONS


def shared_with(connection: Connection, ids: Collection[str]) -> list[int]:
    """The `seq` of all decisions that were shared with these ids."""
    names = erasure_tombstones.pseudonyms(connection, ids)
    query = select(SHARED_DECISIONS.c.seq).where(SHARED_DECISIONS.c.pseudonym.in_(names)).distinct()
    return list(connection.execute(query).scalars())


def erase(connection: Connection, person: str) -> None:
    """Delete the shares with a person, and those of the decisions about the person. Do this before you delete the decisions."""
    of_person = select(DECISION_SUBJECTS.c.seq).where(DECISION_SUBJECTS.c.subject == person)
    (name,) = erasure_tombstones.pseudonyms(connection, [person])
    is_gone = (SHARED_DECISIONS.c.pseudonym == name) | SHARED_DECISIONS.c.seq.in_(of_person)
    names = set(connection.execute(select(SHARED_DECISIONS.c.pseudonym).where(is_gone)).scalars())
    connection.execute(delete(SHARED_DECISIONS).where(is_gone))
    counting_lists.rebuild(connection, names | {name})
