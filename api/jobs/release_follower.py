"""Follow the release log while the server answers: each worker decides under the release that the log names.

We look at the newest entry every fifth of a second, and compile releases before they come into force. A decision also compares the
entry within its own transaction (`api.decisions.eligibility`). So no decision is made under a release that is no longer in force,
however late a look is.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from threading import Event, Lock, Thread
from time import monotonic
from typing import Final

from api.jobs.periodic import FailureLog
from api.jobs.watermarks import GetMarks, unknown
from api.proposals import activations
from api.proposals.actors import THE_SYSTEM
from api.proposals.trials import advance_trial
from api.releases import release_states as states
from api.releases.anchor import read_anchor, verify
from api.releases.release_log import HEAD, read_state
from api.releases.release_states import Proposal, ReleaseState
from api.releases.releases import FolderRejection
from api.releases.step_checks import require_approval
from api.runtime.context import AppContext
from api.runtime.rules_in_force import EvaluatorsCache, context_of, prepare
from api.store import clock
from api.store.database import Database, reading
from engine.errors import IftahError, Rejected

log = logging.getLogger("iftah")

INTERVAL_SECONDS: Final = 0.2  # between looks
JUDGE_SECONDS: Final = 10.0  # between looks at the guards of a trial
JOIN_TIMEOUT_SECONDS: Final = 5.0
# The log is not what it was: we keep the rules that we have, and say so.
UNTRUSTED: Final = frozenset({"log_altered", "database_restored"})
LOST_RACES: Final = frozenset(
    {"wrong_proposal_state", "bad_share", "base_moved"}
)  # what we get if another worker was first
GetContext = Callable[[], AppContext]


class ReleaseFollower:
    """Keep a context at the newest entry of the release log. `swap` puts a context into force."""

    def __init__(self, context: GetContext, swap: Callable[[AppContext], None]) -> None:
        self._context, self._swap = context, swap
        self._cache, self._lock = EvaluatorsCache(), Lock()

    def begin(self) -> None:
        """Follow the log from now on."""
        context = self._context()
        self._cache.by_release[context.release.id] = context.evaluators
        self._swap(replace(context, catch_up=self.catch_up))
        self.catch_up()

    def catch_up(self) -> AppContext:
        """The context under the newest entry. Raises Rejected if the database fails."""
        with self._lock:
            context = self._context()
            with reading(context.database) as connection:
                head = str(connection.execute(HEAD).scalar())
            if head == context.head:
                return context
            try:
                state = self._read(context)
                newest = context_of(context.database, state, self._cache, clock.now(), context)
            except IftahError as error:
                if error.code not in UNTRUSTED:
                    raise
                newest = self._keep_rules(context, head, str(error))
            self._swap(newest)
        if newest.release.id != context.release.id:
            log.info("release %s serves, no longer %s", newest.release.id[:12], context.release.id[:12])
        return newest

    def _read(self, context: AppContext) -> ReleaseState:
        """The newest state. Somebody may have accepted a restored database: then we read its log from the beginning."""
        try:
            state = read_state(context.database, context.log)
        except Rejected as error:
            if error.code != "database_restored" or read_anchor(context.database) is None:
                raise
            state = read_state(context.database)
        return verify(context.database, state)

    def _keep_rules(self, context: AppContext, head: str, problem: str) -> AppContext:
        log.error("release %s stays in force: %s", context.release.id[:12], problem)
        return replace(context, head=head, rejection=FolderRejection(clock.wall(), (problem,)))

    def prepare(self) -> None:
        """Compile what may come into force at any moment."""
        state = self._context().log
        if state is not None:
            with self._lock:
                prepare(self._context().database, state, self._cache)


@contextmanager
def following(
    context: GetContext,
    swap: Callable[[AppContext], None],
    marks: GetMarks = unknown,
    interval: float = INTERVAL_SECONDS,
) -> Iterator[None]:
    """Follow the log from a thread, as long as the server runs. `interval`: seconds between looks."""
    follower, stop = ReleaseFollower(context, swap), Event()
    follower.begin()
    thread = Thread(target=_run, args=(follower, context, marks, interval, stop), name="releases", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(JOIN_TIMEOUT_SECONDS)


def _run(follower: ReleaseFollower, context: GetContext, marks: GetMarks, interval: float, stop: Event) -> None:
    failures, prepared, judge_at = FailureLog.of_task("to follow the release log"), "", 0.0
    while not stop.wait(interval):
        newest_marks = marks()
        try:
            newest = context()
            if newest_marks is None or newest_marks.release_log != newest.head:
                newest = follower.catch_up()
            if prepared != newest.head:
                follower.prepare()
                prepared = newest.head
            advance_releases(newest, clock.now())
            if newest.trial is not None and monotonic() >= judge_at:
                judge_at = monotonic() + JUDGE_SECONDS
                judge_trial(newest, clock.now())
            failures.clear()
        except Exception as error:  # an error in our own code must not end the thread
            failures.record(error)


def advance_releases(context: AppContext, now: datetime) -> None:
    """Take the steps that are due by the clock. Several workers may try: the first one takes it.

    One that cannot be taken keeps no other one waiting. Raises the first of such errors after all others are taken.
    """
    state = context.log
    if state is None:
        return
    at, problems = clock.micros(now), []
    for step in _due_steps(context.database, state, at):
        try:
            _take(step)
        except IftahError as error:
            problems.append(error)
    if problems:
        raise problems[0]


def _due_steps(database: Database, state: ReleaseState, at: int) -> Iterator[Callable[[], object]]:
    if state.ends_at is not None and at >= state.ends_at:
        yield partial(activations.end_break_glass, database, THE_SYSTEM, at)
    for proposal in state.proposals.values():
        if proposal.state == states.SCHEDULED and proposal.due_at is not None and at >= proposal.due_at:
            yield partial(_begin_due, database, state, proposal, at)


def _begin_due(database: Database, state: ReleaseState, proposal: Proposal, at: int) -> None:
    """Begin a proposal whose time has come: its first stage if it has a plan.

    We ask for the step that this worker saw to be due. `release_proposal` would look at the proposal again: if another worker had
    begun its first stage a moment ago, it would give it to everyone.
    """
    require_approval(state, proposal)  # cheap, where the rules need not be read to see that it cannot be
    if proposal.plan is None:
        activations.activate(database, THE_SYSTEM, proposal.number, at)
    else:
        activations.begin_stage(database, THE_SYSTEM, proposal.number, 0, at)


def judge_trial(context: AppContext, now: datetime) -> None:
    """Look at the guards of the trial, and let it go on, hold it or end it."""
    state = context.log
    if state is not None:
        _take(partial(advance_trial, context.database, state, clock.micros(now)))


def _take(step: Callable[[], object]) -> None:
    """Take a step, unless another worker took it first."""
    try:
        step()
    except Rejected as error:
        if error.code not in LOST_RACES:
            raise
