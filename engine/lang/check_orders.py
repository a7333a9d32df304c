"""Check of the orders file: every state can be reached and left, every move can be made."""

from functools import cache
from typing import Final

from engine.lang.lines import MoveLine, OrdersFile, RefusalLine
from engine.lang.problems import Report
from engine.lang.program import ASKED, NONE, STATE, Move, Orders, Refusal
from engine.lang.resolve import Scope
from engine.lang.shapes import suggestion
from engine.lang.syntax import Word
from engine.lang.truths import AS_OF, And, Or, Same, Truth
from engine.lang.types import DATE, PRECISE_MOMENT, Attribute, Schema, Type

MODES: Final = ("waive_first", "enjoy_first")
_MONEY: Final = Type("int", low=0, high=10**12)
_COUNT: Final = Type("int", low=0, high=10**6)
# What conditions can name beside the state and the event; money is in minor units of the order's currency.
FIELDS: Final[tuple[tuple[str, Type], ...]] = (
    ("order.mode", Type("enum", values=MODES)),
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


def check_orders(file: OrdersFile, report: Report) -> Orders:
    """The life cycle that `file` means. Problems go into `report`; the result then is of no use."""
    states, events = tuple(w.text for w in file.states), tuple(w.text for w in file.events)
    for word in (file.initial, *file.final):
        _known(word, states, "state", report)
    for line in file.moves:
        _known(line.to, states, "state", report)
    _unique(file, report)
    scope = Scope(schema_of(states, events), {w.text: e for w, e in file.define}, report)
    scope.defined(w for w, _ in file.define)
    for _, expr in file.define:
        if expr:
            scope.condition(expr)
    refusals = [_refusal(line, events, scope) for line in file.refusals]
    moves = [_move(line, states, events, scope) for line in file.moves]
    _travelled(file, report)
    _hidden(file, report)
    return Orders(
        states,
        file.initial.text,
        tuple(w.text for w in file.final),
        events,
        tuple(r for r in refusals if r),
        tuple(m for m in moves if m),
    )


@cache
def schema_of(states: tuple[str, ...], events: tuple[str, ...]) -> Schema:
    """What conditions about orders can name."""
    own = ((STATE, Type("enum", values=(NONE, *states))), (ASKED, Type("enum", values=events)))
    return {name: Attribute(name, type_) for name, type_ in (*own, *FIELDS, (AS_OF, DATE))}


def _refusal(line: RefusalLine, events: tuple[str, ...], scope: Scope) -> Refusal | None:
    for word in line.on:
        _known(word, events, "event", scope.report)
    when = scope.condition(line.when)
    if when is None:
        return None
    asked = And((_among(ASKED, line.on), when))
    return Refusal(line.id.text, asked, line.unknown.text == "refuse", line.code.text)


def _move(line: MoveLine, states: tuple[str, ...], events: tuple[str, ...], scope: Scope) -> Move | None:
    _known(line.on, events, "event", scope.report)
    for word in line.states:
        _known(word, (NONE, *states), "state", scope.report)
    when = scope.condition(line.when) if line.when else None
    if line.when and when is None:
        return None
    parts: tuple[Truth, ...] = (_among(STATE, line.states), Same(ASKED, line.on.text))
    return Move(line.id.text, And((*parts, when) if when else parts), line.to.text)


def _among(name: str, words: tuple[Word, ...]) -> Truth:
    found = tuple(Same(name, w.text) for w in words)
    return found[0] if len(found) == 1 else Or(found)


def _unique(file: OrdersFile, report: Report) -> None:
    for words in (file.states, file.events, (*(r.id for r in file.refusals), *(m.id for m in file.moves))):
        seen: dict[str, Word] = {}
        for word in words:
            if word.text in seen:
                hint = f"it stands on line {seen[word.text].at.line} already"
                report.add("R015", f"`{word.text}` stands twice", word.at, hint)
            if word.text == NONE:
                report.add("R015", f"`{NONE}` is the state of an order that is not there yet", word.at, "rename it")
            seen.setdefault(word.text, word)


def _travelled(file: OrdersFile, report: Report) -> None:
    """Every state is reached from where there is no order, and left unless it is final."""
    reached, before = {NONE}, 0
    while len(reached) > before:
        before = len(reached)
        reached |= {m.to.text for m in file.moves if reached & {w.text for w in m.states}}
    left = {w.text for m in file.moves for w in m.states if m.to.text != w.text}
    final = {w.text for w in file.final}
    for word in file.states:
        if word.text not in reached:
            report.add(
                "R602", f"the state `{word.text}` cannot be reached", word.at, "add a move to it, or take it out"
            )
        if word.text not in left | final:
            report.add("R602", f"the state `{word.text}` cannot be left", word.at, "add a move, or name it in `final`")
        if word.text in left & final:
            report.add(
                "R602", f"the state `{word.text}` is final, but a move leaves it", word.at, "remove one of the two"
            )
    starts = [m for m in file.moves if NONE in {w.text for w in m.states}]
    for move in starts:
        if move.to.text != file.initial.text:
            text = f"an order begins in `{file.initial.text}`, not in `{move.to.text}`"
            report.add("R602", text, move.to.at, "let the move lead there")


def _hidden(file: OrdersFile, report: Report) -> None:
    """A move behind one without a condition, for the same states and event, would never be made."""
    for n, move in enumerate(file.moves):
        states = {w.text for w in move.states}
        for before in file.moves[:n]:
            if before.when is None and before.on.text == move.on.text:
                states -= {w.text for w in before.states}
        if not states:
            report.add("R603", f"the move `{move.id.text}` can never be made", move.id.at, "a move before it always is")


def _known(word: Word, known: tuple[str, ...], what: str, report: Report) -> None:
    if word.text not in known:
        report.add("R601", f"unknown {what} `{word.text}`", word.at, suggestion(word.text, known))
