"""Exposure: the waivers that a person has been granted so far, by decisions and by the orders from them.

An answer without an order counts while it is valid. The same merchant's next answer about the same perk replaces it, and only
the newest answer can become an order. An order counts in place of its decision: as open until it is closed, and for caps over
days also afterwards, unless it was cancelled or expired.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, CompoundSelect, FromClause, Select, literal, null, select, union_all

from api.decisions.decisions import REFUSED, DecisionRow
from api.store.clock import MAX_SERVER_SKEW, iso, micros, moment
from api.store.statements import Query, is_any_of, texts
from api.store.tables import (
    COUNTING_DECISIONS,
    DECISION_SUBJECTS,
    DECISIONS,
    ERASED_INQUIRIES,
    ORDERS,
    SHARED_DECISIONS,
)
from engine.decide.caps import PriorWaiver

CAME_TO_NOTHING: Final = ("cancelled", "expired")  # states of orders that use up no cap


@dataclass(frozen=True)
class PriorDecision:
    """An earlier decision about a person, and the state of its order, if any. Columns as in the tables."""

    seq: int
    merchant: str
    perk: str
    currency: str
    amount: int
    outcome: str
    waived: int
    decided_at: int
    valid_until: int
    held_since: int | None
    state: str | None = None
    closed_at: int | None = None

    def stands(self, now: datetime) -> bool:
        """Whether it can still count: its order came to something, or it can become an order."""
        return self.valid(now) if self.state is None else self.state not in CAME_TO_NOTHING

    @classmethod
    def of_row(cls, row: DecisionRow, seq: int) -> Self:
        """A decision that we are about to write, and that has no order yet."""
        return cls(
            seq,
            row.merchant,
            row.perk,
            row.currency,
            row.amount,
            row.outcome,
            row.waived,
            row.decided_at,
            row.valid_until,
            row.held_since,
        )

    def valid(self, now: datetime) -> bool:
        """Whether the answer is valid now."""
        return valid(self.decided_at, self.valid_until, now)


@dataclass(frozen=True)
class PriorDecisions:
    """A person's earlier decisions under all ids, and those about other ids to which the person was linked at the time."""

    own: Sequence[PriorDecision]
    shared: Sequence[PriorDecision]

    @property
    def all(self) -> list[PriorDecision]:
        """All of them, oldest first."""
        return sorted((*self.own, *self.shared), key=lambda p: p.seq)


@dataclass(frozen=True)
class Exposure:
    """A person's exposure: the waivers that count, the time since which they hold the perk (ISO 8601), and the number of
    orders in service, unpaid and, of the unpaid ones, overdue.
    """

    used: tuple[PriorWaiver, ...]
    held_since: str | None
    in_service: int
    unpaid: int
    overdue: int


_ENTRY_COLUMNS: Final = ("merchant", "perk", "currency", "amount", "outcome", "waived", "decided_at", "valid_until")
_JOINED: Final = DECISION_SUBJECTS.join(DECISIONS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq).outerjoin(
    ORDERS, ORDERS.c.decision == DECISIONS.c.id
)


def _select_prior(name: ColumnElement[str], source: FromClause) -> Select[Any]:
    """The columns of `PriorDecision`, after the name, of the names `subjects`."""
    columns = (DECISIONS.c.seq.label("seq"), *(DECISIONS.c[c] for c in _ENTRY_COLUMNS))
    columns += (DECISION_SUBJECTS.c.held_since, ORDERS.c.state, ORDERS.c.closed_at)
    return select(name, *columns).select_from(source).where(is_any_of(name, texts("subjects")))


def _select_inquiries() -> Select[Any]:
    """The same columns of what merchants asked about people who were erased since."""
    inquiry = ERASED_INQUIRIES
    return select(
        *(inquiry.c.digest, literal(0), inquiry.c.merchant, literal(""), literal("")),
        *(inquiry.c.amount, literal(REFUSED), literal(0), inquiry.c.asked_at, literal(0), null(), null(), null()),
    ).where(is_any_of(inquiry.c.digest, texts("subjects")))


