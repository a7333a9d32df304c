"""Promises: what a decision promised, until it is an order. Whether an order may be made of it is seen here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, select

from api import services
from api.consent import permissions
from api.database import fetched
from api.decisions.account import valid
from api.decisions.decisions import REFUSED
from api.services import Service
from api.tables import DECISION_SUBJECTS, DECISIONS, ORDERS
from engine.errors import Refused

PROMISING: Final = ("ADMIT", "PARTIAL")
_ANEW: Final = "ask again: POST /v1/eligibility"


@dataclass(frozen=True)
class Promise:
    """A decision that may become an order: about whom, and what it waives, in minor units."""

    decision: str
    service: Service
    subject: str
    perk: str
    currency: str
    waived: int


def promise(connection: Connection, merchant: str, service: str, decision: str, now: datetime) -> Promise:
    """What the merchant's decision promises, within a write transaction.

    Raises Refused: `unknown_decision` (or another merchant's), `wrong_service`, `not_admitted`, `decision_used`,
    `decision_superseded`, `decision_expired`, `no_consent`.
    """
    row = _row(connection, merchant, decision)
    if row["service"] != service:
        raise _refused("the decision was made for another service", "wrong_service", "name the service that asked")
    if row["outcome"] not in PROMISING:
        raise _refused("the decision waives nothing", "not_admitted", "take the deposit")
    if connection.execute(select(ORDERS.c.id).where(ORDERS.c.decision == decision)).first():
        raise _refused("an order was made of the decision before", "decision_used", _ANEW)
    _in_force(connection, row, now)
    terms = services.version(connection, merchant, service, row["service_version"])
    _consented(connection, row["subject"], terms, now)
    return Promise(decision, terms, row["subject"], row["perk"], row["currency"], row["waived"])


def _row(connection: Connection, merchant: str, decision: str) -> dict[str, Any]:
    columns = ("seq", "id", "merchant", "service", "service_version", "perk", "currency", "outcome", "waived")
    beside = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    query = (
        select(*(DECISIONS.c[c] for c in (*columns, "decided_at", "valid_until")), DECISION_SUBJECTS.c.subject)
        .select_from(beside)
        .where(DECISIONS.c.id == decision, DECISIONS.c.merchant == merchant, DECISIONS.c.outcome != REFUSED)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        raise _refused("unknown decision", "unknown_decision", "ask with the token of the merchant who got it")
    return dict(row)


def _in_force(connection: Connection, row: dict[str, Any], now: datetime) -> None:
    """Only the newest answer counts in the account, and only while it is valid: at the latest moment at which the person's
    account was read since, whichever server's clock says so. Otherwise what it waives may have been given to another since.
    """
    beside = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    theirs = DECISION_SUBJECTS.c.subject == row["subject"]
    own = theirs & (DECISIONS.c.merchant == row["merchant"]) & (DECISIONS.c.perk == row["perk"])
    newest = connection.execute(select(func.max(DECISIONS.c.seq)).select_from(beside).where(own)).scalar()
    since = theirs & (DECISIONS.c.seq >= row["seq"])  # not before: a clock that was ahead then gave away nothing of it
    latest = connection.execute(select(func.max(DECISIONS.c.decided_at)).select_from(beside).where(since)).scalar_one()
    if newest != row["seq"]:
        raise _refused("a newer answer took the decision's place", "decision_superseded", "make the order of that one")
    if not valid(row["decided_at"], row["valid_until"], now) or latest >= row["valid_until"]:
        raise _refused("the decision is not valid any more", "decision_expired", _ANEW)


def _consented(connection: Connection, subject: str, service: Service, now: datetime) -> None:
    """A consent that was withdrawn since begins nothing new."""
    (said,) = fetched(connection, permissions.said({subject}, now))
    pair = (subject, service.name)
    if not permissions.in_force(said, [pair], now)[pair]:
        said_so = "no consent of such a person to be asked about by this service"
        raise Refused(said_so, where="decision_id", hint="ask for it: POST /v1/consents", code="no_consent")


def _refused(message: str, code: str, hint: str) -> Refused:
    return Refused(message, where="decision_id", hint=hint, code=code)
