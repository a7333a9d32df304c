"""Open, migrate and reject databases: SQLite and PostgreSQL behave the same."""

import os
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect
from sqlmodel import Session, SQLModel, select

from api.store import tables
from api.store.database import REVISIONS, drop_person_indexes, open_database, reading, writing
from api.store.migrations.run import alembic_config
from engine.errors import Rejected
from graph.evidence.events import SCHEMA
from tests.api import fork_server

# It orders by another collation than the column's, and only PostgreSQL has it: the tables in the code cannot say so.
POSTGRESQL_INDEX = "people_by_id"


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")  # SQLite's
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_a_new_database_has_exactly_the_tables_in_the_code(database: Engine) -> None:
    options = {
        "compare_type": True,
        "compare_server_default": False,
        "include_name": lambda name, kind, _: kind != "index" or name != POSTGRESQL_INDEX,
    }
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, SQLModel.metadata) == []


def test_the_events_table_has_the_columns_of_the_events_schema() -> None:
    assert [c.name for c in SQLModel.metadata.tables["events"].columns] == ["seq", *SCHEMA]


def test_reopening_a_database_keeps_its_rows(bare_url: str) -> None:
    for names in ([], ["first"]):
        database = open_database(bare_url)
        with Session(database) as session:
            assert [release.id for release in session.exec(select(tables.ReleaseRow))] == names
            session.add(tables.ReleaseRow(id=f"{'first' if not names else 'second'}", files="{}", loaded_at=0))
            session.commit()
        database.dispose()


def test_an_older_database_is_migrated_automatically(bare_url: str) -> None:
    database = open_database(bare_url)
    with writing(database) as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
        for table in reversed(SQLModel.metadata.sorted_tables):
            table.drop(connection)
        if database.dialect.name == "postgresql":
            for table in ("events", "decisions", "decision_subjects"):
                connection.exec_driver_sql(f"DROP FUNCTION {table}_refuse_change")
            for table in ("events", "decision_subjects"):
                connection.exec_driver_sql(f"DROP FUNCTION {table}_refuse_delete")
    database.dispose()
    second = open_database(bare_url)
    assert set(inspect(second).get_table_names()) == {*SQLModel.metadata.tables, "alembic_version"}
    second.dispose()


def test_a_database_newer_than_the_program_is_refused_in_one_line(bare_url: str) -> None:
    database = open_database(bare_url)
    with writing(database) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.dispose()
    with pytest.raises(Rejected, match=r"revision `9999`.*update the program") as error:
        open_database(bare_url)
    assert error.value.code == "database_newer"
    assert "\n" not in str(error.value)


def open_and_close(url: str) -> None:
    open_database(url).dispose()


def test_processes_that_open_a_new_database_at_once_do_not_collide(bare_url: str, tmp_path: Path) -> None:
    logs = [tmp_path / f"log-{number}" for number in range(3)]
    processes = [fork_server.Process(log, os.environ, open_and_close, bare_url) for log in logs]
    statuses = [process.wait(60) for process in processes]
    assert statuses == [0] * 3, [process.output() for process in processes]
    for process in processes:
        process.kill()
    database = open_database(bare_url)
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM extent").scalar() == 1
    database.dispose()


