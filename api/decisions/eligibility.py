"""Eligibility: may these people have these perks without a deposit? Many questions are answered in one write transaction.

What was given before is read, the decision made and written while nobody else writes: two merchants at once cannot both be
given the last of a cap. All is read for all questions together, and whoever may not be asked about takes the same road as everyone:
the decision is made, of somebody else's values, and thrown away. So a refusal is not told from a decline by how long it takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from api import services
from api.clock import iso, micros, moment, refuse_far_ahead
from api.database import fetched, writing
from api.decisions import account, decisions
from api.decisions.decisions import Answered, Asked, Row
from api.evidence import departed
from api.features import builds, standing, watching
from api.features.standing import Standing
from api.features.watching import Flags
from api.services import Service
from api.world import World
from engine.decide import Decision, Question, askable, decide, read_context
from engine.errors import IftahError, Refused
from engine.lang.program import Perk, Program
from engine.lang.types import Value
from graph.vocabulary import CLASSES

REPEATED: Final = timedelta(hours=24)  # how long the same transaction gets the same answer
PROBED: Final = timedelta(hours=24)  # in which the amounts asked about one person are counted
MOST_AMOUNTS: Final = 5  # that one merchant may ask about one person in that time
NO_CONSENT: Final = "no_consent"


@dataclass(frozen=True)
class Put:
    """A question, and when it was put."""

    asked: Asked
    now: datetime


Live = dict[tuple[str, datetime], Flags]  # flags that had to be made, by person and when the row was computed


class _NotFlagged(Exception):  # not an error: the flags of these people are made outside, then all begins again
    def __init__(self, people: dict[str, Standing]) -> None:
        self.people = people


def answered(world: World, questions: Sequence[Put]) -> list[Answered | IftahError]:
    """The answer to each question, or why there is none; all that is told is in the database before this returns.

    Raises Refused when nothing can be answered: before the first build, or when the database is in trouble.
    """
    live: Live = {}
    while True:
        try:
            with writing(world.database, locked=False) as connection:
                batch = _Batch(world, connection, questions, live)
                answers = [batch.answer(put) for put in questions]
                batch.write()
            return answers
        except _NotFlagged as needed:
            for person, found in needed.people.items():
                flags = watching.of_person(world.database, world.engines, found.at, person, CLASSES)
                live[person, found.at.computed_at] = dict(flags)


class _Batch:
    """What is read for all questions at once, and what comes to be kept."""

    def __init__(self, world: World, connection: Connection, questions: Sequence[Put], live: Live) -> None:
        self.world, self.connection, self.live = world, connection, live
        asked = [put.asked for put in questions]
        people, latest = {a.subject for a in asked}, max(put.now for put in questions)
        self.pseudonyms, leaving = departed.asked(world.database, people)
        known_as = people | set(
            self.pseudonyms.values()
        )  # of whom: what was asked about them after they had left counts, too
        made_rows, earlier, signed_up, given, self.newest, newest_move, left, *known = fetched(
            connection,
            builds.NEWEST,
            decisions.answered_before({t for a in asked if (t := _transaction(a))}),
            services.in_force({(a.merchant, a.service) for a in asked if a.service}),
            account.told(known_as),
            decisions.NEWEST,
            decisions.NEWEST_MOVE,
            leaving,
            *standing.known_of(people, latest),
            alone=True,
        )
        self.order_moves = newest_move[0][0] if newest_move else decisions.FIRST
        made = builds.ready_of(made_rows)
        self.program = world.program(made)
        self.earlier = decisions.by_transaction(earlier)
        self.services = services.by_name(signed_up)
        pairs = {(a.subject, _named(a)) for a in asked}
        self.standings = standing.standings(connection, made, pairs, latest, known)
        self.given = account.given(given, known_as)
        self.left = {digest for (digest,) in left}
        self.rows: list[Row] = []
        self._see_to_flags()

    def _see_to_flags(self) -> None:
        known = {s: of for (s, _), of in self.standings.found.items() if isinstance(of, Standing)}
        missing = {s: of for s, of in known.items() if self._flags(s, of) is None}
        if missing:
            raise _NotFlagged(missing)

    def _flags(self, subject: str, known: Standing) -> Flags | None:
        made = self.live.get((subject, known.at.computed_at))
        return watching.kept_of(self.world.engines, known.at, known.kept) if made is None else made

    def answer(self, put: Put) -> Answered | IftahError:
        """One answer; what is to be kept of it waits in `rows`."""
        try:
            refuse_far_ahead(put.now, moment(self.newest[0][2]) if self.newest else None)
            before = self.earlier.get(_transaction(put.asked) or ("", ""))
            return _again(before, put) if before else self._new(put)
        except IftahError as error:
            return error

    def _new(self, put: Put) -> Answered:
        asked, perk = self._termed(put.asked)
        fields = read_context(perk, asked.context)
        known = self.standings.found[asked.subject, _named(asked)]
        asked = self._nameless(asked)
        _not_probing(self.given[asked.subject], asked, put.now)
        if isinstance(known, Refused) and known.code != standing.UNKNOWN:
            raise known
        of = self.standings.anybody if isinstance(known, Refused) else known
        row = decisions.row_of(asked, put.now, self._decided(asked, put.now, of, fields), self.order_moves)
        if isinstance(known, Refused):
            if asked.service is None:  # the house itself asks: there is nobody to be told of it
                raise known
            self._keep(decisions.refusal_of(asked, put.now, row, NO_CONSENT, self.order_moves))
            raise _no_consent()
        return self._keep(row)

    def _nameless(self, asked: Asked) -> Asked:
        """The question as it may be kept: under a pseudonym, and without the request's own fields, for who has left."""
        pseudonym = self.pseudonyms[asked.subject]
        return replace(asked, subject=pseudonym, context={}) if pseudonym in self.left else asked

    def _termed(self, asked: Asked) -> tuple[Asked, Perk]:
        """The question with what the service says of it. Raises Refused when it cannot be asked, whoever it is about."""
        if asked.service is not None:
            service = self.services.get((asked.merchant, asked.service))
            if service is None:
                raise services.unknown()
            asked = _under(service, self.program, asked, self.pseudonyms[asked.subject])
        return asked, askable(self.program, asked.perk, asked.amount, asked.currency)

    def _decided(self, asked: Asked, now: datetime, known: Standing, fields: dict[str, Value | None]) -> Decision:
        flags = self._flags(asked.subject, known) or {}
        program = self.world.program(known.at)
        before = account.before(self.given[asked.subject], asked.merchant, asked.perk, now)
        question = Question(
            subject=asked.subject,
            perk=asked.perk,
            amount=asked.amount,
            currency=asked.currency,
            as_of=iso(known.at.as_of),
            known_at=iso(known.at.known_at),
            global_as_of=iso(known.made.as_of),
            global_known_at=iso(known.made.known_at),
            asked_at=iso(now),
            purpose=known.made.purpose,
            values=known.values | watching.agreed(program, flags, known.classes),
            context=fields,
            used=before.used,
            held_since=before.held_since,
            timezone=self.world.release.timezone,
            in_service=before.in_service,
            unpaid=before.unpaid,
            overdue=before.overdue,
        )
        return decide(self.world.engines.at(question.day), question)

    def _keep(self, row: Row) -> Answered:
        """It counts for the next question of the same batch already."""
        self.rows.append(row)
        place = max((r["seq"] for r in self.given[row["subject"]]), default=0) + 1
        self.given[row["subject"]].append({**row, "seq": place, "state": None, "closed_at": None})
        made = decisions.answer_of(row)
        if key := _transaction(made.asked):
            self.earlier[key] = made
        return made

    def write(self) -> None:
        """Write down what was decided."""
        if not self.rows:
            return
        decisions.keep(self.connection, self.rows, self.newest)


