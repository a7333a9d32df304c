"""Erase a person who leaves, and keep the system's own decisions provable.

One transaction removes the person from evidence, features, scores, decisions and every other table, and queues a refresh of
the people whose features change. The chain of decisions names no person. We also delete the salts, so you cannot link an
entry of the chain to a person. `vacuum` removes the remains in free space of the database's files and in its write-ahead log.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from api.access import auth
from api.consent import consents
from api.decisions import shared_decisions, trials
from api.decisions.batch import AMOUNTS_WINDOW
from api.evidence import erasure_tombstones, withheld
from api.features import builds, linked_ids, refresh_queue
from api.people import redaction
from api.people.ledger_erasure import LedgerErasure, erase_from_ledger
from api.store.clock import micros
from api.store.database import Database, reading, report_errors, writing
from api.store.tables import (
    BUILDS,
    COUNTING_DECISIONS,
    DECISION_SUBJECTS,
    DECISIONS,
    DEFERRED_REFRESHES,
    DEMO_MARK,
    DISPUTES,
    ERASED_INQUIRIES,
    ERASURES_IN_PROGRESS,
    EVENTS,
    FEATURES,
    LINKED_IDS,
    LOOKS,
    MESSAGES,
    MONITORED_ATTRIBUTES,
    ORDER_MOVES,
    ORDERS,
    REVIEWS,
    SCHEDULED_EVENTS,
    SCORE_HISTORY,
    SCORES,
    SESSIONS,
    SUBMISSIONS,
    SYSTEM,
    TOKENS,
    ExtentRow,
)
from engine.errors import Rejected
from graph.evidence.vocabulary import CLASSES, STANDARD, EventVocabulary

PERSON_TABLES: Final = (  # tables whose rows we delete, and the column that names the person
    (DECISION_SUBJECTS, "subject"),
    (COUNTING_DECISIONS, "subject"),
    (DISPUTES, "subject"),
    (REVIEWS, "subject"),
    (MONITORED_ATTRIBUTES, "person"),
    (LOOKS, "person"),
    (SCORE_HISTORY, "person"),
)
NO_DIGEST: Final = ""  # a digest confirms a guess of the text, so we delete it with the text
_VACUUM_TABLES: Final = (
    "events",
    "corrected_parties",
    "features",
    "linked_ids",
    "scores",
    "score_history",
    "deferred_refreshes",
    "scheduled_events",
    "decision_subjects",
    "shared_decisions",
    "counting_decisions",
    "trial_answers",
    "tokens",
    "sessions",
    "demo_mark",
    "consent_requests",
    "disputes",
    "reviews",
    "monitored_attributes",
    "looks",
    "orders",
    "order_moves",
    "messages",
    "submissions",
    "erasures_in_progress",
)


@dataclass(frozen=True)
class ErasureResult:
    """Counts: events deleted, events kept as another person's evidence, decisions whose records we deleted."""

    events: int
    kept_of_others: int
    decisions: int


def erase(database: Database, person: str, now: datetime, vocabulary: EventVocabulary = STANDARD) -> ErasureResult:
    """Erase a person from every table. Raises Rejected `open_orders` while the person has an open order."""
    with writing(database) as connection:
        if database.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete = ON")  # SQLite overwrites deleted rows at once
        _refuse_open_orders(connection, person)
        connection.execute(insert(ERASURES_IN_PROGRESS).values(person=person))
        ledger_erasure = erase_from_ledger(connection, person, vocabulary)
        withheld.remember(connection, person, map(vars, ledger_erasure.erased_events))
        _update_builds(connection, person, ledger_erasure)
        _retain_inquiry_amounts(connection, person, now)
        shared_decisions.erase(connection, person)
        trials.erase(connection, person)
        decisions = _delete_person_rows(connection, person)
        consents.forget(connection, person)
        _redact_orders(connection, person)
        _redact_mentions(connection, person, ledger_erasure)
        is_own_token = (TOKENS.c.role == "subject") & (TOKENS.c.party == person)
        revoked = func.coalesce(TOKENS.c.revoked_at, micros(now))
        connection.execute(update(TOKENS).where(is_own_token).values(party=None, name="", revoked_at=revoked))
        is_own_session = (SESSIONS.c.role == "subject") & (SESSIONS.c.party == person)
        connection.execute(delete(SESSIONS).where(is_own_session))
        connection.execute(update(DEMO_MARK).where(DEMO_MARK.c.person == person).values(person=None))
        erasure_tombstones.remember(connection, person, now)
        connection.execute(delete(ERASURES_IN_PROGRESS))
    auth.forget(database)  # drops the cached tokens
    return ErasureResult(len(ledger_erasure.removed_events), len(ledger_erasure.changed_events), decisions)


