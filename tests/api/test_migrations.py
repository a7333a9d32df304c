"""A database of an earlier version is brought up with what was in it."""

from sqlalchemy import text

from api import builds, ledger
from api.database import open_database, reading
from tests.api.refreshing import append
from tests.api.world import NOW
from tests.graph.story import story, willing

EARLIER = f"""
{willing("ann", "bob")}
2023-01-01 payment.made ann > shop #p amount=5 currency=CNY
2023-01-02 event.corrected ann ref_event=p fields={{"other":"bob"}}
2023-01-02 event.corrected ann ref_event=p fields={{"amount":7}}"""


def test_a_build_and_corrections_of_before_there_were_refreshes(database_url: str) -> None:
    engine = open_database(database_url)
    append(engine, story(EARLIER), NOW)
    made = builds.build(engine, NOW, "perks", NOW)
    append(engine, story("2023-01-03 payment.made bob > shop #q amount=5 currency=CNY"), NOW)
    with engine.begin() as connection:  # as the second version left it
        for table in ("marks", "waiting", "moves"):
            connection.execute(text(f"DROP TABLE {table}"))
        for column in ("follows", "seq", "seen", "later", "refreshed_at"):
            connection.execute(text(f"ALTER TABLE builds DROP COLUMN {column}"))
        for column in ("as_of", "known_at", "computed_at"):
            connection.execute(text(f"ALTER TABLE features DROP COLUMN {column}"))
        for index in ("events_about", "events_of_standing", "ties_of_subject", "ties_of_other"):
            connection.execute(text(f"DROP INDEX {index}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    engine.dispose()
    again = open_database(database_url)
    found = builds.latest(again)
    assert found
    assert (found.follows, found.seen, found.later, found.refreshed_at) == (False, made.events, 0, None)
    with reading(again) as connection:
        last = connection.execute(text("SELECT max(seq) FROM events WHERE event_id <> 'q'")).scalar()
        moves = connection.execute(text("SELECT other, contributor, event_id FROM moves")).all()
    assert found.seq == last
    assert [tuple(m) for m in moves] == [("bob", "bank", "p")]
    assert ledger.extent(again).events == found.seen + 1
    again.dispose()
