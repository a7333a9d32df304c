"""Lists of decisions that later answers can still count, by person's id and by pseudonym (`api.decisions.counting_decisions`)."""

from collections import defaultdict
from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, Select, delete, insert, literal, select, union

from api.store.tables import COUNTING_DECISIONS, DECISION_SUBJECTS, DECISIONS, SHARED_DECISIONS

_OF_ENTRY: Final = tuple(c.name for c in COUNTING_DECISIONS.columns if c.name not in ("subject", "held_since"))
_COLUMNS: Final = ("subject", "held_since", *_OF_ENTRY)


def rebuild(connection: Connection, names: Collection[str]) -> None:
    """List all decisions of these ids and pseudonyms again, after some were deleted: what those replaced counts again."""
    shared = SHARED_DECISIONS
    for name in sorted(names):
        connection.execute(delete(COUNTING_DECISIONS).where(COUNTING_DECISIONS.c.subject == name))
        own = _entries(name).where(DECISION_SUBJECTS.c.subject == name)
        seqs = select(shared.c.seq).where(shared.c.pseudonym == name)
        of_links = _entries(name).where(DECISIONS.c.seq.in_(seqs))
        connection.execute(insert(COUNTING_DECISIONS).from_select(_COLUMNS, union(own, of_links)))


def add_shares(connection: Connection, shares: Collection[tuple[str, int]]) -> None:
    """List earlier decisions for the pseudonyms with which they are shared from now on: pairs of pseudonym and `seq`."""
    seqs = defaultdict[str, list[int]](list)
    for name, seq in shares:
        seqs[name].append(seq)
    for name, numbers in sorted(seqs.items()):
        query = _entries(name).where(DECISIONS.c.seq.in_(numbers))
        connection.execute(insert(COUNTING_DECISIONS).from_select(_COLUMNS, query))


def _entries(name: str) -> Select[tuple[object, ...]]:
    joined = DECISIONS.join(DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == DECISIONS.c.seq)
    columns = (literal(name), DECISION_SUBJECTS.c.held_since, *(DECISIONS.c[column] for column in _OF_ENTRY))
    return select(*columns).select_from(joined)
