"""We chain moves of orders by hash, and bind the order's columns after each move.

Of earlier moves we know the order's columns for the last one only: each order as it is now. They count as later than
every existing decision.
"""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

GENESIS_HASH = "0" * 64  # the start of the chain
HEAD_ID = 2  # the row of `chain_head` for moves
BATCH_ROWS = 5_000
TERMS = (
    *("decision", "merchant", "service", "service_version", "perk", "currency", "mode", "waived", "ceiling", "state"),
    *("total", "starts_at", "ends_at", "due_at", "created_at", "changed_at", "closed_at", "disputed"),
)
ENTRY = ("order", "action", "before", "after", "total", "at", "decisions", "terms")
UPDATE_MOVE = "UPDATE order_moves SET decisions = :decisions, terms = :terms, previous_hash = :previous, hash = :hash WHERE seq = :seq"
SELECT_MOVES = f"""
SELECT m.seq, m."order", m.action, m.before, m.after, m.total, m.at, {", ".join(f"o.{c} AS o_{c}" for c in TERMS)}
FROM order_moves AS m LEFT JOIN orders AS o
ON o.id = m."order" AND m.seq = (SELECT max(x.seq) FROM order_moves AS x WHERE x."order" = m."order")
WHERE m.seq > :seen ORDER BY m.seq LIMIT :batch
"""


def upgrade() -> None:
    op.add_column("order_moves", sa.Column("decisions", sa.BigInteger(), nullable=True))
    for name in ("terms", "previous_hash", "hash"):
        op.add_column("order_moves", sa.Column(name, sa.String(), nullable=True))
    _chain(op.get_bind())
    op.create_index("moves_by_decisions", "order_moves", ["decisions", "seq"])


def _chain(connection: sa.Connection) -> None:
    newest = connection.exec_driver_sql("SELECT max(seq) FROM decisions").scalar() or 0
    last_seq, length, previous = 0, 0, GENESIS_HASH
    while rows := connection.execute(sa.text(SELECT_MOVES), {"seen": last_seq, "batch": BATCH_ROWS}).mappings().all():
        changes = []
        for row in rows:
            move = {**row, "decisions": newest, "terms": _terms(row)}
            text = f"{previous}\n{_json({column: move[column] for column in ENTRY})}"
            hash_ = hashlib.sha256(text.encode()).hexdigest()
            values = {"decisions": newest, "terms": move["terms"], "previous": previous, "hash": hash_}
            changes.append({**values, "seq": row["seq"]})
            previous = hash_
        connection.execute(sa.text(UPDATE_MOVE), changes)
        last_seq, length = rows[-1]["seq"], length + len(rows)
    head = "INSERT INTO chain_head (id, length, hash) VALUES (:id, :length, :hash)"
    connection.execute(sa.text(head), {"id": HEAD_ID, "length": length, "hash": previous})


def _terms(row: Any) -> str | None:
    if row["o_state"] is None:
        return None
    return _json({column: row[f"o_{column}"] for column in TERMS} | {"disputed": bool(row["o_disputed"])})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