def _select_all() -> CompoundSelect[Any]:
    shared = SHARED_DECISIONS
    of_links = _JOINED.join(shared, shared.c.seq == DECISION_SUBJECTS.c.seq)
    own = _select_prior(DECISION_SUBJECTS.c.subject, _JOINED)
    return union_all(own, _select_prior(shared.c.pseudonym, of_links), _select_inquiries()).order_by("seq")


def _select_counting() -> CompoundSelect[Any]:
    listed = COUNTING_DECISIONS
    columns = (
        *(listed.c[c] for c in ("subject", "seq", *_ENTRY_COLUMNS, "held_since")),
        ORDERS.c.state,
        ORDERS.c.closed_at,
    )
    source = listed.outerjoin(ORDERS, ORDERS.c.decision == listed.c.id)
    of_lists = select(*columns).select_from(source).where(is_any_of(listed.c.subject, texts("subjects")))
    return union_all(of_lists, _select_inquiries()).order_by("seq")


_PRIOR: Final = _select_all()
_COUNTING: Final = _select_counting()


def prior_decisions_query(subjects: Collection[str]) -> Query:
    """The query for all decisions about these people.

    By pseudonym: the decisions about ids to which a person was linked at the time; for erased people, the amounts that still
    count.
    """
    return Query(_PRIOR, {"subjects": sorted(subjects)})


def counting_decisions_query(subjects: Collection[str]) -> Query:
    """The same query for those of the decisions that can still count. Cost: a few rows, however many decisions there ever were."""
    return Query(_COUNTING, {"subjects": sorted(subjects)})


def prior_decisions(rows: Iterable[tuple[Any, ...]], subjects: Collection[str]) -> dict[str, list[PriorDecision]]:
    """The rows of either query by person, oldest first."""
    prior: dict[str, list[PriorDecision]] = {subject: [] for subject in subjects}
    for subject, *row in rows:
        prior[subject].append(PriorDecision(*row))
    return prior


def valid(decided_at: int, valid_until: int, now: datetime) -> bool:
    """Whether an answer is valid. An answer from a clock that was far ahead is not, for any `valid_until`."""
    return decided_at <= micros(now + MAX_SERVER_SKEW) and valid_until > micros(now)


def exposure_of(prior: Sequence[PriorDecision], merchant: str, perk: str, now: datetime) -> Exposure:
    """The part of these decisions that counts if the merchant asks about the perk now."""
    states = Counter(decision.state for decision in prior)
    return Exposure(
        used=tuple(_used(prior, merchant, perk, now)),
        held_since=_held_since(prior, perk, now),
        in_service=states["in_service"],
        unpaid=states["due"] + states["overdue"],
        overdue=states["overdue"],
    )


def _used(prior: Sequence[PriorDecision], merchant: str, perk: str, now: datetime) -> Iterator[PriorWaiver]:
    """The waivers that count: of orders, and of answers that can still become an order."""
    newest = {(p.merchant, p.perk): p.seq for p in prior}
    for p in prior:
        asker = (p.merchant, p.perk)
        pending = p.state is None and p.valid(now) and newest[asker] == p.seq and asker != (merchant, perk)
        ordered = p.state is not None and p.state not in CAME_TO_NOTHING
        if p.waived and (ordered or pending):
            yield PriorWaiver(p.perk, p.currency, p.waived, iso(moment(p.decided_at)), p.closed_at is None)


def _held_since(prior: Sequence[PriorDecision], perk: str, now: datetime) -> str | None:
    """The time since which the person holds the perk, from the newest answer about it."""
    answers = (p for p in reversed(prior) if p.perk == perk and p.outcome != REFUSED)
    since = next((p.held_since for p in answers), None)
    return None if since is None else iso(min(moment(since), now))
