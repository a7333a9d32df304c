"""Prepare: from whatever is there to a system that can answer. What is done already is not done again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from sqlalchemy import Engine

from api import actions, clock
from api.catalogue import fingerprint
from api.database import open_database
from api.evidence import ledger
from api.evidence.first import Evidence, chosen
from api.evidence.load import load_frames
from api.features import builds, coverage
from api.features.builds import Build
from api.progress import Steps
from api.releases import probe, releases, rules_folder
from api.settings import Settings
from api.world import World
from engine.engines import Engines
from engine.lang.program import Release


@dataclass
class Stages:
    """How long each stage took, in the order of their doing."""

    done: list[tuple[str, float, str]] = field(default_factory=list)  # name, seconds, what came

    @contextmanager
    def stage(self, name: str) -> Iterator[list[str]]:
        """Times what is done inside; it appends what came of it."""
        said: list[str] = []
        began = perf_counter()
        yield said
        self.done.append((name, perf_counter() - began, " ".join(said)))


def open_world(settings: Settings) -> World:
    """The database, migrated, and the engine of the release in the rules folder. Raises Refused or RulesError."""
    return World(open_database(settings.database_url), Engines(rules_folder.load(settings.rules)))


def enforced(settings: Settings, *, serving: bool = False) -> World:
    """The same, with the release written down as the one in force, and a change of policy reported.

    What is to serve is probed first: what would hang or crash does so elsewhere.
    """
    if not serving:
        release = rules_folder.load(settings.rules)
        return _in_force(open_database(settings.database_url), release, release.files)
    release, files = rules_folder.load_settled(settings.rules)
    probe.probed(release, files=files)
    return _in_force(open_database(settings.database_url), release, files)


def prepared(settings: Settings, steps: Steps, stages: Stages) -> tuple[World, Build]:
    """Load if the ledger is empty, build if there is no build of what it holds, score if that has no scores."""
    evidence = chosen(settings)
    steps.say(f"evidence: {evidence.about}")
    with stages.stage("rules") as said:
        release, files = rules_folder.load_settled(settings.rules)
        said.append(f"release {release.id[:12]}")
    with stages.stage("probe") as said:
        said.append(f"engines agree on {probe.probed(release, files=files).people:,} made-up people")
    with stages.stage("database") as said:
        world = _in_force(open_database(settings.database_url), release, files)
        database = world.database
        said.append("open")
    _loaded(database, evidence, steps, stages)
    made = _built(world, settings.purpose, evidence, steps, stages)
    _scored(world, made, steps, stages)
    steps.say(str(coverage.of_build(database, made)))
    return world, made


def _in_force(database: Engine, release: Release, files: Mapping[str, str]) -> World:
    now = clock.now()
    before = releases.keep(database, release, clock.micros(now))
    amended = releases.amendment(before, files, now)
    return World(database, Engines(release), now, amended=amended, files=files)


def _loaded(database: Engine, evidence: Evidence, steps: Steps, stages: Stages) -> None:
    held = ledger.extent(database).events
    if held:
        stages.done.append(("load", 0.0, f"{held:,} events are there already"))
        return
    with stages.stage("load") as said, steps.progress("loading evidence") as moved:
        report = load_frames(database, evidence.frames(), now=clock.now, on_progress=moved)
        said.append(f"{report.accepted:,} events")
        if report.refused:
            said.append(f"{report.refused:,} refused, see {report.rejects_path}")


def _built(world: World, purpose: str, evidence: Evidence, steps: Steps, stages: Stages) -> Build:
    database, timezone = world.database, world.release.timezone
    before = builds.latest(database)
    held = ledger.extent(database).events
    wanted = (held, fingerprint(), purpose, timezone)
    if before and (before.events, before.catalogue, before.purpose, before.timezone) == wanted:
        stages.done.append(("build", 0.0, f"features of {before.people:,} people are there already"))
        return before
    follows = before is not None and before.follows
    as_of = evidence.as_of if before is None else clock.now() if follows else before.as_of
    with stages.stage("build") as said, steps.progress("building the graph and features"):
        how: dict[str, Any] = {"follows": follows, "timezone": timezone}
        guard = coverage.Guard(database, world.release, as_of, purpose)
        made = builds.build(database, as_of, purpose, clock.now(), **how, guard=guard)
        said.append(f"features of {made.people:,} people as of {clock.iso(as_of)}")
    return made


def _scored(world: World, made: Build, steps: Steps, stages: Stages) -> None:
    if builds.scored_under(world.database, made, world.release.id):
        stages.done.append(("score", 0.0, "everyone is scored already"))
        return
    with stages.stage("score") as said, steps.progress("scoring everyone"):
        found = actions.scored(world, made, guarded=True)
        said.append(f"{found['score'].count():,} scored, {found['score'].null_count():,} unscorable")
