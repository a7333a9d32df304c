"""Create the online evaluators of each program of a release, at the first question about one of its days."""

import threading

from engine.decide.pattern_evaluators import PatternEvaluators
from engine.errors import EngineError
from engine.lang.engines.durable import RETRY_HINT, DurableEvaluator
from engine.lang.model.program import Release


class Evaluators:
    """The evaluators of one release. `close` frees the C side; so does the garbage collector."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self._lock = threading.Lock()
        # By the day from which the program is in force.
        self._pairs: dict[int | None, tuple[DurableEvaluator, PatternEvaluators]] = {}
        self._closed = False

    def at(self, day: int) -> DurableEvaluator:
        """The evaluator of the rules in force on a day, counted from 1970-01-01. Raises EngineError if closed."""
        return self._pair(day)[0]

    def pattern_evaluators(self, day: int) -> PatternEvaluators:
        """The pattern evaluators of the rules in force on a day. Raises EngineError if closed."""
        return self._pair(day)[1]

    def close(self) -> None:
        """Free every handle. Idempotent. Later calls raise EngineError."""
        with self._lock:
            pairs, self._pairs, self._closed = self._pairs, {}, True
        for evaluator, pattern_evaluators in pairs.values():
            evaluator.close()
            pattern_evaluators.close()

    def _pair(self, day: int) -> tuple[DurableEvaluator, PatternEvaluators]:
        program = self.release.at(day)
        with self._lock:
            if self._closed:
                raise EngineError("the release is closed", hint=RETRY_HINT)
            if program.since not in self._pairs:
                self._pairs[program.since] = (DurableEvaluator(program), PatternEvaluators(program))
            return self._pairs[program.since]
