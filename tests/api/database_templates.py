"""Databases that we fill once and lend to one test after the other. For SQLite we copy a file. For PostgreSQL we undo
the changes of a test, since each drop of a database makes the whole server write to its disk.
"""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import Engine

from api.store.database import open_database

Connection = psycopg.Connection[tuple[object, ...]]

_TERMINATE_OTHERS_SQL = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_SCHEMA_HASH_SQL = """
SELECT md5(string_agg(told, ' ' ORDER BY told)) FROM (
    SELECT concat(oid::regclass, relkind) AS told FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat(attrelid::regclass, attname, atttypid, attnotnull) FROM pg_attribute
        WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    UNION ALL SELECT concat(tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT concat(proname, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace) AS everything"""
_TABLES_SQL = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
_SEQUENCES_SQL = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"


def create_database(server: str, source: str = "template0") -> str:
    """The name of a new database, empty or a copy. Nobody cuts the server's power: a commit does not wait for the disk."""
    name = f"iftah_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {source}")
        admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    return name


def drop_database(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


_MIGRATED: dict[str, str] = {}  # server -> a database with our tables, which nobody fills


def create_migrated_database(server: str) -> str:
    """The name of a new database with our tables: a copy of one, which takes a tenth of the time of migrating it."""
    if server not in _MIGRATED:
        _MIGRATED[server] = create_database(server)
        open_database(url_of(server, _MIGRATED[server])).dispose()
    return create_database(server, _MIGRATED[server])


_DISCARDED: list[tuple[str, str]] = []
_DROPPED_AT_ONCE = 12


def discard_database(server: str, name: str) -> None:
    """Drop it later, with others at the same time: the server writes to its disk once for all of them."""
    _DISCARDED.append((server, name))
    if len(_DISCARDED) >= _DROPPED_AT_ONCE:
        drop_discarded()


def drop_discarded() -> None:
    """Drop all that were discarded."""
    with ThreadPoolExecutor(_DROPPED_AT_ONCE) as threads:
        list(threads.map(drop_database, *zip(*_DISCARDED, strict=True)))
    _DISCARDED.clear()


def drop_everything() -> None:
    """At the end of a session: what was discarded, and what others were copied from."""
    _DISCARDED.extend(_MIGRATED.items())
    _MIGRATED.clear()
    if _DISCARDED:
        drop_discarded()


def url_of(server: str, name: str) -> str:
    return server.rpartition("/")[0] + f"/{name}"


class Contents:
    """Every row of a PostgreSQL database, so that we can restore them after a test."""

    def __init__(self, url: str) -> None:
        with psycopg.connect(url) as connection:
            self.schema_hash = connection.execute(_SCHEMA_HASH_SQL).fetchone()
            self.tables = [str(name) for (name,) in connection.execute(_TABLES_SQL)]
            self.sequences = {
                str(name): connection.execute(
                    SQL("SELECT last_value, is_called FROM {}").format(Identifier(str(name)))
                ).fetchone()
                for (name,) in connection.execute(_SEQUENCES_SQL).fetchall()
            }
            self.last_seq = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
            self.checksums = self._checksums(connection)
            self.rows = {table: self._copy_table(connection, table) for table in self.tables}

    def restore(self, url: str) -> bool:
        """Whether we restored the database: no, if a test changed more than rows."""
        with psycopg.connect(url) as connection:
            connection.execute(_TERMINATE_OTHERS_SQL)
            if connection.execute(_SCHEMA_HASH_SQL).fetchone() != self.schema_hash:
                return False
            connection.execute("SET session_replication_role = replica")  # we may change append-only tables
            connection.execute("DELETE FROM events WHERE seq > %s", self.last_seq)  # many, of which a test adds few
            for table, checksum in self._checksums(connection).items():
                if checksum != self.checksums[table]:
                    self._restore_table(connection, table)
            for name, value in self.sequences.items():
                connection.execute("SELECT setval(%s::regclass, %s, %s)", (name, *(value or ())))
        return True

    def _checksums(self, connection: Connection) -> dict[str, tuple[object, ...]]:
        """For each table its number of rows and a checksum of them."""
        per_table = SQL("SELECT {}, count(*), sum(hashtextextended(t::text, 0)) FROM {} AS t")
        query = SQL(" UNION ALL ").join(per_table.format(table, Identifier(table)) for table in self.tables)
        return {str(table): tuple(checksum) for table, *checksum in connection.execute(query)}

    def _restore_table(self, connection: Connection, table: str) -> None:
        connection.execute(SQL("DELETE FROM {}").format(Identifier(table)))
        with connection.cursor().copy(SQL("COPY {} FROM STDIN").format(Identifier(table))) as copy:
            copy.write(self.rows[table])

    @staticmethod
    def _copy_table(connection: Connection, table: str) -> bytes:
        with connection.cursor().copy(SQL("COPY {} TO STDOUT").format(Identifier(table))) as copy:
            return b"".join(bytes(part) for part in copy)


class Template:
    """The content of a database: we fill it once on SQLite and once on PostgreSQL, when a test needs it."""

    def __init__(self, folder: Path, fill: Callable[[Engine], None] = lambda database: None) -> None:
        self.folder, self.fill = folder, fill
        self.server = ""
        self.contents: Contents | None = None
        self.databases: list[str] = []
        self.idle: list[str] = []

    @property
    def file(self) -> Path:
        """The file to copy. No test changes it."""
        path = self.folder / "template.db"
        if not path.exists():
            self._fill_database(f"sqlite:///{path}")
        return path

    @contextmanager
    def lend(self, server: str, folder: Path) -> Iterator[str]:
        """The URL of a copy for a test: on the server, or as a file in the folder if there is no server."""
        if not server:
            shutil.copy(self.file, folder / "iftah.db")
            yield f"sqlite:///{folder / 'iftah.db'}"
            return
        self.server = server
        name = self.idle.pop() if self.idle else self._create()
        yield url_of(server, name)
        if self.contents and self.contents.restore(url_of(server, name)):
            self.idle.append(name)

    def drop(self) -> None:
        for name in self.databases:
            discard_database(self.server, name)

    def _create(self) -> str:
        name = create_migrated_database(self.server)
        self.databases.append(name)
        url = url_of(self.server, name)
        if self.contents is None:
            self._fill_database(url)
            self.contents = Contents(url)
        else:
            self.contents.restore(url)
        return name

    def _fill_database(self, url: str) -> None:
        database = open_database(url)
        self.fill(database)
        database.dispose()
