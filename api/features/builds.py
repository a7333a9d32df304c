"""Builds: compute everyone's features as of one moment, and everyone's score under a release.

We write a build in one transaction: readers see either the previous build or the new one. The same transaction deletes the
features of earlier builds (decisions keep the values they used). We append a score to the person's history if it differs from
the last one. `api.features.refresh` keeps the rows of the newest build up to date with the ledger: the build's `seq` is the
last event that the rows take into account.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import narwhals as nw
import polars as pl
from sqlalchemy import Connection, Select, Table, delete, func, insert, select, update

from api.evidence import erasure_tombstones, excerpt, ledger
from api.features import figures, history, linked_ids, population, refresh_queue
from api.releases.catalogue import definitions_of, fingerprint, vocabulary_of
from api.store.clock import micros, moment
from api.store.database import Database, fetch_rows, reading, writing
from api.store.statements import Query
from api.store.tables import BUILDS, DEFERRED_REFRESHES, EVENTS, FEATURES, LINKED_IDS, SCHEDULED_EVENTS, SCORES
from engine.errors import Rejected
from engine.lang.engines import columnar
from engine.lang.model import timezones
from engine.lang.model.program import Program, Release
from engine.lang.model.timezones import UTC_NAME
from engine.lang.model.types import Value
from graph.catalog import FEATURES as CATALOGUE
from graph.evidence.links import rows_by_id
from graph.evidence.visibility import linked_people
from graph.evidence.vocabulary import CLASSES
from graph.features.pipeline import features

ROWS_PER_STATEMENT: Final = 10_000
_COLUMNS: Final = tuple(column.name for column in BUILDS.columns)
_NEWEST_ID: Final = select(func.max(BUILDS.alias("n").c.id)).scalar_subquery()
NEWEST_BUILD: Final = Query(select(BUILDS).where(BUILDS.c.id == _NEWEST_ID))
Flags = Mapping[str, Value | None]


@dataclass(frozen=True)
class Build:
    """One computation of features: the evidence it used, the number of people, and the progress of refreshes since.

    For one person, `as_of`, `known_at` and `computed_at` can be those of the person's own row.
    """

    id: int
    as_of: datetime
    known_at: datetime
    purpose: str
    computed_at: datetime
    catalogue: str
    events: int
    people: int
    follows: bool = False  # refreshes use the present moment as `as_of`; otherwise the build's own
    seq: int = 0  # number of the last event that the rows take into account
    events_counted: int = 0  # number of events up to `seq`
    future_events: int = 0  # of these, the events after `as_of`, if the build does not follow
    refreshed_at: datetime | None = None
    timezone: str = UTC_NAME  # IANA name; defines days, months and nights

    @property
    def zone(self) -> tzinfo:
        """The time zone `timezone`."""
        return timezones.zone(self.timezone)


def build_features(
    database: Database,
    as_of: datetime,
    purpose: str,
    computed_at: datetime,
    *,
    follows: bool = False,
    release: Release,
    timezone: str | None = None,
    guard: Callable[[pl.DataFrame, pl.DataFrame], None] | None = None,
) -> Build:
    """Compute and store everyone's features as of `as_of`, from all events recorded by now.

    `follows`: later refreshes use their own moment as `as_of`, instead of this one. `release`: the rules, which say what can
    happen, what is counted, and in which time zone (unless you name another, as IANA does). `guard` gets the features and the events before we store them; if it raises, the previous build stays. Raises
    Rejected `no_evidence` for an empty ledger.
    """
    ledger_state = _ledger_state(database)
    events = ledger.read(database, known_at=ledger_state.known_at)
    program, zone_name = release.at(release.day(as_of)), timezone or release.timezone
    feature_rows = features(
        events,
        as_of,
        ledger_state.known_at,
        purpose,
        zone=timezones.zone(zone_name),
        vocabulary=vocabulary_of(release),
        definitions=definitions_of(program),
    )
    if guard:
        guard(feature_rows, events)
    linked = linked_people(events, as_of, ledger_state.known_at, purpose, vocabulary_of(release))
    linked_rows = linked_ids.rows_of(linked, events, as_of, ledger_state.known_at, purpose)
    feature_rows = rows_by_id(feature_rows, [*feature_rows["person"], *linked], linked)
    build = Build(
        id=0,  # the database gives the number
        as_of=as_of.astimezone(UTC),
        known_at=ledger_state.known_at,
        purpose=purpose,
        computed_at=computed_at.astimezone(UTC),
        catalogue=fingerprint(program),
        events=events.height,
        people=feature_rows.height,
        follows=follows,
        seq=ledger_state.seq,
        events_counted=events.height,
        future_events=0 if follows else events.filter(pl.col("happened_at") > as_of).height,
        timezone=zone_name,
    )
    future_events = _future_events(database, as_of, ledger_state.seq) if follows else None
    return _write_build(database, build, feature_rows, linked_rows, future_events, ledger_state.erasures)


@dataclass(frozen=True)
class _LedgerState:
    """The ledger at the beginning of a build: time and number of its last event, and the number of erasures so far."""

    known_at: datetime
    seq: int
    erasures: int


def _ledger_state(database: Database) -> _LedgerState:
    with reading(database) as connection:
        known_at = ledger.extent_of(connection).recorded_at
        seq, erasures = excerpt.last_seq(connection), erasure_tombstones.erasure_count(connection)
    if known_at is None:
        hint = "run `iftah load FILE`"
        raise Rejected("there is no evidence to build from", where="ledger", hint=hint, code="no_evidence")
    return _LedgerState(known_at, seq, erasures)


def _write_build(
    database: Database,
    build: Build,
    feature_rows: pl.DataFrame,
    linked_rows: pl.DataFrame,
    future_events: pl.DataFrame | None,
    erasures: int,
) -> Build:
    """Write the build with its rows and drop those of earlier builds. `erasures`: their number when we read the events."""
    with writing(database) as connection:
        inserted_key = connection.execute(insert(BUILDS).values(_columns(build))).inserted_primary_key
        build = replace(build, id=int(inserted_key[0]) if inserted_key else 0)
        for table in (FEATURES, LINKED_IDS, DEFERRED_REFRESHES, SCHEDULED_EVENTS):
            connection.execute(delete(table).where(table.c.build < build.id))
        rows = feature_rows.select(pl.lit(build.id).alias("build"), "person", as_json().alias("values"))
        insert_rows(connection, FEATURES, rows)
        figures.store(connection, build.id, feature_rows, [name for name in feature_rows.columns if name != "person"])
        insert_rows(connection, LINKED_IDS, linked_rows.with_columns(build=pl.lit(build.id)))
        if future_events is not None:
            scheduled = refresh_queue.scheduled_rows(build.id, future_events, build.as_of)
            insert_rows(connection, SCHEDULED_EVENTS, scheduled)
        if erasure_tombstones.erasure_count(connection) != erasures:
            build = _drop_erased(connection, build)
    return build


def _columns(build: Build) -> dict[str, object]:
    """The row of `builds` to insert; the database gives its `id`."""
    return {
        "as_of": micros(build.as_of),
        "known_at": micros(build.known_at),
        "computed_at": micros(build.computed_at),
        "purpose": build.purpose,
        "catalogue": build.catalogue,
        "events": build.events,
        "people": build.people,
        "follows": build.follows,
        "seq": build.seq,
        "events_counted": build.events_counted,
        "future_events": build.future_events,
        "timezone": build.timezone,
    }


def _drop_erased(connection: Connection, build: Build) -> Build:
    """Delete the people who were erased during the computation, and count again. Other people's rows still include their
    events until the next refresh.
    """
    linked = set(connection.execute(select(LINKED_IDS.c.linked).where(LINKED_IDS.c.build == build.id)).scalars())
    erased_ids = erasure_tombstones.find_erased(connection, linked)
    for erased_id in sorted(erased_ids):
        other_ids = linked_ids.erase(connection, erased_id) - erased_ids
        refresh_queue.defer(connection, build.id, dict.fromkeys(other_ids, frozenset(CLASSES)), build.seq)
    enrolled = select(EVENTS.c.subject).where(EVENTS.c.kind == "person.enrolled")
    is_erased = (FEATURES.c.build == build.id) & FEATURES.c.person.not_in(enrolled)
    connection.execute(delete(FEATURES).where(is_erased, FEATURES.c.person.not_in(select(LINKED_IDS.c.person))))
    connection.execute(
        delete(SCHEDULED_EVENTS).where(
            SCHEDULED_EVENTS.c.build == build.id, SCHEDULED_EVENTS.c.seq.not_in(select(EVENTS.c.seq))
        )
    )
    people_count = select(func.count()).where(FEATURES.c.build == build.id)
    event_count = select(func.count()).where(EVENTS.c.seq <= build.seq)
    people = connection.execute(people_count).scalar_one()
    events = connection.execute(event_count).scalar_one()
    connection.execute(update(BUILDS).where(BUILDS.c.id == build.id).values(people=people, events_counted=events))
    return replace(build, people=people, events_counted=events)


def _future_events(database: Database, as_of: datetime, seq: int) -> pl.DataFrame:
    with reading(database) as connection:
        return excerpt.events_after(connection, as_of, seq)


def feature_names(program: Program) -> tuple[str, ...]:
    """The features in the order of a row: those of the catalogue, then the others that the rules declare."""
    declared = (name for name, feature in program.declarations.items() if not feature.is_internal)
    return tuple(dict.fromkeys((*(f.name for f in CATALOGUE), *declared)))


def as_json() -> pl.Expr:
    """All columns except `person` as one JSON text; a missing value is `null`."""
    return pl.struct(pl.exclude("person")).struct.json_encode()


def score_build(
    database: Database,
    program: Program,
    build: Build,
    flags: Mapping[str, Flags],
    guard: Callable[[pl.DataFrame], None] | None = None,
) -> None:
    """Compute and store the scores of a build. We score each row with the build's own times; rows that were refreshed since
    get a deferred refresh instead.

    `flags`: everyone's, by person (`pattern_flags.flags_of_everyone`). `guard` gets the scores before we store them.
    """
    values = values_of(database, build, program)
    rows = score_rows(values, program, build, flags)
    counts = population.count_people(program, values, rows)
    if guard:
        guard(rows)
    with writing(database) as connection:
        refreshed_people = [str(p) for p in connection.execute(_refreshed_people_query(build)).scalars()]
        people = connection.execute(select(FEATURES.c.person).where(FEATURES.c.build == build.id)).scalars()
        remaining = pl.DataFrame({"person": list(set(people) - set(refreshed_people))}, schema={"person": pl.String})
        connection.execute(
            delete(SCORES).where(SCORES.c.build == build.id, SCORES.c.person.not_in(_refreshed_people_query(build)))
        )
        insert_rows(connection, SCORES, rows.join(remaining, on="person", how="semi"))
        history.append_changes(connection, build.id, build.computed_at)
        population.store(connection, build.id, program.release, counts)
        refresh_queue.defer(connection, build.id, dict.fromkeys(refreshed_people, frozenset()), build.seq)


def _refreshed_people_query(build: Build) -> Select[tuple[str]]:
    return select(FEATURES.c.person).where(FEATURES.c.build == build.id, FEATURES.c.as_of.is_not(None))


def score_rows(values: pl.DataFrame, program: Program, build: Build, flags: Mapping[str, Flags]) -> pl.DataFrame:
    """The rows of `SCORES`. `values`: `person`, and a column for each feature that the rules read."""
    people = nw.from_native(with_flags(values, program, flags).lazy())
    result = columnar.score(program, people, program.day(build.as_of), reasons=False).to_native()
    frame: pl.DataFrame = result.select("person", pl.col("score").cast(pl.Int64), "band").collect(engine="in-memory")
    flag_texts = [json.dumps(flags.get(person, {}), sort_keys=True) for person in frame["person"]]
    return frame.with_columns(
        pl.lit(build.id).alias("build"),
        pl.lit(program.release).alias("release"),
        pl.Series("flags", flag_texts, pl.String),
    )


def people_of(database: Database, build: Build) -> list[str]:
    """List the people in a build."""
    query = select(FEATURES.c.person).where(FEATURES.c.build == build.id).order_by(FEATURES.c.person)
    with reading(database) as connection:
        return list(connection.execute(query).scalars())


def scores(database: Database, build: Build) -> pl.DataFrame:
    """Read everyone's score in a build: `person`, `score`, `band`."""
    query = select(SCORES.c.person, SCORES.c.score, SCORES.c.band).where(SCORES.c.build == build.id)
    with reading(database) as connection:
        rows = [tuple(r) for r in connection.execute(query.order_by(SCORES.c.person))]
    return pl.DataFrame(rows, schema={"person": pl.String, "score": pl.Int64, "band": pl.String}, orient="row")


