"""Actions: what callers can have done, whichever door they came through. Routes and commands parse, call one, present."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Engine

from api import builds, clock, decisions, refresh, standing, watching
from api.account import Before
from api.builds import Build
from api.clock import day, iso
from api.database import reading
from api.decisions import Answered, Asked
from api.releases import Amendment, FolderRefused
from api.standing import Standing
from engine.decide import Decision, Question, askable, assess, decide, read_context
from engine.engines import Engines
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
class _Known:
    """What a decision is made from."""

    standing: Standing
    values: dict[str, Value]
    fields: dict[str, Value | None]


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
        return day(self.build.as_of)


def ready(world: World) -> Build:
    """The build in force. Raises Refused when there is none yet."""
    with reading(world.database) as connection:
        return builds.ready(connection)


def eligibility(world: World, asked: Asked, now: datetime) -> Answered:
    """May this person have this perk without a deposit? The answer is in the database before it is given."""

    def known() -> _Known:
        found = standing.standing(world.database, asked.subject, now)
        program = world.program(found.at)
        fields = read_context(askable(program, asked.perk, asked.amount, asked.currency), asked.context)
        return _Known(found, _values(world, found, asked.subject), fields)

    def decision(of: _Known, before: Before) -> Decision:
        at, made = of.standing.at, of.standing.made
        question = Question(
            subject=asked.subject,
            perk=asked.perk,
            amount=asked.amount,
            currency=asked.currency,
            as_of=iso(at.as_of),
            known_at=iso(at.known_at),
            global_as_of=iso(made.as_of),
            global_known_at=iso(made.known_at),
            asked_at=iso(now),
            purpose=made.purpose,
            values=of.values,
            context=of.fields,
            used=before.used,
            held_since=before.held_since,
        )
        return decide(world.engines.at(day(at.as_of)), question)

    return decisions.decided(world.database, asked, now, known, decision)


def scored(world: World, made: Build) -> pl.DataFrame:
    """Everyone's flags and scores in a build, kept: `person`, `score`, `band`. Who has been refreshed is so once more."""
    people = builds.people_of(world.database, made)
    flags = watching.of_everyone(world.database, world.engines, made, people)
    builds.score(world.database, world.program(made), made, flags)
    while refresh.catch_up(world.database, world.engines, clock.now()):
        pass
    return builds.scores(world.database, made)


def explained(world: World, person: str, now: datetime) -> Explained:
    """How a person's score comes about."""
    found = standing.standing(world.database, person, now)
    values, day_ = _values(world, found, person), day(found.at.as_of)
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
