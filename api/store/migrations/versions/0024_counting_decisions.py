"""The decisions that later answers can still count, of each person: all others are never read again for an answer."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

# The amounts of a day count, and a clock may be a day ahead; an answer is valid for at most so many hours.
RECENT = timedelta(days=2)
FILL = """
INSERT INTO counting_decisions
(subject, seq, id, merchant, perk, currency, amount, outcome, waived, decided_at, valid_until, held_since)
SELECT listed.subject, d.seq, d.id, d.merchant, d.perk, d.currency, d.amount, d.outcome, d.waived, d.decided_at, d.valid_until,
    s.held_since
FROM (
SELECT subject, seq FROM (
    SELECT about.subject, about.seq, entry.decided_at, entry.valid_until, orders.state,
        entry.outcome <> 'REFUSED' AS answered,
        row_number() OVER (PARTITION BY about.subject, entry.merchant, entry.perk ORDER BY about.seq DESC) AS of_asker,
        row_number() OVER (
            PARTITION BY about.subject, entry.perk, entry.outcome <> 'REFUSED' ORDER BY about.seq DESC
        ) AS of_perk
    FROM decision_subjects AS about
    JOIN decisions AS entry ON entry.seq = about.seq
    LEFT JOIN orders ON orders.decision = entry.id
) AS ranked
WHERE of_asker = 1 OR (of_perk = 1 AND answered) OR state IS NOT NULL OR decided_at > :recent OR valid_until > :recent
UNION SELECT pseudonym, seq FROM shared_decisions
) AS listed
JOIN decisions AS d ON d.seq = listed.seq
JOIN decision_subjects AS s ON s.seq = listed.seq
"""


def upgrade() -> None:
    op.create_table(
        "counting_decisions",
        sa.Column("subject", sa.String(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "merchant", "perk", "currency")),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("waived", "decided_at", "valid_until")),
        sa.Column("held_since", sa.BigInteger()),
        sqlite_with_rowid=False,
    )
    recent = (datetime.now(UTC) - RECENT - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    op.execute(sa.text(FILL).bindparams(recent=recent))
