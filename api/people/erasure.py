"""Erasure: a person leaves, and nothing of theirs is left; what the house did stays provable.

One transaction takes them out of evidence, features, scores, decisions and all else, and marks the people whose features
must be made anew. The chain of decisions names nobody; without the salts, which go too, no entry of it can be laid beside
anybody. What is left in free space of the files, and in the log of writes, goes when the database is swept (`sweep`).
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from api.access import auth
from api.clock import micros
from api.consent import consents
from api.database import reading, reported, writing
from api.decisions.eligibility import PROBED
from api.evidence import departed, withheld
from api.features import builds, marks
from api.people import redaction
from api.people.leaving import Gone, leave
from api.tables import (
    BUILDS,
    DECISION_SUBJECTS,
    DECISIONS,
    DISPUTES,
    ERASED_INQUIRIES,
    ERASING,
    EVENTS,
    FEATURES,
    HOUSE,
    MARKS,
    MESSAGES,
    MONITORED,
    ORDER_MOVES,
    ORDERS,
    REVIEWS,
    SCORE_HISTORY,
    SCORES,
    SUBMISSIONS,
    TOKENS,
    WAITING,
    Extent,
)
from engine.errors import Refused

OWN: Final = (  # tables whose rows of the person go, and the column that names them
    (DECISION_SUBJECTS, "subject"),
    (DISPUTES, "subject"),
    (REVIEWS, "subject"),
    (MONITORED, "person"),
    (SCORE_HISTORY, "person"),
)
NO_DIGEST: Final = ""  # a digest of texts confirms whoever guesses them: it goes with the texts
_REWRITTEN: Final = (
    *("events", "moves", "features", "scores", "score_history", "marks", "waiting", "decision_subjects", "tokens"),
    *("consent_requests", "disputes", "reviews", "monitored", "orders", "order_moves", "messages"),
    *("submissions", "erasing"),
)


@dataclass(frozen=True)
class Erased:
    """What went: events, those that stay as somebody else's without the person, decisions whose records went."""

    events: int
    kept_of_others: int
    decisions: int


