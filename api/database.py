"""Opening the database: SQLite (one file, WAL) or PostgreSQL by URL, brought to the present shape by itself.

A write transaction is `writing(engine)`: writers wait for each other, on SQLite by BEGIN IMMEDIATE, on PostgreSQL by an
advisory lock, so that what one reads in it stays true until it commits. No wait is without end: a writer gives up after
`WAIT_SECONDS`, inside `patience` sooner. SQLite runs with synchronous=FULL: a commit has reached the disk when it returns,
for a decision must be durable before it is answered. A bulk load commits so seldom that NORMAL would not make it faster.
"""

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import SQLModel

from api import clock, database_errors, tables
from api.database_errors import Explanation
from engine.errors import Refused

WAIT_SECONDS: Final = 30  # how long a writer waits for another before it gives up
CONNECT_SECONDS: Final = 5
LOCK_SECONDS: Final = 10  # how long a reader on PostgreSQL waits for a table that is being rewritten
CONNECTIONS: Final = (
    48  # of one process at most: for each thread that may need one (api/lanes.py), and for the background
)
KEPT_OPEN: Final = 12  # of these, how many stay open when they are not needed
POOL_SECONDS: Final = 5.0  # how long a thread waits for one of them
HEALTH_SECONDS: Final = 2.0  # and whoever asks how the server is, for the one that is kept for that
# A migration's file begins with its revision: 0001_first.py.
REVISIONS: Final = sorted(p.name[:4] for p in (Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))
_LOCK: Final = 0x4966746168  # "Iftah": the advisory lock of all writers on PostgreSQL
_SQLITE_SETTINGS: Final = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "recursive_triggers = ON",  # INSERT OR REPLACE deletes a row: the append-only triggers must see it
    "cache_size = -65536",  # KiB a connection, at most: a load's index pages stay in memory
    "temp_store = MEMORY",
    "mmap_size = 1073741824",  # bytes of the file read in place: people's events are a page each, in no order
)
# Sorting in runs that fit the processor's cache, kept in a temporary file, takes half the time of one sort in memory.
_SORTING: Final = ("temp_store = FILE", "cache_size = -2000", "threads = 2")


def open_database(url: str) -> Engine:
    """An engine on the database at `url`, created and migrated if need be. Raises Refused, in one line, when it can't."""
    address = _address(url)
    engine = _created(address, pool_size=KEPT_OPEN, max_overflow=CONNECTIONS - KEPT_OPEN, pool_timeout=POOL_SECONDS)
    try:
        with reported(engine):
            _migrate(engine)
            build_person_indexes(engine)
    except BaseException as error:
        engine.dispose()
        if address.get_backend_name() != "sqlite" and getattr(error, "code", "") == database_errors.UNREACHABLE.code:
            raise _trouble(engine, _rejection(address)) from None
        raise
    return engine


def _created(address: URL, **pool: Any) -> Engine:
    engine = create_engine(address, **_options(address), **pool)
    if address.get_backend_name() == "sqlite":
        _prepare_sqlite(engine)
    else:
        _prepare_postgresql(engine)
    return engine


_WATCHING: Final = WeakKeyDictionary[Engine, Engine]()


def connection_of_health(engine: Engine) -> Engine:
    """The same database by a pool of its own with one connection, for whatever watches the server. Closed with `engine`."""
    known = _WATCHING.get(engine)
    if known is not None:
        return known
    own = _created(engine.url, pool_size=1, max_overflow=0, pool_timeout=HEALTH_SECONDS)
    event.listen(engine, "engine_disposed", lambda _: own.dispose())
    return _WATCHING.setdefault(engine, own)


def _rejection(address: URL) -> Explanation:
    """Why nobody is let in, for the person who starts a program: the library's error has no SQLSTATE."""
    url = address.set(drivername="postgresql").update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
    return database_errors.rejection(url.render_as_string(hide_password=False))


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise Refused("this is not a database URL", where="database", hint=_URL_HINT, code="database_url") from None
    backend = address.get_backend_name()
    if backend in ("postgres", "postgresql"):
        return address.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise Refused(f"unknown database scheme `{backend}`", where="database", hint=_URL_HINT, code="database_url")
    if address.database in (None, "", ":memory:"):
        raise Refused(
            "a database in memory is gone at once",
            where="database",
            hint="name a file: sqlite:///iftah.db",
            code="database_url",
        )
    return address.set(drivername="sqlite")


_URL_HINT: Final = "use sqlite:///iftah.db or postgresql://user@host:5432/name"


def _options(address: URL) -> dict[str, Any]:
    if address.get_backend_name() == "sqlite":
        # the connection used last has the pages of the file that are used most
        return {"connect_args": {"timeout": WAIT_SECONDS}, "pool_use_lifo": True}
    return {"connect_args": {"connect_timeout": CONNECT_SECONDS}, "pool_pre_ping": True}


