"""Orders: what becomes of an order when something happens to it. The life cycle is a table in `orders.yaml`.

A move is one shot: the order and the event in, the state that follows out. The engine keeps no orders.
"""

from dataclasses import dataclass

from engine.decide import Engine
from engine.errors import EngineError
from engine.lang.check_orders import schema_of
from engine.lang.program import ASKED, ORDERS, STATE, Orders, stands
from engine.lang.truths import AS_OF, Statuses, Values
from engine.lang.types import fits

WRONG_STATE = "wrong_state"  # the code when no move is there for the state and the event


@dataclass(frozen=True)
class Moved:
    """What came of it: the move and the state that follows, or the refusal and its code; the other two are empty."""

    move: str
    to: str
    refusal: str
    code: str


def move(engine: Engine, order: Values, day: int) -> Moved:
    """The move of an order. `order` has the values of `order.*`, `event.*` and `person.*`; `order.state` is `none` before
    there is one. Raises EngineError when the rules have no orders, or for a value that orders have not: a name that is
    misspelt would be missing, and a refusal that passes the unknown would pass.
    """
    orders = engine.program.orders
    if orders is None:
        raise EngineError("the rules say nothing of orders", hint="add orders.yaml")
    schema = schema_of(orders.states, orders.events)
    for name, value in order.items():
        if name not in schema or not fits(value, schema[name].type):
            raise EngineError(f"the value of `{name[:60]}` is not one of an order", hint="see docs/language.md")
    return moved(orders, engine.statuses(ORDERS, {**order, AS_OF: day}))


def moved(orders: Orders, statuses: Statuses) -> Moved:
    """What follows from the statuses of `Orders.stage`: the first refusal that stands, else the first move that is met."""
    for refusal in orders.refusals:
        if stands(refusal, statuses[refusal.id]):
            return Moved("", "", refusal.id, refusal.code)
    for made in orders.moves:
        if statuses[made.id]:
            return Moved(made.id, made.to, "", "")
    return Moved("", "", "", WRONG_STATE)


def asked_of(state: str, event: str) -> Values:
    """The two values that every question about an order has."""
    return {STATE: state, ASKED: event}
