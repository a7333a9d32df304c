"""Apply the life cycle of orders, a table in `orders.yaml`, to one order and one event.

`move` is a pure function: from an order and an event to the next state. The engine stores no orders.
"""

from dataclasses import dataclass

from engine.decide.decide import Evaluator
from engine.errors import EngineError
from engine.lang.check.orders import schema_of
from engine.lang.model.conditions import AS_OF, Statuses, Values
from engine.lang.model.program import EVENT_KIND, ORDER_STATE, ORDERS_STAGE, OrderLifecycle, refusal_applies
from engine.lang.model.types import fits

WRONG_STATE = "wrong_state"  # the code if no move matches the state and the event


@dataclass(frozen=True)
class Transition:
    """The result of an event: the move and the next state, or the refusal and its code. The other two are empty."""

    move: str
    to: str
    refusal: str
    code: str


def move(evaluator: Evaluator, order: Values, day: int) -> Transition:
    """Apply an event to an order.

    `order` has the values of `order.*`, `event.*` and `person.*`; `order.state` is `none` before the order exists.
    Raises EngineError if the rules have no orders, or for a name or value that orders do not have. Otherwise a misspelt
    name would be missing, and a refusal that passes if unknown would pass.
    """
    orders = evaluator.program.orders
    if orders is None:
        raise EngineError("the rules say nothing of orders", hint="add orders.yaml")
    schema = schema_of(orders.states, orders.events)
    for name, value in order.items():
        if name not in schema or not fits(value, schema[name].type):
            raise EngineError(f"the value of `{name[:60]}` is not one of an order", hint="see docs/language.md")
    return transition_from(orders, evaluator.statuses(ORDERS_STAGE, {**order, AS_OF: day}))


def transition_from(orders: OrderLifecycle, statuses: Statuses) -> Transition:
    """The transition that follows from the statuses of `OrderLifecycle.stage`.

    The first refusal that applies wins; otherwise the first move that is met.
    """
    for refusal in orders.refusals:
        if refusal_applies(refusal, statuses[refusal.id]):
            return Transition("", "", refusal.id, refusal.code)
    for candidate in orders.moves:
        if statuses[candidate.id]:
            return Transition(candidate.id, candidate.to, "", "")
    return Transition("", "", "", WRONG_STATE)


def state_and_event(state: str, event: str) -> Values:
    """The two values that every question about an order has."""
    return {ORDER_STATE: state, EVENT_KIND: event}
