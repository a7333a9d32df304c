"""A database of an earlier version is brought up with what was in it."""

import json

from sqlalchemy import Connection, Engine, insert, select, text

from api.database import open_database, reading, writing
from api.decisions import decisions
from api.evidence import departed, ledger
from api.features import builds
from api.tables import CONSENT_REQUESTS, DECISIONS, MESSAGES, MONITORED, ORDER_MOVES, ORDERS, SERVICES
from tests.api.refreshing import append
from tests.api.world import NOW
from tests.graph.story import story, willing

EARLIER = f"""
{willing("ann", "bob")}
2023-01-01 payment.made ann > shop #p amount=5 currency=CNY
2023-01-02 event.corrected ann ref_event=p fields={{"other":"bob"}}
2023-01-02 event.corrected ann ref_event=p fields={{"amount":7}}"""


NEW = (
    *("decision_subjects", "day_digests", "reviews", "services", "callback_keys", "consent_requests", "orders"),
    *("order_moves", "messages", "submissions", "disputes", "monitored", "house", "departed", "erasing"),
    "score_history",
)
AFTER_0005 = ("erased_inquiries", "chain_head", "withheld_events")  # tables that later versions brought
TABLE_BEFORE = """CREATE TABLE decisions (seq INTEGER PRIMARY KEY, id VARCHAR NOT NULL, merchant VARCHAR NOT NULL,
transaction_id VARCHAR, subject VARCHAR NOT NULL, perk VARCHAR NOT NULL, amount BIGINT NOT NULL, currency VARCHAR NOT NULL,
outcome VARCHAR NOT NULL, waived BIGINT NOT NULL, deposit BIGINT NOT NULL, decided_at BIGINT NOT NULL, valid_until BIGINT,
release VARCHAR NOT NULL, record VARCHAR NOT NULL, previous_hash VARCHAR NOT NULL, hash VARCHAR NOT NULL, context VARCHAR,
held_since BIGINT)"""
EARLIER_DECISION = """INSERT INTO decisions VALUES ({0}, 'd{0}', 'inn', 't{0}', 'ann', 'hotel', 5, 'CNY', 'ADMIT', 5, 0, 7, 8,
'r', '{{"decision":{0}}}', 'p', 'h{0}', '{{}}', NULL)"""


def as_of_0003(engine: Engine) -> None:
    """Take back what the fourth version and those after it did, on an empty chain."""
    with engine.begin() as connection:
        for table in ("events", "decisions", "decision_subjects"):
            for change in ("update", "delete", "change"):
                _drop_trigger(connection, table, f"{table}_refuse_{change}")
        for table in (*NEW, *AFTER_0005, "decisions"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("DROP INDEX events_that_change"))
        for column in ("scopes", "replaces"):
            connection.execute(text(f"ALTER TABLE tokens DROP COLUMN {column}"))
        connection.execute(text(TABLE_BEFORE))
        for table in ("events", "decisions"):
            _refuse_changes(connection, table)
        connection.execute(text("ALTER TABLE builds DROP COLUMN timezone"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))


def _drop_trigger(connection: Connection, table: str, name: str) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
        return
    connection.execute(text(f"DROP TRIGGER IF EXISTS {name} ON {table}"))
    connection.execute(text(f"DROP FUNCTION IF EXISTS {name}"))


def _refuse_changes(connection: Connection, table: str) -> None:
    if connection.dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            said = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            connection.execute(
                text(f"CREATE TRIGGER {table}_refuse_{change.lower()} BEFORE {change} ON {table} {said}")
            )
        return
    body = f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    connection.execute(text(f"CREATE FUNCTION {table}_refuse_change() RETURNS trigger LANGUAGE plpgsql AS {body}"))
    connection.execute(
        text(
            f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse_change()"
        )
    )


def test_decisions_of_before_are_taken_over_into_a_chain_that_names_nobody(bare_url: str) -> None:
    engine = open_database(bare_url)
    as_of_0003(engine)
    with engine.begin() as connection:
        for number in (1, 2):
            connection.execute(text(EARLIER_DECISION.format(number).replace(":", r"\:")))
    engine.dispose()
    again = open_database(bare_url)
    assert decisions.record_of(again, "d2") == {"decision": 2}
    assert decisions.found(again, "inn", "d1").asked.subject == "ann"
    previous = decisions.FIRST
    with reading(again) as connection:
        rows = connection.execute(text("SELECT * FROM decisions ORDER BY seq")).mappings().all()
        subjects = connection.execute(text("SELECT salt, record FROM decision_subjects ORDER BY seq")).all()
    for row, (salt, record) in zip(rows, subjects, strict=True):
        assert row["previous_hash"] == previous
        assert row["hash"] == decisions.chained(previous, decisions.entry(row))
        assert row["commitment"] == decisions.committed(salt, record)
        previous = row["hash"]
    with writing(again) as connection:
        new = decisions.ENTRY, tuple(rows[1][c] for c in decisions.ENTRY)
        values = dict(zip(*new, strict=True)) | {"id": "d3", "previous_hash": previous, "hash": "h3"}
        assert connection.execute(insert(DECISIONS).values(values).returning(DECISIONS.c.seq)).scalar() == 3
    again.dispose()


