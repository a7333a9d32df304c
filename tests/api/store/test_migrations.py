"""We migrate a database of an earlier version, with its content."""

import json
from importlib import import_module

import pytest
from sqlalchemy import Connection, Engine, insert, select, text

from api.decisions import decisions
from api.evidence import erasure_tombstones, ledger
from api.features import builds
from api.store.database import open_database, reading, writing
from api.store.tables import CONSENT_REQUESTS, DECISIONS, MESSAGES, MONITORED_ATTRIBUTES, ORDER_MOVES, ORDERS, SERVICES
from engine.errors import Rejected
from tests.api.refresh_town import append_events
from tests.api.town import NOW, build_features
from tests.graph.story import enrol, story

OLD_STORY = f"""
{enrol("ann", "bob")}
2023-01-01 payment.made ann > shop #p amount=5 currency=CNY
2023-01-02 event.corrected ann ref_event=p fields={{"other":"bob"}}
2023-01-02 event.corrected ann ref_event=p fields={{"amount":7}}"""


NEW_TABLES = (
    *("decision_subjects", "day_digests", "reviews", "services", "callback_keys", "consent_requests", "orders"),
    *("order_moves", "messages", "submissions", "disputes", "monitored", "house", "departed", "erasing"),
    "score_history",
)
TABLES_AFTER_0005 = ("erased_inquiries", "chain_head", "withheld_events")  # tables that later versions brought
TABLES_AFTER_0011 = (
    "link_sources",
    "linked_ids",
    "shared_decisions",
    "release_log",
    "release_objects",
    "trial_answers",
    "sessions",
    "sign_ins",
    "rule_drafts",
    "rule_draft_editors",
    "looks",
    "feature_figures",
    "demo_mark",
    *("population_bins", "answer_sums", "ending_sums", "sum_progress", "contributor_sums"),
    "counting_decisions",
)
INDEXES_AFTER_0011 = (
    *("links_of_subject", "links_of_other", "submissions_by_time", "people_by_id"),
    *("reviews_by_due", "disputes_waiting", "reviews_waiting"),
    *("decisions_of_merchant", "decisions_of_perk", "decisions_of_outcome", "decisions_of_release"),
)
OLD_DECISIONS_TABLE = """CREATE TABLE decisions (seq INTEGER PRIMARY KEY, id VARCHAR NOT NULL, merchant VARCHAR NOT NULL,
transaction_id VARCHAR, subject VARCHAR NOT NULL, perk VARCHAR NOT NULL, amount BIGINT NOT NULL, currency VARCHAR NOT NULL,
outcome VARCHAR NOT NULL, waived BIGINT NOT NULL, deposit BIGINT NOT NULL, decided_at BIGINT NOT NULL, valid_until BIGINT,
release VARCHAR NOT NULL, record VARCHAR NOT NULL, previous_hash VARCHAR NOT NULL, hash VARCHAR NOT NULL, context VARCHAR,
held_since BIGINT)"""
INSERT_OLD_DECISION = """INSERT INTO decisions VALUES ({0}, 'd{0}', 'inn', 't{0}', 'ann', 'hotel', 5, 'CNY', 'ADMIT', 5, 0, 7, 8,
'r', '{{"decision":{0}}}', 'p', 'h{0}', '{{}}', NULL)"""


NAMES = import_module("api.store.migrations.versions.0011_standard_names")


def former_names(connection: Connection) -> None:
    """Undo migrations 0012 and later ones, and the names of 0011."""
    for index in INDEXES_AFTER_0011:
        connection.execute(text(f"DROP INDEX IF EXISTS {index}"))
    connection.execute(text("DELETE FROM chain_head WHERE id = 3"))
    for table in TABLES_AFTER_0011:
        connection.execute(text(f"DROP TABLE {table}"))
    connection.execute(text("ALTER TABLE events DROP COLUMN data"))
    connection.execute(text("ALTER TABLE consent_requests DROP COLUMN return_url"))
    connection.execute(text("ALTER TABLE order_moves DROP COLUMN counts"))
    for table, former, name in NAMES.COLUMNS:
        connection.execute(text(f"ALTER TABLE {table} RENAME COLUMN {name} TO {former}"))
    for former, name in NAMES.TABLES.items():
        connection.execute(text(f"ALTER TABLE {name} RENAME TO {former}"))


def downgrade_to_0003(database: Engine) -> None:
    """Undo the fourth version and those after it, on an empty chain."""
    with database.begin() as connection:
        former_names(connection)
        for table in ("events", "decisions", "decision_subjects"):
            for change in ("update", "delete", "change"):
                _drop_trigger(connection, table, f"{table}_refuse_{change}")
        for table in (*NEW_TABLES, *TABLES_AFTER_0005, "decisions"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("DROP INDEX events_that_change"))
        for column in ("scopes", "replaces"):
            connection.execute(text(f"ALTER TABLE tokens DROP COLUMN {column}"))
        connection.execute(text(OLD_DECISIONS_TABLE))
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
            trigger_body = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            connection.execute(
                text(f"CREATE TRIGGER {table}_refuse_{change.lower()} BEFORE {change} ON {table} {trigger_body}")
            )
        return
    function_body = f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    connection.execute(
        text(f"CREATE FUNCTION {table}_refuse_change() RETURNS trigger LANGUAGE plpgsql AS {function_body}")
    )
    connection.execute(
        text(
            f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse_change()"
        )
    )


