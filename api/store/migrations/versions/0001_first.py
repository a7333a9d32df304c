"""The first tables, and the triggers that make events and decisions append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("events", "decisions")


def upgrade() -> None:
    _create_events()
    _create_decisions()
    _create_builds()
    _create_tokens_and_releases()
    for table in APPEND_ONLY:
        _refuse_changes(table)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=null)


def _small(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=null)


def _big(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _seq() -> sa.Column[int]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("seq", number, primary_key=True, autoincrement=True)


def _create_events() -> None:
    op.create_table(
        "events",
        _seq(),
        *(_text(c) for c in ("contributor", "event_id", "kind", "subject")),
        _text("other", null=True),
        *(_big("happened_at"), _big("recorded_at")),
        *(_small("identity_level", null=True), _text("tie", null=True), _small("strength", null=True)),
        _big("amount", null=True),
        *(_text(c, null=True) for c in ("currency", "category", "channel", "obligation")),
        *(_small("due", null=True), _text("order", null=True), _small("days_late", null=True)),
        *(_text(c, null=True) for c in ("purpose", "classes", "service")),
        _big("until", null=True),
        *(_text(c, null=True) for c in ("ref_contributor", "ref_event", "outcome", "statement", "fields")),
        sa.UniqueConstraint("contributor", "event_id", name="one_event_id_per_contributor"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_of_subject", "events", ["subject"])
    op.create_index("events_of_other", "events", ["other"])
    extent = op.create_table(
        "extent",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        *(_big("events"), _big("recorded_at", null=True), _big("happened_at", null=True)),
    )
    op.bulk_insert(extent, [{"id": 1, "events": 0, "recorded_at": None, "happened_at": None}])


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        _seq(),
        *(_text("id"), _text("merchant"), _text("transaction_id", null=True), _text("subject"), _text("perk")),
        *(_big("amount"), _text("currency"), _text("outcome"), _big("waived"), _big("deposit")),
        *(_big("decided_at"), _big("valid_until", null=True)),
        *(_text(c) for c in ("release", "record", "previous_hash", "hash")),
        sa.UniqueConstraint("id", name="one_decision_per_id"),
        sa.UniqueConstraint("merchant", "transaction_id", name="one_decision_per_transaction"),
        sa.UniqueConstraint("hash", name="one_decision_per_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("decisions_of_subject", "decisions", ["subject"])


def _create_builds() -> None:
    op.create_table(
        "builds",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        *(_big("as_of"), _big("known_at"), _text("purpose"), _big("computed_at"), _text("catalogue")),
        *(_big("events"), _big("people")),
        sqlite_autoincrement=True,
    )
    for table, columns in (
        ("features", (_text("values"),)),
        ("scores", (_text("release"), _small("score", null=True), _text("band", null=True))),
    ):
        op.create_table(
            table,
            sa.Column("build", sa.Integer(), sa.ForeignKey("builds.id"), primary_key=True),
            sa.Column("person", sa.String(), primary_key=True),
            *columns,
        )


def _create_tokens_and_releases() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(), primary_key=True),
        *(_text("name"), _text("role"), _text("party", null=True), _text("digest"), _big("created_at")),
        *(_big(c, null=True) for c in ("expires_at", "revoked_at", "last_used_at")),
        sa.UniqueConstraint("digest", name="one_token_per_digest"),
    )
    op.create_table("releases", sa.Column("id", sa.String(), primary_key=True), _text("files"), _big("loaded_at"))


def _refuse_changes(table: str) -> None:
    message = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            name = f"{table}_refuse_{change.lower()}"
            op.execute(f"CREATE TRIGGER {name} BEFORE {change} ON {table} BEGIN SELECT RAISE(ABORT, '{message}'); END")
        return
    op.execute(
        f"CREATE FUNCTION {table}_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse_change()"
    )
