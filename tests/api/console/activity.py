"""Something to see on the pages: decisions, a dispute, a review, orders and looks in the town."""

from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select

from api.access.auth import Caller
from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.features import builds
from api.people import disputes, reviews
from api.people.looks import Purpose, look_at_person
from api.runtime.context import AppContext
from api.runtime.scoring import current_build
from api.store.clock import micros
from api.store.database import reading, writing
from api.store.tables import EVENTS, ORDERS, SCORE_HISTORY
from tests.api.refresh_town import Refresher
from tests.api.town import NOW

SCRIPT = "<script>alert('stored')</script>"
LATER = NOW + timedelta(hours=1)


def person_with_ties(context: AppContext) -> str:
    """A person with a score, ties and payments."""
    scores = builds.scores(context.database, current_build(context)).drop_nulls("score").sort("score")
    with reading(context.database) as connection:
        tied = set(connection.execute(select(EVENTS.c.subject).where(EVENTS.c.kind == "tie.formed")).scalars())
    return next(str(p) for p in scores["person"] if p in tied)


def seed_activity(context: AppContext) -> str:
    """Make it. Returns the person whom most of it is about."""
    database, person = context.database, person_with_ties(context)
    others = [str(p) for p in builds.scores(database, current_build(context))["person"][:9]]
    questions = [(person, "hotel", 50_000), (person, "car", 9_000_000), (person, "power_bank", 9_900)]
    questions += [(other, "hotel", 80_000) for other in others]
    decisions = [
        answer_question(
            context,
            EligibilityQuestion(
                "inn",
                f"T-{n}",
                name,
                perk,
                amount,
                "CNY",
                LATER + timedelta(hours=n),
                {"nights": 2} if perk == "hotel" else {},
            ),
        )
        for n, (name, perk, amount) in enumerate(questions)
    ]
    reviews.request_review(database, person, decisions[1].id, f"I paid in time {SCRIPT}", LATER)
    with reading(database) as connection:
        own = select(EVENTS.c.contributor, EVENTS.c.event_id).where(
            EVENTS.c.subject == person, EVENTS.c.kind == "payment.made"
        )
        contributor, event = connection.execute(own.limit(1)).one()
    disputes.open_dispute(database, context.vocabulary, person, contributor, event, f"not mine {SCRIPT}", LATER)
    Refresher(database, context.evaluators).run(LATER)
    caller = Caller("t", "operator", "mei")
    look_at_person(database, caller, person, Purpose("dispute", f"the objection {SCRIPT}"), LATER)
    _insert_rows(context, person, decisions[0].id)
    return person


def _insert_rows(context: AppContext, person: str, decision: str) -> None:
    at = micros(LATER)
    order: dict[str, Any] = {
        **{"id": "0a" * 16, "merchant": "inn", "out_order_no": "O-1", "service": "rooms", "service_version": 1},
        **{"decision": decision, "subject": person, "perk": "hotel", "currency": "CNY", "mode": "waive_first"},
        **{"waived": 50_000, "total": 42_000, "state": "settled", "created_at": at, "changed_at": at, "closed_at": at},
        **{"disputed": False, "content": "{}", "digest": ""},
    }
    days = 86_400 * 10**6
    release = context.release.id
    history = [
        {"person": person, "at": at - n * 30 * days, "release": release, "score": 560 + 9 * n, "band": "fair"}
        for n in (5, 4, 2)
    ]
    with writing(context.database) as connection:
        connection.execute(insert(ORDERS).values(order))
        connection.execute(insert(SCORE_HISTORY), history)
