"""The time zone of a build's days, months and nights. Earlier builds used UTC."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("builds", sa.Column("timezone", sa.String(), nullable=False, server_default="UTC"))
