"""The world that actions act on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from api import clock
from api.features.builds import Build
from api.releases.releases import Amendment, FolderRefused
from engine.engines import Engines
from engine.lang.program import Program, Release


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
    files: Mapping[str, str] = field(default_factory=dict)  # of the folder, with the cases; none: what the release has

    @property
    def release(self) -> Release:
        """The release in force."""
        return self.engines.release

    def day(self, moment: datetime) -> int:
        """The day of a moment, as the rules in force count days."""
        return self.release.day(moment)

    def program(self, made: Build) -> Program:
        """The rules in force on the day that a build looks from."""
        return self.release.at(self.day(made.as_of))
