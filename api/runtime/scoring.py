"""Scoring: compute everyone's flags and scores in the newest build."""

import polars as pl

from api.features import builds, coverage, pattern_flags, refresh
from api.features.builds import Build
from api.runtime.context import AppContext
from api.store import clock
from api.store.database import reading


def current_build(context: AppContext) -> Build:
    """The newest build. Raises Rejected `not_ready` before the first build."""
    with reading(context.database) as connection:
        return builds.require_build(connection)


def score_everyone(context: AppContext, build: Build, *, guarded: bool = False) -> pl.DataFrame:
    """Compute and store everyone's flags and scores in a build. Returns `person`, `score`, `band`.

    We refresh the rows again that were refreshed since the build. `guarded`: raises Rejected `few_scored` if far fewer people
    would have a score than now.
    """
    guard = coverage.same_build_guard(coverage.of_build(context.database, build)) if guarded else None
    people = builds.people_of(context.database, build)
    flags = pattern_flags.flags_of_everyone(context.database, context.evaluators, build, people)
    builds.score_build(context.database, context.program(build), build, flags, guard)
    while refresh.catch_up(context.database, context.evaluators, clock.now()):
        pass
    return builds.scores(context.database, build)


def count_unmet_scorable(context: AppContext, build: Build, scores: pl.DataFrame) -> list[tuple[str, int]]:
    """Count, for each part of `scorable`, the people without a score in the build who do not meet it."""
    program = context.program(build)
    people = builds.values_of(context.database, build, program)
    flags = pattern_flags.flags_of_everyone(context.database, context.evaluators, build, people["person"].to_list())
    return coverage.count_unmet(program, builds.with_flags(people, program, flags), scores, build.as_of)
