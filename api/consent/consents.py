"""Consents: a merchant requests one and the person answers; a person can also grant and withdraw one without a request.

We keep requests in a table. A person's answer is an event of the ledger, so that every reader of evidence applies it. We look up nothing
about the person when a merchant asks: a request about an unknown id takes the same steps.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, insert, select, update

from api.access.presence import writing_about
from api.consent import permissions
from api.evidence import erasure_tombstones
from api.evidence.ledger import SYSTEM_CONTRIBUTOR, append_system_event
from api.merchants import services
from api.store.clock import micros, moment
from api.store.database import Database, fetch_rows, reading, writing
from api.store.tables import CONSENT_REQUESTS, EVENTS
from engine.errors import Rejected
from graph.evidence.events import LATEST_PLANNED_TIME
from graph.evidence.vocabulary import CLASSES

ERASED_SUBJECT: Final = ""  # stands for an erased person in answered requests
REQUEST_LIFETIME: Final = timedelta(days=30)  # a request waits so long for its answer
SENSITIVE_CLASS: Final = "restricted"  # the class that needs a warning: PRC credit reporting regulation 2013, art. 14
WARNING: Final = {
    "en": "This is about your income and what you own. You need not allow it, and no service may be refused to you "
    "because you do not. If you allow it, it can raise or lower what is waived for you.",
    "zh": "这涉及您的收入和财产信息。您可以不同意，任何服务不得因此拒绝您。如果同意，免押额度可能因此提高或降低。",
}


@dataclass(frozen=True)
class ConsentTerms:
    """The consent that a merchant requests for one of its services. `until` None: until it is withdrawn.

    In a stored request `subject` is a pseudonym (`erasure_tombstones.pseudonym`): the merchant named the person, so the request
    stays unchanged after an erasure.
    """

    merchant: str
    service: str
    subject: str
    purpose: str
    classes: tuple[str, ...]
    until: datetime | None = None
    return_url: str | None = None  # the merchant's page to which the person goes back after the answer

    @property
    def service_name(self) -> str:
        """The service as consents name it."""
        return services.service_name(self.merchant, self.service)


@dataclass(frozen=True)
class ConsentRequestStatus:
    """A request as it stands: asked, granted, declined, expired (not answered in time, or the grant is over) or withdrawn;
    `granted`: the classes that the service itself may ask about now, by any grant.
    """

    id: str
    terms: ConsentTerms
    asked_at: datetime
    state: str
    answered_at: datetime | None
    granted_classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Consent:
    """A person's consent. `service` None: we may use evidence of these classes; otherwise that service may ask about it."""

    subject: str
    purpose: str
    classes: tuple[str, ...]
    service: str | None = None
    until: datetime | None = None
    warned: bool = False


def request_consent(database: Database, terms: ConsentTerms, now: datetime) -> ConsentRequestStatus:
    """Request consent: return the same open request, or make a new one in place of the service's former one.

    Raises Rejected for an unknown service of the merchant, and for an end that is not in the future.
    """
    _check_end(terms.until, now)
    terms = replace(terms, classes=_sort_classes(terms.classes))
    with writing(database) as connection:
        services.newest(connection, terms.merchant, terms.service)
        terms = replace(terms, subject=_pseudonym(connection, terms.subject))
        for open_request in _open_requests(connection, now, merchant=terms.merchant, subject=terms.subject):
            if open_request.terms == terms:
                return open_request
            if open_request.terms.service == terms.service:
                _answer(connection, open_request.id, "expired", now)
        request = ConsentRequestStatus(secrets.token_hex(16), terms, now, "asked", None)
        connection.execute(insert(CONSENT_REQUESTS).values(_row(request)))
    return request


def request_of_merchant(database: Database, merchant: str, name: str, now: datetime) -> ConsentRequestStatus:
    """A merchant's own request. Raises Rejected for any other."""
    with reading(database) as connection:
        request = _get_request(connection, name, now, merchant=merchant)
        if request.state != "granted":
            return request
        terms, subject = request.terms, _grantor(connection, name)
        grants = {} if subject is None else _grants_of(connection, subject, now)
        classes = grants.get(terms.purpose, {}).get(terms.service_name, {})
    ended_state = "expired" if terms.until is not None and terms.until <= now else "withdrawn"
    return replace(request, state="granted" if classes else ended_state, granted_classes=_sort_classes(classes))


def request_of_person(database: Database, subject: str, name: str, now: datetime) -> ConsentRequestStatus:
    """A request to the person, in any state. Raises Rejected for a request to anybody else."""
    with reading(database) as connection:
        return _get_request(connection, name, now, subject=_pseudonym(connection, subject))


