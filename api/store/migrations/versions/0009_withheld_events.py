"""We answer events about an erased person like any others, and keep only keyed hashes of them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "withheld_events",
        sa.Column("key", sa.String(), nullable=False, primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("content", "kind")),
        *(sa.Column(name, sa.String(), nullable=True) for name in ("about", "outcome")),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("withheld_about", "withheld_events", ["about"])
    op.create_index("withheld_of_person", "withheld_events", ["person"])
