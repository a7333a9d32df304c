"""Builds: everyone's features as of a moment, and everyone's score under a release.

A build is written in one transaction: readers see the one before it, or it. Features of earlier builds are dropped then
(decisions keep the values they used); scores stay, as the person's history.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import narwhals as nw
import polars as pl
from sqlalchemy import Connection, Engine, Table, delete, func, insert, select

from api import ledger
from api.catalogue import fingerprint
from api.clock import day, micros, moment
from api.database import reading, writing
from api.tables import BUILDS, FEATURES, SCORES
from engine.errors import Refused
from engine.lang import columnar
from engine.lang.program import Program
from engine.lang.types import Value
from graph.features import features

ROWS: Final = 10_000  # a statement
Flags = Mapping[str, Value | None]


@dataclass(frozen=True)
class Build:
    """One computation of features: which evidence it saw, and how many people it is about."""

    id: int
    as_of: datetime
    known_at: datetime
    purpose: str
    computed_at: datetime
    catalogue: str
    events: int
    people: int


def build(engine: Engine, as_of: datetime, purpose: str, computed_at: datetime) -> Build:
    """Compute and keep everyone's features as of `as_of`, from all that is recorded by now. Raises Refused when there is nothing."""
    extent = ledger.extent(engine)
    if extent.recorded_at is None:
        raise Refused(
            "there is no evidence to build from", where="ledger", hint="run `iftah load FILE`", code="no_evidence"
        )
    known_at = extent.recorded_at
    events = ledger.read(engine, known_at=known_at)
    found = features(events, as_of, known_at, purpose)
    row = {
        **{
            "as_of": micros(as_of),
            "known_at": micros(known_at),
            "purpose": purpose,
            "computed_at": micros(computed_at),
        },
        **{"catalogue": fingerprint(), "events": events.height, "people": found.height},
    }
    with writing(engine) as connection:
        made = connection.execute(insert(BUILDS).values(row)).inserted_primary_key
        number = int(made[0]) if made else 0
        connection.execute(delete(FEATURES).where(FEATURES.c.build < number))
        values = pl.struct(pl.exclude("person")).struct.json_encode().alias("values")
        _insert(connection, FEATURES, found.select(pl.lit(number).alias("build"), "person", values))
    return Build(number, as_of, known_at, purpose, computed_at, fingerprint(), events.height, found.height)


def score(engine: Engine, program: Program, made: Build, flags: Mapping[str, Flags]) -> pl.DataFrame:
    """Everyone's score in a build, kept and returned: `person`, `score`, `band` (both null: unscorable).

    `flags` are those of everyone, by person (`watching.of_everyone`).
    """
    people = with_flags(values_of(engine, made, program), program, flags)
    scored = columnar.score(program, nw.from_native(people), day(made.as_of)).to_native()
    found: pl.DataFrame = scored.select("person", pl.col("score").cast(pl.Int64), "band")
    told = [json.dumps(flags.get(person, {}), sort_keys=True) for person in found["person"]]
    rows = found.with_columns(
        pl.lit(made.id).alias("build"), pl.lit(program.release).alias("release"), pl.Series("flags", told, pl.String)
    )
    with writing(engine) as connection:
        connection.execute(delete(SCORES).where(SCORES.c.build == made.id))
        _insert(connection, SCORES, rows)
    return found


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


def scored_under(engine: Engine, made: Build) -> str | None:
    """The release that the build's scores were made under, if they have been."""
    with reading(engine) as connection:
        query = select(SCORES.c.release).where(SCORES.c.build == made.id).limit(1)
        return connection.execute(query).scalar()


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
    newest = select(func.max(BUILDS.c.id)).scalar_subquery()
    row = connection.execute(select(BUILDS).where(BUILDS.c.id == newest)).mappings().first()
    return _made(dict(row)) if row else None


def _made(row: dict[str, Any]) -> Build:
    times = {name: moment(row[name]) for name in ("as_of", "known_at", "computed_at")}
    return Build(**{**row, **times})


def _insert(connection: Connection, table: Table, frame: pl.DataFrame) -> None:
    for chunk in _chunks(frame):
        connection.execute(insert(table), chunk)


def _chunks(frame: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
    for part in frame.iter_slices(ROWS):
        yield part.to_dicts()
