"""Back-up: a copy of an SQLite database of one moment, made while it is in use. PostgreSQL has its own means."""

import os
from pathlib import Path

from sqlalchemy import Engine

from api.database import reported
from engine.errors import Refused


def copied(engine: Engine, file: Path) -> None:
    """Copy the database to a file that is not there yet; readable by its owner alone. What was erased is not in the copy.

    Raises Refused for PostgreSQL, for a file that is there, and when it cannot be written: then there is no file.
    """
    if engine.dialect.name != "sqlite":
        hint = f"pg_dump --format=custom --file={file.name} URL"
        raise Refused("a PostgreSQL is copied by its own means", where="database", hint=hint, code="not_written")
    if file.exists():
        raise Refused("it is there already", where=str(file), hint="name another", code="not_written")
    made = file.with_name(f".{file.name}.new")
    made.unlink(missing_ok=True)
    try:
        os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with reported(engine):
            driver = engine.raw_connection()
            try:
                driver.cursor().execute("VACUUM INTO ?", (str(made),))
            finally:
                driver.close()
        with made.open("rb") as whole:
            os.fsync(whole.fileno())
        made.replace(file)
    except OSError as error:
        raise Refused(f"cannot be written: {error.strerror}", where=str(file), code="not_written") from None
    finally:
        made.unlink(missing_ok=True)
