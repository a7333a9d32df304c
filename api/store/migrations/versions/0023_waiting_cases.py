"""Indexes of cases by due date: of all reviews, and of the disputes and reviews that wait for an answer."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("reviews_by_due", "reviews", ["due_at", "id"])
    for table, answered_at in (("disputes", "resolved_at"), ("reviews", "answered_at")):
        condition = sa.text(f"{answered_at} IS NULL")
        op.create_index(f"{table}_waiting", table, ["due_at", "id"], sqlite_where=condition, postgresql_where=condition)
