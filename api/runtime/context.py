"""The application context: the database and the release in force."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from api.features.builds import Build
from api.releases.catalogue import vocabulary_of
from api.releases.releases import Amendment, FolderRejection
from api.store import clock
from api.store.database import Database
from engine.decide.evaluators import Evaluators
from engine.lang.model.program import Program, Release
from graph.evidence.vocabulary import EventVocabulary


@dataclass(frozen=True)
class AppContext:
    """The database, and the evaluators of the release in force.

    Take the context once per action and keep it: when the rules change, the server replaces it for later actions.
    """

    database: Database
    evaluators: Evaluators
    since: datetime = field(default_factory=clock.now)  # when the release came into force here
    rejection: FolderRejection | None = None  # why we rejected a changed rules folder
    amendment: Amendment | None = None  # the last change of policy in this process
    files: Mapping[str, str] = field(
        default_factory=dict
    )  # of the folder, with the cases; empty: use the release's files

    @property
    def release(self) -> Release:
        """The release in force."""
        return self.evaluators.release

    @property
    def vocabulary(self) -> EventVocabulary:
        """The vocabulary of evidence under the release in force."""
        return vocabulary_of(self.release)

    def day(self, moment: datetime) -> int:
        """The day of a moment in the time zone of the rules, counted from 1970-01-01."""
        return self.release.day(moment)

    def program(self, build: Build) -> Program:
        """The rules in force on the day of the build's `as_of`."""
        return self.release.at(self.day(build.as_of))
