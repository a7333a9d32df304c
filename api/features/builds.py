"""Builds: everyone's features as of a moment, and everyone's score under a release.

A build is written in one transaction: readers see the one before it, or it. Features of earlier builds are dropped then
(decisions keep the values they used); a score that differs from the last one is kept as the person's history. `api/features/refresh.py` keeps the rows of the newest
build up with the ledger: its `seq` is the last event that they take into account.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

import narwhals as nw
import polars as pl
from sqlalchemy import Connection, Engine, Select, Table, delete, func, insert, select, update

from api.catalogue import fingerprint
from api.clock import micros, moment
from api.database import Query, fetched, reading, writing
from api.evidence import departed, excerpt, ledger
from api.features import history, marks
from api.tables import BUILDS, EVENTS, FEATURES, MARKS, SCORES, WAITING
from engine.errors import Refused
from engine.lang import columnar, timezones
from engine.lang.program import Program
from engine.lang.timezones import UTC_NAME
from engine.lang.types import Value
from graph.features import features

ROWS: Final = 10_000  # a statement
_COLUMNS: Final = tuple(column.name for column in BUILDS.columns)
NEWEST: Final = Query(f"SELECT {', '.join(_COLUMNS)} FROM builds WHERE id = (SELECT max(id) FROM builds)")
Flags = Mapping[str, Value | None]


@dataclass(frozen=True)
class Build:
    """One computation of features: which evidence it saw, and how many people it is about; and how far its rows have been
    refreshed since. Of one person, `as_of`, `known_at` and `computed_at` can be those of the person's own row.
    """

    id: int
    as_of: datetime
    known_at: datetime
    purpose: str
    computed_at: datetime
    catalogue: str
    events: int
    people: int
    follows: bool = False  # a refresh looks from now; otherwise from the build's own moment
    seq: int = 0  # the last event that the rows take into account
    seen: int = 0  # how many events that are
    later: int = 0  # how many of them happened after the moment of a build that does not follow
    refreshed_at: datetime | None = None
    timezone: str = UTC_NAME  # whose days, months and nights are meant: an IANA name

    @property
    def zone(self) -> tzinfo:
        """That time zone."""
        return timezones.zone(self.timezone)


def build(
    engine: Engine,
    as_of: datetime,
    purpose: str,
    computed_at: datetime,
    *,
    follows: bool = False,
    timezone: str = UTC_NAME,
    guard: Callable[[pl.DataFrame, pl.DataFrame], None] | None = None,
) -> Build:
    """Compute and keep everyone's features as of `as_of`, from all that is recorded by now. Raises Refused when there is nothing.

    `follows`: whether refreshes look from now on from the moment they are made at, not from `as_of`. `timezone`: that of the rules,
    by its IANA name. `guard` sees the features, and the events that they are of, before they are kept; what it raises leaves the
    build before in place.
    """
    with reading(engine) as connection:
        extent, seq, erased = ledger.extent_of(connection), excerpt.last(connection), departed.erased(connection)
    if extent.recorded_at is None:
        raise Refused(
            "there is no evidence to build from", where="ledger", hint="run `iftah load FILE`", code="no_evidence"
        )
    known_at = extent.recorded_at
    events = ledger.read(engine, known_at=known_at)
    found = features(events, as_of, known_at, purpose, zone=timezones.zone(timezone))
    if guard:
        guard(found, events)
    later = 0 if follows else events.filter(pl.col("happened_at") > as_of).height
    waiting = _before_their_time(engine, as_of, seq) if follows else None
    row: dict[str, Any] = {
        **{"as_of": micros(as_of), "known_at": micros(known_at), "computed_at": micros(computed_at)},
        **{"purpose": purpose, "catalogue": fingerprint(), "events": events.height, "people": found.height},
        **{"follows": follows, "seq": seq, "seen": events.height, "later": later, "timezone": timezone},
    }
    with writing(engine) as connection:
        made = connection.execute(insert(BUILDS).values(row)).inserted_primary_key
        number = int(made[0]) if made else 0
        for table in (FEATURES, MARKS, WAITING):
            connection.execute(delete(table).where(table.c.build < number))
        rows = found.select(pl.lit(number).alias("build"), "person", as_json().alias("values"))
        keep(connection, FEATURES, rows)
        if waiting is not None:
            keep(connection, WAITING, marks.to_come(number, waiting, as_of))
        if departed.erased(connection) != erased:
            row |= _without_the_erased(connection, number, seq)
    return _made(row | {"id": number, "refreshed_at": None})


def _without_the_erased(connection: Connection, number: int, seq: int) -> dict[str, int]:
    """Take out of a build who was erased while it was computed, and count anew. What others' rows hold goes with the next."""
    there = select(EVENTS.c.subject).where(EVENTS.c.kind == "person.enrolled")
    gone = (FEATURES.c.build == number) & FEATURES.c.person.not_in(there)
    connection.execute(delete(FEATURES).where(gone))
    connection.execute(delete(WAITING).where(WAITING.c.build == number, WAITING.c.seq.not_in(select(EVENTS.c.seq))))
    people = select(func.count()).where(FEATURES.c.build == number)
    seen = select(func.count()).where(EVENTS.c.seq <= seq)
    counts = {"people": connection.execute(people).scalar_one(), "seen": connection.execute(seen).scalar_one()}
    connection.execute(update(BUILDS).where(BUILDS.c.id == number).values(counts))
    return counts


