"""Decisions about linked ids that go on counting for each of them after the link has ended."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shared_decisions",
        sa.Column("pseudonym", sa.String(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
    )
    op.create_index("shares_of_decision", "shared_decisions", ["seq"])
