"""Actions: what callers can have done, whichever door they came through. Routes and commands parse, call one, present."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from api import builds, clock, decisions, standing
from api.builds import Build
from api.clock import iso
from api.decisions import Answered, Asked
from api.releases import Amendment, FolderRefused
from engine.decide import Decision, Question, askable, assess, decide
from engine.errors import Refused
from engine.lang.online import Online
from engine.lang.program import Release
from engine.lang.types import Value
from engine.scorecard import Scored


@dataclass(frozen=True)
class World:
    """What actions act on: the database, and the engine of the release in force.

    Whoever acts takes it once and keeps it: a server whose rules change has another one for whoever comes next.
    """

    database: Engine
    engine: Online
    since: datetime = field(default_factory=clock.now)  # when the release came into force here
    refused: FolderRefused | None = None  # what keeps a changed rules folder out
    amended: Amendment | None = None  # the last change of policy seen here

    @property
    def release(self) -> Release:
        """The release in force."""
        return self.engine.release


@dataclass(frozen=True)
class Explained:
    """A person's score with every part of it, and the values it was made from."""

    person: str
    build: Build
    values: dict[str, Value]
    scored: Scored


def ready(world: World) -> Build:
    """The build in force. Raises Refused when there is none yet."""
    made = builds.latest(world.database)
    if made is None:
        raise Refused("no features have been built yet", where="server", hint="run `iftah build`", code="not_ready")
    return made


def eligibility(world: World, asked: Asked, now: datetime) -> Answered:
    """May this person have this perk without a deposit? The answer is in the database before it is given."""
    askable(world.release, asked.perk, asked.amount, asked.currency)

    def decision() -> Decision:
        made = ready(world)
        values = standing.values(world.database, made, asked.subject, now)
        moments = iso(made.as_of), iso(made.known_at)
        question = Question(asked.subject, asked.perk, asked.amount, asked.currency, *moments, made.purpose, values)
        return decide(world.engine, question)

    return decisions.decided(world.database, asked, now, decision)


def explained(world: World, person: str, now: datetime) -> Explained:
    """How a person's score comes about."""
    made = ready(world)
    values = standing.values(world.database, made, person, now)
    return Explained(person, made, values, assess(world.engine, values))


def recorded(world: World, decision_id: str) -> dict[str, Any]:
    """Everything that a decision depended on, as it was recorded."""
    found: dict[str, Any] = decisions.record_of(world.database, decision_id)["decision"]
    return found
