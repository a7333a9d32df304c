"""Ask the solver whether there is a person for whom formulas hold.

The effort of each question is limited by steps and not by time, so the answer is the same on every machine.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import z3

from engine.lang.model.conditions import Values
from engine.verify.prove.encoding import Encoder, Formula

MAX_STEPS: Final = 4_000_000  # of the solver, for one question: a second or less


@contextmanager
def fresh_context() -> Iterator[None]:
    """Let the solver forget everything that it was asked before.

    It orders terms by their age, so an example, or what it can decide, would depend on earlier questions of the process.
    """
    before = z3.z3._main_ctx
    z3.z3._main_ctx = z3.Context()
    try:
        yield
    finally:
        z3.z3._main_ctx = before


@dataclass(frozen=True)
class SolverResult:
    """The result of a question: `is_empty` if there certainly is nobody, `model` if there is somebody.

    With neither, the solver gave up.
    """

    is_empty: bool
    model: Any = None

    def values(self, people: Encoder, names: Iterable[str]) -> Values:
        """The values of the person that the solver found."""
        return people.values_in(self.model, names)


@dataclass
class Effort:
    """The steps that the solver may take for a question, and the number of questions for which they were too few."""

    max_steps: int = MAX_STEPS
    undecided: int = 0


class PersonSolver:
    """Questions about the people of some encoders, with formulas that hold in all of them."""

    def __init__(self, *people: Encoder, effort: Effort) -> None:
        self.people, self.effort = people, effort
        self._solver = z3.SimpleSolver()
        self._solver.set("arith.solver", 2)  # z3's earlier one finds sums of hundreds of points in a third of the time
        self._solver.set("rlimit", effort.max_steps)
        self._bounds = [0 for _ in people]

    def require(self, *formulas: Formula) -> None:
        """Let the formulas hold from now on."""
        self._add_bounds()
        self._solver.add(*formulas)

    def search(self, *formulas: Formula) -> SolverResult:
        """Search for a person for whom all formulas hold."""
        self._add_bounds()
        self._solver.push()
        self._solver.add(*formulas)
        result = self._solver.check()
        model = self._solver.model() if result == z3.sat else None
        self._solver.pop()
        self.effort.undecided += result == z3.unknown
        return SolverResult(result == z3.unsat, model)

    def first_of(self, formulas: list[Formula], *preferences: list[Formula]) -> SolverResult:
        """The first result with a person, of searches with further formulas that we prefer; else the last result."""
        results = (self.search(*formulas, *preference) for preference in preferences)
        result = SolverResult(False)
        for result in results:
            if result.model is not None:
                break
        return result

    def nobody(self, *formulas: Formula) -> bool:
        """Whether it is certain that the formulas hold for nobody."""
        return self.search(*formulas).is_empty

    def _add_bounds(self) -> None:
        for place, people in enumerate(self.people):
            self._solver.add(*people.bounds[self._bounds[place] :])
            self._bounds[place] = len(people.bounds)