def test_older_decisions_are_migrated_into_a_chain_that_names_no_person(bare_url: str) -> None:
    database = open_database(bare_url)
    downgrade_to_0003(database)
    with database.begin() as connection:
        for number in (1, 2):
            connection.execute(text(INSERT_OLD_DECISION.format(number).replace(":", r"\:")))
    database.dispose()
    migrated_database = open_database(bare_url)
    assert decisions.record_of(migrated_database, "d2") == {"decision": 2}
    assert decisions.find_decision(migrated_database, "inn", "d1").question.subject == "ann"
    previous_hash = decisions.GENESIS_HASH
    with reading(migrated_database) as connection:
        rows = connection.execute(text("SELECT * FROM decisions ORDER BY seq")).mappings().all()
        subjects = connection.execute(text("SELECT salt, record FROM decision_subjects ORDER BY seq")).all()
    for row, (salt, record) in zip(rows, subjects, strict=True):
        assert row["previous_hash"] == previous_hash
        assert row["hash"] == decisions.chain_hash(previous_hash, decisions.entry(row))
        assert row["commitment"] == decisions.record_commitment(salt, record)
        previous_hash = row["hash"]
    with writing(migrated_database) as connection:
        values_of_second = decisions.ENTRY_COLUMNS, tuple(rows[1][c] for c in decisions.ENTRY_COLUMNS)
        values = dict(zip(*values_of_second, strict=True)) | {"id": "d3", "previous_hash": previous_hash, "hash": "h3"}
        assert connection.execute(insert(DECISIONS).values(values).returning(DECISIONS.c.seq)).scalar() == 3
    migrated_database.dispose()


