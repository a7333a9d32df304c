"""The account: what a person has been given so far, from decisions and from the orders that were made of them.

An answer that is not an order yet counts while it is valid; the same merchant's next answer about the same perk takes its
place, and only the newest can become an order. An order counts in its place: as open until it is closed, and for caps over
days also afterwards, unless it was cancelled or never began.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from api.clock import iso, micros, moment
from api.tables import DECISION_SUBJECTS, DECISIONS, ORDERS
from engine.caps import Used

CAME_TO_NOTHING: Final = ("cancelled", "expired")  # states of orders that use nothing up

Given = Mapping[str, Any]  # a decision with what became of it


@dataclass(frozen=True)
class Before:
    """What was given to the person before: waivers, and since when the perk is held (ISO 8601)."""

    used: tuple[Used, ...]
    held_since: str | None


def given(connection: Connection, subjects: Collection[str]) -> dict[str, list[Given]]:
    """All that each of these people was answered and what became of it, oldest first."""
    columns = ("seq", "id", "merchant", "perk", "currency", "waived", "decided_at", "valid_until")
    query = (
        select(*(DECISIONS.c[c] for c in columns))
        .add_columns(DECISION_SUBJECTS.c.subject, DECISION_SUBJECTS.c.held_since, ORDERS.c.state, ORDERS.c.closed_at)
        .select_from(
            DECISION_SUBJECTS.join(DECISIONS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq).outerjoin(
                ORDERS, ORDERS.c.decision == DECISIONS.c.id
            )
        )
        .where(DECISION_SUBJECTS.c.subject.in_(sorted(subjects)))
    )
    found: dict[str, list[Given]] = {subject: [] for subject in subjects}
    for row in connection.execute(query.order_by(DECISIONS.c.seq)).mappings():
        found[row["subject"]].append(dict(row))
    return found


def before(rows: Iterable[Given], merchant: str, perk: str, now: datetime) -> Before:
    """What counts of these when the merchant asks about the perk now."""
    known = tuple(rows)
    newest = {(row["merchant"], row["perk"]): row["seq"] for row in known}
    used = []
    for row in known:
        asker = (row["merchant"], row["perk"])
        waits = row["state"] is None and row["valid_until"] > micros(now) and newest[asker] == row["seq"]
        ordered = row["state"] is not None and row["state"] not in CAME_TO_NOTHING
        if row["waived"] and (ordered or (waits and asker != (merchant, perk))):
            open_ = row["closed_at"] is None
            used.append(Used(row["perk"], row["currency"], row["waived"], iso(moment(row["decided_at"])), open_))
    held = next((row["held_since"] for row in reversed(known) if row["perk"] == perk), None)
    return Before(tuple(used), None if held is None else iso(moment(held)))
