"""Two ids of one person: the contributors that may link them, the ids that a row counts, and indexes on links."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "link_sources",
        sa.Column("contributor", sa.String(), primary_key=True),
        sa.Column("allowed_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "linked_ids",
        sa.Column("build", sa.Integer(), sa.ForeignKey("builds.id"), primary_key=True),
        sa.Column("person", sa.String(), primary_key=True),
        sa.Column("linked", sa.String(), primary_key=True),
        sa.Column("classes", sa.String(), nullable=False),
    )
    op.create_index("linked_ids_of_linked", "linked_ids", ["build", "linked"])
    where = sa.text("kind IN ('person.same_as')")
    for end in ("subject", "other"):
        op.create_index(f"links_of_{end}", "events", [end], sqlite_where=where, postgresql_where=where)
