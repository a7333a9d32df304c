"""Online: one person at a time, through durable-rules, inside a fence.

durable-rules 2.0 is exact within a part of its grammar and hangs, lies or crashes outside it (docs/decisions). What goes
in is what `lower` makes; how it goes in is here. Rules are laid out in parts, each a ruleset of its own. A part gets one
fact, with the attributes that it reads and no others. The agenda is drained, what fired is the answer, and the fact is
taken back. A heartbeat rule comes last by priority: it says that all before it has fired, or there is no decision.

A condition over known values is met or not, so that it is not when its rule did not fire. Only where a value is missing
is it also asked whether it is surely not met: parts for that are asked of those people alone.

Cost: 3 microseconds a part and about 0.6 for each rule that fires, whatever the number of people before. A handle is not
thread-safe, and the C side holds the interpreter's lock anyway: one lock per engine, more processes for more decisions.
"""

import itertools
import json
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

import durable_rules_engine as rete

from engine.errors import EngineError
from engine.lang.lower import Condition, Vocabulary, bins, condition, cut, paths, read_by, wavers
from engine.lang.program import Program, is_bin
from engine.lang.truths import Stage, Statuses, Truth, Values

MOST_PLACES: Final = 56  # durable-rules: 64 conditions true at once on one fact, and nothing fires
MOST_READ: Final = 64  # durable-rules: at most 252 properties in a fact; and a fact is copied for each rule that fires
SID: Final = "1"
TAKEN_BACK: Final = '{"id":"1","sid":"1"}'  # the one fact of a ruleset, by its id
FACT: Final = '{"id":"1","sid":"1","part":1'
GATE: Final = {"part": 1}
HEARTBEAT: Final = "h"
AGAIN: Final = "no decision was made; try again"

_serial = itertools.count()


