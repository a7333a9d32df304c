"""Flags beside scores; the request's own fields, and since when a perk is held, beside decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("scores", sa.Column("flags", sa.String(), nullable=True))
    op.add_column("decisions", sa.Column("context", sa.String(), nullable=True))
    op.add_column("decisions", sa.Column("held_since", sa.BigInteger(), nullable=True))