def _before_their_time(engine: Engine, as_of: datetime, seq: int) -> pl.DataFrame:
    with reading(engine) as connection:
        return excerpt.timed(connection, as_of, seq)


def as_json() -> pl.Expr:
    """All columns but `person` as one JSON text, `null` where a value is missing."""
    return pl.struct(pl.exclude("person")).struct.json_encode()


def score(
    engine: Engine,
    program: Program,
    made: Build,
    flags: Mapping[str, Flags],
    guard: Callable[[pl.DataFrame], None] | None = None,
) -> None:
    """Make and keep the score of everyone in a build whose row is of the build's own moment; who has been refreshed is marked,
    to be refreshed once more.

    `flags` are those of everyone, by person (`watching.of_everyone`). `guard` sees the scores before they are kept.
    """
    rows = score_rows(values_of(engine, made, program), program, made, flags)
    if guard:
        guard(rows)
    with writing(engine) as connection:
        refreshed = [str(p) for p in connection.execute(_refreshed(made)).scalars()]
        there = connection.execute(select(FEATURES.c.person).where(FEATURES.c.build == made.id)).scalars()
        left = pl.DataFrame({"person": list(set(there) - set(refreshed))}, schema={"person": pl.String})
        connection.execute(delete(SCORES).where(SCORES.c.build == made.id, SCORES.c.person.not_in(_refreshed(made))))
        keep(connection, SCORES, rows.join(left, on="person", how="semi"))
        history.follow(connection, made.id, made.computed_at)
        marks.put_off(connection, made.id, dict.fromkeys(refreshed, frozenset()), made.seq)


def _refreshed(made: Build) -> Select[tuple[str]]:
    return select(FEATURES.c.person).where(FEATURES.c.build == made.id, FEATURES.c.as_of.is_not(None))


def score_rows(values: pl.DataFrame, program: Program, made: Build, flags: Mapping[str, Flags]) -> pl.DataFrame:
    """The rows of `SCORES` for people with these `values`: `person` and a column for each feature that the rules read."""
    people = nw.from_native(with_flags(values, program, flags).lazy())
    scored = columnar.score(program, people, program.day(made.as_of), reasons=False).to_native()
    found: pl.DataFrame = scored.select("person", pl.col("score").cast(pl.Int64), "band").collect(engine="in-memory")
    told = [json.dumps(flags.get(person, {}), sort_keys=True) for person in found["person"]]
    return found.with_columns(
        pl.lit(made.id).alias("build"), pl.lit(program.release).alias("release"), pl.Series("flags", told, pl.String)
    )


