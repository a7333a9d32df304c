"""Refreshed is rebuilt: whatever comes, in whatever order and batches, on both databases."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from api import builds, releases
from api.database import open_database, writing
from api.refresh import Most
from engine.engines import Engines
from tests.api.refreshing import Refresher, append, same_as_rebuilt
from tests.api.world import ROOT
from tests.graph.story import story, willing
from tests.strategies import NOW, PEOPLE
from tests.strategies import frame as frame_of
from tests.strategies import rows as drawn

BASE = pl.concat([story(willing(*PEOPLE, "dan"))])


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    found = Engines(releases.load(ROOT / "rules"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "iftah.db"
    open_database(f"sqlite:///{path}").dispose()
    return path


def emptied(engine: Engine) -> None:
    """As when it was new; what is append-only is so for everyone else."""
    with writing(engine) as connection:
        for table in ("scores", "features", "marks", "waiting", "builds", "moves"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER ALL")
            connection.exec_driver_sql("TRUNCATE events")
            connection.exec_driver_sql("ALTER TABLE events ENABLE TRIGGER ALL")
        connection.exec_driver_sql("UPDATE extent SET events = 0, recorded_at = NULL, happened_at = NULL")


@st.composite
def stories(draw: st.DrawFn) -> list[pl.DataFrame]:
    """Batches of events, in the order in which they come."""
    batches = draw(st.lists(st.integers(1, 4), min_size=2, max_size=6))
    numbers = iter(draw(st.permutations(range(sum(batches)))))
    return [frame_of([draw(drawn(next(numbers))) for _ in range(size)]) for size in batches]


def lived(engine: Engine, engines: Engines, batches: list[pl.DataFrame], follows: bool, most: Most) -> None:
    """Batch after batch is recorded, and refreshed, a day apart; after each everyone's row is that of a rebuild."""
    now = NOW - timedelta(days=3)
    append(engine, BASE, now)
    append(engine, batches[0], now)
    builds.build(engine, now, "perks", now, follows=follows)
    for batch in batches[1:]:
        now += timedelta(days=1)
        append(engine, batch, now)
        Refresher(engine, engines, most).all(now)
        same_as_rebuilt(engine, now)


SMALL = Most(events=2, people=2, rows=12, rows_of_one=6)


@settings(max_examples=30, deadline=None)
@given(stories(), st.booleans(), st.sampled_from([Most(), SMALL]))
def test_refreshed_is_rebuilt(
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    engines: Engines,
    batches: list[pl.DataFrame],
    follows: bool,
    most: Most,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"refreshed-{next(NUMBERS)}.db"
    shutil.copy(template, path)
    engine = open_database(f"sqlite:///{path}")
    try:
        lived(engine, engines, batches, follows, most)
    finally:
        engine.dispose()
        for each in path.parent.glob(f"{path.name}*"):
            each.unlink()


NUMBERS = count()
