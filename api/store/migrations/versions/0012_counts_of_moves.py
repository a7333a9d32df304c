"""Moves of orders say how many orders of the person the rules counted. Earlier moves do not, and their hashes stay."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("order_moves", sa.Column("counts", sa.String(), nullable=True))