def test_migrations_write_nothing_on_the_terminal(bare_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    open_database(bare_url).dispose()
    assert capfd.readouterr() == ("", "")


def test_migrations_form_one_line_and_their_files_are_numbered(database: Engine) -> None:
    with database.connect() as connection:
        revisions = ScriptDirectory.from_config(alembic_config(connection)).walk_revisions()
        assert [script.revision for script in revisions] == REVISIONS[::-1]


@pytest.mark.parametrize("table", ["events", "decisions", "decision_subjects"])
@pytest.mark.parametrize("change", ["UPDATE {} SET merchant = 'x'", "DELETE FROM {}"])
def test_the_database_refuses_to_change_recorded_rows(database: Engine, table: str, change: str) -> None:
    statement = change.format(table).replace("merchant", "subject" if table == "events" else "merchant")
    with writing(database) as connection:
        connection.exec_driver_sql(_INSERTS[table])
    with pytest.raises(Rejected, match="not changed or deleted") as error, writing(database) as connection:
        connection.exec_driver_sql(statement)
    assert error.value.code == "append_only"
    with reading(database) as connection:
        assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 1


@pytest.mark.parametrize("table", ["events", "decision_subjects"])
def test_only_rows_of_a_person_under_erasure_can_be_deleted(database: Engine, table: str) -> None:
    with writing(database) as connection:
        connection.exec_driver_sql(_INSERTS[table])
        connection.exec_driver_sql("INSERT INTO erasures_in_progress VALUES ('bob')")
    with pytest.raises(Rejected, match="not changed or deleted"), writing(database) as connection:
        connection.exec_driver_sql(f"DELETE FROM {table}")
    with writing(database) as connection:
        connection.exec_driver_sql("INSERT INTO erasures_in_progress VALUES ('ann')")
        connection.exec_driver_sql(f"DELETE FROM {table}")
    with reading(database) as connection:
        assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0


_INSERTS = {
    "events": "INSERT INTO events (contributor, event_id, kind, subject, happened_at, recorded_at) VALUES ('b', '1', 'k', 'ann', 0, 0)",
    "decisions": "INSERT INTO decisions (id, merchant, perk, amount, currency, outcome, waived, deposit, decided_at, valid_until, release, commitment, previous_hash, hash) VALUES ('d', 'm', 'bike', 1, 'CNY', 'ADMIT', 1, 0, 0, 0, 'r', 'c', '', 'h')",
    "decision_subjects": "INSERT INTO decision_subjects (seq, merchant, subject, salt, record) VALUES (1, 'm', 'ann', 's', '{}')",
}


def test_a_row_cannot_be_replaced_on_sqlite_either(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'iftah.db'}")
    with writing(database) as connection:
        connection.exec_driver_sql(_INSERTS["events"])
    with pytest.raises(Rejected, match="not changed or deleted"), writing(database) as connection:
        connection.exec_driver_sql(_INSERTS["events"].replace("INSERT", "INSERT OR REPLACE").replace("'ann'", "'bob'"))
    database.dispose()


def test_a_merchant_has_one_decision_for_a_transaction(database: Engine) -> None:
    statement = _INSERTS["decision_subjects"].replace("(seq,", "(transaction_id, seq,").replace("(1,", "('t1', 1,")
    with writing(database) as connection:
        connection.exec_driver_sql(statement)
    with pytest.raises(Rejected), writing(database) as connection:
        connection.exec_driver_sql(statement.replace("'t1', 1", "'t1', 2"))


def test_an_exception_in_a_write_transaction_rolls_it_back(database: Engine) -> None:
    def write_and_fail() -> None:
        with writing(database) as connection:
            connection.exec_driver_sql(_INSERTS["events"])
            raise LookupError

    with pytest.raises(LookupError):
        write_and_fail()
    with reading(database) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar() == 0


def test_sqlite_runs_durably_with_a_write_ahead_log_and_foreign_keys(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'iftah.db'}")
    with database.connect() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {s}").scalar()
            for s in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert settings == ["wal", 2, 1, 30_000]
    database.dispose()


OTHER_INDEXES = {
    *("events_about", "events_of_standing", "events_that_change", "ties_of_subject", "ties_of_other"),
    *("links_of_subject", "links_of_other"),
}


def test_opening_builds_the_indexes_that_a_killed_load_left_out(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'iftah.db'}"
    database = open_database(url)
    drop_person_indexes(database)
    assert {i["name"] for i in inspect(database).get_indexes("events")} == OTHER_INDEXES
    database.dispose()
    second = open_database(url)
    assert {i["name"] for i in inspect(second).get_indexes("events")} == {
        "events_of_subject",
        "events_of_other",
    } | OTHER_INDEXES
    second.dispose()


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("mysql://ann:secret@host/db", "database_url", "unknown database scheme `mysql`"),
        ("iftah.db", "database_url", "not a database URL"),
        ("postgresql://ann:secret@host:port/db", "database_url", "not a database URL"),
        ("sqlite://", "database_url", "in memory"),
        ("sqlite:////no/such/folder/iftah.db", "database_unopened", "check that the folder exists"),
        (
            "postgresql://ann:secret@127.0.0.1:1/db",
            "database_unreachable",
            "127.0.0.1:1/db: the database does not answer",
        ),
        ("postgresql://ann:secret@no-such-host.invalid/db", "database_unreachable", "does not answer"),
    ],
)
def test_a_database_that_cannot_be_opened_gives_one_clear_line(url: str, code: str, words: str) -> None:
    with pytest.raises(Rejected) as error:
        open_database(url)
    message = str(error.value)
    assert (error.value.code, words in message, "\n" in message, "secret" in message) == (code, True, False, False)


def test_a_missing_postgresql_database_is_named_without_the_password(postgres: str) -> None:
    url = postgres.replace("://postgres@", "://postgres:secret@").rpartition("/")[0] + "/iftah_no_such"
    with pytest.raises(Rejected, match="no such database") as error:
        open_database(url)
    assert "secret" not in str(error.value)


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are notes, not a database\n" * 100)
    with pytest.raises(Rejected, match="not a database of this program"):
        open_database(f"sqlite:///{tmp_path / 'notes.txt'}")


def test_a_read_only_database_opens_and_refuses_writes_in_one_line(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path / 'iftah.db'}").dispose()
    database = open_database(f"sqlite:///file:{tmp_path / 'iftah.db'}?mode=ro&uri=true")
    with pytest.raises(Rejected, match="the database is read-only") as error, writing(database) as connection:
        connection.exec_driver_sql(_INSERTS["events"])
    assert error.value.code == "database_read_only"
    database.dispose()
