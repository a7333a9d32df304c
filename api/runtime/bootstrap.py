"""Bootstrap: load, build and score until the system can answer. We skip the stages that are done already."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Protocol

from api.evidence import ledger
from api.features import builds, coverage
from api.features.builds import Build
from api.releases import probe, releases, rules_folder
from api.releases.anchor import verify
from api.releases.catalogue import fingerprint
from api.releases.evidence_changes import require_same_meaning
from api.releases.release_log import read_state
from api.releases.release_states import ReleaseState
from api.runtime import demo_mark
from api.runtime.configured_rules import needs_approval
from api.runtime.context import AppContext
from api.runtime.demo_mark import DemoMark
from api.runtime.rules_in_force import EvaluatorsCache, context_of
from api.runtime.scoring import score_everyone
from api.runtime.seed_data import SeedData, choose_seed_data
from api.settings.settings import Settings
from api.store import clock
from api.store.database import Database, open_database
from api.telemetry.progress import ProgressReporter
from engine.decide.evaluators import Evaluators
from engine.lang.model.program import Release


@dataclass
class StageTimer:
    """Measure the time of each stage, in the order of the stages."""

    timings: list[tuple[str, float, str]] = field(default_factory=list)  # name, seconds, result

    @contextmanager
    def stage(self, name: str) -> Iterator[list[str]]:
        """Measure the time of the `with` block. The block appends its results to the list."""
        notes: list[str] = []
        started_at = perf_counter()
        yield notes
        self.timings.append((name, perf_counter() - started_at, " ".join(notes)))


class History(Protocol):
    """What happened in a fresh database of demo data before now: something simulates it."""

    def opens_at(self, seed_data: SeedData, now: datetime) -> datetime:
        """The moment of the simulated clock at which the evidence is loaded."""

    def add(
        self,
        context: AppContext,
        seed_data: SeedData,
        purpose: str,
        now: datetime,
        steps: ProgressReporter,
        timer: StageTimer,
    ) -> AppContext:
        """Simulate, if the database is fresh. Returns the context under the newest step of the release log."""


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    """The database, which we close if the rules do not load."""
    database = open_database(settings.database_url)
    try:
        yield database
    except BaseException:
        database.dispose()
        raise


def open_context(settings: Settings) -> AppContext:
    """Open and migrate the database, and load the release in force. Raises Rejected or RulesError."""
    with _opened(settings) as database:
        state = verify(database, read_state(database))
        if needs_approval(settings, state):
            return context_of(database, state, EvaluatorsCache(), clock.now())
        return AppContext(database, Evaluators(rules_folder.load_folder(settings.rules)))


def load_context(settings: Settings, *, serving: bool = False) -> AppContext:
    """Open the context, record the release as the one in force, and report a change of policy.

    Where two people release rules, we load the release that the log names, and the folder is a place for drafts. `serving`: probe a
    release from the folder first, so that rules which hang or crash do so in another process. Raises as `open_context`.
    """
    with _opened(settings) as database:
        state = verify(database, read_state(database))
        if needs_approval(settings, state):
            return context_of(database, state, EvaluatorsCache(), clock.now())
        if not serving:
            release = rules_folder.load_folder(settings.rules)
            return _activate_release(database, release, release.files)
        release, files = rules_folder.load_when_quiet(settings.rules)
        probe.run_probe(release, files=files)
        return _activate_release(database, release, files)


def bootstrap(
    settings: Settings, steps: ProgressReporter, timer: StageTimer, history: History | None = None
) -> tuple[AppContext, Build]:
    """Load evidence if the ledger is empty, build if no build covers the ledger, score if the build has no scores.

    `history`: what to simulate before, if we fill the database with demo data.
    """
    seed_data = choose_seed_data(settings)
    steps.say(f"evidence: {seed_data.description}")
    with timer.stage("database") as notes:
        database = open_database(settings.database_url)
        state = verify(database, read_state(database))
        notes.append("open")
    now = clock.now()
    is_empty = not ledger.extent(database).events
    opened_at = history.opens_at(seed_data, now) if history and is_empty else now
    context = _load_rules(settings, database, state, timer, opened_at)
    _load_evidence(context, settings, seed_data, opened_at, steps, timer)
    if history and not needs_approval(settings, read_state(database)):
        context = history.add(context, seed_data, settings.consent_purpose, now, steps, timer)
    build = _build_features(context, settings.consent_purpose, seed_data, steps, timer)
    _score_people(context, build, steps, timer)
    steps.say(str(coverage.of_build(database, build)))
    return context, build


def _load_rules(
    settings: Settings, database: Database, state: ReleaseState, timer: StageTimer, opened_at: datetime
) -> AppContext:
    """The release that the log names, or that of the folder, which we probe."""
    if needs_approval(settings, state):
        with timer.stage("rules") as notes:
            context = context_of(database, state, EvaluatorsCache(), clock.now())
            notes.append(f"release {context.release.id[:12]}, which two people released")
        return context
    with timer.stage("rules") as notes:
        release, files = rules_folder.load_when_quiet(settings.rules)
        notes.append(f"release {release.id[:12]}")
    with timer.stage("probe") as notes:
        notes.append(f"engines agree on {probe.run_probe(release, files=files).people:,} synthetic people")
    return _activate_release(database, release, files, opened_at)


def _activate_release(
    database: Database, release: Release, files: Mapping[str, str], now: datetime | None = None
) -> AppContext:
    """Put the release into force. Raises Rejected `evidence_changed` if recorded events would get another meaning."""
    require_same_meaning(database, release)
    now = now or clock.now()
    previous = releases.record_release(database, release, clock.micros(now), files)
    amendment = releases.amendment_of(previous, files, now)
    state = read_state(database)
    evaluators = Evaluators(release)
    return AppContext(database, evaluators, now, amendment=amendment, files=files, log=state, head=state.hash)


def _load_evidence(
    context: AppContext,
    settings: Settings,
    seed_data: SeedData,
    opened_at: datetime,
    steps: ProgressReporter,
    timer: StageTimer,
) -> None:
    database = context.database
    event_count = ledger.extent(database).events
    if event_count:
        timer.timings.append(("load", 0.0, f"{event_count:,} events are there already"))
        return
    if seed_data.is_demo:
        demo_mark.begin_load(database, DemoMark(seed_data.name, settings.town_people, opened_at))
    with timer.stage("load") as notes, steps.progress("loading evidence") as on_progress:
        report = seed_data.load(database, context.vocabulary, on_progress, lambda: opened_at)
        notes.append(f"{report.accepted:,} events")
        if report.refused:
            notes.append(f"{report.refused:,} refused, see {report.rejects_path}")
    if seed_data.is_demo:
        demo_mark.end_load(database, report.accepted)


def _build_features(
    context: AppContext, purpose: str, seed_data: SeedData, steps: ProgressReporter, timer: StageTimer
) -> Build:
    database, timezone = context.database, context.release.timezone
    previous = builds.latest_build(database)
    event_count = ledger.extent(database).events
    if previous and (previous.events, previous.catalogue, previous.purpose, previous.timezone) == (
        event_count,
        fingerprint(context.program(previous)),
        purpose,
        timezone,
    ):
        timer.timings.append(("build", 0.0, f"features of {previous.people:,} people are there already"))
        return previous
    follows = previous is not None and previous.follows
    first = seed_data.as_of or ledger.extent(database).happened_at or clock.now()
    mark = demo_mark.read_mark(database)
    is_first = previous is None or (mark is not None and mark.activity_from is not None and previous.as_of < first)
    as_of = clock.now() if follows else first if is_first or previous is None else previous.as_of
    with timer.stage("build") as notes, steps.progress("building the graph and features"):
        guard = coverage.CoverageGuard(database, context.release, as_of, purpose)
        build = builds.build_features(
            database,
            as_of,
            purpose,
            clock.now(),
            follows=follows,
            release=context.release,
            guard=guard,
        )
        notes.append(f"features of {build.people:,} people as of {clock.iso(as_of)}")
    return build


def _score_people(context: AppContext, build: Build, steps: ProgressReporter, timer: StageTimer) -> None:
    if builds.is_scored_under(context.database, build, context.release.id):
        timer.timings.append(("score", 0.0, "everyone is scored already"))
        return
    with timer.stage("score") as notes, steps.progress("scoring everyone"):
        scores = score_everyone(context, build, guarded=True)
        notes.append(f"{scores['score'].count():,} scored, {scores['score'].null_count():,} unscorable")