def test_a_build_and_corrections_from_before_refreshes_are_migrated(bare_url: str) -> None:
    database = open_database(bare_url)
    append_events(database, story(OLD_STORY), NOW)
    build = build_features(database, NOW, "perks", NOW)
    append_events(database, story("2023-01-03 payment.made bob > shop #q amount=5 currency=CNY"), NOW)
    downgrade_to_0003(database)
    with database.begin() as connection:  # as the second version left it
        for table in ("marks", "waiting", "moves"):
            connection.execute(text(f"DROP TABLE {table}"))
        for column in ("follows", "seq", "seen", "later", "refreshed_at"):
            connection.execute(text(f"ALTER TABLE builds DROP COLUMN {column}"))
        for column in ("as_of", "known_at", "computed_at"):
            connection.execute(text(f"ALTER TABLE features DROP COLUMN {column}"))
        for index in ("events_about", "events_of_standing", "ties_of_subject", "ties_of_other"):
            connection.execute(text(f"DROP INDEX {index}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    database.dispose()
    migrated_database = open_database(bare_url)
    migrated_build = builds.latest_build(migrated_database)
    assert migrated_build
    assert (
        migrated_build.follows,
        migrated_build.events_counted,
        migrated_build.future_events,
        migrated_build.refreshed_at,
    ) == (
        False,
        build.events,
        0,
        None,
    )
    assert migrated_build.timezone == "UTC"
    with reading(migrated_database) as connection:
        last_seq = connection.execute(text("SELECT max(seq) FROM events WHERE event_id <> 'q'")).scalar()
        moves = connection.execute(text("SELECT other, contributor, event_id FROM corrected_parties")).all()
    assert migrated_build.seq == last_seq
    assert [tuple(m) for m in moves] == [("bob", "bank", "p")]
    assert ledger.extent(migrated_database).events == migrated_build.events_counted + 1
    migrated_database.dispose()


def test_tables_columns_and_stored_features_get_their_standard_names(bare_url: str) -> None:
    engine = open_database(bare_url)
    append_events(engine, story(OLD_STORY), NOW)
    build = build_features(engine, NOW, "perks", NOW)
    with engine.begin() as connection:
        before = dict(connection.execute(text('SELECT person, "values" FROM features')).all())
        for former, name in NAMES.FEATURES.items():
            change = f"""UPDATE features SET "values" = replace("values", '"{name}"', '"{former}"')"""
            connection.execute(text(change))
        former_names(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '0010'"))
    engine.dispose()
    reopened = open_database(bare_url)
    with reading(reopened) as connection:
        assert dict(connection.execute(text('SELECT person, "values" FROM features')).all()) == before
    assert builds.latest_build(reopened) == build
    assert all(name in before["ann"] for name in NAMES.FEATURES.values())
    with pytest.raises(Rejected, match="not changed or deleted"), writing(reopened) as connection:
        connection.execute(text("DELETE FROM events"))
    with writing(reopened) as connection:  # the trigger reads the table by its new name
        connection.execute(text("INSERT INTO erasures_in_progress VALUES ('ann')"))
        connection.execute(text("DELETE FROM events WHERE subject = 'ann'"))
    reopened.dispose()


def unchain_moves(connection: Connection) -> None:
    """Undo migration 0010, except for the row of `chain_head`."""
    connection.execute(text("DROP INDEX moves_by_decisions"))
    for column in ("decisions", "terms", "previous_hash", "hash"):
        connection.execute(text(f"ALTER TABLE order_moves DROP COLUMN {column}"))


def downgrade_to(connection: Connection, version: str) -> None:
    """Undo later versions."""
    former_names(connection)
    for table in TABLES_AFTER_0005:
        connection.execute(text(f"DROP TABLE {table}"))
    connection.execute(text("ALTER TABLE builds DROP COLUMN timezone"))
    connection.execute(text("ALTER TABLE day_digests DROP COLUMN format"))
    unchain_moves(connection)
    connection.execute(text(f"UPDATE alembic_version SET version_num = '{version}'"))


INSERT_ERASED_ORDER = """INSERT INTO orders (id, merchant, out_order_no, service, service_version, decision, perk, currency, mode, waived,
state, created_at, changed_at, disputed, content, digest, subject) VALUES (:id, 'inn', :id, 'rooms', 1, :id, 'hotel', 'CNY',
'waive_first', 9, 'settled', 1, 1, false, :content, 'd', :subject)"""


def test_texts_and_digests_of_orders_of_erased_people_are_removed(bare_url: str) -> None:
    database = open_database(bare_url)
    content = json.dumps(
        {"attach": "13800138000", "risk_fund": {"name": "DEPOSIT", "amount": 9, "description": "WANG"}}
    )
    with database.begin() as connection:
        for name, subject in (("gone", None), ("kept", "ann")):
            connection.execute(text(INSERT_ERASED_ORDER), {"id": name, "content": content, "subject": subject})
            move = {"order": name, "action": "create", "digest": "d", "before": "none", "after": "created", "at": 1}
            connection.execute(insert(ORDER_MOVES).values(move))
            body = json.dumps(
                {"type": "order.paid", "data": {"order_id": name, "attach": "13800138000", "total_amount": 5}}
            )
            message = {"id": name, "merchant": "inn", "order": name, "event": "order.paid", "url": "u", "body": body}
            connection.execute(insert(MESSAGES).values(**message, created_at=1, next_at=1, state="sent"))
        downgrade_to(connection, "0004")
    database.dispose()
    migrated_database = open_database(bare_url)
    with reading(migrated_database) as connection:
        orders = {row.id: (json.loads(row.content), row.digest) for row in connection.execute(select(ORDERS))}
        moves = {row.order: row.digest for row in connection.execute(select(ORDER_MOVES))}
        bodies = {row.id: json.loads(row.body)["data"] for row in connection.execute(select(MESSAGES))}
    blank = {"attach": "", "risk_fund": {"name": "DEPOSIT", "amount": 9, "description": ""}}
    assert orders == {"gone": (blank, ""), "kept": (json.loads(content), "d")}
    assert moves == {"gone": "", "kept": "d"}
    assert bodies["gone"] == {"order_id": "gone", "attach": "", "total_amount": 5}
    assert bodies["kept"]["attach"] == "13800138000"
    migrated_database.dispose()


def test_merchants_data_about_people_moves_to_pseudonyms(bare_url: str) -> None:
    database = open_database(bare_url)
    allow_lists = ('["bob", "ann"]', '["ann"]', None)
    with database.begin() as connection:
        for version, allowed in enumerate(allow_lists):
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
            connection.execute(insert(MONITORED_ATTRIBUTES).values(person=person, attribute="region", value="north"))
        erasure_tombstones.remember(connection, "zeb", NOW)  # a concurrent request writes its rows
        downgrade_to(connection, "0005")
    database.dispose()
    migrated_database = open_database(bare_url)
    ann, bob = (erasure_tombstones.pseudonym(migrated_database, person) for person in ("ann", "bob"))
    with reading(migrated_database) as connection:
        stored_lists = list(connection.execute(select(SERVICES.c.allowed).order_by(SERVICES.c.version)).scalars())
        subjects = connection.execute(select(CONSENT_REQUESTS.c.subject).order_by(CONSENT_REQUESTS.c.id)).scalars()
        assert list(subjects) == [ann, ann, bob]
        assert list(connection.execute(select(MONITORED_ATTRIBUTES.c.person)).scalars()) == ["ann"]
    assert [stored_list and json.loads(stored_list) for stored_list in stored_lists] == [
        sorted((ann, bob)),
        [ann],
        None,
    ]
    migrated_database.dispose()
