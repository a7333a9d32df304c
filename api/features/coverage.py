"""Coverage: how many people can be scored, of when the evidence is, and a guard against leaving far fewer with a score.

A build looks from one moment. Seen from long after the newest evidence, people who had a score have none: their evidence is
too old. So a build says of when its evidence is, and one that would take the score from most people is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import narwhals as nw
import polars as pl
from sqlalchemy import Connection, Engine, func, select

from api.clock import iso, moment
from api.database import reading
from api.features import watching
from api.features.builds import Build, with_flags
from api.tables import BUILDS, EVENTS, SCORES
from engine import scorable
from engine.engines import Engines
from engine.errors import Refused
from engine.lang import timezones
from engine.lang.program import Program, Release
from engine.lang.truths import names
from graph.features import features
from graph.vocabulary import KINDS

FEWER: Final = 2  # a build is refused that leaves fewer than one in so many of those scored before
OLD: Final = timedelta(days=31)  # how far a build may look from behind the newest evidence before it is said
EVIDENCE: Final = tuple(kind.name for kind in KINDS if kind.data_class)


@dataclass(frozen=True)
class Coverage:
    """How many people a build is about, how many of them can be scored, as of when, and of when the newest evidence is."""

    people: int
    scored: int
    as_of: datetime
    newest: datetime | None

    def __str__(self) -> str:
        newest = "there is no evidence" if self.newest is None else f"the newest evidence is of {self.newest:%Y-%m-%d}"
        return f"{newest}; as of {iso(self.as_of)}, {self.scored:,} of {self.people:,} people have a score"


@dataclass(frozen=True)
class Guard:
    """Sees what a build would leave, before it is kept: call it with its features and the events that they are of.

    Raises Refused when far fewer people than before could be scored, or, for the first build, than as of the newest evidence.
    """

    database: Engine
    release: Release
    as_of: datetime
    purpose: str

    def __call__(self, found: pl.DataFrame, events: pl.DataFrame) -> None:
        now = self._coverage(found, events, self.as_of)
        with reading(self.database) as connection:
            before = scored_before(connection)
        if before is None and now.newest and now.newest < self.as_of and now.scored * FEWER <= found.height:
            zone = timezones.zone(self.release.timezone)
            then = features(events, now.newest, _known_at(events), self.purpose, zone=zone)
            before = self._coverage(then, events, now.newest)
        if before and now.scored * FEWER < before.scored:
            hint = f"run `iftah build --as-of {iso(before.as_of)}`, or `iftah build --yes` if it is meant"
            message = f"{now.scored:,} people could be scored, and {before.scored:,} can as of {iso(before.as_of)}"
            raise Refused(f"{message}: {_newest(now)}", where=f"as of {iso(self.as_of)}", hint=hint, code="few_scored")

    def _coverage(self, found: pl.DataFrame, events: pl.DataFrame, as_of: datetime) -> Coverage:
        program, people = self.release.at(self.release.day(as_of)), found["person"].to_list()
        flags: dict[str, watching.Flags] = {person: {} for person in people}
        if set(names(program.scorecard.scorable)) & {p.flag for p in program.flags}:
            engines = Engines(self.release)
            watchers = engines.watchers(program.day(as_of))
            flags = watching.flags(events, as_of, _known_at(events), self.purpose, watchers, people)
            engines.close()
        met = scorable.met(program, nw.from_native(with_flags(found, program, flags)), program.day(as_of)).to_native()
        scored = met.select(pl.all_horizontal(pl.exclude("person"))).to_series().sum() if met.height else 0
        newest = events.filter(pl.col("kind").is_in(EVIDENCE) & (pl.col("happened_at") <= self.as_of))[
            "happened_at"
        ].max()
        return Coverage(found.height, int(scored), as_of, newest if isinstance(newest, datetime) else None)


def same_build_guard(before: Coverage | None) -> Callable[[pl.DataFrame], None]:
    """The same for new scores of a build that had some: call it with them before they are kept."""

    def look(scores: pl.DataFrame) -> None:
        scored = scores["score"].count()
        if before and scored * FEWER < before.scored:
            message = f"{scored:,} of {before.scored:,} people would keep a score under these rules"
            hint = "see `scorable` of the scorecard, or run `iftah score --yes` if it is meant"
            raise Refused(message, where="score", hint=hint, code="few_scored")

    return look


def scored_before(connection: Connection) -> Coverage | None:
    """The newest build that has scores, as it is; None when no build has."""
    build = connection.execute(select(func.max(SCORES.c.build))).scalar()
    return None if build is None else _of(connection, build)


def of_build(engine: Engine, made: Build) -> Coverage:
    """A build as it is."""
    with reading(engine) as connection:
        return _of(connection, made.id)


def lacking(program: Program, values: pl.DataFrame, scores: pl.DataFrame, as_of: datetime) -> list[tuple[str, int]]:
    """Of each part of `scorable`, for how many of those without a score it is not met. `values`: with a column for each flag."""
    without = values.join(scores.filter(pl.col("score").is_null()), on="person", how="semi")
    met = scorable.met(program, nw.from_native(without), program.day(as_of)).to_native()
    return [(name, int((~met[name]).sum())) for name in met.columns if name != "person"]


def _of(connection: Connection, build: int) -> Coverage:
    people, scored = connection.execute(
        select(func.count(), func.count(SCORES.c.score)).where(SCORES.c.build == build)
    ).one()
    row = connection.execute(select(BUILDS.c.as_of, BUILDS.c.people).where(BUILDS.c.id == build)).first()
    as_of = moment(row.as_of) if row else moment(0)
    newest = select(func.max(EVENTS.c.happened_at)).where(EVENTS.c.kind.in_(EVIDENCE))
    at = connection.execute(newest).scalar()
    return Coverage(people or (row.people if row else 0), scored, as_of, None if at is None else moment(at))


def _known_at(events: pl.DataFrame) -> datetime:
    at = events["recorded_at"].max()
    assert isinstance(at, datetime)  # noqa: S101 - there are events, and the ledger stamped them
    return at


def _newest(seen: Coverage) -> str:
    return "there is no evidence" if seen.newest is None else f"the newest evidence is of {seen.newest:%Y-%m-%d}"