def erase(engine: Engine, person: str, now: datetime) -> Erased:
    """Take a person out of everything. Raises Refused (`orders_open`) while an order of theirs is open."""
    with writing(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete = ON")  # what is deleted is overwritten at once
        _refuse_open_orders(connection, person)
        connection.execute(insert(ERASING).values(person=person))
        gone = leave(connection, person)
        withheld.remember(connection, person, [*gone.removed, *gone.changed])
        _account_for(connection, person, gone)
        _inquiries(connection, person, now)
        decisions = _own(connection, person)
        consents.forget(connection, person)
        _orders(connection, person)
        _mentions(connection, person, gone)
        mine = (TOKENS.c.role == "subject") & (TOKENS.c.party == person)
        revoked = func.coalesce(TOKENS.c.revoked_at, micros(now))
        connection.execute(update(TOKENS).where(mine).values(party=None, name="", revoked_at=revoked))
        departed.remember(connection, person, now)
        connection.execute(delete(ERASING))
    auth.forget(engine)  # the tokens that ended
    return Erased(len(gone.removed), len(gone.changed), decisions)


def held(engine: Engine, person: str) -> dict[str, int]:
    """How many rows name the person, by table; where there are none the table is left out."""
    named = [(table, table.c[column] == person) for table, column in OWN]
    named += [
        (EVENTS, (EVENTS.c.subject == person) | (EVENTS.c.other == person)),
        (ORDERS, ORDERS.c.subject == person),
        (TOKENS, (TOKENS.c.role == "subject") & (TOKENS.c.party == person)),
        (SUBMISSIONS, SUBMISSIONS.c.problems.contains(json.dumps(person)[1:-1], autoescape=True)),
    ]
    with reading(engine) as connection:
        counts = {t.name: connection.execute(select(func.count()).where(here)).scalar_one() for t, here in named}
    return {name: number for name, number in counts.items() if number}


def sweep(engine: Engine) -> bool:
    """Rewrite the files so that nothing of the erased is left in free space; whether that was needed and is done.

    On SQLite others may read meanwhile, on PostgreSQL each table is locked while it is rewritten. Raises Refused for trouble.
    """
    with reported(engine), engine.connect() as connection:
        erased, swept = connection.execute(select(HOUSE.c.erased, HOUSE.c.swept)).one()
    if erased == swept:
        return False
    with reported(engine):
        done = _SWEEP[engine.dialect.name](engine)
    if done:
        with writing(engine) as connection:
            connection.execute(update(HOUSE).values(swept=erased))
    return done


def _refuse_open_orders(connection: Connection, person: str) -> None:
    query = select(func.count()).where(ORDERS.c.subject == person, ORDERS.c.closed_at.is_(None))
    if number := connection.execute(query).scalar_one():
        hint = "ask the merchant to settle or cancel them first"
        raise Refused(f"orders are open: {number}", where="orders", hint=hint, code="orders_open")


def _account_for(connection: Connection, person: str, gone: Gone) -> None:
    """What is counted and computed: the ledger's extent, the builds' own counts, rows, and who must be made anew."""
    numbers = [row["seq"] for row in gone.removed]
    connection.execute(update(Extent).values(events=Extent.events - len(numbers)))
    every = [int(number) for number in connection.execute(select(BUILDS.c.id)).scalars()]
    newest = builds.latest_in(connection)
    if newest:
        seen = [row for row in gone.removed if row["seq"] <= newest.seq]
        later = 0 if newest.follows else sum(row["happened_at"] > micros(newest.as_of) for row in seen)
        here = (FEATURES.c.build == newest.id) & (FEATURES.c.person == person)
        people = connection.execute(delete(FEATURES).where(here)).rowcount
        change = {"seen": BUILDS.c.seen - len(seen), "later": BUILDS.c.later - later}
        change["people"] = BUILDS.c.people - people
        connection.execute(update(BUILDS).where(BUILDS.c.id == newest.id).values(change))
        for at in range(0, len(numbers), 500):
            waiting = WAITING.c.seq.in_(numbers[at : at + 500])
            connection.execute(delete(WAITING).where(WAITING.c.build == newest.id, waiting))
        anew = dict.fromkeys(gone.paid - {person}, frozenset[str]())
        anew |= dict.fromkeys(gone.tied - {person}, frozenset({"relationship"}))
        marks.put_off(connection, newest.id, anew, newest.seq)
    for table in (FEATURES, SCORES, MARKS):
        connection.execute(delete(table).where(table.c.build.in_(every), table.c.person == person))


def _inquiries(connection: Connection, person: str, now: datetime) -> None:
    """The amounts that merchants asked within the last day count on, without the person: as if they were still here."""
    _drop_inquiries(connection, now)
    both = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    asked = (DECISIONS.c.merchant, DECISIONS.c.amount)
    query = select(*asked, func.max(DECISIONS.c.decided_at).label("asked_at")).select_from(both).group_by(*asked)
    recent = DECISIONS.c.decided_at > micros(now - PROBED)
    rows = connection.execute(query.where(DECISION_SUBJECTS.c.subject == person, recent)).mappings().all()
    (digest,) = departed.pseudonyms(connection, [person])
    before = ERASED_INQUIRIES.c.digest == digest
    connection.execute(delete(ERASED_INQUIRIES).where(before))
    if rows:
        connection.execute(insert(ERASED_INQUIRIES), [{"digest": digest, **row} for row in rows])


def drop_inquiries(engine: Engine, now: datetime) -> None:
    """Take away those that count no longer."""
    with reading(engine) as connection:
        if connection.execute(select(ERASED_INQUIRIES).limit(1)).first() is None:
            return
    with writing(engine) as connection:
        _drop_inquiries(connection, now)


def _drop_inquiries(connection: Connection, now: datetime) -> None:
    old = ERASED_INQUIRIES.c.asked_at <= micros(now - PROBED)
    connection.execute(delete(ERASED_INQUIRIES).where(old))


def _own(connection: Connection, person: str) -> int:
    """The rows that are the person's alone; how many decisions were about them."""
    counts = [connection.execute(delete(t).where(t.c[column] == person)).rowcount for t, column in OWN]
    return counts[0]


def _orders(connection: Connection, person: str) -> None:
    """Orders stay, as the merchant's; the person's name goes, every text in which somebody may have told of them, and the
    digests by which such texts could be guessed.
    """
    query = select(ORDERS.c.id, ORDERS.c.content).where(ORDERS.c.subject == person)
    for name, content in connection.execute(query).all():
        blank = json.dumps(redaction.content(json.loads(content)), sort_keys=True, ensure_ascii=False)
        change = {"subject": None, "content": blank, "digest": NO_DIGEST}
        connection.execute(update(ORDERS).where(ORDERS.c.id == name).values(change))
        connection.execute(update(ORDER_MOVES).where(ORDER_MOVES.c.order == name).values(digest=NO_DIGEST))
        _messages(connection, name)


def _messages(connection: Connection, order: str) -> None:
    """What was or will be sent of an order, without the same texts."""
    query = select(MESSAGES.c.id, MESSAGES.c.body).where(MESSAGES.c.order == order)
    for name, text in connection.execute(query).all():
        body = json.dumps(redaction.message(json.loads(text)), ensure_ascii=False)
        connection.execute(update(MESSAGES).where(MESSAGES.c.id == name).values(body=body))


def _mentions(connection: Connection, person: str, gone: Gone) -> None:
    """Where others named the person: reports of what was refused, objections to the events that go or stay without them."""
    for written in {person, json.dumps(person)[1:-1]}:
        named = _named(written)
        holding = SUBMISSIONS.c.problems.contains(written, autoescape=True)
        for name, text in connection.execute(select(SUBMISSIONS.c.id, SUBMISSIONS.c.problems).where(holding)).all():
            change = update(SUBMISSIONS).where(SUBMISSIONS.c.id == name)
            connection.execute(change.values(problems=named.sub("gone", text)))
    named = _named(person)
    keys = {(row["contributor"], row["event_id"]) for row in (*gone.removed, *gone.changed)}
    for row in connection.execute(select(DISPUTES)).mappings().all():
        if (key := (row["contributor"], row["event_id"])) in keys:
            new = gone.renamed[key][1] if key in gone.renamed else named.sub("gone", row["event_id"])
            texts = {c: row[c] and named.sub("gone", row[c]) for c in ("statement", "note")}
            connection.execute(update(DISPUTES).where(DISPUTES.c.id == row["id"]).values(event_id=new, **texts))


def _named(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![0-9A-Za-z]){re.escape(text)}(?![0-9A-Za-z])")


def _sweep_sqlite(engine: Engine) -> bool:
    """Everything is written anew into the log, and the log into the file; then the log is cut. A reader can hold that up."""
    raw = engine.raw_connection()
    try:
        raw.detach()
        cursor = raw.cursor()
        cursor.execute("PRAGMA temp_store = FILE")  # a copy of the whole, without the erased
        cursor.execute("VACUUM")
        busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy
    finally:
        raw.close()


def _sweep_postgresql(engine: Engine) -> bool:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in _REWRITTEN:
            connection.exec_driver_sql(f"VACUUM (FULL) {table}")
    return True


_SWEEP: Final = {"sqlite": _sweep_sqlite, "postgresql": _sweep_postgresql}
