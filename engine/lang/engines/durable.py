"""Evaluate rules for one person at a time with durable-rules, the online engine.

durable-rules 2.0 is exact within a part of its grammar; outside of it, the library hangs, gives wrong results or
crashes (docs/decisions). `lowering` translates conditions to the safe part. This module controls how they run. We
divide the rules into parts, each a ruleset of its own. For each part, we assert one fact with only the attributes that
the part reads, run the agenda, collect the rules that fired, and retract the fact. A heartbeat rule has the last
priority. If it fires, all others before it have fired; if not, we make no decision.

If all values of a condition are known, it is not met when its rule did not fire. If one is missing, we also ask whether
the condition is certainly not met. Separate parts answer that, only for those people.

Cost: 3 microseconds a part and about 0.6 for each rule that fires, independent of the number of earlier people. A
handle is not thread-safe, and the C side holds the interpreter's lock anyway. So we use one lock per engine, and you
need more processes for more decisions.
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

from engine.errors import EngineError
from engine.lang.engines.durable_library import rete
from engine.lang.engines.lowering import (
    Condition,
    Vocabulary,
    attributes_read,
    bins,
    condition,
    count_paths,
    may_be_unknown,
    split_stage,
)
from engine.lang.model.conditions import Stage, Statuses, Truth, Values
from engine.lang.model.program import Program, is_bin

MAX_TRUE_CONDITIONS: Final = 56  # durable-rules: nothing fires if 64 conditions are true on one fact
# durable-rules: at most 252 properties in a fact; and it copies the fact for each rule that fires
MAX_ATTRIBUTES: Final = 64
SID: Final = "1"
RETRACTION: Final = '{"id":"1","sid":"1"}'  # the only fact of a ruleset, by its id
FACT_PREFIX: Final = '{"id":"1","sid":"1","part":1'
GATE: Final = {"part": 1}
HEARTBEAT: Final = "h"
RETRY_HINT: Final = "no decision was made; try again"

_serial = itertools.count()


class DurableEvaluator:
    """The online engine of one program. `close` frees the C side; so does the garbage collector.

    You can keep deciding under a release that has been replaced meanwhile, and the new release need not wait for you.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._lock = threading.Lock()
        self._plans = {name: _StagePlan(stage, Vocabulary()) for name, stage in program.stages.items()}
        self._finalizer = weakref.finalize(
            self, _close, self._plans
        )  # runs at most once, by `close` or by the collector
        self._finalizer.atexit = False  # a thread may still decide at exit, and the end of the process frees everything

    def statuses(self, stage: str, values: Values) -> Statuses:
        """The status of each condition: True met, False not met, None unknown. For a bin, only True has a meaning.

        `values` must fit their types (`engine.decide.decide.validate_values`). Raises EngineError rather than guess.
        """
        with self._lock:
            if stage not in self._plans:
                raise EngineError(f"the release is closed, or has no stage `{stage[:60]}`", hint=RETRY_HINT)
            return self._plans[stage].ask(values)

    def close(self) -> None:
        """Free every handle. Idempotent. Later calls of `statuses` raise EngineError."""
        with self._lock:
            self._finalizer()


class _StagePlan:
    """One stage in several passes: the results of a pass are attributes of the next."""

    def __init__(self, stage: Stage, words: Vocabulary) -> None:
        self.words = words
        self.passes = [_Pass(conditions, words) for conditions in split_stage(stage)]

    def ask(self, values: Values) -> Statuses:
        derived_values = self.words.derive(values)
        for step in self.passes[:-1]:
            answers = step.ask(values, derived_values).items()
            derived_values |= {self.words.answer(id_): int(status) for id_, status in answers if status is not None}
        return self.passes[-1].ask(values, derived_values)

    def close(self) -> None:
        for step in self.passes:
            step.close()


def _close(plans: dict[str, _StagePlan]) -> None:
    for plan in plans.values():
        plan.close()
    plans.clear()


