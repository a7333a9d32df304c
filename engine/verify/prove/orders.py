"""Ask about the conditions of the life cycle of orders."""

from collections.abc import Iterator

from engine.lang.check.orders import schema_of
from engine.lang.model.conditions import AS_OF, And
from engine.lang.model.program import EVENT_KIND, ORDER_STATE, OrderLifecycle
from engine.lang.syntax.ast import OrdersFile
from engine.verify.prove.conditions import QuestionScope, condition_verdicts, with_definitions
from engine.verify.prove.encoding import Encoder
from engine.verify.prove.lines import Clause
from engine.verify.prove.solver import Effort, PersonSolver
from engine.verify.prove.verdicts import Verdict


def order_verdicts(orders: OrderLifecycle, file: OrdersFile, effort: Effort) -> list[Verdict]:
    """All answers about the refusals and moves of orders. A literal `true` refuses or moves in every case, and is meant."""
    types = {name: attribute.type for name, attribute in schema_of(orders.states, orders.events).items()}
    people = Encoder(types, (AS_OF, ORDER_STATE, EVENT_KIND))
    scope = QuestionScope(people, PersonSolver(people, effort=effort))
    clauses = list(_clauses(orders, file))
    verdicts = [v for clause in clauses for v in condition_verdicts(clause, scope, literal_is_meant=True)]
    return with_definitions(verdicts, clauses, {word.text: expr for word, expr in file.define}, scope)


def _clauses(orders: OrderLifecycle, file: OrdersFile) -> Iterator[Clause]:
    """The conditions as the file has them: the last part of what a refusal or a move asks, behind its events and states."""
    for refusal, refusal_line in zip(orders.refusals, file.refusals, strict=True):
        if isinstance(refusal.when, And):
            yield Clause(f"the refusal `{refusal.id}`", refusal_line.when, refusal.when.parts[-1])
    for move, move_line in zip(orders.moves, file.moves, strict=True):
        if move_line.when is not None and isinstance(move.when, And):
            yield Clause(f"the move `{move.id}`", move_line.when, move.when.parts[-1])