def is_scored_under(database: Database, build: Build, release: str) -> bool:
    """Whether everyone in the build has a score under the release."""
    same_row = (
        (SCORES.c.build == FEATURES.c.build) & (SCORES.c.person == FEATURES.c.person) & (SCORES.c.release == release)
    )
    unscored = (
        select(FEATURES.c.person)
        .outerjoin(SCORES, same_row)
        .where(FEATURES.c.build == build.id, SCORES.c.person.is_(None))
    )
    with reading(database) as connection:
        return connection.execute(unscored.limit(1)).first() is None


def with_flags(people: pl.DataFrame, program: Program, flags: Mapping[str, Flags]) -> pl.DataFrame:
    """The frame with a column for each flag that the rules read."""
    columns = (
        pl.Series(p.flag, [flags.get(person, {}).get(p.flag) for person in people["person"]], pl.Boolean)
        for p in program.flags
    )
    return people.with_columns(*columns)


def values_of(database: Database, build: Build, program: Program) -> pl.DataFrame:
    """Read the features of everyone in the build: `person`, and a column for each feature that the rules read."""
    types = {"bool": pl.Boolean, "enum": pl.String, "string": pl.String}
    value_types = pl.Struct({n: types.get(program.schema[n].type.kind, pl.Int64) for n in program.features})
    with reading(database) as connection:
        query = select(FEATURES.c.person, FEATURES.c["values"]).where(FEATURES.c.build == build.id)
        rows = connection.execute(query.order_by(FEATURES.c.person)).all()
    frame = pl.DataFrame([tuple(r) for r in rows], schema={"person": pl.String, "values": pl.String}, orient="row")
    return frame.select("person", pl.col("values").str.json_decode(value_types)).unnest("values")


