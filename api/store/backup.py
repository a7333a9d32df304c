"""Back-up: a copy of an SQLite database of one moment, made while it is in use. PostgreSQL has its own means."""

import os
from pathlib import Path

from api.store.database import Database, report_errors
from engine.errors import Rejected


def copy_database(database: Database, file: Path) -> None:
    """Copy the database to a file that is not there yet; readable by its owner alone. The copy holds nothing that was erased.

    Raises Rejected for PostgreSQL, for a file that is there, and when it cannot be written: then there is no file.
    """
    if database.dialect.name != "sqlite":
        hint = f"pg_dump --format=custom --file={file.name} URL"
        raise Rejected("a PostgreSQL is copied by its own means", where="database", hint=hint, code="not_written")
    if file.exists():
        raise Rejected("it is there already", where=str(file), hint="name another", code="not_written")
    temporary = file.with_name(f".{file.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with report_errors(database):
            driver = database.raw_connection()
            try:
                driver.cursor().execute("VACUUM INTO ?", (str(temporary),))
            finally:
                driver.close()
        with temporary.open("rb") as copy:
            os.fsync(copy.fileno())
        temporary.replace(file)
    except OSError as error:
        raise Rejected(f"cannot be written: {error.strerror}", where=str(file), code="not_written") from None
    finally:
        temporary.unlink(missing_ok=True)
