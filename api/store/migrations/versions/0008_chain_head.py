"""The head of the chain of decisions, in a separate row, and the format of a day's digest.

We leave the chain and its digests unchanged: their hashes may have been published.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

GENESIS_HASH = "0" * 64  # the start of the chain


def upgrade() -> None:
    _create_head()
    op.add_column("day_digests", sa.Column("format", sa.Integer(), nullable=False, server_default="1"))


def _create_head() -> None:
    head = op.create_table(
        "chain_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
    )
    connection = op.get_bind()
    length = connection.exec_driver_sql("SELECT count(*) FROM decisions").scalar()
    last = connection.exec_driver_sql("SELECT hash FROM decisions ORDER BY seq DESC LIMIT 1").scalar()
    op.bulk_insert(head, [{"id": 1, "length": length, "hash": last or GENESIS_HASH}])
