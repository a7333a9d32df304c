"""The database: SQLite (one file, WAL) or PostgreSQL, by URL. We migrate it when we open it.

Write in a transaction of `writing(database)`: writers wait for each other, on SQLite by BEGIN IMMEDIATE, on PostgreSQL by an
advisory lock, so that the rows you read in it do not change until it commits. No wait is without end: a writer gives up after
`WAIT_SECONDS`, inside `patience` sooner. SQLite runs with synchronous=FULL: a commit has reached the disk when it returns,
for a decision must be durable before it is answered. A bulk load commits so seldom that NORMAL would not make it faster.
"""

import json
import select as select_module
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import orjson
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    String,
    Table,
    column,
    create_engine,
    event,
    inspect,
    make_url,
    select,
    table,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import SQLModel

from api.store import clock, database_errors, plain_sql, tables
from api.store.database_errors import Explanation
from api.store.statements import Query, compiled, insertion
from engine.errors import Rejected

Database = Engine  # SQLAlchemy's name for it would be mistaken for our package `engine`

WAIT_SECONDS: Final = 30  # how long a writer waits for another before it gives up
CONNECT_SECONDS: Final = 5
MAX_CONNECTIONS: Final = (
    50  # of one process at most: for each thread that may need one (api/http/lanes.py), and for the background
)
POOL_SIZE: Final = 12  # of these, how many stay open when they are not needed
PING_SECONDS: Final = 1.0  # without use, after which we ask a connection to PostgreSQL whether it lives
POOL_TIMEOUT_SECONDS: Final = 5.0  # how long a thread waits for one of them
HEALTH_TIMEOUT_SECONDS: Final = 2.0  # and a health check, for its own connection
# A migration's file begins with its revision: 0001_first.py.
REVISIONS: Final = sorted(p.name[:4] for p in (Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))


def open_database(url: str) -> Database:
    """Open the database at `url`. We create and migrate it if needed. Raises Rejected, in one line, on failure."""
    address = _address(url)
    database = _create(
        address, pool_size=POOL_SIZE, max_overflow=MAX_CONNECTIONS - POOL_SIZE, pool_timeout=POOL_TIMEOUT_SECONDS
    )
    try:
        with report_errors(database):
            _migrate(database)
            build_person_indexes(database)
    except BaseException as error:
        database.dispose()
        if address.get_backend_name() != "sqlite" and getattr(error, "code", "") == database_errors.UNREACHABLE.code:
            raise _error_of(database, _rejection(address)) from None
        raise
    return database


def _create(address: URL, **pool: Any) -> Database:
    database = create_engine(address, **_options(address), **pool)
    if address.get_backend_name() == "sqlite":
        _prepare_sqlite(database)
    else:
        _prepare_postgresql(database)
    return database


_HEALTH_DATABASES: Final = WeakKeyDictionary[Database, Database]()


def health_database(database: Database) -> Database:
    """The same database with a pool of one connection, for health checks. Closed with `database`."""
    cached = _HEALTH_DATABASES.get(database)
    if cached is not None:
        return cached
    health = _create(database.url, pool_size=1, max_overflow=0, pool_timeout=HEALTH_TIMEOUT_SECONDS)
    event.listen(database, "engine_disposed", lambda _: health.dispose())
    return _HEALTH_DATABASES.setdefault(database, health)


