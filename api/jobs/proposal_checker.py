"""Check each draft of rules, and measure each proposal that was checked, while the server answers.

A check takes seconds in a process of its own. Several workers may check the same draft: the first one puts its result on record. A
failure is logged once; we try that proposal again after some seconds, and go on with the others. If the process is killed, we do so
some times; then the proposal says that it was not checked, and why.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from time import monotonic
from typing import Final

from api.jobs.periodic import FailureLog, background_thread
from api.jobs.watermarks import GetMarks, unknown
from api.proposals.actors import THE_SYSTEM
from api.proposals.measurement import check_proposal, measure_proposal
from api.releases import release_states as states
from api.releases.probe import ProbeKilled
from api.releases.release_log import read_state
from api.releases.release_states import Proposal, ReleaseState
from api.runtime.context import AppContext
from api.store import clock
from api.store.database import Database
from engine.errors import IftahError, Rejected

INTERVAL_SECONDS: Final = 0.5  # between looks
RETRY_SECONDS: Final = 30.0  # after a failure, before we try a proposal again
# Somebody took another step meanwhile: no failure, and we look again.
OVERTAKEN: Final = frozenset({"wrong_proposal_state", "base_moved", "log_moved"})


@contextmanager
def checking_proposals(
    context: Callable[[], AppContext], marks: GetMarks = unknown, interval: float = INTERVAL_SECONDS
) -> Iterator[None]:
    """Check and measure proposals as long as the server runs. `interval`: seconds between looks."""
    checker = ProposalChecker()

    def work(stop: Event) -> None:
        failures = FailureLog.of_task("to look for proposals")
        idle_at: str | None = None  # the newest entry of the log when nothing was left to do
        while not stop.wait(interval):
            newest = marks()
            if newest is not None and newest.release_log == idle_at:
                continue
            idle_at = None
            try:
                if not checker.look(context(), stop) and newest is not None:
                    idle_at = newest.release_log
            except Exception as error:  # an error in our own code must not end the thread
                failures.record(error)
            else:
                failures.clear()

    with background_thread("proposals", work):
        yield


class ProposalChecker:
    """Check and measure what waits. Failures are kept by proposal and text."""

    def __init__(self) -> None:
        self._retry_at: dict[tuple[int, int], float] = {}
        self._failures: dict[int, FailureLog] = {}
        self._kills = Counter[tuple[int, int]]()  # of the process that checks

    def look(self, context: AppContext, stop: Event) -> bool:
        """Check and measure each proposal that waits, until `stop` is set. Returns whether any waited."""
        waiting = waiting_proposals(read_state(context.database, context.log))
        for proposal in waiting:
            if stop.is_set():
                break
            if monotonic() >= self._retry_at.get((proposal.number, proposal.revision), 0.0):
                self._advance(context.database, proposal, stop)
        return bool(waiting)

    def _advance(self, database: Database, proposal: Proposal, stop: Event) -> None:
        name = f"to check proposal {proposal.number}"
        failures = self._failures.setdefault(proposal.number, FailureLog.of_task(name))
        text = (proposal.number, proposal.revision)
        try:
            advance_proposal(database, proposal.number, stop, self._kills[text])
        except Exception as error:
            is_overtaken = isinstance(error, IftahError) and error.code in OVERTAKEN
            if not is_overtaken and not stop.is_set():
                self._kills[text] += isinstance(error, ProbeKilled)
                self._retry_at[text] = monotonic() + RETRY_SECONDS
                failures.record(error)
        else:
            failures.clear()


def waiting_proposals(state: ReleaseState) -> list[Proposal]:
    """The drafts that nobody checked, and the proposals that nobody measured, oldest first."""
    return [
        p for p in state.proposals.values() if p.state == states.CHECKED or (p.state == states.DRAFT and not p.problems)
    ]


def advance_proposal(database: Database, number: int, stop: Event, previous_kills: int = 0) -> Proposal:
    """Check a draft, and measure it if it has no problems. Raises as `check_proposal` and `measure_proposal`."""
    proposal = check_proposal(database, number, clock.micros(clock.now()), stop, previous_kills)
    if proposal.state == states.CHECKED:
        now = clock.micros(clock.now())
        proposal = measure_proposal(database, THE_SYSTEM, number, now, lambda *_: _require_running(stop))
    return proposal


def _require_running(stop: Event) -> None:
    if stop.is_set():
        raise Rejected("the server stops", where="the measurement", code="stopped")
