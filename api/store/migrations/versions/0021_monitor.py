"""Sums for the operator's pages: people by bin of each build, answers and ended orders by day, events by contributor."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "population_bins",
        sa.Column("build", sa.Integer(), sa.ForeignKey("builds.id"), primary_key=True),
        sa.Column("measure", sa.String(), primary_key=True),
        sa.Column("bin", sa.String(), primary_key=True),
        sa.Column("release", sa.String(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
    )
    op.create_table(
        "answer_sums",
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("perk", sa.String(), primary_key=True),
        sa.Column("outcome", sa.String(), primary_key=True),
        sa.Column("answers", sa.Integer(), nullable=False),
    )
    op.create_table(
        "ending_sums",
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("band", sa.String(), primary_key=True),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("overdue", sa.Integer(), nullable=False),
    )
    op.create_table(
        "sum_progress",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("decision", sa.BigInteger(), nullable=False),
        sa.Column("move", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO sum_progress (id, decision, move, event) VALUES (1, 0, 0, 0)")
    op.create_table(
        "contributor_sums",
        sa.Column("contributor", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("happened_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("submissions_by_time", "submissions", ["received_at", "id"])