class Online:
    """The engine of one program. The C side is freed by `close`, or by itself when nobody holds the engine any more.

    So whoever decides under a release that was replaced meanwhile is not disturbed, and nobody has to be waited for.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._lock = threading.Lock()
        self._plans = {name: _Plan(stage, Vocabulary()) for name, stage in program.stages.items()}
        self._freed = weakref.finalize(self, _close, self._plans)  # at most once, whoever comes first
        self._freed.atexit = False  # a thread may still be deciding then; the process's end frees all there is

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
            self._freed()


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


def _close(plans: dict[str, _Plan]) -> None:
    for plan in plans.values():
        plan.close()
    plans.clear()


@dataclass
class _Rules:
    """Rules that are laid out together: of one condition, of one characteristic, or of a whole part.

    `ids`: the condition that a rule stands for. `places`: at how many places of them durable-rules can stand at once.
    """

    asked: dict[str, Condition] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    reads: set[str] = field(default_factory=set)
    places: int = 0

    def has_room_for(self, more: "_Rules") -> bool:
        return self.places + more.places <= MOST_PLACES and len(self.reads | more.reads) <= MOST_READ

    def add(self, more: "_Rules") -> None:
        self.asked |= more.asked
        self.ids |= more.ids
        self.reads |= more.reads
        self.places += more.places


class _Part:
    """A ruleset, and what its fact holds: each attribute as JSON will have it, and where it comes from."""

    def __init__(self, laid_out: _Rules, words: Vocabulary) -> None:
        self.ids = laid_out.ids
        reads = sorted(laid_out.reads)
        self.plain = [(f',"{short}":', words.plain[short]) for short in reads if short in words.plain]
        self.known = [(f',"{short}":', short) for short in reads if short not in words.plain]
        self.readers = {short: self._readers(short, laid_out) for short in reads}
        self.sources = {short: words.plain.get(short) for short in reads}
        rules = {r: {"all": [{"m": {"$and": [GATE, *c.get("$and", [c])]}}]} for r, c in laid_out.asked.items()}
        text = json.dumps({**rules, HEARTBEAT: {"all": [{"m": GATE}], "pri": 1}})
        self.handle = rete.create_ruleset(f"iftah{next(_serial)}", text)

    @staticmethod
    def _readers(short: str, laid_out: _Rules) -> frozenset[str]:
        rules = (rule for rule, asked in laid_out.asked.items() if short in read_by(asked))
        return frozenset(laid_out.ids[rule] for rule in rules if not is_bin(laid_out.ids[rule]))

    def ask(self, values: Values, known: Mapping[str, int], doubtful: set[str]) -> Iterator[str]:
        """The conditions whose rules fired; those that read what is missing are added to `doubtful`."""
        plain = [f"{text}{+value}" for text, name in self.plain if (value := values.get(name)) is not None]  # type: ignore[operator]
        worked_out = [f"{text}{known[short]}" for text, short in self.known if short in known]
        if len(plain) + len(worked_out) < len(self.readers):
            doubtful.update(*self._missing(values, known))
        fired = _fire(self.handle, f"{FACT}{''.join(plain)}{''.join(worked_out)}}}")
        return map(self.ids.__getitem__, fired)

    def _missing(self, values: Values, known: Mapping[str, int]) -> Iterator[frozenset[str]]:
        for short, readers in self.readers.items():
            name = self.sources[short]
            if (known.get(short) if name is None else values.get(name)) is None:
                yield readers

    def close(self) -> None:
        with suppress(rete.error):  # a handle that was never asked has no state
            rete.delete_state(self.handle, SID)  # first the state, then the ruleset: the other way round leaks
        rete.delete_ruleset(self.handle)


class _Pass:
    """Conditions that do not depend on each other's answers."""

    def __init__(self, conditions: Mapping[str, Truth], words: Vocabulary) -> None:
        self.before: dict[str, bool | None] = {}  # what is so when no rule fires
        self.doubtful = set[str]()  # what may be unknown though nothing is missing
        met, not_met = list[_Rules](), list[_Rules]()
        numbers = itertools.count()
        for _, ids in groupby(conditions, lambda id_: id_.partition("#")[0]):
            named = tuple(ids)
            if is_bin(named[0]):
                self.before |= dict.fromkeys(named)
                lowered = dict(zip(named, bins((conditions[n] for n in named), words), strict=True))
                met.append(_laid_out(lowered, numbers, 1))
                continue
            id_, truth = named[0], conditions[named[0]]
            true, false = condition(truth, True, words), condition(truth, False, words)
            self.before[id_] = true is True
            if isinstance(true, dict):
                met.append(_laid_out({id_: true}, numbers, paths(true)))
            if isinstance(false, dict):
                not_met.append(_laid_out({id_: false}, numbers, paths(false)))
            if wavers(truth) and not (true is True or false is True):
                self.doubtful.add(id_)
        self.met = [_Part(part, words) for part in _parts(met)]
        self.not_met = [_Part(part, words) for part in _parts(not_met)]

    def ask(self, values: Values, known: Mapping[str, int]) -> dict[str, bool | None]:
        found, doubtful = self.before.copy(), self.doubtful.copy()
        for part in self.met:
            for id_ in part.ask(values, known, doubtful):
                found[id_] = True
        if doubtful:
            self._doubt(values, known, found, doubtful)
        return found

    def _doubt(
        self, values: Values, known: Mapping[str, int], found: dict[str, bool | None], doubtful: set[str]
    ) -> None:
        """What is not met though something is missing stays so; the rest of what is not met is unknown."""
        sure = set[str]()
        for part in self.not_met:
            if not doubtful.isdisjoint(part.ids.values()):
                sure.update(part.ask(values, known, set()))
        if any(found[id_] for id_ in sure):
            raise EngineError("durable-rules contradicts itself", hint="no decision was made; report the release")
        for id_ in doubtful - sure:
            found[id_] = found[id_] or None

    def close(self) -> None:
        for part in (*self.met, *self.not_met):
            part.close()


def _laid_out(lowered: Mapping[str, Condition], numbers: Iterator[int], places: int) -> _Rules:
    rules = {f"r{next(numbers)}": (id_, asked) for id_, asked in lowered.items()}
    reads = {short for asked in lowered.values() for short in read_by(asked)}
    return _Rules(
        {r: asked for r, (_, asked) in rules.items()}, {r: id_ for r, (id_, _) in rules.items()}, reads, places
    )


def _parts(laid_out: Iterable[_Rules]) -> Iterator[_Rules]:
    part = _Rules()
    for each in laid_out:
        if not part.has_room_for(each):
            yield part
            part = _Rules()
        part.add(each)
    yield part


def _fire(handle: Any, fact: str) -> list[str]:
    """Assert one fact, drain the agenda, take the fact back: the names of the rules that fired, without the heartbeat."""
    fired: list[str] = []
    try:
        status, offset = rete.assert_fact(handle, fact)
        answer = rete.start_action_for_state(handle, offset) if status == 0 else None
        message = answer[1] if answer else None
        while message:
            fired.append(message[2 : message.index('"', 2)])  # {"r1":{..: the first key is the rule
            message = rete.complete_and_start_action(handle, offset)
        rete.retract_fact(handle, TAKEN_BACK)
        if not fired or fired.pop() != HEARTBEAT:
            raise EngineError("durable-rules did not answer")
    except BaseException as error:
        with suppress(rete.error):
            rete.delete_state(handle, SID)  # an interrupted agenda would fire nothing for a minute
        if not isinstance(error, Exception):
            raise
        # The library's own text can be the whole fact, a person's data: it is not passed on.
        raise EngineError("durable-rules failed", hint=AGAIN) from None
    return fired