@dataclass
class _RuleGroup:
    """Rules that must be in one ruleset: of one condition, of one characteristic, or of a whole part.

    `ids` has the condition of each rule. `places` is the number of their branches that durable-rules can have active at
    once.
    """

    conditions: dict[str, Condition] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    reads: set[str] = field(default_factory=set)
    places: int = 0

    def has_room_for(self, other: "_RuleGroup") -> bool:
        return self.places + other.places <= MAX_TRUE_CONDITIONS and len(self.reads | other.reads) <= MAX_ATTRIBUTES

    def add(self, other: "_RuleGroup") -> None:
        self.conditions |= other.conditions
        self.ids |= other.ids
        self.reads |= other.reads
        self.places += other.places


class _Ruleset:
    """A ruleset, and the contents of its fact: the JSON key of each attribute, and the source of its value."""

    def __init__(self, group: _RuleGroup, words: Vocabulary) -> None:
        self.ids = group.ids
        reads = sorted(group.reads)
        self.plain_fields = [(f',"{short}":', words.plain[short]) for short in reads if short in words.plain]
        self.derived_fields = [(f',"{short}":', short) for short in reads if short not in words.plain]
        self.readers = {short: self._readers(short, group) for short in reads}
        self.sources = {short: words.plain.get(short) for short in reads}
        rules: dict[str, Condition] = {
            r: {"all": [{"m": {"$and": [GATE, *c.get("$and", [c])]}}]} for r, c in group.conditions.items()
        }
        rules[HEARTBEAT] = {"all": [{"m": GATE}], "pri": 1}
        text = json.dumps(rules)
        self.handle = rete.create_ruleset(f"iftah{next(_serial)}", text)

    @staticmethod
    def _readers(short: str, group: _RuleGroup) -> frozenset[str]:
        rules = (rule for rule, condition in group.conditions.items() if short in attributes_read(condition))
        return frozenset(group.ids[rule] for rule in rules if not is_bin(group.ids[rule]))

    def ask(self, values: Values, derived_values: Mapping[str, int], maybe_unknown: set[str]) -> Iterator[str]:
        """The conditions of the rules that fired. Conditions with a missing attribute are added to `maybe_unknown`."""
        plain = [f"{text}{+value}" for text, name in self.plain_fields if (value := values.get(name)) is not None]  # type: ignore[operator]
        derived_pairs = [
            f"{text}{derived_values[short]}" for text, short in self.derived_fields if short in derived_values
        ]
        if len(plain) + len(derived_pairs) < len(self.readers):
            maybe_unknown.update(*self._missing(values, derived_values))
        fired = _fire(self.handle, f"{FACT_PREFIX}{''.join(plain)}{''.join(derived_pairs)}}}")
        return map(self.ids.__getitem__, fired)

    def _missing(self, values: Values, derived_values: Mapping[str, int]) -> Iterator[frozenset[str]]:
        for short, readers in self.readers.items():
            name = self.sources[short]
            if (derived_values.get(short) if name is None else values.get(name)) is None:
                yield readers

    def close(self) -> None:
        with suppress(rete.error):  # a handle that we never used has no state
            rete.delete_state(self.handle, SID)  # delete the state before the ruleset: the other order leaks memory
        rete.delete_ruleset(self.handle)


