"""The simulated cases: people dispute items and ask for reviews, operators answer some of them, a merchant waits for a consent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from api.consent import consents
from api.consent.consents import ConsentTerms
from api.demo.parties import ASKING_MERCHANT, COLLEAGUE, MERCHANTS, OPERATOR
from api.demo.questions import DemoTill
from api.demo.simulation import Simulation
from api.evidence import ledger
from api.people import disputes, reviews
from api.store.database import Database
from engine.errors import Rejected
from graph.evidence.vocabulary import CLASSES

ADVERSE_KINDS: Final = ("obligation.missed", "order.overdue", "obligation.written_off")


@dataclass(frozen=True)
class CasePlan:
    """When a case is opened, in days before the end, and how it is answered after how many days; None: it is open."""

    days: float
    answer_days: float | None = None
    outcome: str = ""
    note: str | None = None


_DISPUTES: Final = (
    CasePlan(76.0, 9.0, "upheld", "the bank confirmed that the payment came in time"),
    CasePlan(63.0, 12.0, "rejected", "the contract has the earlier day"),
    CasePlan(51.0, 7.0, "rejected", "the bank has no payment of that day"),
    CasePlan(40.0, 15.0, "upheld", "the payment was booked to another loan"),
    CasePlan(29.0, 6.0, "rejected", "the amount is that of the contract"),
    CasePlan(24.0, 11.0, "rejected"),
    CasePlan(19.4),
    CasePlan(15.0),
    CasePlan(6.0),
    CasePlan(2.0),
)
_REVIEWS: Final = (
    CasePlan(70.0, 5.0, "stands", "two missed instalments within a year"),
    CasePlan(57.0, 9.0, "stands", "the score was below the lowest tier"),
    CasePlan(45.0, 4.0, "mistaken", "a payment was missing: the bank has sent it since"),
    CasePlan(33.0, 12.0, "stands", "an order was overdue at that time"),
    CasePlan(26.0, 8.0, "stands"),
    CasePlan(19.2),
    CasePlan(13.0),
    CasePlan(5.0),
    CasePlan(1.2),
)
_STATEMENTS: Final = (
    "I had paid before that day.",
    "这笔款我已经按时还了。",
    "This was somebody else with my name.",
    "金额不对，我只欠一半。",
    "My bank was closed for the holiday.",
    "请人工核实，我没有逾期。",
)


@dataclass(frozen=True)
class DisputableItem:
    """An item of evidence that the person may dispute. Most lower the person's score."""

    person: str
    contributor: str
    event_id: str


def disputable_items(
    database: Database, people: Iterable[str], kinds: Sequence[str] = ADVERSE_KINDS
) -> dict[str, DisputableItem]:
    """The newest item of these kinds of each of these people who has one, by person."""
    events = ledger.read(database, people=sorted(people), kinds=kinds).sort("happened_at", "event_id")
    rows = events.select("subject", "contributor", "event_id").iter_rows()
    return {subject: DisputableItem(subject, contributor, event_id) for subject, contributor, event_id in rows}


@dataclass
class DemoCases:
    """Schedule all cases. The newest dispute is about the first item."""

    simulation: Simulation
    till: DemoTill
    items: Sequence[DisputableItem]
    _reviewed: set[str] = field(default_factory=set)

    def schedule(self, person: str | None) -> None:
        """Put the disputes, the reviews and the request for the consent of `person` into the queue."""
        ends_at = self.simulation.ends_at
        for place, plan in enumerate(reversed(_DISPUTES[-len(self.items) :] if self.items else ())):
            case = SimulatedDispute(self.simulation, self.items[place], plan, _STATEMENTS[place % len(_STATEMENTS)])
            self.simulation.schedule(ends_at - timedelta(days=plan.days), case.open)
        for place, plan in enumerate(_REVIEWS):
            statement = _STATEMENTS[(place + 2) % len(_STATEMENTS)] if place % 3 else None
            review = SimulatedReview(self, plan, statement)
            self.simulation.schedule(ends_at - timedelta(days=plan.days), review.open)
        if person is not None:
            self.simulation.schedule(ends_at - timedelta(days=1), lambda now: self._request_consent(person, now))

    def next_decline(self) -> tuple[str, str] | None:
        """The person and the id of the newest decision that waived nothing and whose review nobody requested."""
        for result in reversed(self.till.declined):
            if result.id not in self._reviewed:
                self._reviewed.add(result.id)
                return result.question.subject, result.id
        return None

    def _request_consent(self, person: str, now: datetime) -> None:
        merchant = next(one for one in MERCHANTS if one.party == ASKING_MERCHANT)
        terms = ConsentTerms(merchant.party, merchant.services[0].id, person, self.simulation.purpose, CLASSES)
        try:
            consents.request_consent(self.simulation.context.database, terms, now)
        except Rejected:  # the rules do not have its perk, so it has no service
            return
        self.simulation.totals["consent requests"] += 1


@dataclass(frozen=True)
class SimulatedDispute:
    """A person disputes an item, and an operator answers."""

    simulation: Simulation
    item: DisputableItem
    plan: CasePlan
    statement: str

    def open(self, now: datetime) -> None:
        """Open the dispute, and schedule its answer."""
        context, item = self.simulation.context, self.item
        row, _ = disputes.open_dispute(
            context.database, context.vocabulary, item.person, item.contributor, item.event_id, self.statement, now
        )
        self.simulation.totals["disputes"] += 1
        if self.plan.answer_days is not None:
            at = now + timedelta(days=self.plan.answer_days)
            self.simulation.schedule(at, lambda later: self._answer(row["id"], later))

    def _answer(self, name: str, now: datetime) -> None:
        database, plan = self.simulation.context.database, self.plan
        disputes.resolve_dispute(database, name, plan.outcome, plan.note, COLLEAGUE, now)


@dataclass(frozen=True)
class SimulatedReview:
    """A person asks for a review of a decision that waived nothing, and an operator answers."""

    cases: DemoCases
    plan: CasePlan
    statement: str | None

    def open(self, now: datetime) -> None:
        """Request the review of the newest such decision, if there is one, and schedule its answer."""
        simulation, decline = self.cases.simulation, self.cases.next_decline()
        if decline is None:
            return
        person, decision = decline
        row, _ = reviews.request_review(simulation.context.database, person, decision, self.statement, now)
        simulation.totals["reviews"] += 1
        if self.plan.answer_days is not None:
            at = now + timedelta(days=self.plan.answer_days)
            simulation.schedule(at, lambda later: self._answer(row["id"], later))

    def _answer(self, name: str, now: datetime) -> None:
        database, plan = self.cases.simulation.context.database, self.plan
        reviews.answer_review(database, name, plan.outcome, plan.note, OPERATOR, now)
