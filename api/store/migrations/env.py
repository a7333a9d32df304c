"""Run by Alembic with a connection of `api.store.database`, which has opened the transaction and holds the lock."""

from alembic import context
from sqlmodel import SQLModel

import api.store.tables  # noqa: F401  # fills SQLModel.metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata)
context.run_migrations()
