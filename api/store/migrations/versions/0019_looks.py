"""Looks at people, figures of the features of a build, and indexes for the search of decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

MESSAGE = "looks is append-only"
UNLESS_ERASING = "EXISTS (SELECT 1 FROM erasures_in_progress)"
IS_STANDING_EVENT = "kind IN ('person.enrolled', 'consent.granted', 'consent.withdrawn')"
SEARCH_COLUMNS = ("merchant", "perk", "outcome", "release")


def upgrade() -> None:
    op.create_table(
        "looks",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("id", name="one_look_per_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("looks_at_person", "looks", ["person", "seq"])
    _refuse_changes()
    op.create_table(
        "feature_figures",
        sa.Column("build", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("feature", sa.String(), primary_key=True),
        sa.Column("figures", sa.String(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":  # its own order of texts depends on the language of the server
        op.execute(f'CREATE INDEX people_by_id ON events (subject COLLATE "C") WHERE {IS_STANDING_EVENT}')
    for column in SEARCH_COLUMNS:
        op.create_index(f"decisions_of_{column}", "decisions", [sa.text(f"({column} || '')"), "decided_at"])


def _refuse_changes() -> None:
    """Refuse UPDATE and DELETE, except while a transaction erases a person."""
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            name = f"looks_refuse_{change.lower()}"
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {change} ON looks WHEN NOT {UNLESS_ERASING} "
                f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION looks_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {UNLESS_ERASING} THEN RETURN COALESCE(NEW, OLD); END IF; RAISE EXCEPTION '{MESSAGE}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER looks_refuse_change BEFORE UPDATE OR DELETE ON looks "
        "FOR EACH ROW EXECUTE FUNCTION looks_refuse_change()"
    )
