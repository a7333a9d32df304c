"""Online: one person at a time, through durable-rules, inside a fence.

durable-rules 2.0 is exact within a part of its grammar and hangs, lies or crashes outside it (docs/decisions). What goes
in is what `lower` makes; how it goes in is here. Rules are laid out in parts of few conditions. Each part gets one fact,
with the attributes that it reads and no others, and has a heartbeat rule that must fire, or there is no decision. The
agenda is drained, the *set* of fired rules is the answer, and the fact is taken back.

Cost: about 10 microseconds a part, whatever the number of people before. A handle is not thread-safe, and the C side
holds the interpreter's lock anyway: one lock per process, and more processes for more decisions.
"""

import itertools
import json
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import durable_rules_engine as rete

from engine.errors import EngineError
from engine.lang.lower import Condition, Vocabulary, condition, cut, read_by, size
from engine.lang.program import Program, is_bin
from engine.lang.truths import Stage, Statuses, Truth, Values

PART_NODES: Final = 56  # durable-rules: 64 conditions true on one fact, and nothing fires
RULESET_PARTS: Final = 100  # durable-rules: 511 distinct first-level conditions, and it hangs
SID: Final = "1"
AGAIN: Final = "no decision was made; try again"

_serial = itertools.count()


class Online:
    """The engine of one program. The C side is freed by `close`, or by itself when nobody holds the engine any more.

    So whoever decides under a release that was replaced meanwhile is not disturbed, and nobody has to be waited for.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._lock = threading.Lock()
        self._plans = {name: _Plan(stage, Vocabulary(program.schema)) for name, stage in program.stages.items()}
        self._freed = weakref.finalize(self, _close, self._plans)  # at most once, whoever comes first
        self._freed.atexit = False  # a thread may still be deciding then; the process's end frees all there is

    def statuses(self, stage: str, values: Values) -> Statuses:
        """Each condition's status: True met, False not met, None unknown; of a bin only True means anything.

        Raises EngineError rather than guess.
        """
        with self._lock:
            if stage not in self._plans:
                raise EngineError(f"the release is closed, or has no stage `{stage[:60]}`", hint=AGAIN)
            return self._plans[stage].ask(values)

    def close(self) -> None:
        """Free every handle. Closing again does nothing; who asks after is told so."""
        with self._lock:
            self._freed()


class _Plan:
    """One stage: passes of parts; the answers of a pass are attributes of the next."""

    def __init__(self, stage: Stage, words: Vocabulary) -> None:
        self.words = words
        self.passes = [_Pass(conditions, words) for conditions in cut(stage)]

    def ask(self, values: Values) -> Statuses:
        known, found = self.words.facts(values), dict[str, bool | None]()
        for step in self.passes:
            found = step.ask(known)
            known |= {self.words.answer(id_): int(v) for id_, v in found.items() if v is not None and id_[0] == "~"}
        return found

    def close(self) -> None:
        for step in self.passes:
            step.close()


def _close(plans: dict[str, _Plan]) -> None:
    for plan in plans.values():
        plan.close()
    plans.clear()


@dataclass
class _Part:
    """Rules that one fact answers, and the attributes that they read."""

    number: int
    rules: dict[str, Condition] = field(default_factory=dict)
    reads: set[str] = field(default_factory=set)
    nodes: int = 1


class _Pass:
    """Conditions that do not depend on each other's answers. Rule `tN` says that condition N is true, `fN` false."""

    def __init__(self, conditions: Mapping[str, Truth], words: Vocabulary) -> None:
        self.ids = list(conditions)
        self.settled: set[str] = set()  # rules that would always fire
        parts = list(self._lay_out(conditions, words))
        self.handles: list[Any] = []
        self.parts: list[tuple[Any, str, _Part]] = []
        for start in range(0, len(parts), RULESET_PARTS):
            chunk = parts[start : start + RULESET_PARTS]
            self.handles.append(rete.create_ruleset(f"iftah{next(_serial)}", json.dumps(_ruleset(chunk))))
            self.parts += [(self.handles[-1], f"h{part.number}", part) for part in chunk]

    def _lay_out(self, conditions: Mapping[str, Truth], words: Vocabulary) -> Iterator[_Part]:
        part = _Part(1)
        for number, (id_, truth) in enumerate(conditions.items()):
            wants = {"t": True} if is_bin(id_) else {"t": True, "f": False}
            nodes = len(wants) * (1 + size(truth).nodes)
            if part.nodes + nodes > PART_NODES:
                yield part
                part = _Part(part.number + 1)
            part.nodes += nodes
            for sign, want in wants.items():
                lowered = condition(truth, want, words)
                if isinstance(lowered, dict):
                    part.rules[f"{sign}{number}"] = lowered
                    part.reads |= set(read_by(lowered))
                elif lowered:
                    self.settled.add(f"{sign}{number}")
        yield part

    def ask(self, known: Mapping[str, int]) -> dict[str, bool | None]:
        fired = set(self.settled)
        for handle, heartbeat, part in self.parts:
            fact: dict[str, Any] = {"id": str(next(_serial)), "sid": SID, "part": part.number}
            fact |= {a: known[a] for a in part.reads if a in known}
            seen = _fire(handle, json.dumps(fact))
            if heartbeat not in seen:
                raise EngineError("durable-rules did not answer", hint=AGAIN)
            fired |= seen
        return {id_: _status(f"t{n}" in fired, f"f{n}" in fired) for n, id_ in enumerate(self.ids)}

    def close(self) -> None:
        for handle in self.handles:
            with suppress(rete.error):  # a handle that was never asked has no state
                rete.delete_state(handle, SID)  # first the state, then the ruleset: the other way round leaks
            rete.delete_ruleset(handle)


def _ruleset(parts: Iterable[_Part]) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    for part in parts:
        gate = {"part": part.number}
        rules[f"h{part.number}"] = {"all": [{"m": gate}]}
        rules |= {rule: {"all": [{"m": {"$and": [gate, asked]}}]} for rule, asked in part.rules.items()}
    return rules


def _fire(handle: Any, fact: str) -> set[str]:
    """Assert one fact, drain the agenda, take the fact back: the names of the rules that fired."""
    fired: set[str] = set()
    try:
        status, offset = rete.assert_fact(handle, fact)
        answer = rete.start_action_for_state(handle, offset) if status == 0 else None
        message = answer[1] if answer else None
        while message:
            fired.add(message[2 : message.index('"', 2)])  # {"r1":{..: the first key is the rule
            message = rete.complete_and_start_action(handle, offset)
        rete.retract_fact(handle, fact)
    except Exception:
        with suppress(rete.error):
            rete.delete_state(handle, SID)  # an interrupted agenda would fire nothing for a minute
        # The library's own text can be the whole fact, a person's data: it is not passed on.
        raise EngineError("durable-rules failed", hint=AGAIN) from None
    return fired


def _status(true: bool, false: bool) -> bool | None:
    if true and false:
        raise EngineError("durable-rules contradicts itself", hint="no decision was made; report the release")
    return True if true else False if false else None
