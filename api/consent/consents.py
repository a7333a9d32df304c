"""Consents: a merchant asks for one, the person answers, or gives and withdraws one unasked.

What is asked is in a table; what a person says is an event of the ledger, so that it counts where evidence is read. Nothing
about a person is looked at when a merchant asks: nobody is asked about as everybody is.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, RowMapping, insert, select, update

from api import services
from api.access.presence import writing_about
from api.clock import micros, moment
from api.consent import permissions
from api.database import fetched, reading, writing
from api.evidence import departed
from api.evidence.ledger import HOUSE, say
from api.tables import CONSENT_REQUESTS, EVENTS
from engine.errors import Refused
from graph.events import LATEST_PLAN
from graph.vocabulary import CLASSES

NOBODY: Final = ""  # whose answers those of somebody are who has left
OPEN: Final = timedelta(days=30)  # how long a request waits for its answer
WARNED: Final = "restricted"  # the class that needs a warning: PRC credit reporting regulation 2013, art. 14
WARNING: Final = {
    "en": "This is about your income and what you own. You need not allow it, and no service may be refused to you "
    "because you do not. If you allow it, it can raise or lower what is waived for you.",
    "zh": "这涉及您的收入和财产信息。您可以不同意，任何服务不得因此拒绝您。如果同意，免押额度可能因此提高或降低。",
}


@dataclass(frozen=True)
class Ask:
    """What a merchant asks of a person for one of its services. `until` None: until it is withdrawn.

    Of a request that is kept, `subject` is a pseudonym (`departed.pseudonym`): it is the merchant's own word about somebody, and
    stays as it is when they leave.
    """

    merchant: str
    service: str
    subject: str
    purpose: str
    classes: tuple[str, ...]
    until: datetime | None = None

    @property
    def named(self) -> str:
        """The service as consents name it."""
        return services.named(self.merchant, self.service)


@dataclass(frozen=True)
class Request:
    """A request as it stands: asked, granted, declined, expired (not answered in time, or the grant is over) or withdrawn;
    `granted`: the classes that the service itself may ask about now, by whatever grant.
    """

    id: str
    ask: Ask
    asked_at: datetime
    state: str
    answered_at: datetime | None
    granted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """What a person allows. `service` None: that evidence of these classes is used; else that the service asks about it."""

    subject: str
    purpose: str
    classes: tuple[str, ...]
    service: str | None = None
    until: datetime | None = None
    warned: bool = False


def ask(engine: Engine, asked: Ask, now: datetime) -> Request:
    """Ask for consent: a new request, which takes the place of one of the same service, or the same one that is open already.

    Raises Refused for a service that the merchant has not, and for an end that is no time to come.
    """
    _in_time(asked.until, now)
    asked = replace(asked, classes=_ordered(asked.classes))
    with writing(engine) as connection:
        services.newest(connection, asked.merchant, asked.service)
        asked = replace(asked, subject=_pseudonym(connection, asked.subject))
        for before in _open_requests(connection, now, merchant=asked.merchant, subject=asked.subject):
            if before.ask == asked:
                return before
            if before.ask.service == asked.service:
                _answer(connection, before.id, "expired", now)
        made = Request(secrets.token_hex(16), asked, now, "asked", None)
        connection.execute(insert(CONSENT_REQUESTS).values(_row(made)))
    return made


def of_merchant(engine: Engine, merchant: str, name: str, now: datetime) -> Request:
    """A merchant's own request. Raises Refused for any other."""
    with reading(engine) as connection:
        found = _found(connection, name, now, merchant=merchant)
        if found.state != "granted":
            return found
        asked, subject = found.ask, _granted_by(connection, name)
        held = {} if subject is None else _granted(connection, subject, now)
        classes = held.get(asked.purpose, {}).get(asked.named, {})
    over = "expired" if asked.until is not None and asked.until <= now else "withdrawn"
    return replace(found, state="granted" if classes else over, granted=_ordered(classes))


def waiting(engine: Engine, subject: str, now: datetime) -> list[Request]:
    """The requests that wait for the person's answer, oldest first."""
    with reading(engine) as connection:
        return _open_requests(connection, now, subject=_pseudonym(connection, subject))


