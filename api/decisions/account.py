"""The account: what a person has been given so far, from decisions and from the orders that were made of them.

An answer that is not an order yet counts while it is valid; the same merchant's next answer about the same perk takes its
place, and only the newest can become an order. An order counts in its place: as open until it is closed, and for caps over
days also afterwards, unless it was cancelled or never began.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.clock import AHEAD, iso, micros, moment
from api.database import Query
from api.decisions.decisions import REFUSED
from engine.caps import Used

CAME_TO_NOTHING: Final = ("cancelled", "expired")  # states of orders that use nothing up

Given = Mapping[str, Any]  # a decision with what became of it


@dataclass(frozen=True)
class Before:
    """What was given to the person before: waivers, since when the perk is held (ISO 8601), and how many orders are in
    service, unpaid and, of those, overdue.
    """

    used: tuple[Used, ...]
    held_since: str | None
    in_service: int
    unpaid: int
    overdue: int


_GIVEN: Final = """
SELECT s.subject, d.seq, d.merchant, d.perk, d.currency, d.amount, d.outcome, d.waived, d.decided_at, d.valid_until,
    s.held_since, o.state, o.closed_at
FROM decision_subjects AS s JOIN decisions AS d ON d.seq = s.seq LEFT JOIN orders AS o ON o.decision = d.id
WHERE s.subject IN {subjects}
UNION ALL SELECT digest, 0, merchant, '', '', amount, 'REFUSED', 0, asked_at, 0, NULL, NULL, NULL FROM erased_inquiries
WHERE digest IN {subjects} ORDER BY 2
"""
_COLUMNS: Final = (
    *("seq", "merchant", "perk", "currency", "amount", "outcome", "waived", "decided_at", "valid_until", "held_since"),
    *("state", "closed_at"),
)


def told(subjects: Collection[str]) -> Query:
    """All that these people were answered, and what became of it; of who has left, by pseudonym, the amounts that still count."""
    return Query(_GIVEN, {"subjects": sorted(subjects)})


def given(rows: Iterable[tuple[Any, ...]], subjects: Collection[str]) -> dict[str, list[Given]]:
    """The rows of `told` by person, oldest first."""
    found: dict[str, list[Given]] = {subject: [] for subject in subjects}
    for subject, *row in rows:
        found[subject].append(dict(zip(_COLUMNS, row, strict=True)))
    return found


def valid(decided_at: int, valid_until: int, now: datetime) -> bool:
    """Whether an answer stands. One that was stamped by a clock far ahead does not, however long it says that it does."""
    return decided_at <= micros(now + AHEAD) and valid_until > micros(now)


def before(rows: Iterable[Given], merchant: str, perk: str, now: datetime) -> Before:
    """What counts of these when the merchant asks about the perk now."""
    known = tuple(rows)
    newest = {(row["merchant"], row["perk"]): row["seq"] for row in known}
    used = []
    for row in known:
        asker = (row["merchant"], row["perk"])
        stands = valid(row["decided_at"], row["valid_until"], now)
        waits = row["state"] is None and stands and newest[asker] == row["seq"]
        ordered = row["state"] is not None and row["state"] not in CAME_TO_NOTHING
        if row["waived"] and (ordered or (waits and asker != (merchant, perk))):
            open_ = row["closed_at"] is None
            used.append(Used(row["perk"], row["currency"], row["waived"], iso(moment(row["decided_at"])), open_))
    answers = (row for row in reversed(known) if row["perk"] == perk and row["outcome"] != REFUSED)
    held = next((row["held_since"] for row in answers), None)
    states = Counter(row["state"] for row in known)
    unpaid = states["due"] + states["overdue"]
    since = None if held is None else iso(min(moment(held), now))
    return Before(tuple(used), since, states["in_service"], unpaid, states["overdue"])
