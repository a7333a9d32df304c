"""Back-up: we copy an SQLite database as of one moment, while you use it. For PostgreSQL, use its own tools."""

import os
from pathlib import Path

from api.store.database import Database, report_errors
from engine.errors import Rejected


def copy_database(database: Database, file: Path) -> None:
    """Copy the database to a new file that only its owner can read. The copy has no remains of erased people.

    Raises Rejected for PostgreSQL, for an existing file, and if we cannot write; then we leave no file.
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
