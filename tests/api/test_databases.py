"""A lent database of PostgreSQL is given back as it was."""

from pathlib import Path

from sqlalchemy import Engine

from api.database import open_database, writing
from api.evidence import ledger
from tests.api.databases import Template
from tests.api.world import NOW, event


def filled(engine: Engine) -> None:
    ledger.append(engine, event("person.enrolled", "ann", identity_level=1), NOW)


def told(engine: Engine) -> list[object]:
    tables = ("SELECT seq, event_id, subject FROM events", "SELECT id FROM releases", "SELECT events FROM extent")
    with engine.connect() as connection:
        return [[tuple(row) for row in connection.exec_driver_sql(query)] for query in tables]


def test_what_a_test_did_to_a_database_is_not_there_for_the_next(postgres: str, tmp_path: Path) -> None:
    template, urls, found = Template(tmp_path, filled), [], []
    for statement in (
        "INSERT INTO releases (id, files, loaded_at) VALUES ('r', '', 0)",
        "INSERT INTO erasing VALUES ('ann'); DELETE FROM events WHERE subject = 'ann'",
        "UPDATE extent SET events = 9",
        "DROP TABLE waiting",  # other than its rows: it is not lent again
        "SELECT 1",
    ):
        with template.lent(postgres, tmp_path) as url:
            engine = open_database(url)
            urls.append(url)
            found.append(told(engine))
            ledger.append(engine, event("person.enrolled", "bob", event_id="new-2", identity_level=1), NOW)
            with writing(engine) as connection:
                connection.exec_driver_sql(statement)
        engine.dispose()  # its connections were open until now, as a failed test leaves them
    template.drop()
    assert found == [[[(1, "new-1", "ann")], [], [(1,)]]] * 5
    assert len(set(urls[:4])) == 1
    assert urls[4] != urls[3]
