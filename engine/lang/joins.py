"""Joins: patterns over events, through durable-rules in a form that can be trusted.

Joined as documented, facts of many events multiply, and the library hangs or lies beyond its limits. So events come one
by one. For each number of steps that have been matched so far, one fact holds the latest time by which the next event must
come (a later beginning is never worse); the new event is asserted beside those few facts, and the rules that fire say
which steps it is. Everything is taken back after each event: a fresh state each time, at most `MOST_STEPS` facts and a
catch-all rule that must fire for each of them. What a step asks of one event alone is asked beforehand.
"""

import itertools
import json
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import durable_rules_engine as rete

from engine.errors import EngineError
from engine.lang.program import Pattern

SID: Final = "1"
HEARTBEAT: Final = "any"
AGAIN: Final = "no decision was made; try again"

_serial = itertools.count()


class Joins:
    """The rules of one pattern. The C side is freed by `close`, or by itself when nobody holds it any more."""

    def __init__(self, pattern: Pattern) -> None:
        self.steps = len(pattern.steps)
        self._lock = threading.Lock()
        self._handle: Any = rete.create_ruleset(f"iftah-watch{next(_serial)}", json.dumps(_ruleset(self.steps)))
        self._freed = weakref.finalize(self, rete.delete_ruleset, self._handle)  # at most once, whoever comes first
        self._freed.atexit = False

    def next(self, deadlines: Sequence[int | None], step_of: Sequence[bool], at: int) -> frozenset[int]:
        """Which steps, counted from 0, an event at time `at` takes: `deadlines[n]` is until when the event after n + 1
        matched steps may come, None where so many are not matched; `step_of[n]` whether it could be step n by itself.

        Raises EngineError rather than guess.
        """
        before: list[dict[str, int]] = [
            {"event": 0, "matched": n + 1, "until": until} for n, until in enumerate(deadlines) if until is not None
        ]
        event = {"event": 1, "at": at, "key": 0, **{f"s{n}": 1 for n, could in enumerate(step_of) if could}}
        with self._lock:
            if self._handle is None:
                raise EngineError("the pattern is closed", hint=AGAIN)
            fired = self._fired([{**fact, "key": 0} for fact in before] + [event])
        return frozenset(int(name[1:]) for name in fired if name != HEARTBEAT)

    def _fired(self, facts: list[dict[str, int]]) -> set[str]:
        fired, beats = set[str](), 0
        try:
            for number, fact in enumerate(facts):
                status, offset = rete.assert_fact(self._handle, json.dumps({"id": str(number), "sid": SID, **fact}))
                answer = rete.start_action_for_state(self._handle, offset) if status == 0 else None
                message = answer[1] if answer else None
                while message:
                    name = message[2 : message.index('"', 2)]  # {"s1":{..: the first key is the rule
                    beats += name == HEARTBEAT
                    fired.add(name)
                    message = rete.complete_and_start_action(self._handle, offset)
        except Exception:  # the library's own text can be the whole fact, a person's data: it is not passed on
            raise EngineError("durable-rules failed", hint=AGAIN) from None
        finally:
            with suppress(rete.error):
                rete.delete_state(self._handle, SID)
        if beats != len(facts):
            raise EngineError("durable-rules did not answer", hint=AGAIN)
        return fired

    def close(self) -> None:
        """Free the handle. Closing again does nothing."""
        with self._lock:
            self._handle = None
            self._freed()


def _ruleset(steps: int) -> dict[str, Any]:
    rules: dict[str, Any] = {HEARTBEAT: {"all": [{"m": {"$ex": {"event": 1}}}], "pri": 9}}
    rules["s0"] = {"all": [{"e": {"$and": [{"event": 1}, {"s0": 1}]}}]}
    for n in range(1, steps):
        before = {"$and": [{"event": 0}, {"matched": n}]}
        # The comparison that decides never stands last: durable-rules reads beyond its array there.
        event = {"$and": [{"event": 1}, {f"s{n}": 1}, {"$lte": {"at": {"b": "until"}}}, {"key": {"b": "key"}}]}
        rules[f"s{n}"] = {"all": [{"b": before}, {"e": event}]}
    return rules
