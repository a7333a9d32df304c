"""Leadership: of all processes that serve one database, one at a time is elected by a lock.

The lock goes with the process that holds it, however that ends: on PostgreSQL it is an advisory lock of a session, on SQLite a lock on a
file beside the database. The leader saves the others work, no more: no law relies on there being one.
"""

import fcntl
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api.store import plain_sql
from api.store.database import Database, report_errors

FILE_SUFFIX: Final = "-leader"  # of the file that SQLite's processes lock, after the database's name


class Leadership:
    """The seat of the leader of one database. Use it from one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session: Connection | None = None
        self._file: IO[str] | None = None

    def hold(self) -> bool:
        """Whether this process leads: it takes the lock if nobody has it. Raises Rejected while the database does not answer."""
        return self._hold_file() if self._database.dialect.name == "sqlite" else self._hold_session()

    def release(self) -> None:
        """Give the lock up, if we have it."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
        session, self._session = self._session, None
        if session is not None:
            with suppress(SQLAlchemyError):
                session.close()

    def _hold_file(self) -> bool:
        if self._file is not None:
            return True
        path = str(self._database.url.database).removeprefix("file:").partition("?")[0]
        file = Path(f"{path}{FILE_SUFFIX}").open("a")  # noqa: SIM115 - it stays open as long as we lead
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def _hold_session(self) -> bool:
        """We keep the session only while it has the lock, and ask each time whether it still lives."""
        try:
            with report_errors(self._database):
                if self._session is not None:
                    self._session.exec_driver_sql(plain_sql.IS_ALIVE)
                    return True
                self._session = self._database.connect().execution_options(isolation_level="AUTOCOMMIT")
                self._session.detach()  # not the pool's any more: it lives as long as we lead
                leads = bool(self._session.exec_driver_sql(plain_sql.TRY_LEADERSHIP).scalar())
        except BaseException:
            self.release()
            raise
        if not leads:
            self.release()
        return leads
