"""The simulated questions of merchants, with the consents before them, and the orders that follow from the answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from api.consent import consents
from api.consent.consents import Consent, ConsentTerms
from api.decisions.decisions import DecisionResult
from api.decisions.eligibility import answer_questions
from api.decisions.question import EligibilityQuestion
from api.demo.plan import ABSENT, DECLINED, REQUESTED, Customer, DemoSession, PromiseKeeping, Purchase
from api.demo.simulation import Simulation
from api.orders import order_store, orders
from api.orders.offers import ORDERABLE_OUTCOMES
from api.orders.order_store import Order
from api.orders.orders import PAY_WITHIN, NewOrder, OrderRequest
from engine.errors import Rejected
from graph.evidence.vocabulary import CLASSES

_CANCELLED_BELOW: Final = 0.04  # of a visit's draw
_UNCONFIRMED_ABOVE: Final = 0.97
_NEVER_PAID: Final = 0.4  # of the overdue orders
_NO_ORDER_ABOVE: Final = 0.85  # the person goes away with the answer


@dataclass
class DemoTill:
    """Ask the questions of each session, and begin the orders. `answers`: all results so far, by outcome of interest."""

    simulation: Simulation
    keeping: PromiseKeeping = field(default_factory=PromiseKeeping)
    declined: list[DecisionResult] = field(default_factory=list)
    overdue: list[Order] = field(default_factory=list)
    _consented: set[tuple[str, str]] = field(default_factory=set)

    def ask(self, session: DemoSession, visits: Sequence[Purchase]) -> None:
        """Ask for these visits, in one batch."""
        if not visits:
            return
        context = self.simulation.context
        for visit in visits:
            self._consent(visit, session.opens_at)
        results = answer_questions(context, [self._question(visit) for visit in visits])
        for visit, result in zip(visits, results, strict=True):
            self.simulation.totals["questions"] += 1
            if not isinstance(result, DecisionResult):
                self.simulation.totals["rejected"] += 1
                continue
            self.simulation.totals[result.outcome] += 1
            if result.outcome in ORDERABLE_OUTCOMES and visit.draw < _NO_ORDER_ABOVE:
                self._begin_order(visit, result)
            elif result.outcome == "DECLINE":
                self.declined.append(result)

    def _question(self, visit: Purchase) -> EligibilityQuestion:
        program = self.simulation.context.release.at(self.simulation.context.day(visit.at))
        perk = program.perk(visit.service.perk)
        fields = [
            name
            for name in ("nights", "city")
            if perk is not None and f"request.{name}" in {a.name for a in perk.request}
        ]
        return EligibilityQuestion(
            merchant=visit.merchant.party,
            transaction_id=f"T-{visit.at:%Y%m%d}-{visit.number:05}",
            subject=visit.customer.person,
            perk="",  # from the service's terms
            amount=visit.amount if perk is None else min(visit.amount, perk.most),
            currency="",
            asked_at=visit.at,
            context=visit.context(fields),
            service=visit.service.id,
        )

    def _consent(self, visit: Purchase, now: datetime) -> None:
        """The person's consent to the service, before the first question: asked for, or given of their own accord."""
        key = (visit.customer.person, visit.service_name)
        if key in self._consented or visit.consent == ABSENT:
            return
        self._consented.add(key)
        database, purpose = self.simulation.context.database, self.simulation.purpose
        consent = Consent(visit.customer.person, purpose, CLASSES, visit.service_name, warned=True)
        if visit.consent not in (REQUESTED, DECLINED):
            consents.give_consent(database, consent, now)
            return
        terms = ConsentTerms(visit.merchant.party, visit.service.id, visit.customer.person, purpose, CLASSES)
        request = consents.request_consent(database, terms, now)
        self.simulation.totals["consent requests"] += 1
        if visit.consent == DECLINED:
            consents.decline(database, request.id, visit.customer.person, now)
        else:
            consents.grant(database, request.id, consent, now)

    def _begin_order(self, visit: Purchase, result: DecisionResult) -> None:
        content = {
            "out_order_no": f"O-{visit.at:%Y%m%d}-{visit.number:05}",
            "service": visit.service.id,
            "decision_id": result.id,
            "service_introduction": visit.service.name.en,
            "risk_fund": {"name": "DEPOSIT", "amount": result.waived},
            "time_range": {},
            "need_user_confirm": visit.service.confirmed,
        }
        order = DemoOrder(self, visit, result.waived, content)
        self.simulation.schedule(visit.at + timedelta(minutes=6), order.create)


