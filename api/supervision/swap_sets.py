"""Find whom a change of rules moves: everyone of the newest build, or everyone as of a past moment."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

import narwhals as nw
import polars as pl
from sqlalchemy import select

from api.evidence import ledger
from api.features import builds, pattern_flags
from api.features.builds import Build
from api.features.value_chunks import CHUNK, native_types, stored_flags, value_chunks
from api.releases.catalogue import definitions_of, fingerprint, kinds, stored_schema, vocabulary_of
from api.store.clock import iso
from api.store.database import Database, reading
from api.store.tables import EVENTS
from engine.changes.comparison import BY_NEW, Comparison, comparison
from engine.changes.rule_changes import changed_lists, rule_changes
from engine.changes.swap_report import SwapReport
from engine.changes.tally import GROUP, Groups, SwapTally, perk_questions
from engine.changes.texts import file_differences
from engine.decide.evaluators import Evaluators
from engine.lang.model import timezones
from engine.lang.model.program import Program, Release
from engine.lang.model.types import BOOL, Type
from graph.evidence.links import rows_by_id
from graph.evidence.visibility import linked_people
from graph.features.pipeline import features

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class SwapQuestion:
    """What to compare. `amounts` are deposits by perk, in minor units. `as_of`: everyone as of then, as known then; None: the
    newest build. `by_contributor` counts people by who sent their events.
    """

    old: Release
    new: Release
    amounts: Mapping[str, int] = field(default_factory=dict)
    sample: int = 0
    as_of: datetime | None = None
    by_contributor: bool = False


def compare_everyone(database: Database, question: SwapQuestion, progress: Progress) -> SwapReport:
    """Decide about everyone under both releases, and count. Raises Rejected `not_ready` before the first build.

    We ask about each perk for the first time, without the fields of a request.
    """
    with reading(database) as connection:
        build = builds.require_build(connection)
    if question.as_of:
        build = replace(build, as_of=question.as_of, known_at=question.as_of)
    old_program, new_program = (release.at(release.day(build.as_of)) for release in (question.old, question.new))
    features_differ = (
        fingerprint(old_program) != fingerprint(new_program) or old_program.timezone != new_program.timezone
    )
    is_computed = bool(question.as_of) or features_differ or build.catalogue != fingerprint(old_program)
    compared = _comparison(question, old_program, new_program, build)
    tally = SwapTally(compared, perk_questions(old_program, new_program, question.amounts), question.sample)
    day = question.old.day(build.as_of)
    frames = (
        _computed(database, question, build, compared) if is_computed else _stored(database, question, build, compared)
    )
    count = 0
    for frame in frames:
        groups = _groups(database, build, frame["person"].to_list()) if question.by_contributor else None
        tally.add(nw.from_native(frame, eager_only=True), day, groups)
        count += frame.height
        progress(count, build.people)
    tally.finish(day)
    return report_of(question, compared, tally, "people", iso(build.as_of))


def report_of(question: SwapQuestion, compared: Comparison, tally: SwapTally, unit: str, as_of: str) -> SwapReport:
    """The report of a tally that is finished."""
    return SwapReport(
        old=question.old.id,
        new=question.new.id,
        unit=unit,
        as_of=as_of,
        lines=file_differences(question.old.files, question.new.files),
        changes=tuple(change.name for change in compared.changes),
        bands=tally.bands if tally.has_bands else None,
        perks=tuple(tally.perks.values()),
    )


def _comparison(question: SwapQuestion, old: Program, new: Program, build: Build) -> Comparison:
    day = question.old.day(build.as_of)
    texts = {**question.old.files, **question.new.files}
    lists = changed_lists(question.old, question.new, day, stored_schema(texts), kinds())
    columns = changed_columns(old, new)
    dated = (
        tuple(n for n in new.features if n in set(old.features) - set(columns)) if old.timezone != new.timezone else ()
    )
    return comparison(old, new, rule_changes(old, new, columns, lists, dated))


def changed_columns(old: Program, new: Program) -> tuple[str, ...]:
    """The features and flags that both programs read, by different definitions."""
    read = [name for name in new.reads if name in set(old.reads)]
    old_patterns, new_patterns = ({p.flag: replace(p, about="") for p in program.watch} for program in (old, new))
    return tuple(n for n in read if _version(old, n) != _version(new, n) or old_patterns.get(n) != new_patterns.get(n))


def _version(program: Program, name: str) -> str:
    return program.declarations[name].version if name in program.declarations else ""


def _types(compared: Comparison) -> tuple[dict[str, Type], dict[str, Type]]:
    """The types of the features and of the flags that any of the states reads."""
    types = {name: program.schema[name].type for name, program in compared.columns.items()}
    flags = {p.flag for state in compared.states for p in state.program.watch} | {
        n for n in types if n.startswith("watch.")
    }
    return {n: t for n, t in types.items() if n not in flags}, {n: BOOL for n in types if n in flags}


def _stored(database: Database, question: SwapQuestion, build: Build, compared: Comparison) -> Iterator[pl.DataFrame]:
    """The stored rows. We compute flags that are stored under another release, or not stored."""
    feature_types, flag_types = _types(compared)
    old_program = question.old.at(question.old.day(build.as_of))
    own_flags = {p.flag for p in old_program.flags} & set(flag_types)
    changed = [name for name in compared.states[-1].columns if name in flag_types]
    added = [name for name in flag_types if name not in own_flags]
    old_cache, new_cache = (_FlagCache(database, release, build) for release in (question.old, question.new))
    is_stored = bool(own_flags) and builds.is_scored_under(database, build, question.old.id)
    special = stored_flags(database, build) if is_stored else {}
    for frame in value_chunks(database, build, feature_types):
        if own_flags:
            flags = special if is_stored else old_cache.by_person
            frame = _with_flags(frame, {n: n for n in own_flags}, flags, default=False if is_stored else None)
        if changed or added:
            frame = _with_flags(frame, {n: BY_NEW + n for n in changed} | {n: n for n in added}, new_cache.by_person)
        yield frame


def _computed(database: Database, question: SwapQuestion, build: Build, compared: Comparison) -> Iterator[pl.DataFrame]:
    """Everyone's features by both releases, computed from the ledger, as of the moment of the build."""
    feature_types, flag_types = _types(compared)
    events = ledger.read(database, known_at=build.known_at)
    old_rows, new_rows = (_features(events, release, build) for release in (question.old, question.new))
    natives, changed = native_types(feature_types), set(compared.states[-1].columns)
    shared = old_rows.select("person", *(pl.col(n).cast(natives[n]) for n in feature_types if n in old_rows.columns))
    fresh = new_rows.select(
        "person",
        *(
            pl.col(n).cast(natives[n]).alias(BY_NEW + n if n in old_rows.columns else n)
            for n in feature_types
            if n in new_rows.columns and (n in changed or n not in old_rows.columns)
        ),
    )
    all_rows = shared.join(fresh, on="person", how="left").sort("person")
    if flag_types:
        people = all_rows["person"].to_list()
        old_flags, new_flags = (
            _FlagCache(database, release, build, people) for release in (question.old, question.new)
        )
        all_rows = _with_flags(all_rows, {n: n for n in flag_types}, old_flags.by_person)
        new_names = {n: BY_NEW + n if n in changed else n for n in flag_types}
        all_rows = _with_flags(all_rows, new_names, new_flags.by_person) if changed & set(flag_types) else all_rows
    yield from all_rows.iter_slices(CHUNK)