def _prepare_sqlite(engine: Engine) -> None:
    """The driver's own transactions are switched off: it begins them late, so that two writers could read before either writes."""

    @event.listens_for(engine, "connect")
    def connect(driver: Any, _record: object) -> None:
        driver.isolation_level = None
        for setting in _SQLITE_SETTINGS:
            driver.execute(f"PRAGMA {setting}")
        _write_ahead(driver)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        if writes:
            driver: Any = connection.connection.dbapi_connection  # of one that is detached there is no other
            driver.execute(f"PRAGMA busy_timeout = {_wait_millis()}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgresql(engine: Engine) -> None:
    """Our many small queries by lists of keys look dear to its planner: compiling each would take a third of a second.

    Its clock is that of all servers over it.
    """

    @event.listens_for(engine, "connect")
    def connect(driver: Any, _record: object) -> None:
        driver.execute("SET jit = off")
        driver.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        clock.compare(driver.execute("SELECT clock_timestamp()").fetchone()[0])
        driver.commit()


def _write_ahead(driver: Any) -> None:
    """Switch to WAL once in the file's life. SQLite does not wait for others in this one change, so we do."""
    give_up = time.monotonic() + WAIT_SECONDS
    while driver.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            driver.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not database_errors.is_busy(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.02)


_GIVES_UP_AT: Final = ContextVar[float]("gives_up_at")  # of the clock `time.monotonic`


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """What writes inside waits for other writers for so many seconds at most, all in all."""
    token = _GIVES_UP_AT.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _GIVES_UP_AT.reset(token)


def _wait_millis() -> int:
    """How long the present writer may wait; never 0, which PostgreSQL takes for without end."""
    left = _GIVES_UP_AT.get(float("inf")) - time.monotonic()
    return round(max(0.001, min(WAIT_SECONDS, left)) * 1000)


@contextmanager
def writing(engine: Engine, *, locked: bool = True) -> Iterator[Connection]:
    """One write transaction, alone: committed at the end, rolled back on any exception. Raises Refused for trouble.

    Not `locked`: whoever writes fetches `alone` before anything else, which spares PostgreSQL a way there and back.
    """
    _still_there(engine)
    with reported(engine), engine.connect() as connection:
        writer = connection.execution_options(writes=True)
        with writer.begin():
            if locked and engine.dialect.name == "postgresql":
                writer.exec_driver_sql(_ALONE, (str(_wait_millis()),))
            yield writer


def _still_there(engine: Engine) -> None:
    """SQLite goes on writing to a file that was deleted, and what it writes is gone with the process."""
    path = str(engine.url.database).removeprefix("file:")  # it may be written as a URI, to open it read-only
    if engine.dialect.name == "sqlite" and not Path(path).exists():
        raise Refused("the file is gone", where=place(engine), hint="restore it and start again", code="database_gone")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One read transaction: everything read in it is of the same moment. Raises Refused for trouble."""
    level = "REPEATABLE READ" if engine.dialect.name == "postgresql" else None
    with reported(engine), engine.connect() as connection:
        reader = connection.execution_options(isolation_level=level) if level else connection
        with reader.begin():
            yield reader


# Whatever PostgreSQL thinks that it knows of tables which grow: each text is looked up by itself, and by one process.
_LOOKED_UP: Final = {
    **{f"enable_{way}": "off" for way in ("seqscan", "hashjoin", "mergejoin")},
    "max_parallel_workers_per_gather": "0",
    "plan_cache_mode": "force_generic_plan",
}
_LOOK_UP: Final = "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in _LOOKED_UP.items())
# Evaluated from left to right: the bound holds for the lock in the same statement.
_WAIT_AND_LOCK: Final = f"set_config('lock_timeout', %s, true), pg_advisory_xact_lock({_LOCK})"
_ALONE: Final = f"SELECT {_WAIT_AND_LOCK}"
_LOCK_AND_LOOK_UP: Final = f"{_LOOK_UP}, {_WAIT_AND_LOCK}"


@dataclass(frozen=True)
class Query:
    """A query in plain SQL: `:name` stands for a value, `{name}` for the members of a list of texts."""

    sql: str
    values: dict[str, Any] = field(default_factory=dict)


def fetched(connection: Connection, *queries: Query, alone: bool = False) -> list[list[tuple[Any, ...]]]:
    """The rows of each query; on PostgreSQL all of them by one way there and back. For where each microsecond counts.

    `alone`: while nobody else writes, until the transaction ends; on SQLite a write transaction is so from its beginning.
    """
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return [driver.execute(_worded("sqlite", q.sql), _bound(q.values)).fetchall() for q in queries]
    with driver.pipeline():
        if alone:
            driver.execute(_LOCK_AND_LOOK_UP, (str(_wait_millis()),))
        else:
            driver.execute(_LOOK_UP)
        cursors = [driver.cursor().execute(_worded("postgresql", q.sql), q.values or None) for q in queries]
        return [cursor.fetchall() for cursor in cursors]


def _bound(values: dict[str, Any]) -> dict[str, Any]:
    return {k: json.dumps(v) if isinstance(v, list) else v for k, v in values.items()}


def inserted(
    connection: Connection, rows: dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]], change: Query | None = None
) -> None:
    """Insert rows, by table and columns, and make one change, if any; on PostgreSQL all by one way there and back."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        for table, (columns, some) in rows.items():
            names, marks = _listed(columns), ", ".join("?" * len(columns))
            driver.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", some)
        if change is not None:
            driver.execute(_worded("sqlite", change.sql), _bound(change.values))
        return
    with driver.pipeline():
        for table, (columns, some) in rows.items():
            names, told = _listed(columns), json.dumps([dict(zip(columns, row, strict=True)) for row in some])
            made = f"INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{table}, %s)"
            driver.execute(made, (told,))
        if change is not None:
            driver.execute(_worded("postgresql", change.sql), change.values)


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


@lru_cache(256)
def _worded(dialect: str, sql: str) -> str:
    if dialect == "sqlite":
        return re.sub(r"IN \{(\w+)\}", r"IN (SELECT value FROM json_each(:\1))", sql)
    listed = re.sub(r"IN \{(\w+)\}", r"= ANY (%(\1)s::text[])", sql)
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", listed)


@contextmanager
def reported(engine: Engine) -> Iterator[None]:
    """A driver's error inside becomes Refused: one line, no password, no row's content."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        raise _trouble(engine, database_errors.explained(error)) from None
    except engine.dialect.loaded_dbapi.Error as error:
        raise _trouble(engine, database_errors.explained(error)) from None


def _trouble(engine: Engine, what: Explanation) -> Refused:
    return Refused(what.message, where=place(engine), hint=what.hint, code=what.code)


def busy(engine: Engine) -> Refused:
    """Raised when a write has waited for others for as long as it may."""
    return _trouble(engine, database_errors.BUSY)


def place(engine: Engine) -> str:
    """Where the database is, in words for a message: the file, or host, port and name. Never the user or password."""
    url = engine.url
    if engine.dialect.name == "sqlite":
        return str(url.database)
    return f"postgresql {url.host or 'local socket'}:{url.port or 5432}/{url.database or ''}"


def _migrate(engine: Engine) -> None:
    """Bring the database to the newest revision. Two that start at once: the second waits, then finds nothing to do."""
    with engine.connect() as connection:
        if _revision(engine, connection) == REVISIONS[-1]:
            return
    from api.migrations.run import upgrade  # seldom needed, and slow to import

    with writing(engine) as connection:
        if _revision(engine, connection) != REVISIONS[-1]:
            upgrade(connection)


def _revision(engine: Engine, connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if revision is not None and revision not in REVISIONS:
        message = f"the database has revision `{revision}`, and this program knows none after `{REVISIONS[-1]}`"
        raise Refused(message, where=place(engine), hint="update the program", code="database_newer")
    return revision


def person_indexes() -> list[Any]:
    """The two indexes that find one person's events. Those of few events stay where they are."""
    indexes = SQLModel.metadata.tables[tables.Event.__tablename__].indexes
    whole = (index for index in indexes if index.dialect_options["sqlite"]["where"] is None)
    return sorted(whole, key=lambda index: str(index.name))


def drop_person_indexes(engine: Engine) -> None:
    """Before a bulk load. Whoever reads one person meanwhile gets the same answer, slower."""
    with writing(engine) as connection:
        for index in person_indexes():
            index.drop(connection, checkfirst=True)


def build_person_indexes(engine: Engine) -> None:
    """Build those that are missing: at the end of a bulk load, or at the next opening if that was killed."""
    with reading(engine) as connection:
        have = {index["name"] for index in inspect(connection).get_indexes("events")}
    if have >= {index.name for index in person_indexes()}:
        return
    with _sorting(engine) if engine.dialect.name == "sqlite" else writing(engine) as connection:
        for index in person_indexes():
            index.create(connection, checkfirst=True)


@contextmanager
def _sorting(engine: Engine) -> Iterator[Connection]:
    """A write transaction on an SQLite connection with settings of its own, closed after it."""
    with reported(engine), engine.connect() as connection:
        connection.detach()
        for setting in _SORTING:
            connection.connection.cursor().execute(f"PRAGMA {setting}")
        writer = connection.execution_options(writes=True)
        with writer.begin():
            yield writer
