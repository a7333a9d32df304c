"""Online: one person at a time, through durable-rules, inside a fence.

durable-rules 2.0 is exact within a part of its grammar and hangs, lies or crashes outside it (docs/decisions). What goes
in is what `lower` makes; how it goes in is here. Rules are laid out in parts, each a ruleset of its own. A part gets one
fact, with the attributes that it reads and no others, and has a heartbeat rule that must fire, or there is no decision.
The agenda is drained, the *set* of fired rules is the answer, and the fact is taken back.

Cost: 3 microseconds a part and about 0.6 for each rule that fires, whatever the number of people before. A handle is not
thread-safe, and the C side holds the interpreter's lock anyway: one lock per engine, more processes for more decisions.
"""

import itertools
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

import durable_rules_engine as rete

from engine.errors import EngineError
from engine.lang.lower import Condition, Vocabulary, bins, condition, cut, paths, read_by
from engine.lang.program import Release, Stage, Statuses, Truth, Values, is_bin, stages

MOST_PLACES: Final = 56  # durable-rules: 64 conditions true at once on one fact, and nothing fires
MOST_READ: Final = 64  # durable-rules: at most 252 properties in a fact; and a fact is copied for each rule that fires
MOST_RULES: Final = 3_000  # durable-rules: at most 4,096 in a ruleset
SID: Final = "1"
TAKEN_BACK: Final = '{"id":"1","sid":"1"}'  # the one fact of a ruleset, by its id
FACT: Final = '{"id":"1","sid":"1","part":1'
GATE: Final = {"part": 1}
HEARTBEAT: Final = "h"
AGAIN: Final = "no decision was made; try again"

_serial = itertools.count()


