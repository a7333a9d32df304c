"""We keep merchants' data about people under pseudonyms: requests for consent, and allow-lists of services.

The pseudonym is that of `erasure_tombstones`: HMAC-SHA-256 of the id under the system's key. We delete rows in the name
of erased people: earlier versions let a concurrent request write them.
"""

import hmac
import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PERSON_COLUMNS = (("monitored", "person"), ("disputes", "subject"), ("reviews", "subject"))


def upgrade() -> None:
    op.create_table(
        "erased_inquiries",
        *(sa.Column(name, sa.String(), nullable=False, primary_key=True) for name in ("digest", "merchant")),
        sa.Column("amount", sa.BigInteger(), nullable=False, primary_key=True, autoincrement=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
    )
    connection = op.get_bind()
    key = bytes.fromhex(connection.exec_driver_sql("SELECT key FROM house").scalar_one())

    def pseudonym(person: str) -> str:
        return hmac.digest(key, person.encode(), "sha256").hex()

    tombstones = set(connection.exec_driver_sql("SELECT digest FROM departed").scalars())
    for table, column in PERSON_COLUMNS:
        statement = sa.text(f"DELETE FROM {table} WHERE {column} = :person")
        for person in connection.exec_driver_sql(f"SELECT DISTINCT {column} FROM {table}").scalars().all():
            if pseudonym(person) in tombstones:
                connection.execute(statement, {"person": person})
    change = sa.text("UPDATE consent_requests SET subject = :new WHERE subject = :person")
    for person in connection.exec_driver_sql("SELECT DISTINCT subject FROM consent_requests").scalars().all():
        connection.execute(change, {"new": pseudonym(person), "person": person})
    change_allowed = sa.text("UPDATE services SET allowed = :new WHERE allowed = :listed")
    for allowed in connection.exec_driver_sql("SELECT DISTINCT allowed FROM services").scalars().all():
        if allowed is not None:
            new = json.dumps(sorted(pseudonym(person) for person in json.loads(allowed)))
            connection.execute(change_allowed, {"new": new, "listed": allowed})
