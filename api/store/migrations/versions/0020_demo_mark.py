"""A database that holds demo data says so."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "demo_mark",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("town_people", sa.BigInteger(), nullable=False),
        sa.Column("loaded_at", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=True),
        sa.Column("activity_from", sa.BigInteger(), nullable=True),
        sa.Column("activity_to", sa.BigInteger(), nullable=True),
        sa.Column("person", sa.String(), nullable=True),
    )
