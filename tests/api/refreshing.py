"""A small world whose rows are refreshed, and what they must be: those of a rebuild."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from io import BytesIO
from typing import Any

import polars as pl
from sqlalchemy import Engine, select

from api.clock import moment
from api.database import reading
from api.evidence import ledger
from api.features import builds, refresh
from api.features.builds import Build
from api.features.refresh import Most
from api.tables import FEATURES, SCORES
from engine.engines import Engines
from graph.catalog import FEATURES as CATALOGUE
from graph.features import features

GLOBAL = [f.name for f in CATALOGUE if f.scope == "global"]
LOCAL = [f.name for f in CATALOGUE if f.scope == "local"]


def rows(engine: Engine) -> dict[str, tuple[Build, dict[str, Any]]]:
    """Everyone's row: its moments, and its values."""
    with reading(engine) as connection:
        made = builds.ready(connection)
        found = connection.execute(select(FEATURES).where(FEATURES.c.build == made.id)).mappings().all()
    times = ("as_of", "known_at", "computed_at")
    return {
        r["person"]: (
            replace(made, **{t: moment(r[t]) for t in times if r[t] is not None}),
            json.loads(r["values"]),
        )
        for r in found
    }


def scored(engine: Engine) -> dict[str, tuple[int | None, str | None]]:
    """Everyone's score in the newest build, with its release."""
    with reading(engine) as connection:
        made = builds.ready(connection)
        found = connection.execute(select(SCORES).where(SCORES.c.build == made.id)).mappings().all()
    return {r["person"]: (r["score"], r["release"]) for r in found}


def rebuilt(events: pl.DataFrame, as_of: datetime, known_at: datetime) -> dict[str, dict[str, Any]]:
    """Everyone's local features as a build has them. Events that were asked about a moment ago are not gone through again."""
    return _rebuilt(_bytes(events), as_of, known_at)


def _bytes(events: pl.DataFrame) -> bytes:
    told = BytesIO()
    events.write_ipc(told)
    return told.getvalue()


@lru_cache(16)
def _rebuilt(events: bytes, as_of: datetime, known_at: datetime) -> dict[str, dict[str, Any]]:
    found = features(pl.read_ipc(BytesIO(events)), as_of, known_at, "perks", wanted=LOCAL)
    return {r.pop("person"): r for r in found.iter_rows(named=True)}


def same_as_rebuilt(engine: Engine, now: datetime) -> None:
    """Every person's row is that of a rebuild as of the row's moment, knowing all there is; nobody has one too much or too few."""
    events = ledger.read(engine)
    known = ledger.extent(engine).recorded_at
    assert known
    found = rows(engine)
    anew = {as_of: rebuilt(events, as_of, known) for as_of in {at.as_of for at, _ in found.values()}}
    for person, (at, values) in found.items():
        assert {n: values[n] for n in LOCAL} == anew[at.as_of].get(person), person
    made = builds.latest(engine)
    assert made
    there = rebuilt(events, max(now, made.as_of) if made.follows else made.as_of, known)
    assert set(found) == set(there)
    assert made.people == len(found)
    assert made.seen == ledger.extent(engine).events


@dataclass
class Refresher:
    """Refreshes until nothing is to be done."""

    engine: Engine
    engines: Engines
    most: Most = field(default_factory=Most)

    def all(self, now: datetime) -> tuple[int, int]:
        """Batches of new events, and of people put off."""
        counts = []
        for one in (refresh.refresh, refresh.catch_up):
            counts.append(0)
            while one(self.engine, self.engines, now, self.most):
                counts[-1] += 1
                assert counts[-1] < 1_000
        return counts[0], counts[1]


def append(engine: Engine, events: pl.DataFrame, now: datetime) -> int:
    """How many of them the ledger took."""
    return ledger.append(engine, events, now).accepted


def later(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)