def test_a_build_and_corrections_of_before_there_were_refreshes(bare_url: str) -> None:
    engine = open_database(bare_url)
    append(engine, story(EARLIER), NOW)
    made = builds.build(engine, NOW, "perks", NOW)
    append(engine, story("2023-01-03 payment.made bob > shop #q amount=5 currency=CNY"), NOW)
    as_of_0003(engine)
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
    again = open_database(bare_url)
    found = builds.latest(again)
    assert found
    assert (found.follows, found.seen, found.later, found.refreshed_at) == (False, made.events, 0, None)
    assert found.timezone == "UTC"
    with reading(again) as connection:
        last = connection.execute(text("SELECT max(seq) FROM events WHERE event_id <> 'q'")).scalar()
        moves = connection.execute(text("SELECT other, contributor, event_id FROM moves")).all()
    assert found.seq == last
    assert [tuple(m) for m in moves] == [("bob", "bank", "p")]
    assert ledger.extent(again).events == found.seen + 1
    again.dispose()


def unchain_moves(connection: Connection) -> None:
    """Take back what 0010 brought, but for the row of `chain_head`."""
    connection.execute(text("DROP INDEX moves_by_decisions"))
    for column in ("decisions", "terms", "previous_hash", "hash"):
        connection.execute(text(f"ALTER TABLE order_moves DROP COLUMN {column}"))


def back_to(connection: Connection, version: str) -> None:
    """Take back what later versions brought."""
    for table in AFTER_0005:
        connection.execute(text(f"DROP TABLE {table}"))
    connection.execute(text("ALTER TABLE builds DROP COLUMN timezone"))
    connection.execute(text("ALTER TABLE day_digests DROP COLUMN format"))
    unchain_moves(connection)
    connection.execute(text(f"UPDATE alembic_version SET version_num = '{version}'"))


ERASED_ORDER = """INSERT INTO orders (id, merchant, out_order_no, service, service_version, decision, perk, currency, mode, waived,
state, created_at, changed_at, disputed, content, digest, subject) VALUES (:id, 'inn', :id, 'rooms', 1, :id, 'hotel', 'CNY',
'waive_first', 9, 'settled', 1, 1, false, :content, 'd', :subject)"""


def test_texts_and_digests_of_orders_of_who_left_before_go(bare_url: str) -> None:
    engine = open_database(bare_url)
    content = json.dumps(
        {"attach": "13800138000", "risk_fund": {"name": "DEPOSIT", "amount": 9, "description": "WANG"}}
    )
    with engine.begin() as connection:
        for name, subject in (("gone", None), ("kept", "ann")):
            connection.execute(text(ERASED_ORDER), {"id": name, "content": content, "subject": subject})
            move = {"order": name, "action": "create", "digest": "d", "before": "none", "after": "created", "at": 1}
            connection.execute(insert(ORDER_MOVES).values(move))
            body = json.dumps(
                {"type": "order.paid", "data": {"order_id": name, "attach": "13800138000", "total_amount": 5}}
            )
            sent = {"id": name, "merchant": "inn", "order": name, "event": "order.paid", "url": "u", "body": body}
            connection.execute(insert(MESSAGES).values(**sent, created_at=1, next_at=1, state="sent"))
        back_to(connection, "0004")
    engine.dispose()
    again = open_database(bare_url)
    with reading(again) as connection:
        orders = {row.id: (json.loads(row.content), row.digest) for row in connection.execute(select(ORDERS))}
        moves = {row.order: row.digest for row in connection.execute(select(ORDER_MOVES))}
        bodies = {row.id: json.loads(row.body)["data"] for row in connection.execute(select(MESSAGES))}
    blank = {"attach": "", "risk_fund": {"name": "DEPOSIT", "amount": 9, "description": ""}}
    assert orders == {"gone": (blank, ""), "kept": (json.loads(content), "d")}
    assert moves == {"gone": "", "kept": "d"}
    assert bodies["gone"] == {"order_id": "gone", "attach": "", "total_amount": 5}
    assert bodies["kept"]["attach"] == "13800138000"
    again.dispose()


def test_what_merchants_said_of_people_goes_under_pseudonyms(bare_url: str) -> None:
    engine = open_database(bare_url)
    lists = ('["bob", "ann"]', '["ann"]', None)
    with engine.begin() as connection:
        for version, allowed in enumerate(lists):
            terms = {"perk": "hotel", "mode": "waive_first", "allowed": allowed, "created_at": 1}
            connection.execute(insert(SERVICES).values(merchant="inn", id="rooms", version=version, **terms))
        for n, person in enumerate(("ann", "ann", "bob")):
            request = {
                "merchant": "inn",
                "service": "rooms",
                "purpose": "perks",
                "classes": "identity",
                "state": "asked",
            }
            connection.execute(insert(CONSENT_REQUESTS).values(id=f"r{n}", subject=person, asked_at=1, **request))
        for person in ("ann", "zeb"):
            connection.execute(insert(MONITORED).values(person=person, attribute="region", value="north"))
        departed.remember(connection, "zeb", NOW)  # and a request that was under way wrote what it would
        back_to(connection, "0005")
    engine.dispose()
    again = open_database(bare_url)
    ann, bob = (departed.pseudonym(again, person) for person in ("ann", "bob"))
    with reading(again) as connection:
        allowed_ = list(connection.execute(select(SERVICES.c.allowed).order_by(SERVICES.c.version)).scalars())
        subjects = connection.execute(select(CONSENT_REQUESTS.c.subject).order_by(CONSENT_REQUESTS.c.id)).scalars()
        assert list(subjects) == [ann, ann, bob]
        assert list(connection.execute(select(MONITORED.c.person)).scalars()) == ["ann"]
    assert [one and json.loads(one) for one in allowed_] == [sorted((ann, bob)), [ann], None]
    again.dispose()