def feature_changes(database: Database, release: Release) -> tuple[str, ...]:
    """Why the newest build cannot serve a release, a line: the release declares other features than those that were built."""
    build = latest_build(database)
    if build is None or build.catalogue == fingerprint(release.at(release.day(build.as_of))):
        return ()
    return ("features.yaml: other features than those that were built: run `iftah build`, then we take them over",)


def latest_build(database: Database) -> Build | None:
    """The newest build, or None."""
    with reading(database) as connection:
        return latest_build_in(connection)


def latest_build_in(connection: Connection) -> Build | None:
    """The newest build, or None, within a transaction."""
    (rows,) = fetch_rows(connection, NEWEST_BUILD)
    return _build_of_row(dict(zip(_COLUMNS, rows[0], strict=True))) if rows else None


def require_build(connection: Connection) -> Build:
    """The newest build. Raises Rejected `not_ready` before the first build."""
    return build_of_rows(fetch_rows(connection, NEWEST_BUILD)[0])


def build_of_rows(rows: list[tuple[Any, ...]]) -> Build:
    """The newest build, from the rows of `NEWEST_BUILD`. Raises Rejected `not_ready` without a row."""
    if not rows:
        raise Rejected("no features have been built yet", where="server", hint="run `iftah build`", code="not_ready")
    return _build_of_row(dict(zip(_COLUMNS, rows[0], strict=True)))


def _build_of_row(row: Mapping[str, Any]) -> Build:
    refreshed_at = row["refreshed_at"]
    return Build(
        id=row["id"],
        as_of=moment(row["as_of"]),
        known_at=moment(row["known_at"]),
        purpose=row["purpose"],
        computed_at=moment(row["computed_at"]),
        catalogue=row["catalogue"],
        events=row["events"],
        people=row["people"],
        follows=bool(row["follows"]),
        seq=row["seq"],
        events_counted=row["events_counted"],
        future_events=row["future_events"],
        refreshed_at=None if refreshed_at is None else moment(refreshed_at),
        timezone=row["timezone"],
    )


def insert_rows(connection: Connection, table: Table, frame: pl.DataFrame) -> None:
    """Insert a frame's rows."""
    for chunk in _chunks(frame):
        connection.execute(insert(table), chunk)


def _chunks(frame: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
    for part in frame.iter_slices(ROWS_PER_STATEMENT):
        yield part.to_dicts()
