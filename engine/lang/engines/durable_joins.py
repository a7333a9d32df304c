"""Match patterns over events with durable-rules, in a form that we can trust.

With joins as documented, the facts of many events multiply, and beyond its limits the library hangs or gives wrong
results. So we process one event at a time. For each number of steps matched so far, one fact has the latest time for
the next event; a later beginning is never worse. We assert the new event beside these few facts, and the rules that
fire tell which steps the event is. After each event we delete everything. So every state is fresh, with at most
`MAX_STEPS` facts (`engine.lang.check.patterns`), and a catch-all rule must fire for each of them. We evaluate
beforehand the conditions of a step on a single event.
"""

import itertools
import json
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from engine.errors import EngineError
from engine.lang.engines.durable_library import rete
from engine.lang.engines.lowering import Condition
from engine.lang.model.patterns import Pattern

SID: Final = "1"
HEARTBEAT: Final = "any"
RETRY_HINT: Final = "no decision was made; try again"

_serial = itertools.count()


class Joins:
    """The rules of one pattern. `close` frees the C side; so does the garbage collector."""

    def __init__(self, pattern: Pattern) -> None:
        self.steps = len(pattern.steps)
        self._lock = threading.Lock()
        self._handle: Any = rete.create_ruleset(f"iftah-watch{next(_serial)}", json.dumps(_ruleset(self.steps)))
        self._finalizer = weakref.finalize(
            self, rete.delete_ruleset, self._handle
        )  # runs at most once, by `close` or by the collector
        self._finalizer.atexit = False

    def next(self, deadlines: Sequence[int | None], step_of: Sequence[bool], at: int) -> frozenset[int]:
        """The steps, counted from 0, that an event at time `at` completes.

        `deadlines[n]` is the latest time of the event after n + 1 matched steps, or None if that many steps have not
        matched. `step_of[n]` tells whether the event by itself can be step n.
        """
        facts: list[dict[str, int]] = [
            {"event": 0, "matched": n + 1, "until": until, "key": 0}
            for n, until in enumerate(deadlines)
            if until is not None
        ]
        event = {"event": 1, "at": at, "key": 0}
        event |= {f"s{n}": 1 for n, matches in enumerate(step_of) if matches}
        with self._lock:
            if self._handle is None:
                raise EngineError("the pattern is closed", hint=RETRY_HINT)
            fired = self._fire([*facts, event])
        return frozenset(int(name[1:]) for name in fired if name != HEARTBEAT)

    def _fire(self, facts: list[dict[str, int]]) -> set[str]:
        fired, beats = set[str](), 0
        try:
            for number, fact in enumerate(facts):
                status, offset = rete.assert_fact(self._handle, json.dumps({"id": str(number), "sid": SID, **fact}))
                answer = rete.start_action_for_state(self._handle, offset) if status == 0 else None
                message = answer[1] if answer else None
                while message:
                    name = message[2 : message.index('"', 2)]  # {"s1":{..: the first key is the name of the rule
                    beats += name == HEARTBEAT
                    fired.add(name)
                    message = rete.complete_and_start_action(self._handle, offset)
        except (
            Exception
        ):  # the library's own message can contain the whole fact, with a person's data: we do not pass it on
            raise EngineError("durable-rules failed", hint=RETRY_HINT) from None
        finally:
            with suppress(rete.error):
                rete.delete_state(self._handle, SID)
        if beats != len(facts):
            raise EngineError("durable-rules did not answer", hint=RETRY_HINT)
        return fired

    def close(self) -> None:
        """Free the handle. Idempotent. Later calls of `next` raise EngineError."""
        with self._lock:
            self._handle = None
            self._finalizer()


def _ruleset(steps: int) -> dict[str, Condition]:
    rules: dict[str, Condition] = {HEARTBEAT: {"all": [{"m": {"$ex": {"event": 1}}}], "pri": 9}}
    rules["s0"] = {"all": [{"e": {"$and": [{"event": 1}, {"s0": 1}]}}]}
    for n in range(1, steps):
        before = {"$and": [{"event": 0}, {"matched": n}]}
        # The deciding comparison must not be last: durable-rules reads beyond its array there.
        event = {"$and": [{"event": 1}, {f"s{n}": 1}, {"$lte": {"at": {"b": "until"}}}, {"key": {"b": "key"}}]}
        rules[f"s{n}"] = {"all": [{"b": before}, {"e": event}]}
    return rules
