"""Refreshing: which build follows the clock and how far it is, each row's own times, who and what waits; indexes on few events."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PARTIAL_INDEXES = (
    ("events_about", "ref_event", "ref_event IS NOT NULL"),
    ("events_of_standing", "subject", "kind IN ('person.enrolled', 'consent.granted', 'consent.withdrawn')"),
    ("ties_of_subject", "subject", "kind IN ('tie.formed', 'tie.ended')"),
    ("ties_of_other", "other", "kind IN ('tie.formed', 'tie.ended')"),
)


def upgrade() -> None:
    _extend_builds()
    for column in ("as_of", "known_at", "computed_at"):
        op.add_column("features", sa.Column(column, sa.BigInteger(), nullable=True))
    _create_marks_and_waiting()
    for name, column, condition in PARTIAL_INDEXES:
        where = sa.text(condition)
        op.create_index(name, "events", [column], sqlite_where=where, postgresql_where=where)
    _create_moves()


def _extend_builds() -> None:
    op.add_column("builds", sa.Column("follows", sa.Boolean(), nullable=False, server_default=sa.false()))
    for column in ("seq", "seen", "later"):
        op.add_column("builds", sa.Column(column, sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("builds", sa.Column("refreshed_at", sa.BigInteger(), nullable=True))
    # Only the newest build is ever refreshed. What it did not see came after it.
    last = "SELECT coalesce(max(seq), 0) FROM events WHERE recorded_at <= builds.known_at"
    newest = "id = (SELECT max(id) FROM builds)"
    op.execute(f"UPDATE builds SET seen = events, seq = ({last}) WHERE {newest}")


def _create_marks_and_waiting() -> None:
    op.create_table(
        "marks",
        sa.Column("build", sa.Integer(), sa.ForeignKey("builds.id"), primary_key=True),
        sa.Column("person", sa.String(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("astray", sa.String(), nullable=False),
    )
    op.create_table(
        "waiting",
        sa.Column("build", sa.Integer(), sa.ForeignKey("builds.id"), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(), nullable=False),
    )
    op.create_index("waiting_until", "waiting", ["build", "at"])
    op.create_index("waiting_of_kind", "waiting", ["build", "kind"])


def _create_moves() -> None:
    moves = op.create_table(
        "moves", *(sa.Column(c, sa.String(), primary_key=True) for c in ("other", "contributor", "event_id"))
    )
    query = "SELECT contributor, ref_event, fields FROM events WHERE ref_event IS NOT NULL AND kind = 'event.corrected'"
    keys = {
        (str(json.loads(fields)["other"]), contributor, item)
        for contributor, item, fields in op.get_bind().exec_driver_sql(query)
        if "other" in json.loads(fields)
    }
    if keys:
        op.bulk_insert(
            moves, [dict(zip(("other", "contributor", "event_id"), key, strict=True)) for key in sorted(keys)]
        )
