"""Put a changed rules folder into force while the server answers.

We poll the folder. Once it has changed and then stayed the same for another look, we check it, probe it in a process of its own,
compile it and swap it in. A request takes the context once and keeps it, so it ends under the release under which it began. The C
side of a release is freed when the last request that holds it ends. On any problem the release in force stays, and the log and
`/v1/health` name the problem.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Final

from api.features import builds
from api.jobs.periodic import ChangeFilter, unexpected
from api.releases import probe, releases, rules_folder
from api.releases.evidence_changes import evidence_problems
from api.releases.probe import Probe
from api.releases.releases import FolderRejection
from api.releases.rules_folder import QUIET_SECONDS, Signature
from api.runtime.bootstrap import StageTimer
from api.runtime.context import AppContext
from api.store import clock
from api.store.database import Database
from engine.decide.evaluators import Evaluators
from engine.errors import IftahError, Rejected
from engine.verify.differential_test import days

log = logging.getLogger("iftah")

INTERVAL_SECONDS: Final = 0.5  # between looks
UNREAD: Final = "unread"  # the head of a context that must look at the release log before it decides
JOIN_TIMEOUT_SECONDS: Final = 5.0  # how long a stopping server waits for the thread to end


@dataclass(frozen=True)
class ReloadOptions:
    """The folder to follow, and how to probe it.

    `command` probes a release, in at most `probe_seconds` for each of its programs. `retry_seconds` is the wait before the next
    attempt if the database does not store a release.
    """

    folder: Path
    command: Sequence[str] = probe.COMMAND
    probe_seconds: float = probe.TIMEOUT_SECONDS
    retry_seconds: float = 30.0
    drafts_only: bool = False  # two people release rules, whatever the folder says
    interval_seconds: float = INTERVAL_SECONDS  # between looks while nothing changes
    quiet_seconds: float = QUIET_SECONDS  # without a further change: saving or copying several files is one change


@dataclass(frozen=True)
class ReloadAttempt:
    """The result for a folder: evaluators to serve, none if the folder equals the release in force, or the problems, a line each."""

    evaluators: Evaluators | None = None
    problems: tuple[str, ...] = ()
    waits: bool = False  # for a build or for memory: we try again, though the folder stays the same
    files: Mapping[str, str] = field(default_factory=dict)  # as read, with the cases


def attempt(
    folder: Path,
    current: str,
    prober: Probe,
    stages: StageTimer,
    seconds: float = probe.TIMEOUT_SECONDS,
    database: Database | None = None,
) -> ReloadAttempt:
    """Check, probe and compile the folder. Times each step in `stages`. `current` is the id of the release in force, and
    `database` has the events that the kinds in the folder must fit.
    """
    try:
        with stages.stage("check"):
            if unfinished := rules_folder.manifest_problems(folder):
                return ReloadAttempt(problems=unfinished)
            files, release, problems = rules_folder.check_folder(folder)
        if release is None:
            return ReloadAttempt(problems=tuple(map(str, problems)))
        if release.id == current:
            return ReloadAttempt(files=files)
        if database is not None and (changed := evidence_problems(database, release)):
            return ReloadAttempt(problems=changed)
        if database is not None and (unbuilt := builds.feature_changes(database, release)):
            return ReloadAttempt(problems=unbuilt, waits=True)
        with stages.stage("probe") as notes:
            probe_result = prober.ask(release, seconds, files)
            notes.append(f"{probe_result.people:,} people")
        if probe_result.failures:
            return ReloadAttempt(problems=probe_result.failures)
        with stages.stage("compile"):
            evaluators = Evaluators(release)
            for day in days(release):  # now rather than at the first question
                evaluators.pattern_evaluators(day)
            return ReloadAttempt(evaluators, files=files)
    except IftahError as error:  # anyone may read the problem: hide the folder's path
        problem = str(error).replace(str(folder), folder.name)
        return ReloadAttempt(problems=(problem,), waits=isinstance(error, probe.ProbeKilled))


def time_reload(folder: Path) -> dict[str, float]:
    """Seconds from a change to its release: `wait`, the most until we see a settled change, then one entry per stage."""
    prober, stages = Probe(), StageTimer()
    try:
        prober.start()
        sleep(QUIET_SECONDS)
        result = attempt(folder, "", prober, stages)
    finally:
        prober.close()
    if result.problems:
        raise Rejected("; ".join(result.problems), where=str(folder), code="rules_refused")
    return {"wait": INTERVAL_SECONDS + QUIET_SECONDS} | {name: seconds for name, seconds, _ in stages.timings}


@contextmanager
def reloading(
    context: Callable[[], AppContext], swap: Callable[[AppContext], None], reload: ReloadOptions
) -> Iterator[None]:
    """Follow the folder from a thread, as long as the server runs. `swap` puts a context into force."""
    reloader = _Reloader(context, swap, reload)
    thread = Thread(target=reloader.run, name="rules", daemon=True)
    thread.start()
    try:
        yield
    finally:
        reloader.stop.set()
        thread.join(JOIN_TIMEOUT_SECONDS)


class _Reloader:
    """The state between two looks at the folder."""

    def __init__(
        self, context: Callable[[], AppContext], swap: Callable[[AppContext], None], options: ReloadOptions
    ) -> None:
        self.context, self.swap, self.options, self.stop = context, swap, options, Event()
        self.probe = Probe(options.command, self.stop)
        self.last_signature: Signature | None = None  # at the last look
        # None rather than the state at the start: the folder may have changed since it was read.
        self.handled_signature: Signature | None = None
        self.retry_at: float | None = None  # when to handle the same state again
        self.reports = ChangeFilter()

    def run(self) -> None:
        """Look at the folder until `stop` is set."""
        while not self.stop.wait(
            self.options.interval_seconds
            if self.last_signature == self.handled_signature
            else self.options.quiet_seconds
        ):
            try:
                self._poll()
            except Exception as error:  # an error in our own code must not end the thread
                self._refuse((unexpected(error),))
        self.probe.close()

    def _poll(self) -> None:
        previous, self.last_signature = self.last_signature, rules_folder.folder_signature(self.options.folder)
        due = self.retry_at is not None and monotonic() > self.retry_at
        if self.last_signature == self.handled_signature and not due:
            self.probe.close()  # the change was undone
        elif self.last_signature == previous:
            self.handled_signature, self.retry_at = self.last_signature, None
            self._handle_change(self.context())
            self.probe.close()
        elif self.handled_signature is not None:
            with suppress(IftahError):  # `ask` raises it again
                self.probe.start()  # so that it is ready when the change has settled

    def _handle_change(self, context: AppContext) -> None:
        if context.log is not None and (self.options.drafts_only or context.log.needs_approval):
            return  # two people release rules: the folder is a place for drafts
        stages = StageTimer()
        options = self.options
        result = attempt(
            options.folder, context.release.id, self.probe, stages, options.probe_seconds, context.database
        )
        if self.stop.is_set() or rules_folder.folder_signature(self.options.folder) != self.handled_signature:
            return  # the folder changed meanwhile: start again at the next look
        if result.problems:
            self._refuse(result.problems)
            self.retry_at = monotonic() + options.retry_seconds if result.waits else None
        elif result.evaluators:
            self._swap(context, result.evaluators, result.files, stages)
        else:
            amendment = releases.amendment_of(_rule_files(context), result.files, clock.now()) or context.amendment
            self.swap(replace(context, rejection=None, amendment=amendment, files=result.files))
            if context.rejection:
                log.info("the rules folder equals release %s again", context.release.id[:12])

    def _swap(self, context: AppContext, evaluators: Evaluators, files: Mapping[str, str], stages: StageTimer) -> None:
        now = clock.now()
        try:
            with stages.stage("keep"):
                releases.record_release(context.database, evaluators.release, clock.micros(now), files)
        except IftahError as error:
            if error.code == "needs_approval":  # a second operator got a key meanwhile
                self._refuse((str(error),))
                return
            # The database's own message is for the log alone.
            self._refuse(("the database does not store the release; we will try again",), str(error))
            self.retry_at = monotonic() + self.options.retry_seconds
            return
        context = self.context()
        amendment = releases.amendment_of(_rule_files(context), files, now) or context.amendment
        # Another worker may have recorded a newer folder meanwhile: so the next decision looks which release the log names.
        head = UNREAD if context.catch_up else context.head
        changed = replace(context, evaluators=evaluators, since=now, rejection=None, amendment=amendment, files=files)
        self.swap(replace(changed, head=head))
        timings = ", ".join(f"{name} {seconds:.2f} s" for name, seconds, _ in stages.timings)
        log.info("release %s serves, no longer %s: %s", evaluators.release.id[:12], context.release.id[:12], timings)

    def _refuse(self, problems: tuple[str, ...], *details: str) -> None:
        context = self.context()
        changed = self.reports.changed((self.handled_signature, problems))
        if context.rejection and not changed:
            return
        self.swap(replace(context, rejection=FolderRejection(clock.wall(), problems)))
        count = f"{len(problems)} problem{'s' * (len(problems) != 1)}"
        log.error("the rules folder is rejected, release %s stays in force: %s", context.release.id[:12], count)
        for line in (*problems, *details):
            log.error("%s", line)


def _rule_files(context: AppContext) -> Mapping[str, str]:
    return context.files or context.release.files
