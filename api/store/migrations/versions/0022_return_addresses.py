"""The page of a merchant to which a person goes back after answering a request for consent."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consent_requests", sa.Column("return_url", sa.String(), nullable=True))
