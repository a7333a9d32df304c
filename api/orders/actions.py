"""Actions: what a party may request of an order in its present state, by the rules in force."""

from datetime import datetime
from typing import Final

from api.orders.order_store import Order
from api.orders.orders import order_values
from api.runtime.context import AppContext
from engine.decide.decide import Evaluator
from engine.decide.orders import state_and_event
from engine.lang.model.conditions import AS_OF
from engine.lang.model.program import ORDERS_STAGE

# The requests that a party has a route for, and the event of the rules behind each.
EVENTS: Final = {
    "merchant": {"cancel": "cancel", "complete": "complete", "modify": "modify", "pay": "pay", "sync": "pay"},
    "person": {"confirm": "confirm"},
}


def actions(context: AppContext, order: Order, party: str, now: datetime) -> list[str]:
    """What the party (`merchant`, `person`) may request of the order now. A request may still fail by its content."""
    day = context.day(now)
    evaluator = context.evaluators.at(day)
    possible = [action for action, event in EVENTS[party].items() if _may_move(evaluator, order, event, day)]
    if order.closed_at is not None or order.state == "created":
        return possible
    if not order.disputed:
        return [*possible, "dispute"]
    return [*possible, "agree"] if order.content["dispute"]["by"] == party else possible


def _may_move(evaluator: Evaluator, order: Order, event: str, day: int) -> bool:
    """Whether some move of the rules leads on from the order's state, whatever else it depends on."""
    if evaluator.program.orders is None:
        return False
    values = {**order_values(order), **state_and_event(order.state, event), AS_OF: day}
    statuses = evaluator.statuses(ORDERS_STAGE, values)
    return any(statuses[move.id] is not False for move in evaluator.program.orders.moves)