def _rejection(address: URL) -> Explanation:
    """The reason why the server rejects us, for the operator: the library's error has no SQLSTATE."""
    url = address.set(drivername="postgresql").update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
    return database_errors.rejection(url.render_as_string(hide_password=False))


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise Rejected("this is not a database URL", where="database", hint=_URL_HINT, code="database_url") from None
    backend = address.get_backend_name()
    if backend in ("postgres", "postgresql"):
        return address.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise Rejected(f"unknown database scheme `{backend}`", where="database", hint=_URL_HINT, code="database_url")
    if address.database in (None, "", ":memory:"):
        raise Rejected(
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
    return {"connect_args": {"connect_timeout": CONNECT_SECONDS}, "pool_use_lifo": True}


def _prepare_sqlite(database: Database) -> None:
    """We switch the driver's own transactions off: it begins them late, so that two writers could read before either writes."""

    @event.listens_for(database, "connect")
    def connect(driver: Any, _record: object) -> None:
        driver.isolation_level = None
        for setting in plain_sql.SQLITE_SETTINGS:
            driver.execute(setting)
        _write_ahead(driver)

    @event.listens_for(database, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        if writes:
            driver: Any = connection.connection.dbapi_connection  # of one that is detached there is no other
            driver.execute(plain_sql.busy_timeout(_wait_millis()))
        connection.exec_driver_sql(plain_sql.BEGIN_WRITE if writes else plain_sql.BEGIN)


def _prepare_postgresql(database: Database) -> None:
    """We switch JIT off: the planner overrates our small queries by lists of keys, and compiling one takes a third of a second.

    The database's clock is the reference for all servers that use it.
    """

    @event.listens_for(database, "connect")
    def connect(driver: Any, _record: object) -> None:
        for setting in plain_sql.POSTGRESQL_SETTINGS:
            driver.execute(setting)
        clock.compare(driver.execute(plain_sql.POSTGRESQL_CLOCK).fetchone()[0])
        driver.commit()

    @event.listens_for(database, "checkin")
    def checkin(_driver: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(database, "checkout")
    def checkout(driver: Any, record: Any, _proxy: object) -> None:
        if not _seems_alive(driver, record.info.get("used_at")):
            try:
                database.dialect.do_ping(driver)
            except database.dialect.loaded_dbapi.Error:
                raise InvalidatePoolError from None  # the server was restarted: all its connections are as old


def _seems_alive(driver: Any, used_at: float | None) -> bool:
    """Whether a connection needs no ping, which takes a round trip: it was in use a moment ago, and the server has said nothing since.

    A server that ends says so, or closes the line.
    """
    if used_at is None:
        return True  # it is new
    if driver.closed or time.monotonic() - used_at > PING_SECONDS:
        return False
    poll = select_module.poll()
    poll.register(driver.fileno(), select_module.POLLIN)
    return not poll.poll(0)


def _write_ahead(driver: Any) -> None:
    """Switch to WAL once in the file's life. SQLite does not wait for others in this one change, so we do."""
    deadline = time.monotonic() + WAIT_SECONDS
    while driver.execute(plain_sql.JOURNAL_MODE).fetchone() != ("wal",):
        try:
            driver.execute(plain_sql.WRITE_AHEAD)
        except sqlite3.OperationalError as error:
            if not database_errors.is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


_DEADLINE: Final = ContextVar[float]("gives_up_at")  # of the clock `time.monotonic`


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Limit how long all writes inside wait for other writers: so many seconds in total."""
    token = _DEADLINE.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def _wait_millis() -> int:
    """The milliseconds that the present writer may wait; never 0, which PostgreSQL takes as no limit."""
    remaining = _DEADLINE.get(float("inf")) - time.monotonic()
    return round(max(0.001, min(WAIT_SECONDS, remaining)) * 1000)


@contextmanager
def writing(database: Database, *, locked: bool = True) -> Iterator[Connection]:
    """One write transaction, alone: committed at the end, rolled back on any exception. Raises Rejected for a driver's error.

    Not `locked`: you must first call `fetch_rows(exclusive=True)`, which saves PostgreSQL a round trip.
    """
    _require_file(database)
    with report_errors(database), database.connect() as connection:
        writer = connection.execution_options(writes=True)
        with writer.begin():
            if locked and database.dialect.name == "postgresql":
                writer.exec_driver_sql(plain_sql.LOCK_WRITERS, (str(_wait_millis()),))
            yield writer


def _require_file(database: Database) -> None:
    """Raise Rejected when the file was deleted: SQLite would go on writing to it, and lose everything with the process."""
    path = str(database.url.database).removeprefix("file:")  # it may be written as a URI, to open it read-only
    if database.dialect.name == "sqlite" and not Path(path).exists():
        raise Rejected(
            "the file is gone", where=location(database), hint="restore it and start again", code="database_gone"
        )


@contextmanager
def reading(database: Database) -> Iterator[Connection]:
    """One read transaction: you see the database as of one moment. Raises Rejected for a driver's error."""
    level = "REPEATABLE READ" if database.dialect.name == "postgresql" else None
    with report_errors(database), database.connect() as connection:
        reader = connection.execution_options(isolation_level=level) if level else connection
        with reader.begin():
            yield reader


def fetch_rows(connection: Connection, *queries: Query, exclusive: bool = False) -> list[list[tuple[Any, ...]]]:
    """The rows of each query. We bypass SQLAlchemy's execution and, on PostgreSQL, send all queries in one round trip.

    `exclusive`: no other transaction writes until this one ends. On SQLite a write transaction is exclusive from its beginning.
    """
    driver: Any = connection.connection.driver_connection
    dialect = connection.dialect.name
    statements = [(compiled(query.statement, dialect), query.values) for query in queries]
    if dialect == "sqlite":
        return [driver.execute(statement.sql, statement.bind(values)).fetchall() for statement, values in statements]
    with driver.pipeline():
        if exclusive:
            driver.execute(plain_sql.LOCK_AND_SET_LOOKUP, (str(_wait_millis()),))
        else:
            driver.execute(plain_sql.SET_LOOKUP)
        cursors = [driver.cursor().execute(statement.sql, statement.bind(values)) for statement, values in statements]
        return [cursor.fetchall() for cursor in cursors]


def insert_rows(
    connection: Connection, rows: Mapping[Table, Sequence[Mapping[str, Any]]], changes: Sequence[Query] = ()
) -> None:
    """Insert rows by table, then make the changes; on PostgreSQL in one round trip. Rows of a table have the same keys."""
    driver: Any = connection.connection.driver_connection
    dialect = connection.dialect.name
    insertions = [(insertion(table, tuple(part[0]), dialect), part) for table, part in rows.items() if part]
    if dialect == "sqlite":
        for sql, part in insertions:
            driver.executemany(sql, part)
    with nullcontext() if dialect == "sqlite" else driver.pipeline():
        for sql, part in insertions if dialect == "postgresql" else ():
            driver.execute(sql, {"rows": _json_rows(part)})
        for change in changes:
            statement = compiled(change.statement, dialect)
            driver.execute(statement.sql, statement.bind(change.values))


def _json_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    try:
        return orjson.dumps(rows).decode()
    except orjson.JSONEncodeError:  # such as a lone surrogate, which the database rejects in its own words
        return json.dumps(rows)


@contextmanager
def report_errors(database: Database) -> Iterator[None]:
    """A driver's error inside becomes Rejected: one line, no password, no row's content."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        raise _error_of(database, database_errors.explain(error)) from None
    except database.dialect.loaded_dbapi.Error as error:
        raise _error_of(database, database_errors.explain(error)) from None


def _error_of(database: Database, explanation: Explanation) -> Rejected:
    return Rejected(explanation.message, where=location(database), hint=explanation.hint, code=explanation.code)


def busy_error(database: Database) -> Rejected:
    """Raised when a write has waited for others for as long as it may."""
    return _error_of(database, database_errors.BUSY)


def location(database: Database) -> str:
    """Where the database is, in words for a message: the file, or host, port and name. Never the user or password."""
    url = database.url
    if database.dialect.name == "sqlite":
        return str(url.database)
    return f"postgresql {url.host or 'local socket'}:{url.port or 5432}/{url.database or ''}"


def _migrate(database: Database) -> None:
    """Bring the database to the newest revision. Two that start at once: the second waits, then finds nothing to do."""
    with database.connect() as connection:
        if _revision(database, connection) == REVISIONS[-1]:
            return
    from api.store.migrations.run import upgrade  # seldom needed, and slow to import

    with writing(database) as connection:
        if _revision(database, connection) != REVISIONS[-1]:
            upgrade(connection)


_ALEMBIC_VERSION: Final = table("alembic_version", column("version_num", String))


def _revision(database: Database, connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(select(_ALEMBIC_VERSION.c.version_num)).scalar()
    if revision is not None and revision not in REVISIONS:
        message = f"the database has revision `{revision}`, and this program knows none after `{REVISIONS[-1]}`"
        raise Rejected(message, where=location(database), hint="update the program", code="database_newer")
    return revision


def person_indexes() -> list[Any]:
    """The two indexes that find one person's events. Those of few events stay where they are."""
    indexes = SQLModel.metadata.tables[tables.EventRow.__tablename__].indexes
    full = (index for index in indexes if index.dialect_options["sqlite"]["where"] is None)
    return sorted(full, key=lambda index: str(index.name))


def drop_person_indexes(database: Database) -> None:
    """Drop them before a bulk load. Meanwhile you read a person's events more slowly."""
    with writing(database) as connection:
        for index in person_indexes():
            index.drop(connection, checkfirst=True)


def build_person_indexes(database: Database) -> None:
    """Build those that are missing: at the end of a bulk load, or at the next opening if that was killed."""
    with reading(database) as connection:
        existing = {index["name"] for index in inspect(connection).get_indexes("events")}
    if existing >= {index.name for index in person_indexes()}:
        return
    with _sort_transaction(database) if database.dialect.name == "sqlite" else writing(database) as connection:
        for index in person_indexes():
            index.create(connection, checkfirst=True)


@contextmanager
def _sort_transaction(database: Database) -> Iterator[Connection]:
    """A write transaction on an SQLite connection with settings of its own, closed after it."""
    with report_errors(database), database.connect() as connection:
        connection.detach()
        for setting in plain_sql.SQLITE_SORT_SETTINGS:
            connection.connection.cursor().execute(setting)
        writer = connection.execution_options(writes=True)
        with writer.begin():
            yield writer