def held(engine: Engine, subject: str, now: datetime) -> dict[str, permissions.Grants]:
    """What the person consents to now, by purpose."""
    with reading(engine) as connection:
        return _granted(connection, subject, now)


def grant(engine: Engine, name: str, said: Said, now: datetime) -> Request:
    """The person's yes to the request `name`: to the classes of `said`, and until then; its end is the request's unless given.

    Raises Refused for more than was asked, for a request of somebody else, and for one that was answered otherwise.
    """
    with writing_about(engine, said.subject) as connection:
        found = _found(connection, name, now, subject=_pseudonym(connection, said.subject))
        asked = found.ask
        if not set(said.classes) <= set(asked.classes):
            hint = f"some of {', '.join(asked.classes)}"
            raise Refused("more than was asked for", where="classes", hint=hint, code="not_asked")
        if said.until is not None and asked.until is not None and said.until > asked.until:
            hint = "at the latest when the request says"
            raise Refused("longer than was asked for", where="until", hint=hint, code="bad_until")
        until = said.until or asked.until
        _not_answered(found, "granted")
        given = Said(said.subject, asked.purpose, said.classes, asked.named, until, said.warned)
        _sound(given, now)
        if found.state == "asked" or not _covered(connection, given, now):
            event = f"consent-{secrets.token_hex(16)}"
            _give(connection, given, event, now)
            _answer(connection, name, "granted", now, event)
    return replace(found, state="granted", answered_at=found.answered_at or now, granted=_ordered(said.classes))


def decline(engine: Engine, name: str, subject: str, now: datetime) -> Request:
    """The person's no. Raises Refused as `grant`."""
    with writing_about(engine, subject) as connection:
        found = _found(connection, name, now, subject=_pseudonym(connection, subject))
        _not_answered(found, "declined")
        if found.state == "asked":
            _answer(connection, name, "declined", now)
    return replace(found, state="declined", answered_at=found.answered_at or now)


def give(engine: Engine, said: Said, now: datetime) -> bool:
    """What a person allows unasked; whether that is new. Raises Refused for a service that there is not."""
    _sound(said, now)
    with writing_about(engine, said.subject) as connection:
        if said.service is not None:
            merchant, _, service = said.service.rpartition("/")
            services.newest(connection, merchant, service, hint="name it as `merchant/service`")
        if _covered(connection, said, now):
            return False
        _give(connection, said, f"consent-{secrets.token_hex(16)}", now)
    return True


def withdraw(
    engine: Engine, subject: str, purpose: str, classes: tuple[str, ...] | None, service: str | None, now: datetime
) -> None:
    """Take back what was allowed: these classes (None: all), to that service (None: to everyone, and to use it at all)."""
    with writing_about(engine, subject) as connection:
        event = f"consent-{secrets.token_hex(16)}"
        named = None if classes is None else ",".join(_ordered(classes))
        about = {"purpose": purpose, "classes": named, "service": service}
        say(connection, now, kind="consent.withdrawn", event_id=event, subject=subject, **about)


def of_person(connection: Connection, person: str) -> list[dict[str, Any]]:
    """What merchants asked of the person, newest first, as it is kept."""
    query = select(CONSENT_REQUESTS).where(CONSENT_REQUESTS.c.subject == _pseudonym(connection, person))
    return [dict(row) for row in connection.execute(query.order_by(CONSENT_REQUESTS.c.asked_at.desc())).mappings()]


def forget(connection: Connection, person: str) -> None:
    """The person leaves: what they answered is nobody's answer any more; what they did not answer waits on, as for nobody."""
    answered = (CONSENT_REQUESTS.c.subject == _pseudonym(connection, person)) & (CONSENT_REQUESTS.c.state != "asked")
    connection.execute(update(CONSENT_REQUESTS).where(answered).values(subject=NOBODY, event_id=None))


def _pseudonym(connection: Connection, person: str) -> str:
    return departed.pseudonyms(connection, [person])[0]


def _granted_by(connection: Connection, name: str) -> str | None:
    """Who granted the request, by the event that says so; None when they have left."""
    same = (EVENTS.c.contributor == HOUSE) & (EVENTS.c.event_id == CONSENT_REQUESTS.c.event_id)
    query = select(EVENTS.c.subject).select_from(CONSENT_REQUESTS.join(EVENTS, same))
    found: str | None = connection.execute(query.where(CONSENT_REQUESTS.c.id == name)).scalar()
    return found


