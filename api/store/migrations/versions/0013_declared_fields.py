"""Declared fields of events have one column, as JSON: a kind that a rules folder declares needs no migration."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("data", sa.String(), nullable=True))