def people_of(engine: Engine, made: Build) -> list[str]:
    """Everyone in a build."""
    query = select(FEATURES.c.person).where(FEATURES.c.build == made.id).order_by(FEATURES.c.person)
    with reading(engine) as connection:
        return list(connection.execute(query).scalars())


def scores(engine: Engine, made: Build) -> pl.DataFrame:
    """Everyone's score in a build: `person`, `score`, `band`."""
    query = select(SCORES.c.person, SCORES.c.score, SCORES.c.band).where(SCORES.c.build == made.id)
    with reading(engine) as connection:
        rows = [tuple(r) for r in connection.execute(query.order_by(SCORES.c.person))]
    return pl.DataFrame(rows, schema={"person": pl.String, "score": pl.Int64, "band": pl.String}, orient="row")


def scored_under(engine: Engine, made: Build, release: str) -> bool:
    """Whether everyone in the build has a score made under the release."""
    same = (SCORES.c.build == FEATURES.c.build) & (SCORES.c.person == FEATURES.c.person) & (SCORES.c.release == release)
    without = (
        select(FEATURES.c.person).outerjoin(SCORES, same).where(FEATURES.c.build == made.id, SCORES.c.person.is_(None))
    )
    with reading(engine) as connection:
        return connection.execute(without.limit(1)).first() is None


def with_flags(people: pl.DataFrame, program: Program, flags: Mapping[str, Flags]) -> pl.DataFrame:
    """The frame with a column for each flag that the rules read."""
    columns = (
        pl.Series(p.flag, [flags.get(person, {}).get(p.flag) for person in people["person"]], pl.Boolean)
        for p in program.flags
    )
    return people.with_columns(*columns)


def values_of(engine: Engine, made: Build, program: Program) -> pl.DataFrame:
    """`person` and a column for each feature that the rules read, of everyone in the build."""
    types = {"bool": pl.Boolean, "enum": pl.String, "string": pl.String}
    wanted = pl.Struct({n: types.get(program.schema[n].type.kind, pl.Int64) for n in program.features})
    with reading(engine) as connection:
        query = select(FEATURES.c.person, FEATURES.c["values"]).where(FEATURES.c.build == made.id)
        rows = connection.execute(query.order_by(FEATURES.c.person)).all()
    frame = pl.DataFrame([tuple(r) for r in rows], schema={"person": pl.String, "values": pl.String}, orient="row")
    return frame.select("person", pl.col("values").str.json_decode(wanted)).unnest("values")


def latest(engine: Engine) -> Build | None:
    """The newest build, if there is any."""
    with reading(engine) as connection:
        return latest_in(connection)


def latest_in(connection: Connection) -> Build | None:
    """The newest build, within a transaction."""
    (rows,) = fetched(connection, NEWEST)
    return _made(dict(zip(_COLUMNS, rows[0], strict=True))) if rows else None


def ready(connection: Connection) -> Build:
    """The build in force. Raises Refused when there is none yet."""
    return ready_of(fetched(connection, NEWEST)[0])


def ready_of(rows: list[tuple[Any, ...]]) -> Build:
    """The same from the rows of `NEWEST`."""
    if not rows:
        raise Refused("no features have been built yet", where="server", hint="run `iftah build`", code="not_ready")
    return _made(dict(zip(_COLUMNS, rows[0], strict=True)))


def _made(row: dict[str, Any]) -> Build:
    times = {name: moment(row[name]) for name in ("as_of", "known_at", "computed_at")}
    refreshed = row["refreshed_at"]
    flags = {"follows": bool(row["follows"])}
    return Build(**{**row, **times, **flags, "refreshed_at": None if refreshed is None else moment(refreshed)})


def keep(connection: Connection, table: Table, frame: pl.DataFrame) -> None:
    """Insert a frame's rows."""
    for chunk in _chunks(frame):
        connection.execute(insert(table), chunk)


def _chunks(frame: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
    for part in frame.iter_slices(ROWS):
        yield part.to_dicts()
