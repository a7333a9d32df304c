"""SQL as text: the statements that SQLAlchemy Core cannot build.

- Settings of a session or of a transaction, and PostgreSQL's advisory lock.
- COPY, PostgreSQL's bulk transfer.
- SQLite's insertion of many rows by one statement, in which each value that all rows share is bound once.

We build every other statement with Core (`api.store.statements`). The exceptions are migrations and VACUUM.
"""

from collections.abc import Collection
from typing import Final

LOCK_SECONDS: Final = 10  # how long a reader on PostgreSQL waits for a table that is being rewritten
_LOCK: Final = 0x4966746168  # "Iftah": the advisory lock of all writers on PostgreSQL
_LEADERSHIP: Final = 0x4966746169  # the advisory lock of the process that does the background work
SQLITE_SETTINGS: Final = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",  # INSERT OR REPLACE deletes a row: the append-only triggers must see it
    "PRAGMA cache_size = -65536",  # KiB a connection, at most: a load's index pages stay in memory
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 1073741824",  # bytes of the file read in place: a person's events lie on many pages, in no order
)
# Sorting in runs that fit the processor's cache, kept in a temporary file, takes half the time of one sort in memory.
SQLITE_SORT_SETTINGS: Final = ("PRAGMA temp_store = FILE", "PRAGMA cache_size = -2000", "PRAGMA threads = 2")
JOURNAL_MODE: Final = "PRAGMA journal_mode"
WRITE_AHEAD: Final = "PRAGMA journal_mode = WAL"
BEGIN: Final = "BEGIN"
BEGIN_WRITE: Final = "BEGIN IMMEDIATE"

POSTGRESQL_SETTINGS: Final = ("SET jit = off", f"SET lock_timeout = '{LOCK_SECONDS}s'")
POSTGRESQL_CLOCK: Final = "SELECT clock_timestamp()"
# We force an index look-up per key: on fast-growing tables the planner's stale statistics choose hash joins or parallel scans.
_LOOKUP_SETTINGS: Final = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "max_parallel_workers_per_gather": "0",
    "plan_cache_mode": "force_generic_plan",
}
SET_LOOKUP: Final = "SELECT " + ", ".join(
    f"set_config('{name}', '{value}', true)" for name, value in _LOOKUP_SETTINGS.items()
)
# Evaluated from left to right: the bound on the wait, in milliseconds, holds for the lock in the same statement.
_WAIT_AND_LOCK: Final = f"set_config('lock_timeout', %s, true), pg_advisory_xact_lock({_LOCK})"
LOCK_WRITERS: Final = f"SELECT {_WAIT_AND_LOCK}"
LOCK_AND_SET_LOOKUP: Final = f"{SET_LOOKUP}, {_WAIT_AND_LOCK}"
TRY_LEADERSHIP: Final = f"SELECT pg_try_advisory_lock({_LEADERSHIP})"
IS_ALIVE: Final = "SELECT 1"
DATA_VERSION: Final = "PRAGMA data_version"  # another one after each commit of another connection


def busy_timeout(millis: int) -> str:
    """How long an SQLite connection waits for a writer."""
    return f"PRAGMA busy_timeout = {millis}"


def copy_out(query: str) -> str:
    """The rows of a query as CSV, on PostgreSQL. Null is an empty field without quotes."""
    return f"COPY ({query}) TO STDOUT (FORMAT csv)"


def copy_in(table: str, columns: Collection[str]) -> str:
    """Rows from CSV into a table, on PostgreSQL."""
    return f"COPY {table} ({_quoted(columns)}) FROM STDIN (FORMAT csv)"


def create_batch(columns: Collection[str]) -> str:
    """An empty table `batch` for these columns of events, and `row`; PostgreSQL drops it at the end of the transaction."""
    query = f"SELECT 0::bigint AS row, {_quoted(columns)} FROM events LIMIT 0"
    return f"DROP TABLE IF EXISTS pg_temp.batch; CREATE TEMP TABLE batch ON COMMIT DROP AS {query}"


def insert_events(varying: Collection[str], constant: Collection[str], rows: int) -> str:
    """Insert so many events on SQLite, and skip those whose key exists. Parameters: the varying columns row by row, then the
    constant ones. Constant are, most often, contributor, kind and currency.

    Placeholders are plain: Python 3.12 and later look each numbered one up by name, in a time that grows with their number.
    """
    row = f"({', '.join('?' * len(varying))})"
    source = f"(VALUES {', '.join([row] * rows)}) AS v CROSS JOIN (SELECT {', '.join('?' * len(constant))}) AS k"
    columns = _quoted([*varying, *constant])
    return f"INSERT INTO events ({columns}) SELECT v.*, k.* FROM {source} WHERE true ON CONFLICT DO NOTHING"


def _quoted(columns: Collection[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