def count_rows(database: Database, person: str) -> dict[str, int]:
    """Count the rows that name the person, by table. A table without such rows is left out."""
    conditions = [(table, table.c[column] == person) for table, column in PERSON_TABLES]
    conditions += [
        (EVENTS, (EVENTS.c.subject == person) | (EVENTS.c.other == person) | _is_in_data(person)),
        (FEATURES, FEATURES.c.person == person),
        (SCORES, SCORES.c.person == person),
        (LINKED_IDS, (LINKED_IDS.c.person == person) | (LINKED_IDS.c.linked == person)),
        (ORDERS, ORDERS.c.subject == person),
        (TOKENS, (TOKENS.c.role == "subject") & (TOKENS.c.party == person)),
        (SUBMISSIONS, SUBMISSIONS.c.problems.contains(json.dumps(person)[1:-1], autoescape=True)),
    ]
    with reading(database) as connection:
        counts = {
            t.name: connection.execute(select(func.count()).where(condition)).scalar_one()
            for t, condition in conditions
        }
    return {name: number for name, number in counts.items() if number}


def _is_in_data(person: str) -> ColumnElement[bool]:
    return EVENTS.c.data.contains(json.dumps(person, ensure_ascii=False), autoescape=True)


def vacuum(database: Database) -> bool:
    """Rewrite the database's files, so that free space holds no erased data. Returns True if we had to rewrite and finished.

    Readers can go on meanwhile on SQLite; PostgreSQL locks each table while it rewrites the table. Raises Rejected when the
    database fails.
    """
    with report_errors(database), database.connect() as connection:
        erased, swept = connection.execute(select(SYSTEM.c.erasures, SYSTEM.c.vacuumed_erasures)).one()
    if erased == swept:
        return False
    with report_errors(database):
        completed = _VACUUM[database.dialect.name](database)
    if completed:
        with writing(database) as connection:
            connection.execute(update(SYSTEM).values(vacuumed_erasures=erased))
    return completed


def _refuse_open_orders(connection: Connection, person: str) -> None:
    query = select(func.count()).where(ORDERS.c.subject == person, ORDERS.c.closed_at.is_(None))
    if number := connection.execute(query).scalar_one():
        hint = "ask the merchant to settle or cancel them first"
        raise Rejected(f"orders are open: {number}", where="orders", hint=hint, code="open_orders")


def _update_builds(connection: Connection, person: str, ledger_erasure: LedgerErasure) -> None:
    """Update the ledger's extent, the newest build's counts and the rows of every build, and queue the refreshes."""
    numbers = [row.seq for row in ledger_erasure.removed_events]
    connection.execute(update(ExtentRow).values(events=ExtentRow.events - len(numbers)))
    build_ids = [int(number) for number in connection.execute(select(BUILDS.c.id)).scalars()]
    newest = builds.latest_build_in(connection)
    if newest:
        counted_events = [row for row in ledger_erasure.removed_events if row.seq <= newest.seq]
        later = 0 if newest.follows else sum(row.happened_at > micros(newest.as_of) for row in counted_events)
        is_own_row = (FEATURES.c.build == newest.id) & (FEATURES.c.person == person)
        people = connection.execute(delete(FEATURES).where(is_own_row)).rowcount
        change = {
            "events_counted": BUILDS.c.events_counted - len(counted_events),
            "future_events": BUILDS.c.future_events - later,
        }
        change["people"] = BUILDS.c.people - people
        connection.execute(update(BUILDS).where(BUILDS.c.id == newest.id).values(change))
        for at in range(0, len(numbers), 500):
            waiting = SCHEDULED_EVENTS.c.seq.in_(numbers[at : at + 500])
            connection.execute(delete(SCHEDULED_EVENTS).where(SCHEDULED_EVENTS.c.build == newest.id, waiting))
        stale_classes = dict.fromkeys(ledger_erasure.counterparties - {person}, frozenset[str]())
        stale_classes |= dict.fromkeys(ledger_erasure.tied_people - {person}, frozenset({"relationship"}))
        stale_classes |= dict.fromkeys(linked_ids.erase(connection, person), frozenset(CLASSES))
        refresh_queue.defer(connection, newest.id, stale_classes, newest.seq)
    for table in (FEATURES, SCORES, DEFERRED_REFRESHES):
        connection.execute(delete(table).where(table.c.build.in_(build_ids), table.c.person == person))


def _retain_inquiry_amounts(connection: Connection, person: str, now: datetime) -> None:
    """Keep the amounts that merchants asked about in the last day, by pseudonym: they count as if the person were still here."""
    _drop_inquiries(connection, now)
    joined = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    columns = (DECISIONS.c.merchant, DECISIONS.c.amount)
    query = select(*columns, func.max(DECISIONS.c.decided_at).label("asked_at")).select_from(joined).group_by(*columns)
    recent = DECISIONS.c.decided_at > micros(now - AMOUNTS_WINDOW)
    rows = connection.execute(query.where(DECISION_SUBJECTS.c.subject == person, recent)).mappings().all()
    (digest,) = erasure_tombstones.pseudonyms(connection, [person])
    is_previous = ERASED_INQUIRIES.c.digest == digest
    connection.execute(delete(ERASED_INQUIRIES).where(is_previous))
    if rows:
        connection.execute(insert(ERASED_INQUIRIES), [{"digest": digest, **row} for row in rows])