def _sound(said: Said, now: datetime) -> None:
    """Raises Refused for an end that is no time to come, and for `restricted` without its warning."""
    _in_time(said.until, now)
    if WARNED in said.classes and not said.warned:
        message = f"`{WARNED}` needs that the warning was read"
        raise Refused(message, where="warned", hint="show the warning, then send true", code="warning_needed")


def _give(connection: Connection, said: Said, event: str, now: datetime) -> None:
    about = {"purpose": said.purpose, "classes": ",".join(_ordered(said.classes)), "service": said.service}
    say(connection, now, kind="consent.granted", event_id=event, subject=said.subject, until=said.until, **about)


def _granted(connection: Connection, subject: str, now: datetime) -> dict[str, permissions.Grants]:
    """What the person consents to, by purpose."""
    (rows,) = fetched(connection, permissions.said_of_all([subject], now))
    return {purpose: grants for (_, purpose), grants in sorted(permissions.granted(rows, now).items())}


def _covered(connection: Connection, said: Said, now: datetime) -> bool:
    """Whether just that is in force already."""
    grants = _granted(connection, said.subject, now).get(said.purpose, {}).get(said.service, {})
    until = None if said.until is None else micros(said.until)
    return all(name in grants and grants[name].until == until for name in said.classes)


def _in_time(until: datetime | None, now: datetime) -> None:
    if until is not None and not now < until <= LATEST_PLAN:
        hint = f"after now, and not after {LATEST_PLAN.year}; leave it out if there is no end"
        raise Refused("a consent ends in the time to come", where="until", hint=hint, code="bad_until")


def _not_answered(found: Request, so: str) -> None:
    if found.state not in ("asked", so):
        hint = "see GET /v1/me/consents"
        raise Refused(f"the request is {found.state}", where="consent", hint=hint, code="consent_answered")


def _open_requests(connection: Connection, now: datetime, **of: str) -> list[Request]:
    query = select(CONSENT_REQUESTS).where(CONSENT_REQUESTS.c.state == "asked")
    query = query.where(*(CONSENT_REQUESTS.c[column] == value for column, value in of.items()))
    rows = connection.execute(query.order_by(CONSENT_REQUESTS.c.asked_at, CONSENT_REQUESTS.c.id)).mappings()
    return [found for row in rows if (found := _made(row, now)).state == "asked"]


def _found(connection: Connection, name: str, now: datetime, **of: str) -> Request:
    query = select(CONSENT_REQUESTS).where(CONSENT_REQUESTS.c.id == name)
    query = query.where(*(CONSENT_REQUESTS.c[column] == value for column, value in of.items()))
    row = connection.execute(query).mappings().first()
    if row is None:
        hint = "use the id that was told when it was asked for"
        raise Refused("unknown request for consent", where="consent", hint=hint, code="unknown_consent")
    return _made(row, now)


def _answer(connection: Connection, name: str, state: str, now: datetime, event: str | None = None) -> None:
    change = update(CONSENT_REQUESTS).where(CONSENT_REQUESTS.c.id == name)
    connection.execute(change.values(state=state, answered_at=micros(now), event_id=event))


def _ordered(classes: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in CLASSES if name in classes)


def _row(made: Request) -> dict[str, Any]:
    asked = made.ask
    return {
        **{"id": made.id, "merchant": asked.merchant, "service": asked.service, "subject": asked.subject},
        **{"purpose": asked.purpose, "classes": ",".join(asked.classes), "state": made.state},
        **{"until": None if asked.until is None else micros(asked.until), "asked_at": micros(made.asked_at)},
    }


def _made(row: RowMapping, now: datetime) -> Request:
    until = None if row["until"] is None else moment(row["until"])
    asked_at, answered = moment(row["asked_at"]), row["answered_at"]
    classes = tuple(row["classes"].split(","))
    asked = Ask(row["merchant"], row["service"], row["subject"], row["purpose"], classes, until)
    over = asked_at + OPEN <= now or (until is not None and until <= now)
    state = "expired" if row["state"] == "asked" and over else row["state"]
    return Request(row["id"], asked, asked_at, state, None if answered is None else moment(answered))
