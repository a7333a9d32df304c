"""Offers: decisions that can become an order. We check whether a merchant may create an order from a decision."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select

from api.consent import permissions
from api.decisions import shared_decisions
from api.decisions.decisions import REFUSED
from api.decisions.exposure import valid
from api.features import linked_ids
from api.merchants import services
from api.merchants.services import Service
from api.store.database import fetch_rows
from api.store.tables import DECISION_SUBJECTS, DECISIONS, ORDERS
from engine.errors import Rejected

ORDERABLE_OUTCOMES: Final = ("ADMIT", "PARTIAL")
_ASK_AGAIN: Final = "ask again: POST /v1/eligibility"


@dataclass(frozen=True)
class PerkOffer:
    """A decision that may become an order: its subject, and the amount waived in minor units."""

    decision: str
    service: Service
    subject: str
    perk: str
    currency: str
    waived: int


def find_offer(connection: Connection, merchant: str, service: str, decision: str, now: datetime) -> PerkOffer:
    """The offer of the merchant's decision, within a write transaction.

    Raises Rejected: `unknown_decision` (or another merchant's), `wrong_service`, `not_admitted`, `decision_used`,
    `decision_superseded`, `decision_expired`, `no_consent`.
    """
    row = _decision_row(connection, merchant, decision)
    if row.service != service:
        raise _rejection(
            "the decision was made for another service", "wrong_service", "use the service of the decision"
        )
    if row.outcome not in ORDERABLE_OUTCOMES:
        raise _rejection("the decision waives nothing", "not_admitted", "take the deposit")
    if connection.execute(select(ORDERS.c.id).where(ORDERS.c.decision == decision)).first():
        raise _rejection("the decision already has an order", "decision_used", _ASK_AGAIN)
    _require_in_force(connection, row, now)
    terms = services.version(connection, merchant, service, row.service_version)
    _require_consent(connection, row.subject, terms, now)
    return PerkOffer(decision, terms, row.subject, row.perk, row.currency, row.waived)


@dataclass(frozen=True)
class _StoredDecision:
    """The columns of a decision that an offer depends on."""

    seq: int
    merchant: str
    service: str
    service_version: int
    perk: str
    currency: str
    outcome: str
    waived: int
    decided_at: int
    valid_until: int
    subject: str


def _decision_row(connection: Connection, merchant: str, decision: str) -> _StoredDecision:
    columns = [field.name for field in fields(_StoredDecision) if field.name != "subject"]
    joined = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    query = (
        select(*(DECISIONS.c[c] for c in columns), DECISION_SUBJECTS.c.subject)
        .select_from(joined)
        .where(DECISIONS.c.id == decision, DECISIONS.c.merchant == merchant, DECISIONS.c.outcome != REFUSED)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        raise _rejection(
            "unknown decision", "unknown_decision", "use the token of the merchant that received the decision"
        )
    return _StoredDecision(**row)


def _require_in_force(connection: Connection, row: _StoredDecision, now: datetime) -> None:
    """Raise Rejected unless the decision is the newest answer to the question and is valid.

    We also require that it was valid at the time of the person's latest decision, by the clock of the server that made that
    decision. Otherwise we may have given the waived amount to another merchant by then.
    """
    joined = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    ids = linked_ids.ids_of(connection, row.subject)
    is_shared = DECISIONS.c.seq.in_(shared_decisions.shared_with(connection, ids))
    is_subject = DECISION_SUBJECTS.c.subject.in_(ids) | is_shared
    is_same_question = is_subject & (DECISIONS.c.merchant == row.merchant) & (DECISIONS.c.perk == row.perk)
    newest = connection.execute(select(func.max(DECISIONS.c.seq)).select_from(joined).where(is_same_question)).scalar()
    # We need not look at earlier decisions, even with a clock that was ahead: they could not give this amount away.
    is_since = is_subject & (DECISIONS.c.seq >= row.seq)
    latest = connection.execute(
        select(func.max(DECISIONS.c.decided_at)).select_from(joined).where(is_since)
    ).scalar_one()
    if newest != row.seq:
        raise _rejection(
            "a newer answer took the decision's place", "decision_superseded", "make the order of that one"
        )
    if not valid(row.decided_at, row.valid_until, now) or latest >= row.valid_until:
        raise _rejection("the decision is no longer valid", "decision_expired", _ASK_AGAIN)


def _require_consent(connection: Connection, subject: str, service: Service, now: datetime) -> None:
    """Raise Rejected `no_consent` if the person has withdrawn consent since the decision, under any linked id."""
    ids = linked_ids.ids_of(connection, subject)
    (consent_rows,) = fetch_rows(connection, permissions.consent_query(set(ids), now))
    pairs = [(one, service.name) for one in ids]
    if not all(permissions.allowed_classes(consent_rows, pairs, now).values()):
        message = "unknown person, or no consent for this service"
        raise Rejected(message, where="decision_id", hint="ask for it: POST /v1/consents", code="no_consent")


def _rejection(message: str, code: str, hint: str) -> Rejected:
    return Rejected(message, where="decision_id", hint=hint, code=code)