def pending_requests(database: Database, subject: str, now: datetime) -> list[ConsentRequestStatus]:
    """The open requests to the person, oldest first."""
    with reading(database) as connection:
        return _open_requests(connection, now, subject=_pseudonym(connection, subject))


def consents_of(database: Database, subject: str, now: datetime) -> dict[str, permissions.Grants]:
    """The person's grants in force, by purpose."""
    with reading(database) as connection:
        return _grants_of(connection, subject, now)


def grant(database: Database, name: str, consent: Consent, now: datetime) -> ConsentRequestStatus:
    """Grant the request `name`: the classes of `consent`, until its end, or until the request's end if it gives none.

    Raises Rejected for more than was requested, for a request to another person, and for one with another answer.
    """
    with writing_about(database, consent.subject) as connection:
        request = _get_request(connection, name, now, subject=_pseudonym(connection, consent.subject))
        terms = request.terms
        if not set(consent.classes) <= set(terms.classes):
            hint = f"some of {', '.join(terms.classes)}"
            raise Rejected("more than was asked for", where="classes", hint=hint, code="not_asked")
        if consent.until is not None and terms.until is not None and consent.until > terms.until:
            hint = "at the latest when the request says"
            raise Rejected("longer than was asked for", where="until", hint=hint, code="bad_until")
        until = consent.until or terms.until
        _require_open(request, "granted")
        effective = Consent(consent.subject, terms.purpose, consent.classes, terms.service_name, until, consent.warned)
        _validate(effective, now)
        if request.state == "asked" or not _is_in_force(connection, effective, now):
            event = f"consent-{secrets.token_hex(16)}"
            _record_consent(connection, effective, event, now)
            _answer(connection, name, "granted", now, event)
    return replace(
        request, state="granted", answered_at=request.answered_at or now, granted_classes=_sort_classes(consent.classes)
    )


def decline(database: Database, name: str, subject: str, now: datetime) -> ConsentRequestStatus:
    """Decline the request `name`. Raises Rejected as `grant`."""
    with writing_about(database, subject) as connection:
        request = _get_request(connection, name, now, subject=_pseudonym(connection, subject))
        _require_open(request, "declined")
        if request.state == "asked":
            _answer(connection, name, "declined", now)
    return replace(request, state="declined", answered_at=request.answered_at or now)


def give_consent(database: Database, consent: Consent, now: datetime) -> bool:
    """Grant a consent without a request. Returns whether it is new. Raises Rejected for an unknown service."""
    _validate(consent, now)
    with writing_about(database, consent.subject) as connection:
        if consent.service is not None:
            merchant, _, service = consent.service.rpartition("/")
            services.newest(connection, merchant, service, hint="name it as `merchant/service`")
        if _is_in_force(connection, consent, now):
            return False
        _record_consent(connection, consent, f"consent-{secrets.token_hex(16)}", now)
    return True


def withdraw(
    database: Database, subject: str, purpose: str, classes: tuple[str, ...] | None, service: str | None, now: datetime
) -> None:
    """Withdraw these classes (None: all) from that service (None: from every service, and from our own use)."""
    with writing_about(database, subject) as connection:
        event = f"consent-{secrets.token_hex(16)}"
        class_list = None if classes is None else ",".join(_sort_classes(classes))
        fields = {"purpose": purpose, "classes": class_list, "service": service}
        append_system_event(connection, now, kind="consent.withdrawn", event_id=event, subject=subject, **fields)


def of_person(connection: Connection, person: str) -> list[dict[str, Any]]:
    """The requests to the person, newest first, as we store them."""
    query = select(CONSENT_REQUESTS).where(CONSENT_REQUESTS.c.subject == _pseudonym(connection, person))
    return [dict(row) for row in connection.execute(query.order_by(CONSENT_REQUESTS.c.asked_at.desc())).mappings()]


def forget(connection: Connection, person: str) -> None:
    """Erase the person from answered requests. Open requests stay, as those to an unknown id do."""
    condition = (CONSENT_REQUESTS.c.subject == _pseudonym(connection, person)) & (CONSENT_REQUESTS.c.state != "asked")
    connection.execute(update(CONSENT_REQUESTS).where(condition).values(subject=ERASED_SUBJECT, event_id=None))


def _pseudonym(connection: Connection, person: str) -> str:
    return erasure_tombstones.pseudonyms(connection, [person])[0]


def _grantor(connection: Connection, name: str) -> str | None:
    """The person that granted the request, by the grant's event; None after an erasure."""
    join_condition = (EVENTS.c.contributor == SYSTEM_CONTRIBUTOR) & (EVENTS.c.event_id == CONSENT_REQUESTS.c.event_id)
    query = select(EVENTS.c.subject).select_from(CONSENT_REQUESTS.join(EVENTS, join_condition))
    subject: str | None = connection.execute(query.where(CONSENT_REQUESTS.c.id == name)).scalar()
    return subject