def _features(events: pl.DataFrame, release: Release, build: Build) -> pl.DataFrame:
    """Everyone's features by the definitions of a release: `person`, and a column for each."""
    moments, zone = (build.as_of, build.known_at, build.purpose), timezones.zone(release.timezone)
    vocabulary = vocabulary_of(release)
    rows = features(
        events,
        *moments,
        zone=zone,
        vocabulary=vocabulary,
        definitions=definitions_of(release.at(release.day(build.as_of))),
    )
    linked = linked_people(events, *moments, vocabulary)
    return rows_by_id(rows, [*rows["person"], *linked], linked)


@dataclass(frozen=True)
class _FlagCache:
    """Everyone's flags under a release, computed from the ledger when you first need them. `people`: those of the build if None."""

    database: Database
    release: Release
    build: Build
    people: list[str] | None = None

    @cached_property
    def by_person(self) -> Mapping[str, Mapping[str, object]]:
        with closing(Evaluators(self.release)) as evaluators:
            people = builds.people_of(self.database, self.build) if self.people is None else self.people
            return pattern_flags.flags_of_everyone(self.database, evaluators, self.build, people)


def _with_flags(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    flags: Mapping[str, Mapping[str, object]],
    default: bool | None = None,
) -> pl.DataFrame:
    """The frame with a column for each flag, by the names in `columns`. `default` is for people without an entry."""
    rows = [flags.get(person) for person in frame["person"].to_list()] if flags else []
    return frame.with_columns(
        pl.Series(column, [default if row is None else row.get(name) for row in rows], pl.Boolean)
        if rows
        else pl.lit(default, pl.Boolean).alias(column)
        for name, column in columns.items()
    )


def _groups(database: Database, build: Build, people: list[str]) -> Groups:
    """Who sent the events of these people: `person` and `group`. A person of several contributors counts for each."""
    query = (
        select(EVENTS.c.subject, EVENTS.c.contributor)
        .where(EVENTS.c.subject.between(people[0], people[-1]), EVENTS.c.seq <= build.seq)
        .distinct()
    )
    with reading(database) as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    members = pl.DataFrame(rows, schema={"person": pl.String, GROUP: pl.String}, orient="row")
    return {"contributor": nw.from_native(members, eager_only=True)}
