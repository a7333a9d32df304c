"""Reload: a changed rules folder becomes the release in force while the server answers.

The folder is looked at; when it has changed, and stays as it is for another look, it is checked, probed in a process of
its own, compiled and swapped in. A request takes the world once and keeps it: what it began under one release it ends
under it, and the C side of a release is freed when the last request that holds it is done. Whatever is wrong leaves the
release in force where it is, and the log and `/v1/health` say so.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Final

from fastapi import FastAPI

from api import clock
from api.mistakes import kind_and_place
from api.prepare import Stages
from api.releases import probe, releases, rules_folder
from api.releases.probe import Probe
from api.releases.releases import FolderRefused
from api.releases.rules_folder import QUIET, Signature
from api.world import World
from engine.engines import Engines
from engine.errors import IftahError, Refused
from engine.probe import days

log = logging.getLogger("iftah")

EVERY: Final = 0.2  # seconds from look to look
LEAVE: Final = 5.0  # seconds that a server which stops waits for the thread to end


@dataclass(frozen=True)
class Reload:
    """Which folder is followed, and how it is probed: by which command, for so many seconds at most for each of its programs. `again`: seconds to
    another try when the database would not have a release.
    """

    folder: Path
    command: Sequence[str] = probe.COMMAND
    seconds: float = probe.SECONDS
    again: float = 30.0
    quiet: float = (
        QUIET  # seconds that a change must stay as it is: whoever saves or copies several files makes one change
    )


@dataclass(frozen=True)
class Attempt:
    """What came of a folder: engines to serve; or none, when it says what is in force already; or what is wrong, a line each."""

    engines: Engines | None = None
    problems: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)  # that were read, with the cases


def attempt(folder: Path, current: str, ask: Probe, stages: Stages, seconds: float = probe.SECONDS) -> Attempt:
    """Check the folder, probe it and compile it, each timed in `stages`; `current` is the id of the release in force."""
    try:
        with stages.stage("check"):
            if unfinished := rules_folder.unfinished(folder):
                return Attempt(problems=unfinished)
            files, release, problems = rules_folder.checked(folder)
        if release is None:
            return Attempt(problems=tuple(map(str, problems)))
        if release.id == current:
            return Attempt(files=files)
        with stages.stage("probe") as said:
            probed = ask.ask(release, seconds, files)
            said.append(f"{probed.people:,} people")
        if probed.failures:
            return Attempt(problems=probed.failures)
        with stages.stage("compile"):
            engines = Engines(release)
            for day in days(release):  # now, and not when the first question comes
                engines.watchers(day)
            return Attempt(engines, files=files)
    except IftahError as error:  # anyone may read it: where the folder lies is nobody's business
        return Attempt(problems=(str(error).replace(str(folder), folder.name),))


def timed(folder: Path) -> dict[str, float]:
    """Seconds to take the folder up from a change on: at most `wait`, until it has been seen and has settled, then the stages."""
    ready, stages = Probe(), Stages()
    try:
        ready.start()
        sleep(QUIET)
        made = attempt(folder, "", ready, stages)
    finally:
        ready.close()
    if made.problems:
        raise Refused("; ".join(made.problems), where=str(folder), code="rules_refused")
    return {"wait": EVERY + QUIET} | {name: seconds for name, seconds, _ in stages.done}


@contextmanager
def reloading(app: FastAPI, reload: Reload) -> Iterator[None]:
    """Keep the app's release what the folder says, from a thread, until the end."""
    reloader = _Reloader(app, reload)
    thread = Thread(target=reloader.run, name="rules", daemon=True)
    thread.start()
    try:
        yield
    finally:
        reloader.stop.set()
        thread.join(LEAVE)


class _Reloader:
    """What is remembered from one look to the next."""

    def __init__(self, app: FastAPI, reload: Reload) -> None:
        self.app, self.how, self.stop = app, reload, Event()
        self.probe = Probe(reload.command, self.stop)
        self.seen: Signature | None = None  # at the last look
        self.dealt: Signature | None = None  # not yet the state at the start: it may have changed since it was read
        self.again: float | None = None  # when to deal with the same state once more
        self.told: tuple[Signature, tuple[str, ...]] | None = None  # what the log has said already

    def run(self) -> None:
        """Look until told to stop."""
        while not self.stop.wait(EVERY if self.seen == self.dealt else self.how.quiet):
            try:
                self._look()
            except Exception as error:  # a mistake of ours must not end it
                self._refuse((f"something went wrong inside ({kind_and_place(error)}): please report it",))
        self.probe.close()

    def _look(self) -> None:
        before, self.seen = self.seen, rules_folder.signature(self.how.folder)
        due = self.again is not None and monotonic() > self.again
        if self.seen == self.dealt and not due:
            self.probe.close()  # it was a change of a moment
        elif self.seen == before:
            self.dealt, self.again = self.seen, None
            self._deal(self.app.state.world)
            self.probe.close()
        elif self.dealt is not None:
            with suppress(IftahError):  # who asks it is told
                self.probe.start()  # it is ready when the change has settled

    def _deal(self, world: World) -> None:
        stages = Stages()
        made = attempt(self.how.folder, world.release.id, self.probe, stages, self.how.seconds)
        if self.stop.is_set() or rules_folder.signature(self.how.folder) != self.dealt:
            return  # it has changed meanwhile: the next looks begin again
        if made.problems:
            self._refuse(made.problems)
        elif made.engines:
            self._swap(world, made.engines, made.files, stages)
        else:
            amended = releases.amendment(_files(world), made.files, clock.now()) or world.amended
            self.app.state.world = replace(world, refused=None, amended=amended, files=made.files)
            if world.refused:
                log.info("the rules folder says again what release %s says", world.release.id[:12])

    def _swap(self, world: World, engines: Engines, files: Mapping[str, str], stages: Stages) -> None:
        now = clock.now()
        try:
            with stages.stage("keep"):
                releases.keep(world.database, engines.release, clock.micros(now))
        except IftahError as error:
            # What the database says of itself is for the log alone.
            self._refuse(("the database will not keep the release; it will be tried again",), str(error))
            self.again = monotonic() + self.how.again
            return
        amended = releases.amendment(_files(world), files, now) or world.amended
        self.app.state.world = replace(world, engines=engines, since=now, refused=None, amended=amended, files=files)
        spent = ", ".join(f"{name} {seconds:.2f} s" for name, seconds, _ in stages.done)
        log.info("release %s serves, no longer %s: %s", engines.release.id[:12], world.release.id[:12], spent)

    def _refuse(self, problems: tuple[str, ...], *details: str) -> None:
        world: World = self.app.state.world
        if self.told == (told := (self.dealt or (), problems)) and world.refused:
            return
        self.told = told
        self.app.state.world = replace(world, refused=FolderRefused(clock.wall(), problems))
        count = f"{len(problems)} problem{'s' * (len(problems) != 1)}"
        log.error("the rules folder is refused, release %s serves on: %s", world.release.id[:12], count)
        for line in (*problems, *details):
            log.error("%s", line)


def _files(world: World) -> Mapping[str, str]:
    return world.files or world.release.files