def _transaction(asked: Asked) -> tuple[str, str] | None:
    return (asked.merchant, asked.transaction_id) if asked.transaction_id else None


def _named(asked: Asked) -> str | None:
    return services.named(asked.merchant, asked.service) if asked.service else None


def _under(service: Service, program: Program, asked: Asked, pseudonym: str) -> Asked:
    """The question in the terms of the service. Raises Refused for who is not on its list, or a perk that the rules have no more."""
    allowed = service.terms.allowed
    if allowed is not None and pseudonym not in allowed:
        hint = "put them on its allow-list, or take the list away"
        raise Refused("the service is not open to this person", where="subject", hint=hint, code="not_on_allow_list")
    perk = program.perk(service.terms.perk)
    if perk is None:
        hint = "sign up for another perk"
        raise Refused(
            f"the rules have no perk `{service.terms.perk}` any more", where="service", hint=hint, code="unknown_perk"
        )
    return replace(asked, perk=perk.id, currency=perk.currency, service_version=service.version)


def _no_consent() -> Refused:
    """The same whoever it is: nobody of that id is not told from somebody who has not consented."""
    said = "no consent of such a person to be asked about by this service"
    return Refused(said, where="subject", hint="ask for it: POST /v1/consents", code=NO_CONSENT)


def _again(before: Answered, put: Put) -> Answered:
    """The first answer, once more. Raises Refused for another question, or after a day."""
    name = put.asked.transaction_id
    hint = "use a new transaction_id"
    if not before.asked.same_as(put.asked):
        message = f"transaction `{name}` asked something else before"
        raise Refused(message, where="transaction_id", hint=hint, code="transaction_mismatch")
    if abs(put.now - before.decided_at) > REPEATED:  # a clock that was ahead does not keep it for ever
        message = f"transaction `{name}` was answered more than a day ago"
        raise Refused(message, where="transaction_id", hint=hint, code="transaction_expired")
    return before


def _not_probing(given: Sequence[account.Given], asked: Asked, now: datetime) -> None:
    """Raise Refused when the merchant feels its way to what the person may have, by one amount after the other."""
    since, until = micros(now - PROBED), micros(now + PROBED)  # what a clock that was ahead wrote is not of this day
    of_day = [r for r in given if r["merchant"] == asked.merchant and since < r["decided_at"] < until]
    amounts = {r["amount"] for r in of_day}
    if asked.service is not None and asked.amount not in amounts and len(amounts) >= MOST_AMOUNTS:
        message = f"{MOST_AMOUNTS} amounts were asked about this person within a day"
        hint = "ask about one of them again, or tomorrow"
        raise Refused(message, where="amount", hint=hint, code="too_many_amounts")
