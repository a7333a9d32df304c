"""The people behind the linked ids and the shared decisions that records name."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, select

from api.evidence import erasure_tombstones
from api.store.database import fetch_rows
from api.store.statements import Query, is_any_of, texts
from api.store.tables import DECISION_SUBJECTS, ERASURE_TOMBSTONES, ORDERS

NOBODY: Final = ""  # an id without decisions and orders: there is nothing to count
_ERASED: Final = select(ERASURE_TOMBSTONES.c.digest).where(is_any_of(ERASURE_TOMBSTONES.c.digest, texts("digests")))


def subjects_of(connection: Connection, decisions: Collection[int]) -> dict[int, str]:
    """The ids that these decisions (`seq`) are about. We leave out the decisions about erased people."""
    columns = (DECISION_SUBJECTS.c.seq, DECISION_SUBJECTS.c.subject)
    query = select(*columns).where(DECISION_SUBJECTS.c.seq.in_(decisions))
    return {row.seq: row.subject for row in connection.execute(query)} if decisions else {}


def linked_subjects(connection: Connection, names: Collection[str]) -> dict[str, str | None]:
    """The id behind each pseudonym; None for an erased person. Cost: none without pseudonyms, else a hash for each subject."""
    if not names:
        return {}
    people = [
        *connection.execute(select(DECISION_SUBJECTS.c.subject).distinct()).scalars(),
        *connection.execute(select(ORDERS.c.subject).where(ORDERS.c.subject.is_not(None)).distinct()).scalars(),
    ]
    ids = dict(zip(erasure_tombstones.pseudonyms(connection, people), people, strict=True))
    (erased_rows,) = fetch_rows(connection, Query(_ERASED, {"digests": sorted(names)}))
    erased = {digest for (digest,) in erased_rows}
    return {name: None if name in erased else ids.get(name, NOBODY) for name in names}
