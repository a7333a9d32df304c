"""Check the orders file: you can reach and leave every state, and every move can happen."""

from functools import cache
from typing import Final

from engine.lang.check.ids import check_exists, check_unique
from engine.lang.check.resolve import Scope
from engine.lang.model.conditions import AS_OF, And, Or, Same, Truth
from engine.lang.model.problems import Report
from engine.lang.model.program import EVENT_KIND, NO_ORDER, ORDER_STATE, OrderLifecycle, OrderMove, Refusal
from engine.lang.model.types import DATE, PRECISE_MOMENT, STRING, Attribute, Schema, Type, without_money
from engine.lang.syntax.ast import MoveLine, OrdersFile, RefusalLine
from engine.lang.syntax.expression_tree import Word

MODES: Final = ("waive_first", "enjoy_first")
_MONEY: Final = Type("money", low=0, high=10**13)
ORDER_CURRENCY: Final = "order.currency"  # of all amounts of an order
_COUNT: Final = Type("int", low=0, high=10**6)
# Further names that conditions can use.
FIELDS: Final[tuple[tuple[str, Type], ...]] = (
    ("order.mode", Type("enum", values=MODES)),
    (ORDER_CURRENCY, STRING),
    ("order.waived", _MONEY),
    ("order.ceiling", _MONEY),
    ("order.total", _MONEY),
    ("order.created", PRECISE_MOMENT),
    ("order.starts", PRECISE_MOMENT),
    ("order.ends", PRECISE_MOMENT),
    ("order.due", PRECISE_MOMENT),
    ("event.at", PRECISE_MOMENT),
    ("event.total", _MONEY),
    ("event.damage", _MONEY),
    ("event.starts", PRECISE_MOMENT),
    ("event.ends", PRECISE_MOMENT),
    ("person.in_service", _COUNT),
    ("person.unpaid", _COUNT),
    ("person.overdue", _COUNT),
)


def check_orders(file: OrdersFile, report: Report) -> OrderLifecycle:
    """Build the life cycle of `file`. Problems are added to `report`; discard the result if there are any."""
    states, events = tuple(w.text for w in file.states), tuple(w.text for w in file.events)
    for word in (file.initial, *file.final):
        check_exists(word, states, "R601", "state", report)
    for line in file.moves:
        check_exists(line.to, states, "R601", "state", report)
    for words in (file.states, file.events, (*(r.id for r in file.refusals), *(m.id for m in file.moves))):
        check_unique(words, report, label="")
        _check_not_reserved(words, report)
    schema = schema_of(states, events)
    scope = Scope(schema if report.has_money else without_money(schema), {w.text: e for w, e in file.define}, report)
    scope.check_names(w for w, _ in file.define)
    for _, expr in file.define:
        if expr:
            scope.condition(expr)
    refusals = [_refusal(line, events, scope) for line in file.refusals]
    moves = [_move(line, states, events, scope) for line in file.moves]
    _check_reachable(file, report)
    _check_shadowed(file, report)
    return OrderLifecycle(
        states,
        file.initial.text,
        tuple(w.text for w in file.final),
        events,
        tuple(r for r in refusals if r),
        tuple(m for m in moves if m),
    )


@cache
def schema_of(states: tuple[str, ...], events: tuple[str, ...]) -> Schema:
    """The names that conditions about orders can use."""
    own = ((ORDER_STATE, Type("enum", values=(NO_ORDER, *states))), (EVENT_KIND, Type("enum", values=events)))
    return {
        name: Attribute(name, type_, currency=ORDER_CURRENCY if type_ is _MONEY else "")
        for name, type_ in (*own, *FIELDS, (AS_OF, DATE))
    }


def _refusal(line: RefusalLine, events: tuple[str, ...], scope: Scope) -> Refusal | None:
    for word in line.on:
        check_exists(word, events, "R601", "event", scope.report)
    when = scope.condition(line.when)
    if when is None:
        return None
    condition = And((_any_of(EVENT_KIND, line.on), when))
    return Refusal(line.id.text, condition, line.unknown.text == "refuse", line.code.text)


def _move(line: MoveLine, states: tuple[str, ...], events: tuple[str, ...], scope: Scope) -> OrderMove | None:
    check_exists(line.on, events, "R601", "event", scope.report)
    for word in line.states:
        check_exists(word, (NO_ORDER, *states), "R601", "state", scope.report)
    when = scope.condition(line.when) if line.when else None
    if line.when and when is None:
        return None
    parts: tuple[Truth, ...] = (_any_of(ORDER_STATE, line.states), Same(EVENT_KIND, line.on.text))
    return OrderMove(line.id.text, And((*parts, when) if when else parts), line.to.text)


def _any_of(name: str, words: tuple[Word, ...]) -> Truth:
    conditions = tuple(Same(name, w.text) for w in words)
    return conditions[0] if len(conditions) == 1 else Or(conditions)


def _check_not_reserved(words: tuple[Word, ...], report: Report) -> None:
    for word in words:
        if word.text == NO_ORDER:
            report.add("R015", f"`{NO_ORDER}` is the state before an order exists", word.at, "rename it")


def _check_reachable(file: OrdersFile, report: Report) -> None:
    """Every state must be reachable from `none`, and you can leave it unless it is final."""
    reachable, before = {NO_ORDER}, 0
    while len(reachable) > before:
        before = len(reachable)
        reachable |= {m.to.text for m in file.moves if reachable & {w.text for w in m.states}}
    left_states = {w.text for m in file.moves for w in m.states if m.to.text != w.text}
    final = {w.text for w in file.final}
    for word in file.states:
        if word.text not in reachable:
            report.add(
                "R602", f"the state `{word.text}` cannot be reached", word.at, "add a move to it, or take it out"
            )
        if word.text not in left_states | final:
            report.add("R602", f"the state `{word.text}` cannot be left", word.at, "add a move, or name it in `final`")
        if word.text in left_states & final:
            report.add(
                "R602", f"the state `{word.text}` is final, but a move leaves it", word.at, "remove one of the two"
            )
    starts = [m for m in file.moves if NO_ORDER in {w.text for w in m.states}]
    for move in starts:
        if move.to.text != file.initial.text:
            text = f"an order begins in `{file.initial.text}`, not in `{move.to.text}`"
            report.add("R602", text, move.to.at, "let the move lead there")


def _check_shadowed(file: OrdersFile, report: Report) -> None:
    """Report a move that never happens because earlier moves without a condition cover its states and event."""
    for n, move in enumerate(file.moves):
        states = {w.text for w in move.states}
        for earlier in file.moves[:n]:
            if earlier.when is None and earlier.on.text == move.on.text:
                states -= {w.text for w in earlier.states}
        if not states:
            report.add(
                "R603", f"the move `{move.id.text}` can never be made", move.id.at, "an earlier move always comes first"
            )