def drop_inquiries(database: Database, now: datetime) -> None:
    """Delete the retained amounts that no longer count."""
    with reading(database) as connection:
        if connection.execute(select(ERASED_INQUIRIES).limit(1)).first() is None:
            return
    with writing(database) as connection:
        _drop_inquiries(connection, now)


def _drop_inquiries(connection: Connection, now: datetime) -> None:
    is_old = ERASED_INQUIRIES.c.asked_at <= micros(now - AMOUNTS_WINDOW)
    connection.execute(delete(ERASED_INQUIRIES).where(is_old))


def _delete_person_rows(connection: Connection, person: str) -> int:
    """Delete the rows that belong to the person alone. Returns the number of decisions about the person."""
    counts = [connection.execute(delete(t).where(t.c[column] == person)).rowcount for t, column in PERSON_TABLES]
    return counts[0]


def _redact_orders(connection: Connection, person: str) -> None:
    """Keep the orders for the merchant. Remove the person's name, every free text that could mention the person, and the
    digests that would confirm a guess of such a text.
    """
    query = select(ORDERS.c.id, ORDERS.c.content).where(ORDERS.c.subject == person)
    for name, content in connection.execute(query).all():
        blank = json.dumps(redaction.redact_content(json.loads(content)), sort_keys=True, ensure_ascii=False)
        change = {"subject": None, "content": blank, "digest": NO_DIGEST}
        connection.execute(update(ORDERS).where(ORDERS.c.id == name).values(change))
        connection.execute(update(ORDER_MOVES).where(ORDER_MOVES.c.order == name).values(digest=NO_DIGEST))
        _redact_messages(connection, name)


def _redact_messages(connection: Connection, order: str) -> None:
    """Remove the same texts from the sent and waiting messages about an order."""
    query = select(MESSAGES.c.id, MESSAGES.c.body).where(MESSAGES.c.order == order)
    for name, text in connection.execute(query).all():
        body = json.dumps(redaction.redact_message(json.loads(text)), ensure_ascii=False)
        connection.execute(update(MESSAGES).where(MESSAGES.c.id == name).values(body=body))


def _redact_mentions(connection: Connection, person: str, ledger_erasure: LedgerErasure) -> None:
    """Remove the person's name from other people's rows: problems of submissions, purposes of looks, and disputes of the erased
    events.
    """
    for spelling in {person, json.dumps(person)[1:-1]}:
        pattern = _whole_word(spelling)
        has_mention = SUBMISSIONS.c.problems.contains(spelling, autoescape=True)
        for name, text in connection.execute(select(SUBMISSIONS.c.id, SUBMISSIONS.c.problems).where(has_mention)).all():
            change = update(SUBMISSIONS).where(SUBMISSIONS.c.id == name)
            connection.execute(change.values(problems=pattern.sub("gone", text)))
    pattern = _whole_word(person)
    mentions = select(LOOKS.c.seq, LOOKS.c.purpose).where(LOOKS.c.purpose.contains(person, autoescape=True))
    for seq, text in connection.execute(mentions).all():
        connection.execute(update(LOOKS).where(LOOKS.c.seq == seq).values(purpose=pattern.sub("gone", text)))
    keys = {row.key for row in ledger_erasure.erased_events}
    for row in connection.execute(select(DISPUTES)).mappings().all():
        if (key := (row["contributor"], row["event_id"])) in keys:
            new_key = ledger_erasure.new_keys.get(key)
            new = pattern.sub("gone", row["event_id"]) if new_key is None else new_key[1]
            texts = {c: row[c] and pattern.sub("gone", row[c]) for c in ("statement", "note")}
            connection.execute(update(DISPUTES).where(DISPUTES.c.id == row["id"]).values(event_id=new, **texts))


def _whole_word(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![0-9A-Za-z]){re.escape(text)}(?![0-9A-Za-z])")


def _vacuum_sqlite(database: Database) -> bool:
    """Rewrite everything into the write-ahead log and the log into the file, then truncate the log. A reader can delay this."""
    raw = database.raw_connection()
    try:
        raw.detach()
        cursor = raw.cursor()
        cursor.execute("PRAGMA temp_store = FILE")  # holds a copy of the whole database without the erased rows
        cursor.execute("VACUUM")
        busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy
    finally:
        raw.close()


def _vacuum_postgresql(database: Database) -> bool:
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in _VACUUM_TABLES:
            connection.exec_driver_sql(f"VACUUM (FULL) {table}")
    return True


_VACUUM: Final = {"sqlite": _vacuum_sqlite, "postgresql": _vacuum_postgresql}
