"""Errors of database drivers: we classify them by number, for any message, on each database."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.store.database import open_database, reading, report_errors, writing
from api.store.database_errors import SQLITE_CODES, SQLSTATES
from engine.errors import Rejected

MISLEADING_WORDS = (
    "permission denied: disk is full, database is locked, column does not exist, cannot connect, append-only"
)
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# PostgreSQL's manual, appendix A -> our code
CODE_OF_SQLSTATE = {
    "08": ("08006", "database_unreachable"),
    "25006": ("25006", "database_read_only"),
    "28": ("28P01", "database_denied"),
    "3D000": ("3D000", "database_unreachable"),
    "40001": ("40001", "database_busy"),
    "40P01": ("40P01", "database_busy"),
    "42501": ("42501", "database_denied"),
    "53100": ("53100", "database_full"),
    "53300": ("53300", "database_busy"),
    "55P03": ("55P03", "database_busy"),
    "57014": ("57014", "database_busy"),
    "57P": ("57P03", "database_unreachable"),
    "58": ("58030", "database_broken"),
    "P0001": ("P0001", "append_only"),
    "XX001": ("XX001", "database_broken"),
    "XX002": ("XX002", "database_broken"),
}
# sqlite.org/rescode.html -> our code
CODE_OF_SQLITE = {
    3: "database_unopened",
    5: "database_busy",
    6: "database_busy",
    8: "database_read_only",
    10: "database_broken",
    11: "database_broken",
    13: "database_full",
    14: "database_unopened",
    15: "database_busy",
    26: "database_broken",
    1811: "append_only",
}


def test_this_module_tests_every_entry_of_the_tables() -> None:
    assert (set(CODE_OF_SQLSTATE), set(CODE_OF_SQLITE)) == (set(SQLSTATES), set(SQLITE_CODES))


def code_of(database: Engine, sql: str) -> str:
    with pytest.raises(Rejected) as error, writing(database) as connection:
        connection.exec_driver_sql(sql)
    message = str(error.value)
    assert "\n" not in message
    assert MISLEADING_WORDS not in message
    return error.value.code


@ON_POSTGRESQL
@pytest.mark.parametrize("entry", CODE_OF_SQLSTATE)
def test_a_sqlstate_gives_the_code_regardless_of_the_message(database: Engine, entry: str) -> None:
    state, code = CODE_OF_SQLSTATE[entry]
    raising = f"DO $$ BEGIN RAISE EXCEPTION '{MISLEADING_WORDS}' USING ERRCODE = '{state}'; END $$"
    assert code_of(database, raising) == code


@ON_POSTGRESQL
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nope FROM events",
        'SELECT "cannot connect" FROM events',
        "SELECT * FROM does_not_exist",
        "SELECT 'append-only'::int",
        f"DO $$ BEGIN RAISE EXCEPTION '{MISLEADING_WORDS}' USING ERRCODE = '22012'; END $$",
    ],
)
def test_an_error_in_no_table_is_a_database_failure(database: Engine, sql: str) -> None:
    assert code_of(database, sql) == "database_failed"


@ON_POSTGRESQL
def test_a_session_ended_by_the_server_counts_as_unreachable(database: Engine) -> None:
    assert code_of(database, "SELECT pg_terminate_backend(pg_backend_pid())") == "database_unreachable"


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (("/test", "/does_not_connect"), "database_unreachable", "no such database"),
        (("postgres@", "append-only@"), "database_denied", "refuses this user"),
    ],
)
def test_a_refused_login_is_reported_at_start(postgres: str, change: tuple[str, str], code: str, words: str) -> None:
    base, _, _ = postgres.rpartition("/")
    with pytest.raises(Rejected, match=words) as error:
        open_database(f"{base}/test".replace(*change))
    assert error.value.code == code


@ON_SQLITE
@pytest.mark.parametrize("number", CODE_OF_SQLITE)
@pytest.mark.parametrize("extended", [0, 0x300])
def test_a_sqlite_error_code_gives_the_code_regardless_of_the_message(
    database: Engine, number: int, extended: int
) -> None:
    error = sqlite3.OperationalError(MISLEADING_WORDS)
    error.sqlite_errorcode = number | (extended if number < 256 else 0)
    with pytest.raises(Rejected) as exc_info, report_errors(database):
        raise error
    assert exc_info.value.code == CODE_OF_SQLITE[number]


@ON_SQLITE
@pytest.mark.parametrize("sql", ["SELECT nope FROM events", 'SELECT * FROM "database is locked"', "INSERT INTO nope"])
def test_a_sqlite_error_without_an_entry_is_a_database_failure(database: Engine, sql: str) -> None:
    assert code_of(database, sql) == "database_failed"


def test_a_full_disk_and_a_damaged_file_have_different_codes(tmp_path: Path) -> None:
    path = tmp_path / "iftah.db"
    database = open_database(f"sqlite:///{path}")
    with database.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    assert code_of(database, "INSERT INTO releases VALUES (hex(zeroblob(100000)), '{}', 0)") == "database_full"
    with database.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xee" * (len(content) - 4096))
    with pytest.raises(Rejected) as error, report_errors(database), reading(database) as connection:
        connection.exec_driver_sql("SELECT * FROM events").all()
    assert error.value.code == "database_broken"
    database.dispose()
