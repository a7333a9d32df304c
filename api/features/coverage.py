"""Coverage: count the people with a score, report the date of the newest evidence, and guard against a large drop.

A build has one `as_of`. If you choose it long after the newest evidence, people lose their score, because their evidence is
too old. So a build reports the date of its newest evidence, and we reject a build that would take the score from most people.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import narwhals as nw
import polars as pl
from sqlalchemy import Connection, func, select

from api.features import pattern_flags
from api.features.builds import Build, with_flags
from api.releases.catalogue import definitions_of, vocabulary_of
from api.store.clock import iso, moment
from api.store.database import Database, reading
from api.store.tables import BUILDS, EVENTS, SCORES
from engine.decide import scorable
from engine.decide.evaluators import Evaluators
from engine.errors import Rejected
from engine.lang.model import timezones
from engine.lang.model.conditions import names
from engine.lang.model.program import Program, Release
from graph.evidence.vocabulary import STATEMENT_KINDS
from graph.features.pipeline import features

MAX_DROP_FACTOR: Final = 2  # we reject a build that leaves less than 1/2 of the previous scores
STALE_AFTER: Final = timedelta(days=31)  # we warn if `as_of` is later than this after the newest evidence


@dataclass(frozen=True)
class ScoreCoverage:
    """The number of people in a build, the number with a score, the build's `as_of`, and the time of the newest evidence."""

    people: int
    scored: int
    as_of: datetime
    newest: datetime | None

    def __str__(self) -> str:
        return f"{self.newest_text}; as of {iso(self.as_of)}, {self.scored:,} of {self.people:,} people have a score"

    @property
    def newest_text(self) -> str:
        """The date of the newest evidence in words."""
        return "there is no evidence" if self.newest is None else f"the newest evidence is of {self.newest:%Y-%m-%d}"


@dataclass(frozen=True)
class CoverageGuard:
    """Check a build before we store it: call the guard with the features and the events they come from.

    Raises Rejected `few_scored` if far fewer people would have a score than before. For the first build we compare with a
    build as of the newest evidence.
    """

    database: Database
    release: Release
    as_of: datetime
    purpose: str

    def __call__(self, feature_rows: pl.DataFrame, events: pl.DataFrame) -> None:
        current = self._coverage_of(feature_rows, events, self.as_of)
        previous = self._previous(current, events)
        if previous and current.scored * MAX_DROP_FACTOR < previous.scored:
            hint = f"run `iftah build --as-of {iso(previous.as_of)}`, or `iftah build --yes` if you mean it"
            message = (
                f"{current.scored:,} people could be scored, and {previous.scored:,} can as of {iso(previous.as_of)}"
            )
            raise Rejected(
                f"{message}: {current.newest_text}", where=f"as of {iso(self.as_of)}", hint=hint, code="few_scored"
            )

    def _previous(self, current: ScoreCoverage, events: pl.DataFrame) -> ScoreCoverage | None:
        """The coverage to compare with: of the last scored build, or of a first build as of the newest evidence.

        None if this build covers most people already: we then save a second computation of features.
        """
        with reading(self.database) as connection:
            previous = scored_before(connection)
        covers_most = current.scored * MAX_DROP_FACTOR > current.people
        if previous is not None or current.newest is None or current.newest >= self.as_of or covers_most:
            return previous
        zone = timezones.zone(self.release.timezone)
        earlier_features = features(
            events,
            current.newest,
            _known_at(events),
            self.purpose,
            zone=zone,
            vocabulary=vocabulary_of(self.release),
            definitions=definitions_of(self.release.at(self.release.day(current.newest))),
        )
        return self._coverage_of(earlier_features, events, current.newest)

    def _coverage_of(self, feature_rows: pl.DataFrame, events: pl.DataFrame, as_of: datetime) -> ScoreCoverage:
        program, people = self.release.at(self.release.day(as_of)), feature_rows["person"].to_list()
        flags: dict[str, pattern_flags.Flags] = {person: {} for person in people}
        if set(names(program.scorecard.scorable)) & {p.flag for p in program.flags}:
            evaluators = Evaluators(self.release)
            pattern_evaluators = evaluators.pattern_evaluators(program.day(as_of))
            flags = pattern_flags.flags_of_events(
                events, as_of, _known_at(events), self.purpose, pattern_evaluators, people
            )
            evaluators.close()
        met = scorable.part_statuses(
            program, nw.from_native(with_flags(feature_rows, program, flags)), program.day(as_of)
        ).to_native()
        scored = met.select(pl.all_horizontal(pl.exclude("person"))).to_series().sum() if met.height else 0
        newest = events.filter(~pl.col("kind").is_in(STATEMENT_KINDS) & (pl.col("happened_at") <= self.as_of))[
            "happened_at"
        ].max()
        return ScoreCoverage(feature_rows.height, int(scored), as_of, newest if isinstance(newest, datetime) else None)


def same_build_guard(previous: ScoreCoverage | None) -> Callable[[pl.DataFrame], None]:
    """A guard for new scores of a build that had scores before: call it with the scores before you store them."""

    def check(scores: pl.DataFrame) -> None:
        scored = scores["score"].count()
        if previous and scored * MAX_DROP_FACTOR < previous.scored:
            message = f"{scored:,} of {previous.scored:,} people would keep a score under these rules"
            hint = "see `scorable` of the scorecard, or run `iftah score --yes` if you mean it"
            raise Rejected(message, where="score", hint=hint, code="few_scored")

    return check


def scored_before(connection: Connection) -> ScoreCoverage | None:
    """The coverage of the newest build with scores; None without such a build."""
    build = connection.execute(select(func.max(SCORES.c.build))).scalar()
    return None if build is None else _coverage_of_build(connection, build)


def of_build(database: Database, build: Build) -> ScoreCoverage:
    """The coverage of a stored build."""
    with reading(database) as connection:
        return _coverage_of_build(connection, build.id)


def count_unmet(program: Program, values: pl.DataFrame, scores: pl.DataFrame, as_of: datetime) -> list[tuple[str, int]]:
    """Count, for each part of `scorable`, the people without a score who do not meet it. `values` has a column per flag."""
    unscored = values.join(scores.filter(pl.col("score").is_null()), on="person", how="semi")
    met = scorable.part_statuses(program, nw.from_native(unscored), program.day(as_of)).to_native()
    return [(name, int((~met[name]).sum())) for name in met.columns if name != "person"]


def _coverage_of_build(connection: Connection, build: int) -> ScoreCoverage:
    people, scored = connection.execute(
        select(func.count(), func.count(SCORES.c.score)).where(SCORES.c.build == build)
    ).one()
    row = connection.execute(select(BUILDS.c.as_of, BUILDS.c.people).where(BUILDS.c.id == build)).first()
    as_of = moment(row.as_of) if row else moment(0)
    newest = select(func.max(EVENTS.c.happened_at)).where(EVENTS.c.kind.not_in(STATEMENT_KINDS))
    newest_at = connection.execute(newest).scalar()
    return ScoreCoverage(
        people or (row.people if row else 0), scored, as_of, None if newest_at is None else moment(newest_at)
    )


def _known_at(events: pl.DataFrame) -> datetime:
    at = events["recorded_at"].max()
    assert isinstance(at, datetime)  # noqa: S101 - there are events, and the ledger stamped them
    return at
