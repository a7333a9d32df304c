"""Database errors: we turn a driver's report into one line that names the problem and the remedy.

We recognize an error by its number: the SQLSTATE on PostgreSQL, the error code on SQLite. We never read its message:
that is in the server's language, and may contain any column name.
"""

import os
import re
import select
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import pq
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


@dataclass(frozen=True)
class Explanation:
    """Our code, its meaning, and the remedy."""

    code: str
    message: str
    hint: str


BUSY: Final = Explanation("database_busy", "others have been writing for too long", "try again when they are done")
FULL: Final = Explanation("database_full", "the disk is full", "free some space and run it again")
READ_ONLY: Final = Explanation("database_read_only", "the database is read-only", "connect to the primary server")
ACCESS_DENIED: Final = Explanation(
    "database_denied", "the database refuses this user", "check the user and password in the URL"
)
FORBIDDEN: Final = Explanation(
    "database_denied", "this user may not do that in the database", "grant it, or use another user"
)
UNREACHABLE: Final = Explanation(
    "database_unreachable", "the database does not answer", "check that it runs and the URL is right"
)
NO_SUCH_DATABASE: Final = Explanation(
    "database_unreachable", "there is no such database on the server", "create it, or check the URL"
)
TOO_MANY_CONNECTIONS: Final = Explanation(
    "database_busy", "the database has no connection left", "raise max_connections, or serve by fewer processes"
)
APPEND_ONLY: Final = Explanation("append_only", "what was recorded is not changed or deleted", "append a correction")
DISK: Final = Explanation("database_broken", "the disk cannot be read or written", "check the disk")
DAMAGED: Final = Explanation("database_broken", "the database is damaged", "restore it from a backup")
NOT_A_DATABASE: Final = Explanation("database_broken", "the file is not a database of this program", "check the path")
CANNOT_OPEN: Final = Explanation(
    "database_unopened", "the database cannot be opened", "check that the folder exists and may be written"
)
READ_ONLY_FILE: Final = Explanation(
    "database_read_only", "the database is read-only", "give write permission on the file and its folder"
)

# PostgreSQL, appendix A: a SQLSTATE, or the class that it begins with. We take the longest match.
SQLSTATES: Final = {
    "08": UNREACHABLE,  # connection exception
    "25006": READ_ONLY,  # read_only_sql_transaction
    "28": ACCESS_DENIED,  # invalid_authorization_specification, invalid_password
    "3D000": NO_SUCH_DATABASE,  # invalid_catalog_name
    "40001": BUSY,  # serialization_failure
    "40P01": BUSY,  # deadlock_detected
    "42501": FORBIDDEN,  # insufficient_privilege
    "53100": FULL,  # disk_full
    "53300": TOO_MANY_CONNECTIONS,  # too_many_connections
    "55P03": BUSY,  # lock_not_available: lock_timeout
    "57014": BUSY,  # query_canceled: statement_timeout
    "57P": UNREACHABLE,  # admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout
    "58": DISK,  # io_error, undefined_file
    "P0001": APPEND_ONLY,  # raise_exception: only our triggers raise
    "XX001": DAMAGED,  # data_corrupted
    "XX002": DAMAGED,  # index_corrupted
}
# SQLite, by extended or by primary result code. We try the extended one first.
SQLITE_CODES: Final = {
    sqlite3.SQLITE_PERM: CANNOT_OPEN,
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_READONLY: READ_ONLY_FILE,
    sqlite3.SQLITE_IOERR: DISK,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_CANTOPEN: CANNOT_OPEN,
    sqlite3.SQLITE_PROTOCOL: BUSY,
    sqlite3.SQLITE_NOTADB: NOT_A_DATABASE,
    sqlite3.SQLITE_CONSTRAINT_TRIGGER: APPEND_ONLY,
}
_STATE: Final = re.compile(rb'\tErrorResponse\t.*? C "([0-9A-Z]{5})"')
_CONNECT_SECONDS: Final = 5


def explain(error: BaseException) -> Explanation:
    """The explanation of an error of SQLAlchemy or of a driver."""
    if isinstance(error, PoolTimeoutError):
        return BUSY
    cause = getattr(error, "orig", None) or error
    explanation: Explanation | None = None
    if isinstance(cause, psycopg.Error):
        explanation = _of_postgresql(cause, lost=bool(getattr(error, "connection_invalidated", False)))
    elif isinstance(cause, sqlite3.Error):
        explanation = _of_sqlite(cause)
    kind = type(cause).__name__.lower()
    return explanation or Explanation("database_failed", f"the database failed ({kind})", "see its log")


def is_busy(error: sqlite3.Error) -> bool:
    """Whether SQLite reports that another connection holds a lock."""
    return _of_sqlite(error) is BUSY


def of_state(state: str) -> Explanation | None:
    """The explanation of a SQLSTATE; None for one that is not in our table."""
    prefixes = (state[:length] for length in (5, 3, 2))
    return next((SQLSTATES[prefix] for prefix in prefixes if prefix in SQLSTATES), None)


def _of_postgresql(error: psycopg.Error, *, lost: bool) -> Explanation | None:
    """An error without a SQLSTATE comes from the library, which has no connection, and not from the server."""
    if error.sqlstate is None:
        unreachable = lost or (isinstance(error, psycopg.OperationalError) and not isinstance(error, _FOLLOW_UP_ERRORS))
        return UNREACHABLE if unreachable else None
    return of_state(error.sqlstate)


_FOLLOW_UP_ERRORS: Final = (psycopg.errors.PipelineAborted,)  # follows an error that the server reported separately


def _of_sqlite(error: sqlite3.Error) -> Explanation | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    return SQLITE_CODES.get(code) or SQLITE_CODES.get(code & 0xFF)


def rejection(conninfo: str) -> Explanation:
    """The reason why a PostgreSQL server rejects us: we connect once more and read the SQLSTATE off the wire.

    libpq does not expose the SQLSTATE of a rejected connection. It is in the trace of the messages, which we read
    through a pipe, so it reaches no disk.
    """
    reader, writer = os.pipe()
    try:
        os.set_blocking(reader, False)
        _trace_connection(conninfo, writer)
        match = _STATE.search(os.read(reader, 65_536))
    except (OSError, psycopg.Error):  # we received nothing, or this libpq does not trace
        return UNREACHABLE
    finally:
        os.close(reader)
        os.close(writer)
    return (of_state(match[1].decode()) if match else None) or UNREACHABLE


def _trace_connection(conninfo: str, writer: int) -> None:
    connection: Any = pq.PGconn.connect_start(conninfo.encode())
    try:
        connection.trace(writer)
        while connection.status != pq.ConnStatus.BAD:
            step = connection.connect_poll()
            if step not in (pq.PollingStatus.READING, pq.PollingStatus.WRITING):
                break
            ready = [connection.socket]
            readers, writers = (ready, []) if step == pq.PollingStatus.READING else ([], ready)
            if not any(select.select(readers, writers, [], _CONNECT_SECONDS)):
                break
        connection.untrace()
    finally:
        connection.finish()
