"""Invariants that hold for any interleaving. We read them off the tables, by the caps of the shipped rules, restated
here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from api.store.clock import micros

MAX_SHARED_EXPOSURE: Final = 6_000_000  # CNY 60,000 open over all perks
MAX_HOTEL_EXPOSURE: Final = 1_000_000  # CNY 10,000 in thirty days
MAX_OPEN_POWER_BANKS: Final = 3  # open
MAX_IN_SERVICE: Final = 3
UNEXPOSED_STATES: Final = ("cancelled", "expired")
UNPAID_STATES: Final = ("due", "overdue")
_DECISIONS_SQL: Final = """
SELECT s.subject, d.seq, d.merchant, d.perk, d.waived, d.decided_at, d.valid_until, o.state, o.waived AS ordered, o.closed_at
FROM decisions d JOIN decision_subjects s ON s.seq = d.seq LEFT JOIN orders o ON o.decision = d.id ORDER BY d.seq
"""
_MOVES_SQL: Final = (
    'SELECT o.id, o.state, m.before, m.after FROM orders o JOIN order_moves m ON m."order" = o.id ORDER BY m.seq'
)
Row = Mapping[str, Any]


def limit_violations(connection: Connection, now: datetime) -> list[str]:
    """Every cap that is exceeded at `now`, in words."""
    return [*_exceeded_caps(connection, now), *_exceeded_counts(connection), *_state_mismatches(connection)]


def _exceeded_caps(connection: Connection, now: datetime) -> Iterator[str]:
    rows_by_person = defaultdict[str, list[Row]](list)
    for row in connection.execute(text(_DECISIONS_SQL)).mappings():
        rows_by_person[row["subject"]].append(row)
    for rows in rows_by_person.values():
        newest = {(r["merchant"], r["perk"]): r["seq"] for r in rows}
        pending = [r for r in rows if r["state"] is None and r["waived"] and r["valid_until"] > micros(now)]
        pending = [r for r in pending if newest[r["merchant"], r["perk"]] == r["seq"]]
        order_rows = [r for r in rows if r["state"] is not None and r["state"] not in UNEXPOSED_STATES]
        open_rows = [*pending, *(r for r in order_rows if r["closed_at"] is None)]
        recent = [r for r in (*pending, *order_rows) if r["decided_at"] > micros(now - timedelta(days=30))]
        sums = {
            "all perks": (sum(r["waived"] for r in open_rows), MAX_SHARED_EXPOSURE),
            "hotels": (sum(r["waived"] for r in recent if r["perk"] == "hotel"), MAX_HOTEL_EXPOSURE),
            "power banks": (sum(r["perk"] == "power_bank" for r in open_rows), MAX_OPEN_POWER_BANKS),
        }
        yield from (f"{name}: {total} of {limit}" for name, (total, limit) in sums.items() if total > limit)
        yield from ("an order waives more than its decision" for r in order_rows if r["ordered"] > r["waived"])


def _exceeded_counts(connection: Connection) -> Iterator[str]:
    rows = connection.execute(text("SELECT subject, state FROM orders")).all()
    in_service = Counter(subject for subject, state in rows if state == "in_service")
    yield from (f"{number} in service" for number in in_service.values() if number > MAX_IN_SERVICE)


def _state_mismatches(connection: Connection) -> Iterator[str]:
    """Check that the moves of an order form one path from no order to its state."""
    last_move: dict[str, str] = {}
    stored_state: dict[str, str] = {}
    for order_id, state, before, after in connection.execute(text(_MOVES_SQL)):
        if last_move.get(order_id, "none") != before:
            yield f"moved from {before}, not from {last_move.get(order_id, 'none')}"
        last_move[order_id], stored_state[order_id] = after, state
    yield from (
        f"in {stored_state[name]}, moved to {last_move[name]}"
        for name in last_move
        if last_move[name] != stored_state[name]
    )
