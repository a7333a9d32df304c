"""Watermarks: how far the database has come, read once in each interval for all background jobs of a process.

A job looks for work only if a mark moved since it last looked, or if the time that a mark names has come. While we do not know the marks,
because the database does not answer, each job looks for itself as often as it may, and reports what it meets.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, exists, func, select
from sqlalchemy.exc import SQLAlchemyError

from api.jobs.periodic import background_thread
from api.releases.release_log import HEAD
from api.runtime.context import AppContext
from api.store import plain_sql
from api.store.database import Database
from api.store.statements import compiled, is_one_of
from api.store.tables import BUILDS, DEFERRED_REFRESHES, EXTENT, MESSAGES, ORDERS, SCHEDULED_EVENTS

INTERVAL_SECONDS: Final = 0.1
MOVED_BY_CLOCK: Final = ("created", "due")  # the states of such orders
_BUILD: Final = select(func.max(BUILDS.c.id)).scalar_subquery()


class Watermarks(NamedTuple):
    """How far the database has come. Times in microseconds since 1970."""

    events: int | None  # events in the ledger
    build: int | None  # the newest
    deferred: bool  # whether people of the build wait for their refresh
    scheduled_at: int | None  # when the next scheduled event takes effect
    message_at: int | None  # when the next message is to be sent
    orders: bool  # whether any order may move by the clock
    release_log: str | None  # the newest entry


GetMarks = Callable[[], Watermarks | None]


def unknown() -> Watermarks | None:
    """The marks of a process that does not watch them."""
    return None


def _columns() -> tuple[ColumnElement[Any], ...]:
    scheduled, deferred = SCHEDULED_EVENTS.c, DEFERRED_REFRESHES.c
    return (
        select(EXTENT.c.events).limit(1).scalar_subquery(),
        _BUILD,
        exists().where(deferred.build == _BUILD),
        select(func.min(scheduled.at)).where(scheduled.build == _BUILD).scalar_subquery(),
        select(func.min(MESSAGES.c.next_at)).where(MESSAGES.c.state == "waiting").scalar_subquery(),
        exists().where(is_one_of(ORDERS.c.state, MOVED_BY_CLOCK)),
        HEAD.scalar_subquery(),
    )


_MARKS: Final = select(*_columns())


@contextmanager
def watching(context: Callable[[], AppContext], interval: float = INTERVAL_SECONDS) -> Iterator[GetMarks]:
    """Read the marks every `interval` seconds as long as the server runs. We return what gives the newest, without a query."""
    reader = _WatermarkReader(context().database)

    def work(stop: Event) -> None:
        while not stop.wait(interval):
            reader.look()
        reader.close()

    with background_thread("watermarks", work):
        yield lambda: reader.marks


class _WatermarkReader:
    """The marks, and a connection outside the pool that reads them."""

    def __init__(self, database: Database) -> None:
        self.marks: Watermarks | None = None
        self._database = database
        self._connection: Connection | None = None
        self._statement = compiled(_MARKS, database.dialect.name)
        self._version: object = None  # of an SQLite file when we last read the marks

    def look(self) -> None:
        """Read the marks, if anything was committed. After a failure we do not know them."""
        try:
            self.marks = self._read()
        except (SQLAlchemyError, self._database.dialect.loaded_dbapi.Error):
            self.marks = None
            self.close()

    def _read(self) -> Watermarks | None:
        if self._connection is None:
            self._connection = self._database.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._connection.detach()
        driver: Any = self._connection.connection.dbapi_connection  # there is no other of one that is detached
        if self._database.dialect.name == "sqlite":
            version = driver.execute(plain_sql.DATA_VERSION).fetchone()
            if version == self._version:
                return self.marks
            self._version = version  # before we read: what is committed meanwhile has another version
        row = driver.execute(self._statement.sql, self._statement.bind({})).fetchone()
        return Watermarks(row[0], row[1], bool(row[2]), row[3], row[4], bool(row[5]), row[6])

    def close(self) -> None:
        """Close the connection; the next look opens another."""
        connection, self._connection, self._version = self._connection, None, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()
