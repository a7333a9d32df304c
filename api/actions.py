"""Actions: what callers can have done, whichever door they came through. Routes and commands parse, call one, present."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Engine

from api import builds, clock, decisions, standing, watching
from api.builds import Build
from api.clock import day, iso
from api.decisions import Answered, Asked, Before
from api.releases import Amendment, FolderRefused
from engine.decide import Decision, Question, askable, assess, decide, read_context
from engine.engines import Engines
from engine.errors import Refused
from engine.lang.program import Program, Release
from engine.lang.types import Value
from engine.scorecard import Scored


@dataclass(frozen=True)
class World:
    """What actions act on: the database, and the engines of the release in force.

    Whoever acts takes it once and keeps it: a server whose rules change has another one for whoever comes next.
    """

    database: Engine
    engines: Engines
    since: datetime = field(default_factory=clock.now)  # when the release came into force here
    refused: FolderRefused | None = None  # what keeps a changed rules folder out
    amended: Amendment | None = None  # the last change of policy seen here

    @property
    def release(self) -> Release:
        """The release in force."""
        return self.engines.release

    def program(self, made: Build) -> Program:
        """The rules in force on the day that a build looks from."""
        return self.release.at(day(made.as_of))


@dataclass(frozen=True)
class Explained:
    """A person's score with every part of it, the values it was made from, and the rules it was made by."""

    person: str
    build: Build
    program: Program
    values: dict[str, Value]
    scored: Scored

    @property
    def day(self) -> int:
        """The day that the build looks from, counted from 1970-01-01."""
        return day(self.build.as_of)


def ready(world: World) -> Build:
    """The build in force. Raises Refused when there is none yet."""
    made = builds.latest(world.database)
    if made is None:
        raise Refused("no features have been built yet", where="server", hint="run `iftah build`", code="not_ready")
    return made


def eligibility(world: World, asked: Asked, now: datetime) -> Answered:
    """May this person have this perk without a deposit? The answer is in the database before it is given."""
    made = ready(world)
    program = world.program(made)
    fields = read_context(askable(program, asked.perk, asked.amount, asked.currency), asked.context)

    def decision(values: dict[str, Value], before: Before) -> Decision:
        question = Question(
            subject=asked.subject,
            perk=asked.perk,
            amount=asked.amount,
            currency=asked.currency,
            as_of=iso(made.as_of),
            known_at=iso(made.known_at),
            asked_at=iso(now),
            purpose=made.purpose,
            values=values,
            context=fields,
            used=before.used,
            held_since=before.held_since,
        )
        return decide(world.engines.at(day(made.as_of)), question)

    return decisions.decided(world.database, asked, now, lambda: _values(world, made, asked.subject, now), decision)


def scored(world: World, made: Build) -> pl.DataFrame:
    """Everyone's flags and scores in a build, kept: `person`, `score`, `band`."""
    people = builds.people_of(world.database, made)
    flags = watching.of_everyone(world.database, world.engines, made, people)
    return builds.score(world.database, world.program(made), made, flags)


def explained(world: World, person: str, now: datetime) -> Explained:
    """How a person's score comes about."""
    made = ready(world)
    values = _values(world, made, person, now)
    day_ = day(made.as_of)
    return Explained(person, made, world.program(made), values, assess(world.engines.at(day_), values, day_))


def _values(world: World, made: Build, person: str, now: datetime) -> dict[str, Value]:
    """What may be used about the person now: features, and the flags that the rules read."""
    found = standing.standing(world.database, made, person, now)
    flags = watching.of_person(world.database, world.engines, made, person, found.classes)
    return found.values | {name: value for name, value in flags.items() if value is not None}


def recorded(world: World, decision_id: str) -> dict[str, Any]:
    """Everything that a decision depended on, as it was recorded."""
    found: dict[str, Any] = decisions.record_of(world.database, decision_id)["decision"]
    return found
