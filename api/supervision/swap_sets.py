"""Find whom a change of rules moves: everyone of the newest build, or everyone as of a past moment."""

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

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
from api.store.statements import is_any_of, texts
from api.store.tables import EVENTS
from api.supervision.polars_plans import plan_once
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
HAS_FLAGS: Final = "has flags"  # a column while we join flags


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


def compare_everyone(database: Database, question: SwapQuestion, progress: Progress, chunk: int = CHUNK) -> SwapReport:
    """Decide about everyone under both releases, and count. Raises Rejected `not_ready` before the first build.

    We ask about each perk for the first time, without the fields of a request. `chunk`: the people whom we decide about at once.
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
    questions = perk_questions(old_program, new_program, question.amounts)
    tally = SwapTally(compared, questions, question.sample, planner=plan_once)
    day = question.old.day(build.as_of)
    count = 0
    with closing((_computed if is_computed else _stored)(database, question, build, compared, chunk)) as frames:
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


def _stored(
    database: Database, question: SwapQuestion, build: Build, compared: Comparison, chunk: int
) -> Generator[pl.DataFrame]:
    """The stored rows. We compute flags that are stored under another release, or not stored."""
    feature_types, flag_types = _types(compared)
    old_program = question.old.at(question.old.day(build.as_of))
    names = {p.flag for p in old_program.flags} & set(flag_types)
    is_stored = bool(names) and builds.is_scored_under(database, build, question.old.id)
    stored = stored_flags(database, build, names) if is_stored else None
    flags = _flags(database, question, build, compared, None, stored)
    with closing(value_chunks(database, build, feature_types, chunk)) as frames:
        for frame in frames:
            yield _with_flags(frame, flags)


def _computed(
    database: Database, question: SwapQuestion, build: Build, compared: Comparison, chunk: int
) -> Generator[pl.DataFrame]:
    """Everyone's features by both releases, computed from the ledger, as of the moment of the build."""
    feature_types, _ = _types(compared)
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
    all_rows = shared.join(fresh, on="person", how="left")
    flags = _flags(database, question, build, compared, all_rows["person"].to_list())
    for frame in all_rows.iter_slices(chunk):
        yield _with_flags(frame, flags)


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
class _FlagColumns:
    """`rows` have `person` and flags. `names` are the columns to add, by flag; `default` is for people without a row."""

    rows: pl.DataFrame
    names: Mapping[str, str]
    default: bool | None = None


def _flags(
    database: Database,
    question: SwapQuestion,
    build: Build,
    compared: Comparison,
    people: list[str] | None,
    stored: pl.DataFrame | None = None,
) -> tuple[_FlagColumns, ...]:
    """The flags that the old rules read, from the old patterns or `stored`; and those that are new or changed, from the new ones.

    `people`: those of the build if None.
    """
    _, flag_types = _types(compared)
    old_program = question.old.at(question.old.day(build.as_of))
    old_names = {p.flag: p.flag for p in old_program.flags if p.flag in flag_types}
    new_names = {n: BY_NEW + n for n in compared.states[-1].columns if n in flag_types}
    new_names |= {n: n for n in flag_types if n not in old_names}
    if stored is not None:
        old_columns = _FlagColumns(stored, old_names, default=False)
    else:
        old_columns = _FlagColumns(_flag_rows(database, question.old, build, old_names, people), old_names)
    return old_columns, _FlagColumns(_flag_rows(database, question.new, build, new_names, people), new_names)


def _flag_rows(
    database: Database, release: Release, build: Build, names: Iterable[str], people: list[str] | None
) -> pl.DataFrame:
    """`person` and these flags under a release, computed from the ledger. Without flags, no rows."""
    by_person: Mapping[str, Mapping[str, object]] = {}
    if names:
        with closing(Evaluators(release)) as evaluators:
            people = builds.people_of(database, build) if people is None else people
            by_person = pattern_flags.flags_of_everyone(database, evaluators, build, people)
    columns = {name: [flags.get(name) for flags in by_person.values()] for name in names}
    schema = {"person": pl.String, **dict.fromkeys(names, pl.Boolean)}
    return pl.DataFrame({"person": list(by_person), **columns}, schema=schema)


def _with_flags(frame: pl.DataFrame, flags: Iterable[_FlagColumns]) -> pl.DataFrame:
    """The frame with these columns of flags."""
    for own in flags:
        default = pl.lit(own.default, pl.Boolean)
        if own.rows.is_empty():
            frame = frame.with_columns(default.alias(column) for column in own.names.values())
            continue
        rows = own.rows.select(
            "person", pl.lit(True).alias(HAS_FLAGS), *(pl.col(n).alias(c) for n, c in own.names.items())
        )
        frame = frame.join(rows, on="person", how="left", maintain_order="left")
        values = (pl.when(HAS_FLAGS).then(column).otherwise(default).alias(column) for column in own.names.values())
        frame = frame.with_columns(values).drop(HAS_FLAGS)
    return frame


def _groups(database: Database, build: Build, people: list[str]) -> Groups:
    """Who sent the events of these people: `person` and `group`. A person of several contributors counts for each.

    We name each person: a database may sort ids in another order than we do, so a range of ids could lose some of them.
    """
    is_theirs = is_any_of(EVENTS.c.subject, texts("people"))
    query = select(EVENTS.c.subject, EVENTS.c.contributor).where(is_theirs, EVENTS.c.seq <= build.seq).distinct()
    with reading(database) as connection:
        rows = [tuple(row) for row in connection.execute(query, {"people": people})]
    members = pl.DataFrame(rows, schema={"person": pl.String, GROUP: pl.String}, orient="row")
    return {"contributor": nw.from_native(members, eager_only=True)}
