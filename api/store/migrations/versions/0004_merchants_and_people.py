"""Services, consents, orders, messages, disputes and erasures; decisions without names, with their people in another
table.

We give older decisions commitments and a chain: nothing of the earlier chain was published.
"""

import hashlib
import json
import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ENTRY = (
    *("id", "merchant", "service", "service_version", "perk", "amount", "currency", "outcome", "waived", "deposit"),
    *("decided_at", "valid_until", "release", "commitment"),
)


def upgrade() -> None:
    old_decisions = _rows_of_decisions()
    _drop_decisions()
    _create_decisions()
    _convert_decisions(old_decisions)
    _create_access()
    _create_orders()
    _create_people()
    condition = sa.text(
        "kind IN ('consent.withdrawn', 'dispute.opened', 'dispute.resolved', 'event.corrected', 'event.retracted')"
    )
    op.create_index("events_that_change", "events", ["seq"], sqlite_where=condition, postgresql_where=condition)
    _allow_erasure("events", "OLD.subject", "OLD.other")
    _allow_erasure("decision_subjects", "OLD.subject")
    _refuse_changes("decisions", "UPDATE", "DELETE")


def _text(name: str, *, null: bool = False, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(), nullable=null, primary_key=key)


def _small(name: str, *, null: bool = False, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=null, primary_key=key, autoincrement=False)


def _big(name: str, *, null: bool = False, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=null, primary_key=key, autoincrement=False)


def _seq() -> sa.Column[Any]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("seq", number, primary_key=True, autoincrement=True)


def _texts(*names: str, null: bool = False) -> list[sa.Column[Any]]:
    return [_text(name, null=null) for name in names]


def _rows_of_decisions() -> list[dict[str, Any]]:
    rows = op.get_bind().exec_driver_sql("SELECT * FROM decisions ORDER BY seq").mappings()
    return [dict(row) for row in rows]


