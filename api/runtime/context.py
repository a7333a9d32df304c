"""The application context: the database and the release in force."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from api.features.builds import Build
from api.releases.catalogue import vocabulary_of
from api.releases.release_states import ReleaseState
from api.releases.releases import Amendment, FolderRejection
from api.store import clock
from api.store.database import Database
from engine.decide.evaluators import Evaluators
from engine.lang.model.program import Program, Release
from engine.rollout.buckets import takes_part
from graph.evidence.vocabulary import EventVocabulary


@dataclass(frozen=True)
class Trial:
    """A proposal that decides beside the release in force: in shadow, or for a share of people.

    `key` is the secret by which people take part; `share` is in hundredths of a percent. Without `perks` or `merchants`, all.
    """

    proposal: int
    evaluators: Evaluators
    key: bytes
    share: int = 0
    stage: int = -1
    is_shadow: bool = False
    # As the release in force, so that one computation is enough for both: the score; the names and types of the values.
    has_same_score: bool = False
    has_same_values: bool = False
    perks: frozenset[str] = frozenset()
    merchants: frozenset[str] = frozenset()

    @property
    def release(self) -> Release:
        """The release on trial."""
        return self.evaluators.release

    def covers(self, merchant: str, perk: str) -> bool:
        """Whether the trial is about such questions."""
        return (not self.perks or perk in self.perks) and (not self.merchants or merchant in self.merchants)

    def takes_part(self, pseudonyms: Iterable[str]) -> bool:
        """Whether the candidate decides about a person with these pseudonyms: about all ids of one person alike."""
        return not self.is_shadow and takes_part(self.key, min(pseudonyms), self.share)


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
    log: ReleaseState | None = None  # what the release log says; None: this process does not follow it
    head: str = ""  # the newest entry of the release log under which we decide; empty: under any
    trial: Trial | None = None
    catch_up: "Callable[[], AppContext] | None" = None  # the context under the newest entry of the release log

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