@dataclass
class DemoOrder:
    """The life of one order: each step schedules the next one."""

    till: DemoTill
    visit: Purchase
    waived: int
    content: dict[str, object]
    begun_at: datetime | None = None

    @property
    def customer(self) -> Customer:
        """The person."""
        return self.visit.customer

    def create(self, now: datetime) -> None:
        """The merchant creates the order. If the person's other orders no longer allow it, nothing follows."""
        simulation, visit = self.till.simulation, self.visit
        new = NewOrder(
            out_order_no=str(self.content["out_order_no"]),
            service=visit.service.id,
            decision=str(self.content["decision_id"]),
            risk_amount=self.waived,
            starts_at=None,
            ends_at=None,
            needs_confirming=visit.service.confirmed,
            content=self.content,
        )
        try:
            orders.create(simulation.context, visit.merchant.party, new, now)
        except Rejected:
            simulation.totals["lapsed"] += 1
            return
        simulation.totals["orders"] += 1
        self.begun_at = now
        if visit.draw < _CANCELLED_BELOW:
            simulation.schedule(now + timedelta(hours=2), self.cancel)
        elif not visit.service.confirmed:
            simulation.schedule(now + timedelta(hours=visit.hours), self.complete)
        elif visit.draw < _UNCONFIRMED_ABOVE * _NO_ORDER_ABOVE:
            simulation.schedule(now + timedelta(minutes=20), self.confirm)

    def confirm(self, now: datetime) -> None:
        """The person confirms the order."""
        if self._apply(OrderRequest("confirm"), now):
            self.till.simulation.schedule(now + timedelta(hours=self.visit.hours), self.complete)

    def cancel(self, now: datetime) -> None:
        """The merchant cancels the order."""
        self._apply(OrderRequest("cancel", {"cancel_reason": "the guest did not come"}), now)

    def complete(self, now: datetime) -> None:
        """The service is over: a total falls due. Reliable people pay it in some days, others late or never."""
        begun_at = self.begun_at or now
        total = max(100, self.waived * (8 + self.visit.number % 60) // 100)
        times = {"start_time": begun_at.isoformat(), "end_time": now.isoformat()}
        content = {"post_payments": [{"name": self.visit.service.name.en, "amount": total}], "time_range": times}
        if not self._apply(orders.completion(content, 0, begun_at, now, now), now):
            return
        draw = self.visit.draw / _NO_ORDER_ABOVE
        if not self.till.keeping.is_overdue(self.customer):
            self.till.simulation.schedule(now + timedelta(hours=1 + 120 * draw), self.pay)
        elif draw > _NEVER_PAID:
            self.till.simulation.schedule(now + PAY_WITHIN + timedelta(days=1 + 20 * draw), self.pay)

    def pay(self, now: datetime) -> None:
        """The merchant reports the payment."""
        self._apply(OrderRequest("pay"), now)

    def _apply(self, request: OrderRequest, now: datetime) -> bool:
        """Apply a request. Returns whether the rules allowed it."""
        try:
            orders.apply_request(self.till.simulation.context, self._find, request, now)
        except Rejected:
            self.till.simulation.totals["refused moves"] += 1
            return False
        self.till.simulation.totals["moves"] += 1
        return True

    def _find(self, connection: Connection) -> Order:
        return order_store.of_merchant(connection, self.visit.merchant.party, str(self.content["out_order_no"]))