def _drop_decisions() -> None:
    op.drop_table("decisions")  # its triggers go with it
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION decisions_refuse_change")


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        *(_seq(), *_texts("id", "merchant"), _text("service", null=True), _small("service_version", null=True)),
        *(_text("perk"), _big("amount"), *_texts("currency", "outcome"), _big("waived"), _big("deposit")),
        *(_big("decided_at"), _big("valid_until"), *_texts("release", "commitment", "previous_hash", "hash")),
        sa.UniqueConstraint("id", name="one_decision_per_id"),
        sa.UniqueConstraint("hash", name="one_decision_per_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("decisions_by_time", "decisions", ["decided_at"])
    op.create_table(
        "decision_subjects",
        *(_big("seq", key=True), _text("merchant"), _text("transaction_id", null=True), _text("subject")),
        *(_text("context", null=True), _big("held_since", null=True), *_texts("salt", "record")),
        sa.UniqueConstraint("merchant", "transaction_id", name="one_decision_per_transaction"),
    )
    op.create_index("decisions_of_subject", "decision_subjects", ["subject"])
    op.create_table(
        "day_digests",
        *(_small("day", key=True), _big("first"), _big("last"), _text("root"), _big("made_at")),
    )
    op.create_table(
        "reviews",
        *(_text("id", key=True), *_texts("decision", "subject"), _text("statement", null=True), _big("asked_at")),
        *(_big("due_at"), *_texts("outcome", "note", "answered_by", null=True), _big("answered_at", null=True)),
    )
    op.create_index("reviews_of_subject", "reviews", ["subject"])


def _convert_decisions(old_decisions: list[dict[str, Any]]) -> None:
    entries, subjects, previous = [], [], "0" * 64
    for row in old_decisions:
        salt = secrets.token_hex(32)
        entry = {**row, "service": None, "service_version": None, "valid_until": row["valid_until"] or 0}
        entry["commitment"] = hashlib.sha256(f"{salt}\n{row['record']}".encode()).hexdigest()
        text = json.dumps({k: entry[k] for k in ENTRY}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        hash_ = hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
        entries.append({k: entry[k] for k in ("seq", *ENTRY)} | {"previous_hash": previous, "hash": hash_})
        columns = ("seq", "merchant", "transaction_id", "subject", "context", "held_since", "record")
        subjects.append({k: row[k] for k in columns} | {"salt": salt})
        previous = hash_
    for table, rows in (("decisions", entries), ("decision_subjects", subjects)):
        if rows:
            op.bulk_insert(sa.table(table, *(sa.column(c) for c in rows[0])), rows)
    if entries and op.get_bind().dialect.name == "postgresql":
        op.execute("SELECT setval(pg_get_serial_sequence('decisions', 'seq'), (SELECT max(seq) FROM decisions))")


def _create_access() -> None:
    for name in ("scopes", "replaces"):
        op.add_column("tokens", _text(name, null=True))
    op.create_table(
        "services",
        *(_text("merchant", key=True), _text("id", key=True), _small("version", key=True), *_texts("perk", "mode")),
        *(_big("ceiling", null=True), *_texts("allowed", "callback", null=True), _big("created_at")),
    )
    op.create_table(
        "callback_keys",
        *(_text("merchant", key=True), _small("number", key=True), _text("secret"), _big("created_at")),
        _big("ends_at", null=True),
    )
    op.create_table(
        "consent_requests",
        *(_text("id", key=True), *_texts("merchant", "service", "subject", "purpose", "classes")),
        *(_big("until", null=True), _big("asked_at"), _text("state"), _big("answered_at", null=True)),
        _text("event_id", null=True),
    )
    op.create_index("consent_requests_of_subject", "consent_requests", ["subject"])


def _create_orders() -> None:
    op.create_table(
        "orders",
        *(_text("id", key=True), *_texts("merchant", "out_order_no", "service"), _small("service_version")),
        *(_text("decision"), _text("subject", null=True), *_texts("perk", "currency", "mode"), _big("waived")),
        *(_big("ceiling", null=True), _text("state")),
        *(_big(c, null=True) for c in ("total", "starts_at", "ends_at", "due_at")),
        *(_big("created_at"), _big("changed_at"), _big("closed_at", null=True)),
        sa.Column("disputed", sa.Boolean(), nullable=False),
        *_texts("content", "digest"),
        sa.UniqueConstraint("merchant", "out_order_no", name="one_order_per_number"),
        sa.UniqueConstraint("decision", name="one_order_per_decision"),
    )
    op.create_index("orders_of_subject", "orders", ["subject"])
    op.create_index("orders_by_state", "orders", ["state", "created_at"])
    op.create_index("orders_by_due", "orders", ["state", "due_at"])
    op.create_index("orders_of_merchant", "orders", ["merchant", "created_at"])
    op.create_table(
        "order_moves",
        *(_seq(), *_texts("order", "action", "digest", "before", "after"), _big("total", null=True), _big("at")),
        sqlite_autoincrement=True,
    )
    op.create_index("moves_of_order", "order_moves", ["order"])
    op.create_index("moves_by_time", "order_moves", ["at"])
    op.create_table(
        "messages",
        *(_text("id", key=True), *_texts("merchant", "order", "event", "url", "body"), _big("created_at")),
        *(_big("next_at"), _small("attempts"), _text("state"), _small("status", null=True)),
        *(_big("leased_until", null=True), _big("sent_at", null=True)),
    )
    op.create_index("messages_by_time", "messages", ["state", "next_at"])
    op.create_index("messages_of_order", "messages", ["order"])
    op.create_index("messages_of_merchant", "messages", ["merchant", "created_at"])


def _create_people() -> None:
    op.create_table(
        "submissions",
        *(_text("id", key=True), _text("contributor"), _big("received_at")),
        *(_small(c) for c in ("rows", "accepted", "duplicates", "refused")),
        _text("problems"),
    )
    op.create_index("submissions_of_contributor", "submissions", ["contributor", "received_at"])
    op.create_table(
        "disputes",
        *(_text("id", key=True), *_texts("subject", "contributor", "event_id"), _text("statement", null=True)),
        *(_big("opened_at"), _big("due_at"), *_texts("outcome", "note", "resolved_by", null=True)),
        _big("resolved_at", null=True),
    )
    op.create_index("disputes_of_subject", "disputes", ["subject"])
    op.create_index("disputes_by_due", "disputes", ["due_at"])
    op.create_table("monitored", _text("person", key=True), _text("attribute", key=True), _text("value"))
    system = op.create_table("house", _small("id", key=True), _text("key"), _small("erased"), _small("swept"))
    op.bulk_insert(system, [{"id": 1, "key": secrets.token_hex(32), "erased": 0, "swept": 0}])
    op.create_table("departed", _text("digest", key=True), _big("left_at"))
    op.create_table("erasing", _text("person", key=True))
    op.create_table(
        "score_history",
        *(_seq(), _text("person"), _big("at"), _text("release"), _small("score", null=True), _text("band", null=True)),
        sqlite_autoincrement=True,
    )
    op.create_index("history_of_person", "score_history", ["person", "seq"])


def _allow_erasure(table: str, *parties: str) -> None:
    """Refuse UPDATE, and DELETE of every row except those of a person that this transaction erases."""
    condition = f"EXISTS (SELECT 1 FROM erasing WHERE person IN ({', '.join(parties)}))"
    if op.get_bind().dialect.name == "sqlite":
        if table == "events":
            for change in ("update", "delete"):
                op.execute(f"DROP TRIGGER events_refuse_{change}")
        _refuse_changes(table, "UPDATE")
        op.execute(
            f"CREATE TRIGGER {table}_refuse_delete BEFORE DELETE ON {table} WHEN NOT {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
        return
    if table == "events":
        op.execute("DROP TRIGGER events_refuse_change ON events")
        op.execute("DROP FUNCTION events_refuse_change")
    _refuse_changes(table, "UPDATE")
    op.execute(
        f"CREATE FUNCTION {table}_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {condition} THEN RETURN OLD; END IF; RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuse_delete BEFORE DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_delete()"
    )


def _refuse_changes(table: str, *changes: str) -> None:
    message = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        for change in changes:
            name = f"{table}_refuse_{change.lower()}"
            op.execute(f"CREATE TRIGGER {name} BEFORE {change} ON {table} BEGIN SELECT RAISE(ABORT, '{message}'); END")
        return
    op.execute(
        f"CREATE FUNCTION {table}_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuse_change BEFORE {' OR '.join((*changes, 'TRUNCATE'))} ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse_change()"
    )
