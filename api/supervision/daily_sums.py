"""Sums by day: answers by perk and outcome, and ended orders by band. A job adds what is new; a reader adds the rest by itself.

Both sources only grow, in the order of `seq`, so the sums remember the last `seq` that they count. They name nobody. A day is one of
the rules' time zone at the time of counting.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from api.store.clock import moment
from api.store.database import Database, reading, writing
from api.store.tables import (
    ANSWER_SUMS,
    DECISION_SUBJECTS,
    DECISIONS,
    ENDING_SUMS,
    ORDER_MOVES,
    ORDERS,
    SUM_PROGRESS,
)
from engine.lang.model import timezones

BATCH: Final = 20_000  # decisions that one transaction counts
MOVES: Final = 1_000  # moves of orders: for each one that ends an order we read a record
TAIL: Final = BATCH  # what a reader adds by itself at most
QUARTER: Final = 900_000_000  # microseconds: the offset of every time zone is a multiple of 15 minutes
DUE, OVERDUE, SETTLED = "due", "overdue", "settled"
EPOCH_ORDINAL: Final = 719_163  # of 1970-01-01
AnswerKey = tuple[int, str, str]  # day, perk, outcome
EndingKey = tuple[int, str]  # day, band


@dataclass
class DailySums:
    """Answers by day, perk and outcome; ended and overdue orders by day and band; and the last rows that count."""

    decision: int = 0
    move: int = 0
    answers: Counter[AnswerKey] = field(default_factory=Counter)
    endings: Counter[EndingKey] = field(default_factory=Counter)
    overdue: Counter[EndingKey] = field(default_factory=Counter)


def add_new(database: Database, timezone: str) -> bool:
    """Count at most a batch of new rows. Returns whether there may be more."""
    zone = timezones.zone(timezone)
    with reading(database) as connection:  # mostly nothing is new; then we need no write lock
        decision, move = _progress(connection)
        if (decision, move) == _newest(connection):
            return False
    with writing(database) as connection:
        decision, move = _progress(connection)
        new = _count(connection, decision, move, zone, BATCH)
        _add(connection, new)
        progress = {"decision": new.decision, "move": new.move}
        connection.execute(update(SUM_PROGRESS).where(SUM_PROGRESS.c.id == 1).values(progress))
        return (new.decision, new.move) != _newest(connection)


def read(connection: Connection, first_day: int, timezone: str) -> DailySums:
    """The sums of the days from `first_day` on, with the newest rows that the job has not counted, up to `TAIL`."""
    decision, move = _progress(connection)
    sums = _count(connection, decision, move, timezones.zone(timezone), TAIL)
    for day, perk, outcome, answers in connection.execute(select(ANSWER_SUMS).where(ANSWER_SUMS.c.day >= first_day)):
        sums.answers[day, perk, outcome] += answers
    for day, band, orders, overdue in connection.execute(select(ENDING_SUMS).where(ENDING_SUMS.c.day >= first_day)):
        sums.endings[day, band] += orders
        sums.overdue[day, band] += overdue
    for counter in (sums.answers, sums.endings, sums.overdue):
        for key in [key for key in counter if key[0] < first_day]:
            del counter[key]
    return sums


def behind(connection: Connection, sums: DailySums) -> int:
    """How many decisions the sums do not count yet."""
    return _newest(connection)[0] - sums.decision


def _progress(connection: Connection) -> tuple[int, int]:
    row = connection.execute(select(SUM_PROGRESS.c.decision, SUM_PROGRESS.c.move)).one()
    return row.decision, row.move


def _newest(connection: Connection) -> tuple[int, int]:
    last = (select(func.coalesce(func.max(table.c.seq), 0)) for table in (DECISIONS, ORDER_MOVES))
    decision, move = (connection.execute(query).scalar_one() for query in last)
    return decision, move


def _count(connection: Connection, decision: int, move: int, zone: tzinfo, limit: int) -> DailySums:
    """Count the rows after these, at most `limit` decisions."""
    last_decision, last_move = _newest(connection)
    sums = DailySums(min(last_decision, decision + limit), min(last_move, move + MOVES))
    quarter = (DECISIONS.c.decided_at // QUARTER).label("quarter")
    keys = (quarter, DECISIONS.c.perk, DECISIONS.c.outcome)
    is_new = and_(DECISIONS.c.seq > decision, DECISIONS.c.seq <= sums.decision)
    for begin, perk, outcome, answers in connection.execute(select(*keys, func.count()).where(is_new).group_by(*keys)):
        sums.answers[_day(begin * QUARTER, zone), perk, outcome] += answers
    for row in _ended(connection, move, sums.move):
        key = (_day(row.at, zone), _band(row.record))
        sums.endings[key] += 1
        sums.overdue[key] += row.after == OVERDUE
    return sums


def _ended(connection: Connection, after: int, last: int) -> Iterable[Row[Any]]:
    """The moves by which a due order was settled in time or became overdue. An order has at most one."""
    moves = ORDER_MOVES.c
    joined = (
        ORDER_MOVES.join(ORDERS, ORDERS.c.id == moves.order)
        .join(DECISIONS, DECISIONS.c.id == ORDERS.c.decision)
        .join(DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == DECISIONS.c.seq)
    )
    is_ending = and_(moves.before == DUE, or_(moves.after == SETTLED, moves.after == OVERDUE))
    query = select(moves.at, moves.after, DECISION_SUBJECTS.c.record).select_from(joined)
    return connection.execute(query.where(moves.seq > after, moves.seq <= last, is_ending))


def _band(record: str) -> str:
    decision: Mapping[str, Any] = json.loads(record).get("decision") or {}
    return str((decision.get("scored") or {}).get("band") or "")


def _day(micros: int, zone: tzinfo) -> int:
    """Days since 1970-01-01 in the time zone."""
    return moment(micros).astimezone(zone).date().toordinal() - EPOCH_ORDINAL


def _add(connection: Connection, new: DailySums) -> None:
    answers = [
        {"day": day, "perk": perk, "outcome": outcome, "answers": count}
        for (day, perk, outcome), count in new.answers.items()
    ]
    endings = [
        {"day": day, "band": band, "orders": count, "overdue": new.overdue[day, band]}
        for (day, band), count in new.endings.items()
    ]
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    for table, rows in ((ANSWER_SUMS, answers), (ENDING_SUMS, endings)):
        if rows:
            statement = insert(table)
            keys = [column.name for column in table.primary_key.columns]
            changes = {c.name: c + statement.excluded[c.name] for c in table.columns if c.name not in keys}
            connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes), rows)