class _Pass:
    """Conditions that do not depend on each other's results."""

    def __init__(self, conditions: Mapping[str, Truth], words: Vocabulary) -> None:
        self.defaults: dict[str, bool | None] = {}  # the statuses if no rule fires
        self.maybe_unknown = set[str]()  # conditions that can be unknown although no value is missing
        met, not_met = list[_RuleGroup](), list[_RuleGroup]()
        numbers = itertools.count()
        for _, ids in groupby(conditions, lambda id_: id_.partition("#")[0]):
            group = tuple(ids)
            if is_bin(group[0]):
                self.defaults |= dict.fromkeys(group)
                lowered = dict(zip(group, bins((conditions[n] for n in group), words), strict=True))
                met.append(_rule_group(lowered, numbers, 1))
                continue
            id_, truth = group[0], conditions[group[0]]
            true, false = condition(truth, True, words), condition(truth, False, words)
            self.defaults[id_] = true is True
            if isinstance(true, dict):
                met.append(_rule_group({id_: true}, numbers, count_paths(true)))
            if isinstance(false, dict):
                not_met.append(_rule_group({id_: false}, numbers, count_paths(false)))
            if may_be_unknown(truth) and not (true is True or false is True):
                self.maybe_unknown.add(id_)
        self.met = [_Ruleset(part, words) for part in _pack_groups(met)]
        self.not_met = [_Ruleset(part, words) for part in _pack_groups(not_met)]

    def ask(self, values: Values, derived_values: Mapping[str, int]) -> dict[str, bool | None]:
        statuses, maybe_unknown = self.defaults.copy(), self.maybe_unknown.copy()
        for part in self.met:
            for id_ in part.ask(values, derived_values, maybe_unknown):
                statuses[id_] = True
        if maybe_unknown:
            self._settle_unknown(values, derived_values, statuses, maybe_unknown)
        return statuses

    def _settle_unknown(
        self,
        values: Values,
        derived_values: Mapping[str, int],
        statuses: dict[str, bool | None],
        maybe_unknown: set[str],
    ) -> None:
        """Separate the conditions that are certainly not met from the unknown ones."""
        surely_not_met = set[str]()
        for part in self.not_met:
            if not maybe_unknown.isdisjoint(part.ids.values()):
                surely_not_met.update(part.ask(values, derived_values, set()))
        if any(statuses[id_] for id_ in surely_not_met):
            raise EngineError("durable-rules contradicts itself", hint="no decision was made; report the release")
        for id_ in maybe_unknown - surely_not_met:
            statuses[id_] = statuses[id_] or None

    def close(self) -> None:
        for part in (*self.met, *self.not_met):
            part.close()


def _rule_group(lowered: Mapping[str, Condition], numbers: Iterator[int], places: int) -> _RuleGroup:
    rules = {f"r{next(numbers)}": (id_, condition) for id_, condition in lowered.items()}
    reads = {short for condition in lowered.values() for short in attributes_read(condition)}
    return _RuleGroup(
        {r: condition for r, (_, condition) in rules.items()}, {r: id_ for r, (id_, _) in rules.items()}, reads, places
    )


def _pack_groups(groups: Iterable[_RuleGroup]) -> Iterator[_RuleGroup]:
    ruleset = _RuleGroup()
    for group in groups:
        if not ruleset.has_room_for(group):
            yield ruleset
            ruleset = _RuleGroup()
        ruleset.add(group)
    yield ruleset


def _fire(handle: Any, fact: str) -> list[str]:
    """Assert one fact, run the agenda, and retract the fact. Returns the rules that fired, without the heartbeat."""
    fired: list[str] = []
    try:
        status, offset = rete.assert_fact(handle, fact)
        answer = rete.start_action_for_state(handle, offset) if status == 0 else None
        message = answer[1] if answer else None
        while message:
            fired.append(message[2 : message.index('"', 2)])  # {"r1":{..: the first key is the name of the rule
            message = rete.complete_and_start_action(handle, offset)
        rete.retract_fact(handle, RETRACTION)
        if not fired or fired.pop() != HEARTBEAT:
            raise EngineError("durable-rules did not answer")
    except BaseException as error:
        with suppress(rete.error):
            rete.delete_state(handle, SID)  # an interrupted agenda would fire nothing for a minute
        if not isinstance(error, Exception):
            raise
        # The library's own message can contain the whole fact, with a person's data, so we do not pass it on.
        raise EngineError("durable-rules failed", hint=RETRY_HINT) from None
    return fired
