"""We return a lent PostgreSQL database to its original state."""

from pathlib import Path

from sqlalchemy import Engine

from api.evidence import ledger
from api.store.database import open_database, writing
from tests.api.database_templates import Template
from tests.api.town import NOW, event


def insert_person(database: Engine) -> None:
    ledger.append(database, event("person.enrolled", "ann", identity_level=1), NOW)


def contents_of(database: Engine) -> list[object]:
    tables = ("SELECT seq, event_id, subject FROM events", "SELECT id FROM releases", "SELECT events FROM extent")
    with database.connect() as connection:
        return [[tuple(row) for row in connection.exec_driver_sql(query)] for query in tables]


def test_changes_of_one_test_are_undone_before_the_next(postgres: str, tmp_path: Path) -> None:
    template, urls, contents = Template(tmp_path, insert_person), [], []
    for statement in (
        "INSERT INTO releases (id, files, loaded_at) VALUES ('r', '', 0)",
        "INSERT INTO erasures_in_progress VALUES ('ann'); DELETE FROM events WHERE subject = 'ann'",
        "UPDATE extent SET events = 9",
        "DROP TABLE scheduled_events",  # more than its rows: we do not lend it again
        "SELECT 1",
    ):
        with template.lend(postgres, tmp_path) as url:
            database = open_database(url)
            urls.append(url)
            contents.append(contents_of(database))
            ledger.append(database, event("person.enrolled", "bob", event_id="new-2", identity_level=1), NOW)
            with writing(database) as connection:
                connection.exec_driver_sql(statement)
        database.dispose()  # its connections were open until now, as a failed test leaves them
    template.drop()
    assert contents == [[[(1, "new-1", "ann")], [], [(1,)]]] * 5
    assert len(set(urls[:4])) == 1
    assert urls[4] != urls[3]
