"""Lists of decisions that later answers can still count, by person's id and by pseudonym (`api.decisions.counting_decisions`)."""

from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select, union

from api.store.tables import COUNTING_DECISIONS, DECISION_SUBJECTS, SHARED_DECISIONS


def rebuild(connection: Connection, names: Collection[str]) -> None:
    """List all decisions of these ids and pseudonyms again, after some were deleted: what those replaced counts again."""
    about, shared, table = DECISION_SUBJECTS, SHARED_DECISIONS, COUNTING_DECISIONS
    for name in sorted(names):
        connection.execute(delete(table).where(table.c.subject == name))
        own = select(about.c.subject, about.c.seq).where(about.c.subject == name)
        of_links = select(shared.c.pseudonym, shared.c.seq).where(shared.c.pseudonym == name)
        connection.execute(insert(table).from_select(["subject", "seq"], union(own, of_links)))
