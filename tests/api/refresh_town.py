"""A small population whose rows we refresh, and the expected rows: those of a rebuild."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from io import BytesIO
from typing import Any

import polars as pl
from sqlalchemy import Engine, select

from api.evidence import ledger
from api.features import builds, refresh
from api.features.builds import Build
from api.features.refresh import RefreshLimits
from api.store.clock import moment
from api.store.database import reading
from api.store.tables import FEATURES, LINKED_IDS, SCORES
from engine.decide.evaluators import Evaluators
from graph.evidence.links import ids_by_person, rows_by_id
from graph.evidence.visibility import linked_people
from tests.shipped_features import FEATURES as CATALOGUE
from tests.shipped_features import features

GLOBAL_FEATURES = [f.name for f in CATALOGUE if f.scope == "global"]
LOCAL_FEATURES = [f.name for f in CATALOGUE if f.scope == "local"]


def feature_rows(database: Engine) -> dict[str, tuple[Build, dict[str, Any]]]:
    """The row of each person: its moments and its values."""
    with reading(database) as connection:
        build = builds.require_build(connection)
        records = connection.execute(select(FEATURES).where(FEATURES.c.build == build.id)).mappings().all()
    times = ("as_of", "known_at", "computed_at")
    return {
        r["person"]: (
            replace(build, **{t: moment(r[t]) for t in times if r[t] is not None}),
            json.loads(r["values"]),
        )
        for r in records
    }


def linked_rows(database: Engine) -> dict[str, tuple[str, ...]]:
    """All ids that the row of each person with several ids counts."""
    with reading(database) as connection:
        build = builds.require_build(connection)
        query = select(LINKED_IDS.c.person, LINKED_IDS.c.linked).where(LINKED_IDS.c.build == build.id)
        rows = connection.execute(query.order_by(LINKED_IDS.c.person, LINKED_IDS.c.linked)).all()
    return {person: tuple(one for p, one in rows if p == person) for person, _ in rows}


def current_scores(database: Engine) -> dict[str, tuple[int | None, str | None]]:
    """The score of each person in the newest build, with its release."""
    with reading(database) as connection:
        build = builds.require_build(connection)
        records = connection.execute(select(SCORES).where(SCORES.c.build == build.id)).mappings().all()
    return {r["person"]: (r["score"], r["release"]) for r in records}


def rebuild_features(events: pl.DataFrame, as_of: datetime, known_at: datetime) -> dict[str, dict[str, Any]]:
    """The local features of each person as a build computes them. We reuse the result for the same events."""
    return _rebuild_features(_ipc_bytes(events), as_of, known_at)


def _ipc_bytes(events: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    events.write_ipc(buffer)
    return buffer.getvalue()


@lru_cache(16)
def _rebuild_features(events: bytes, as_of: datetime, known_at: datetime) -> dict[str, dict[str, Any]]:
    ledger_events = pl.read_ipc(BytesIO(events))
    frame = features(ledger_events, as_of, known_at, "perks", feature_names=LOCAL_FEATURES)
    linked = linked_people(ledger_events, as_of, known_at, "perks")
    rows = rows_by_id(frame, [*frame["person"], *linked], linked)
    return {r.pop("person"): r for r in rows.iter_rows(named=True)}


def assert_matches_rebuild(database: Engine, now: datetime) -> None:
    """Compare each row with a rebuild as of the row's moment, with all recorded events; check that no row is missing or
    extra.
    """
    events = ledger.read(database)
    known_at = ledger.extent(database).recorded_at
    assert known_at
    actual = feature_rows(database)
    expected = {as_of: rebuild_features(events, as_of, known_at) for as_of in {at.as_of for at, _ in actual.values()}}
    for person, (at, values) in actual.items():
        assert {n: values[n] for n in LOCAL_FEATURES} == expected[at.as_of].get(person), person
    latest = builds.latest_build(database)
    assert latest
    as_of_now = max(now, latest.as_of) if latest.follows else latest.as_of
    current = rebuild_features(events, as_of_now, known_at)
    assert set(actual) == set(current)
    assert (
        linked_rows(database) == ids_by_person(linked_people(events, as_of_now, known_at, "perks"))
        or len({at.as_of for at, _ in actual.values()}) > 1
    )
    assert latest.people == len(actual)
    assert latest.events_counted == ledger.extent(database).events


@dataclass
class Refresher:
    """Refresh until the queue is empty."""

    database: Engine
    evaluators: Evaluators
    limits: RefreshLimits = field(default_factory=RefreshLimits)

    def run(self, now: datetime) -> tuple[int, int]:
        """Refresh batches of new events and of deferred people."""
        counts = []
        for step in (refresh.refresh, refresh.catch_up):
            counts.append(0)
            while step(self.database, self.evaluators, now, self.limits):
                counts[-1] += 1
                assert counts[-1] < 1_000
        return counts[0], counts[1]


def append_events(database: Engine, events: pl.DataFrame, now: datetime) -> int:
    """The number of events that the ledger accepted."""
    return ledger.append(database, events, now).accepted


def seconds_after(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)
