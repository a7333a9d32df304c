"""Actions: what callers can have done, whichever door they came through. Routes and commands parse, call one, present."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from api import clock
from api.database import reading
from api.decisions import decisions
from api.decisions.decisions import Answered, Asked
from api.decisions.eligibility import Put, answered
from api.features import builds, coverage, refresh, standing, watching
from api.features.builds import Build
from api.features.standing import Standing
from api.world import World
from engine.decide import assess
from engine.errors import IftahError
from engine.lang.program import Program
from engine.lang.types import Value
from engine.scorecard import Scored


@dataclass(frozen=True)
class Explained:
    """A person's score with every part of it, the values it was made from, and the rules it was made by."""

    person: str
    build: Build
    program: Program
    values: dict[str, Value]
    scored: Scored
    classes: frozenset[str] = frozenset()  # of evidence, that the person consents to

    @property
    def day(self) -> int:
        """The day that the score looks from, counted from 1970-01-01."""
        return self.program.day(self.build.as_of)


def ready(world: World) -> Build:
    """The build in force. Raises Refused when there is none yet."""
    with reading(world.database) as connection:
        return builds.ready(connection)


def eligibility(world: World, asked: Asked, now: datetime) -> Answered:
    """May this person have this perk without a deposit? The answer is in the database before it is given."""
    (found,) = answered(world, [Put(asked, now)])
    if isinstance(found, IftahError):
        raise found
    return found


def scored(world: World, made: Build, *, guarded: bool = False) -> pl.DataFrame:
    """Everyone's flags and scores in a build, kept: `person`, `score`, `band`. Who has been refreshed is so once more.

    `guarded`: raises Refused when far fewer people would have a score in the build than they do now.
    """
    guard = coverage.same_build_guard(coverage.of_build(world.database, made)) if guarded else None
    people = builds.people_of(world.database, made)
    flags = watching.of_everyone(world.database, world.engines, made, people)
    builds.score(world.database, world.program(made), made, flags, guard)
    while refresh.catch_up(world.database, world.engines, clock.now()):
        pass
    return builds.scores(world.database, made)


def unscorable(world: World, made: Build, scores: pl.DataFrame) -> list[tuple[str, int]]:
    """Of each part of `scorable`, for how many of those without a score in a build it is not met."""
    program = world.program(made)
    people = builds.values_of(world.database, made, program)
    flags = watching.of_everyone(world.database, world.engines, made, people["person"].to_list())
    return coverage.lacking(program, builds.with_flags(people, program, flags), scores, made.as_of)


def explained(world: World, person: str, now: datetime) -> Explained:
    """How a person's score comes about."""
    found = standing.standing(world.database, person, now)
    values, day_ = _values(world, found, person), world.day(found.at.as_of)
    made = assess(world.engines.at(day_), values, day_)
    return Explained(person, found.at, world.program(found.at), values, made, found.classes)


def _values(world: World, found: Standing, person: str) -> dict[str, Value]:
    """What may be used about the person now: features, and the flags that the rules read."""
    flags = watching.of_person(world.database, world.engines, found.at, person, found.classes, found.kept)
    return found.values | {name: value for name, value in flags.items() if value is not None}


def recorded(world: World, decision_id: str) -> dict[str, Any]:
    """Everything that a decision depended on, as it was recorded."""
    found: dict[str, Any] = decisions.record_of(world.database, decision_id)["decision"]
    return found
