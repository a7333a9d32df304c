"""Something to see on the pages: decisions, a dispute, a review, orders and looks in the town."""

from datetime import datetime, timedelta

from sqlalchemy import insert, select

from api.access.auth import Caller
from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.people import disputes, reviews
from api.people.looks import Purpose, look_at_person
from api.runtime.context import AppContext
from api.store.clock import micros
from api.store.database import reading, writing
from api.store.tables import EVENTS, SCORE_HISTORY
from tests.api.order_client import OrderClient
from tests.api.refresh_town import Refresher
from tests.api.town import NOW

SCRIPT = "<script>alert('stored')</script>"
LATER = NOW + timedelta(hours=1)


def seed_activity(context: AppContext) -> str:
    """Make it. Returns the person whom most of it is about."""
    client = OrderClient(context)
    person, database, now = client.person, context.database, client.now
    client.create_due_order()
    neighbours = [str(p) for p in client.scores["person"][:9] if p != person]
    questions = [(person, "car", 9_000_000), (person, "power_bank", 9_900), *((p, "hotel", 80_000) for p in neighbours)]
    decisions = [
        answer_question(context, _question(n, *question, now + timedelta(hours=n)))
        for n, question in enumerate(questions, 1)
    ]
    reviews.request_review(database, person, decisions[0].id, f"I paid in time {SCRIPT}", now)
    is_own = (EVENTS.c.subject == person) & (EVENTS.c.kind == "payment.made")
    with reading(database) as connection:
        contributor, event = connection.execute(select(EVENTS.c.contributor, EVENTS.c.event_id).where(is_own)).first()
    disputes.open_dispute(database, context.vocabulary, person, contributor, event, f"not mine {SCRIPT}", now)
    Refresher(database, context.evaluators).run(now)
    look_at_person(database, Caller("t", "operator", "mei"), person, Purpose("dispute", f"objection {SCRIPT}"), now)
    _insert_history(context, person)
    return person


def _question(number: int, person: str, perk: str, amount: int, now: datetime) -> EligibilityQuestion:
    request = {"nights": 2} if perk == "hotel" else {}
    return EligibilityQuestion("inn", f"T-{number}", person, perk, amount, "CNY", now, request)


def _insert_history(context: AppContext, person: str) -> None:
    """Earlier scores."""
    rows = [
        {"person": person, "at": micros(NOW - timedelta(days=30 * n)), "release": context.release.id}
        | {"score": 760 - 9 * n, "band": "outstanding"}
        for n in (5, 4, 2)
    ]
    with writing(context.database) as connection:
        connection.execute(insert(SCORE_HISTORY), rows)
