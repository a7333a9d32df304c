"""The database of the settings, for the time of a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from api.settings.settings import settings
from api.store.database import Database, open_database


@contextmanager
def configured_database() -> Iterator[Database]:
    """Open the database that the settings name, and close it at the end."""
    database = open_database(settings().database_url)
    try:
        yield database
    finally:
        database.dispose()