def _validate(consent: Consent, now: datetime) -> None:
    """Raises Rejected for an end that is not in the future, and for `restricted` without its warning."""
    _check_end(consent.until, now)
    if SENSITIVE_CLASS in consent.classes and not consent.warned:
        message = f"`{SENSITIVE_CLASS}` needs that the warning was read"
        raise Rejected(message, where="warned", hint="show the warning, then send true", code="warning_needed")


def _record_consent(connection: Connection, consent: Consent, event: str, now: datetime) -> None:
    fields = {
        "purpose": consent.purpose,
        "classes": ",".join(_sort_classes(consent.classes)),
        "service": consent.service,
    }
    append_system_event(
        connection, now, kind="consent.granted", event_id=event, subject=consent.subject, until=consent.until, **fields
    )


def _grants_of(connection: Connection, subject: str, now: datetime) -> dict[str, permissions.Grants]:
    """The person's grants in force, by purpose, within a transaction."""
    (rows,) = fetch_rows(connection, permissions.consent_query_all_purposes([subject], now))
    return {purpose: grants for (_, purpose), grants in sorted(permissions.collect_grants(rows, now).items())}


def _is_in_force(connection: Connection, consent: Consent, now: datetime) -> bool:
    """Whether exactly this consent is in force already."""
    grants = _grants_of(connection, consent.subject, now).get(consent.purpose, {}).get(consent.service, {})
    until = None if consent.until is None else micros(consent.until)
    return all(name in grants and grants[name].until == until for name in consent.classes)


def _check_end(until: datetime | None, now: datetime) -> None:
    if until is not None and not now < until <= LATEST_PLANNED_TIME:
        hint = f"after now, and not after {LATEST_PLANNED_TIME.year}; leave it out if there is no end"
        raise Rejected("a consent ends in the time to come", where="until", hint=hint, code="bad_until")


def _require_open(request: ConsentRequestStatus, allowed_state: str) -> None:
    if request.state not in ("asked", allowed_state):
        hint = "see GET /v1/me/consents"
        raise Rejected(f"the request is {request.state}", where="consent", hint=hint, code="consent_answered")


def _open_requests(connection: Connection, now: datetime, **filters: str) -> list[ConsentRequestStatus]:
    query = select(CONSENT_REQUESTS).where(CONSENT_REQUESTS.c.state == "asked")
    query = query.where(*(CONSENT_REQUESTS.c[column] == value for column, value in filters.items()))
    rows = connection.execute(query.order_by(CONSENT_REQUESTS.c.asked_at, CONSENT_REQUESTS.c.id)).mappings()
    return [request for row in rows if (request := _request_of(row, now)).state == "asked"]


def _get_request(connection: Connection, name: str, now: datetime, **filters: str) -> ConsentRequestStatus:
    query = select(CONSENT_REQUESTS).where(CONSENT_REQUESTS.c.id == name)
    query = query.where(*(CONSENT_REQUESTS.c[column] == value for column, value in filters.items()))
    row = connection.execute(query).mappings().first()
    if row is None:
        hint = "use the id that was told when it was asked for"
        raise Rejected("unknown request for consent", where="consent", hint=hint, code="unknown_consent")
    return _request_of(row, now)


def _answer(connection: Connection, name: str, state: str, now: datetime, event: str | None = None) -> None:
    change = update(CONSENT_REQUESTS).where(CONSENT_REQUESTS.c.id == name)
    connection.execute(change.values(state=state, answered_at=micros(now), event_id=event))


def _sort_classes(classes: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in CLASSES if name in classes)


def _row(request: ConsentRequestStatus) -> dict[str, str | int | None]:
    terms = request.terms
    return {
        "id": request.id,
        "merchant": terms.merchant,
        "service": terms.service,
        "subject": terms.subject,
        "purpose": terms.purpose,
        "classes": ",".join(terms.classes),
        "state": request.state,
        "until": None if terms.until is None else micros(terms.until),
        "asked_at": micros(request.asked_at),
        "return_url": terms.return_url,
    }


def _request_of(row: RowMapping, now: datetime) -> ConsentRequestStatus:
    until = None if row["until"] is None else moment(row["until"])
    asked_at, answered_at = moment(row["asked_at"]), row["answered_at"]
    classes = tuple(row["classes"].split(","))
    parties = row["merchant"], row["service"], row["subject"]
    terms = ConsentTerms(*parties, row["purpose"], classes, until, row["return_url"])
    is_over = asked_at + REQUEST_LIFETIME <= now or (until is not None and until <= now)
    state = "expired" if row["state"] == "asked" and is_over else row["state"]
    return ConsentRequestStatus(row["id"], terms, asked_at, state, None if answered_at is None else moment(answered_at))
