"""The sandbox: what a merchant gets for made-up people, from the answer to the settled order.

We read the merchant's own terms and the rules, compute each step anew, and write nothing. So nothing of it can be in the chain, in
evidence or in figures, and the same walk gives the same answer at every worker.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from api.merchants import services
from api.merchants.services import Service
from api.orders import messages, orders
from api.orders.actions import actions
from api.orders.order_store import Counts, Order
from api.orders.orders import OrderRequest
from api.runtime.context import AppContext
from api.store.clock import iso
from api.store.database import reading
from engine.errors import Rejected
from engine.lang.model.program import NO_ORDER, Perk

# Made-up people, and the answer about each. Nobody else has an id of this form in the sandbox.
PEOPLE: Final = {
    "sandbox-admit": "ADMIT",
    "sandbox-partial": "PARTIAL",
    "sandbox-decline": "DECLINE",
    "sandbox-unscorable": "UNSCORABLE",
    "sandbox-no-consent": "",  # has not consented: the question is rejected
}
ACTIONS: Final = ("create", "confirm", "cancel", "complete", "modify", "pay", "clock")
NO_ID: Final = "0" * 32  # the id of the decision and of the order: no record has it
ORDER_NUMBER: Final = "SANDBOX-1"
CLOCK_STEP: Final = timedelta(days=30)  # by which `clock` lets time pass: longer than any deadline of an order
STAY: Final = timedelta(hours=1)  # the length of the made-up service
_NO_OTHER_ORDERS: Final = Counts(0, 0, 0)


@dataclass(frozen=True)
class SandboxStep:
    """A step of the order. `total`: what is to be paid, of `complete` and `modify`, in minor units; None: the amount waived."""

    action: str
    total: int | None = None


@dataclass(frozen=True)
class SandboxAnswer:
    """The answer to the question. Amounts in minor units."""

    outcome: str
    waived: int
    deposit: int
    currency: str
    valid_until: datetime


@dataclass(frozen=True)
class SandboxCallback:
    """The message that the merchant would get about a step."""

    event: str
    body: dict[str, Any]


@dataclass(frozen=True)
class SandboxWalk:
    """The answer, the order after all steps (None: there is none), what can follow, and the messages so far."""

    service: Service
    answer: SandboxAnswer
    order: Order | None
    actions: tuple[str, ...]
    callbacks: tuple[SandboxCallback, ...]


def walk(
    context: AppContext,
    merchant: str,
    service_id: str,
    subject: str,
    amount: int,
    steps: Sequence[SandboxStep],
    now: datetime,
) -> SandboxWalk:
    """Ask about a made-up person and take the steps. Raises Rejected as the real requests do."""
    with reading(context.database) as connection:
        service = services.newest(connection, merchant, service_id)
    answer = _answer(context, service, subject, amount, now)
    order, at, callbacks = _draft(service, answer, now), now, []
    for step in steps:
        at = at + CLOCK_STEP if step.action == "clock" else at
        order = _take(context, order, step, at)
        callbacks.append(_callback(order, step.action, at))
    possible = _possible(context, answer, order, at)
    return SandboxWalk(service, answer, order if steps else None, possible, tuple(callbacks))


def _answer(context: AppContext, service: Service, subject: str, amount: int, now: datetime) -> SandboxAnswer:
    perk = context.release.at(context.day(now)).perk(service.terms.perk)
    if perk is None:
        hint = "sign up for a perk of the rules in force: PUT /v1/services/{id}"
        raise Rejected(f"unknown perk `{service.terms.perk}`", where="perk", hint=hint, code="unknown_perk")
    if amount > perk.most:
        raise Rejected(
            "the amount is more than the perk's", where="amount", hint=f"up to {perk.most}", code="bad_amount"
        )
    if not PEOPLE[subject]:
        message, hint = "the person has not consented to this", "ask for consent: POST /v1/consents"
        raise Rejected(message, where="subject", hint=hint, code="no_consent")
    outcome, waived = _outcome(perk, PEOPLE[subject], amount)
    return SandboxAnswer(outcome, waived, amount - waived, perk.currency, now + timedelta(hours=perk.valid_hours))


def _outcome(perk: Perk, outcome: str, amount: int) -> tuple[str, int]:
    """The outcome and the amount waived. Half is waived in part, in the perk's steps; a perk that is all or nothing declines."""
    if outcome == "ADMIT":
        return outcome, amount
    part = amount // 2 // perk.step * perk.step if perk.partial else 0
    if outcome == "PARTIAL":
        return (outcome, part) if part else ("DECLINE", 0)
    return outcome, 0


def _draft(service: Service, answer: SandboxAnswer, now: datetime) -> Order:
    terms, waived = service.terms, answer.waived
    content = {"service_introduction": "sandbox", "risk_fund": {"name": "DEPOSIT", "amount": waived}}
    return Order(
        id=NO_ID,
        merchant=service.merchant,
        out_order_no=ORDER_NUMBER,
        service=service.id,
        service_version=service.version,
        decision=NO_ID,
        subject=None,
        perk=terms.perk,
        currency=answer.currency,
        mode=terms.mode,
        waived=waived,
        ceiling=waived if terms.ceiling is None else terms.ceiling,
        state=NO_ORDER,
        created_at=now,
        changed_at=now,
        digest="",
        content={**content, "time_range": {}, "need_user_confirm": True},
    )


def _take(context: AppContext, order: Order, step: SandboxStep, at: datetime) -> Order:
    """The order after a step, by the rules of real orders. Raises Rejected."""
    if step.action == "create" and not order.waived:
        raise Rejected("the decision waives nothing", where="steps", hint="take the deposit", code="not_admitted")
    request = _request(order, step, at)
    changes = orders.changes_of_move(context, order, _NO_OTHER_ORDERS, request, at)
    after = replace(order, **changes, changed_at=at)
    return _take(context, after, SandboxStep("pay"), at) if step.total == 0 and after.state == "due" else after


def _request(order: Order, step: SandboxStep, at: datetime) -> OrderRequest:
    total = order.waived if step.total is None else step.total
    payments = {"post_payments": [{"name": "sandbox", "amount": total}], "post_discounts": []}
    if step.action == "complete":
        starts, ends = at - STAY, at
        times = {"time_range": {"start_time": iso(starts), "end_time": iso(ends)}, "damage_amount": 0}
        return orders.completion(payments | times, 0, starts, ends, at)
    if step.action == "modify":
        return orders.modification(payments)
    if step.action == "cancel":
        return OrderRequest("cancel", {"cancel_reason": "sandbox"})
    return OrderRequest(step.action)


def _callback(order: Order, action: str, at: datetime) -> SandboxCallback:
    event, body = messages.message_about(order, messages.EVENT_NAMES.get(action, order.state), at)
    return SandboxCallback(event, {"sandbox": True} | body)


def _possible(context: AppContext, answer: SandboxAnswer, order: Order, at: datetime) -> tuple[str, ...]:
    if order.state == NO_ORDER:
        return ("create",) if answer.waived else ()
    party_actions = [*actions(context, order, "person", at), *actions(context, order, "merchant", at)]
    clock = ["clock"] if orders.is_due(context, order, at + CLOCK_STEP) else []
    return tuple(action for action in (*party_actions, *clock) if action in ACTIONS)