class Online:
    """The engine of one release. `close` frees the C side; do it once nobody decides under it."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self._lock = threading.Lock()
        self._plans = {name: _Plan(stage, Vocabulary()) for name, stage in stages(release).items()}

    def statuses(self, stage: str, values: Values) -> Statuses:
        """Each condition's status: True met, False not met, None unknown; of a bin only True means anything.

        `values` fit their types (`engine.decide.fitting`). Raises EngineError rather than guess.
        """
        with self._lock:
            if stage not in self._plans:
                raise EngineError(f"the release is closed, or has no stage `{stage[:60]}`", hint=AGAIN)
            return self._plans[stage].ask(values)

    def close(self) -> None:
        """Free every handle. Closing again does nothing; who asks after is told so."""
        with self._lock:
            plans, self._plans = self._plans, {}
            for plan in plans.values():
                plan.close()


class _Plan:
    """One stage: passes of parts; the answers of a pass are attributes of the next."""

    def __init__(self, stage: Stage, words: Vocabulary) -> None:
        self.words = words
        self.passes = [_Pass(conditions, words) for conditions in cut(stage)]

    def ask(self, values: Values) -> Statuses:
        known = self.words.worked_out(values)
        for step in self.passes[:-1]:
            answers = step.ask(values, known).items()
            known |= {self.words.answer(id_): int(status) for id_, status in answers if status is not None}
        return self.passes[-1].ask(values, known)

    def close(self) -> None:
        for step in self.passes:
            step.close()


@dataclass
class _Rules:
    """Rules that are laid out together: of one condition, of one characteristic, or of a whole part.

    `says`: what it means that a rule fires. `places`: at how many places of them durable-rules can stand at once.
    """

    rules: dict[str, Condition] = field(default_factory=dict)
    says: dict[str, tuple[str, bool]] = field(default_factory=dict)
    places: int = 0
    reads: set[str] = field(default_factory=set)

    def has_room_for(self, more: "_Rules") -> bool:
        return (
            self.places + more.places <= MOST_PLACES
            and len(self.reads | more.reads) <= MOST_READ
            and len(self.rules) + len(more.rules) <= MOST_RULES
        )

    def add(self, more: "_Rules") -> None:
        self.rules |= more.rules
        self.says |= more.says
        self.places += more.places
        self.reads |= more.reads

    def add_rule(self, name: str, asked: Condition, id_: str, status: bool, places: int) -> None:
        self.add(_Rules({name: asked}, {name: (id_, status)}, places, set(read_by(asked))))


class _Part:
    """A ruleset, and the attributes that its fact holds: as JSON will have them, with where each comes from."""

    def __init__(self, laid_out: _Rules, words: Vocabulary) -> None:
        self.says = laid_out.says
        reads = sorted(laid_out.reads)
        self.plain = [(f',"{short}":', words.plain[short]) for short in reads if short in words.plain]
        self.known = [(f',"{short}":', short) for short in reads if short not in words.plain]
        gated = {rule: {"$and": [GATE, *asked.get("$and", [asked])]} for rule, asked in laid_out.rules.items()}
        rules = {rule: {"all": [{"m": asked}]} for rule, asked in ({HEARTBEAT: GATE} | gated).items()}
        self.handle = rete.create_ruleset(f"iftah{next(_serial)}", json.dumps(rules))

    def fact(self, values: Values, known: Mapping[str, int]) -> str:
        """What is known of what the part reads; `+` makes a bool a number."""
        plain = [f"{text}{+value}" for text, name in self.plain if (value := values.get(name)) is not None]  # type: ignore[operator]
        worked_out = [f"{text}{known[short]}" for text, short in self.known if short in known]
        return f"{FACT}{''.join(plain)}{''.join(worked_out)}}}"

    def close(self) -> None:
        with suppress(rete.error):  # a handle that was never asked has no state
            rete.delete_state(self.handle, SID)  # first the state, then the ruleset: the other way round leaks
        rete.delete_ruleset(self.handle)


class _Pass:
    """Conditions that do not depend on each other's answers. Rule `tN` says that condition N is true, `fN` false."""

    def __init__(self, conditions: Mapping[str, Truth], words: Vocabulary) -> None:
        self.before: dict[str, bool | None] = dict.fromkeys(conditions)  # what is so without asking
        self.parts = [_Part(part, words) for part in _parts(self._lowered(conditions, words))]

    def _lowered(self, conditions: Mapping[str, Truth], words: Vocabulary) -> Iterator[_Rules]:
        numbers = {id_: number for number, id_ in enumerate(conditions)}
        for _, ids in groupby(conditions, lambda id_: id_.partition("#")[0]):
            found, named = _Rules(), tuple(ids)
            if is_bin(named[0]):
                for id_, asked in zip(named, bins((conditions[n] for n in named), words), strict=True):
                    found.add_rule(f"t{numbers[id_]}", asked, id_, True, 0)
                found.places = 1  # one bin at a time
            else:
                self._both(named[0], conditions[named[0]], numbers[named[0]], words, found)
            yield found

    def _both(self, id_: str, truth: Truth, number: int, words: Vocabulary, found: _Rules) -> None:
        for sign, status in (("t", True), ("f", False)):
            asked = condition(truth, status, words)
            if isinstance(asked, dict):
                found.add_rule(f"{sign}{number}", asked, id_, status, paths(asked))
            elif asked:
                self.before[id_] = status

    def ask(self, values: Values, known: Mapping[str, int]) -> dict[str, bool | None]:
        found = self.before.copy()
        for part in self.parts:
            fired = _fire(part.handle, part.fact(values, known))
            if HEARTBEAT not in fired:
                raise EngineError("durable-rules did not answer", hint=AGAIN)
            fired.remove(HEARTBEAT)
            for rule in fired:
                id_, status = part.says[rule]
                if found[id_] is (not status):
                    raise EngineError(
                        "durable-rules contradicts itself", hint="no decision was made; report the release"
                    )
                found[id_] = status
        return found

    def close(self) -> None:
        for part in self.parts:
            part.close()


def _parts(laid_out: Iterable[_Rules]) -> Iterator[_Rules]:
    part = _Rules()
    for each in laid_out:
        if not part.has_room_for(each):
            yield part
            part = _Rules()
        part.add(each)
    yield part


def _fire(handle: Any, fact: str) -> set[str]:
    """Assert one fact, drain the agenda, take the fact back: the names of the rules that fired."""
    fired: set[str] = set()
    try:
        status, offset = rete.assert_fact(handle, fact)
        answer = rete.start_action_for_state(handle, offset) if status == 0 else None
        message = answer[1] if answer else None
        while message:
            fired.add(message[2 : message.index('"', 2)])  # {"t1":{..: the first key is the rule
            message = rete.complete_and_start_action(handle, offset)
        rete.retract_fact(handle, TAKEN_BACK)
    except BaseException as error:
        with suppress(rete.error):
            rete.delete_state(handle, SID)  # an interrupted agenda would fire nothing for a minute
        if not isinstance(error, Exception):
            raise
        # The library's own text can be the whole fact, a person's data: it is not passed on.
        raise EngineError("durable-rules failed", hint=AGAIN) from None
    return fired
