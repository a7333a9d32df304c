"""What may never be, whoever does what when: read off the tables, by the caps of the shipped rules written out once more."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from api.clock import micros

SHARED: Final = 6_000_000  # CNY 60,000 open over all perks
HOTEL: Final = 1_000_000  # CNY 10,000 in thirty days
POWER_BANKS: Final = 3  # open
IN_SERVICE: Final = 3
NOTHING: Final = ("cancelled", "expired")
UNPAID: Final = ("due", "overdue")
_GIVEN: Final = """
SELECT s.subject, d.seq, d.merchant, d.perk, d.waived, d.decided_at, d.valid_until, o.state, o.waived AS ordered, o.closed_at
FROM decisions d JOIN decision_subjects s ON s.seq = d.seq LEFT JOIN orders o ON o.decision = d.id ORDER BY d.seq
"""
_MOVES: Final = (
    'SELECT o.id, o.state, m.before, m.after FROM orders o JOIN order_moves m ON m."order" = o.id ORDER BY m.seq'
)
Row = Mapping[str, Any]


def broken(connection: Connection, now: datetime) -> list[str]:
    """Every limit that is passed at `now`, in words."""
    return [*_over_caps(connection, now), *_over_counts(connection), *_two_states(connection)]


def _over_caps(connection: Connection, now: datetime) -> Iterator[str]:
    of_person = defaultdict[str, list[Row]](list)
    for row in connection.execute(text(_GIVEN)).mappings():
        of_person[row["subject"]].append(row)
    for rows in of_person.values():
        newest = {(r["merchant"], r["perk"]): r["seq"] for r in rows}
        waits = [r for r in rows if r["state"] is None and r["waived"] and r["valid_until"] > micros(now)]
        waits = [r for r in waits if newest[r["merchant"], r["perk"]] == r["seq"]]
        ordered = [r for r in rows if r["state"] is not None and r["state"] not in NOTHING]
        open_ = [*waits, *(r for r in ordered if r["closed_at"] is None)]
        lately = [r for r in (*waits, *ordered) if r["decided_at"] > micros(now - timedelta(days=30))]
        sums = {
            "all perks": (sum(r["waived"] for r in open_), SHARED),
            "hotels": (sum(r["waived"] for r in lately if r["perk"] == "hotel"), HOTEL),
            "power banks": (sum(r["perk"] == "power_bank" for r in open_), POWER_BANKS),
        }
        yield from (f"{what}: {sum_} of {most}" for what, (sum_, most) in sums.items() if sum_ > most)
        yield from ("an order waives more than its decision" for r in ordered if r["ordered"] > r["waived"])


def _over_counts(connection: Connection) -> Iterator[str]:
    rows = connection.execute(text("SELECT subject, state FROM orders")).all()
    in_service = Counter(subject for subject, state in rows if state == "in_service")
    yield from (f"{number} in service" for number in in_service.values() if number > IN_SERVICE)


def _two_states(connection: Connection) -> Iterator[str]:
    """The moves of an order are one way from nothing to its state."""
    last: dict[str, str] = {}
    state: dict[str, str] = {}
    for name, now, before, after in connection.execute(text(_MOVES)):
        if last.get(name, "none") != before:
            yield f"moved from {before}, not from {last.get(name, 'none')}"
        last[name], state[name] = after, now
    yield from (f"in {state[name]}, moved to {last[name]}" for name in last if last[name] != state[name])
