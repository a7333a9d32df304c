"""One time zone for the rules folder: its days begin and end rules, its months and nights are counted, and a replay uses it."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import Engine

from api import actions
from api.catalogue import kinds
from api.database import open_database
from api.decisions.decisions import Asked
from api.evidence import ledger
from api.features import builds
from api.features.refresh import until_done
from api.releases import releases
from api.supervision.replay import replay
from api.world import World
from engine.engines import Engines
from engine.lang.check import check
from engine.lang.program import Release
from engine.lang.timezones import zone
from graph.catalog import FEATURES
from tests.api.refreshing import append, rows
from tests.api.world import shipped
from tests.graph.story import story, willing

SHANGHAI = zone("Asia/Shanghai")
MIDNIGHT = datetime(2026, 6, 30, 16, tzinfo=UTC)  # 1 July there
MONTHS = [(2024 + n // 12, n % 12 + 1) for n in range(6, 30)]
LOCAL = [f.name for f in FEATURES if f.scope == "local"]


def wages_and_rents(clock: str) -> pl.DataFrame:
    """Two years of a wage in and a rent out on the 1st of each month, at that time of day in Shanghai."""
    lines = [willing("ann", level=3)]
    for year, month in MONTHS:
        at = datetime.fromisoformat(f"{year}-{month:02}-01T{clock}").replace(tzinfo=SHANGHAI).astimezone(UTC)
        when = at.replace(tzinfo=None).isoformat()
        lines.append(f"{when} payment.made firm > ann amount=900000 currency=CNY category=wage")
        lines += [f"{when} payment.made ann > flat amount=300000 currency=CNY category=housing"]
        lines += [f"{when} obligation.paid ann obligation=loan amount=1000 currency=CNY"]
    return story("\n".join(lines))


@pytest.fixture
def on_sqlite(empty, tmp_path) -> Iterator[Engine]:
    with empty.lent("", tmp_path) as url:
        engine = open_database(url)
        yield engine
        engine.dispose()


def world_of(
    engine: Engine, release: Release, as_of: datetime, clock: str = "10:00", *, follows: bool = False
) -> World:
    """Everyone scored under a release as of a moment."""
    ledger.append(engine, wages_and_rents(clock), as_of)
    world = World(engine, Engines(release))
    made = builds.build(engine, as_of, "perks", as_of, follows=follows, timezone=release.timezone)
    releases.keep(engine, release, 1)
    actions.scored(world, made)
    return world


@pytest.mark.parametrize("clock", ["00:00", "07:30", "08:00", "08:30", "10:00", "23:59"])
def test_wages_and_rents_count_alike_at_whatever_time_of_the_first_they_come(on_sqlite, clock):
    """By UTC those before 08:00 are of the month before. 802 is what the months of UTC, too, give at 10:00."""
    world = world_of(on_sqlite, shipped(), MIDNIGHT - timedelta(days=1), clock)
    with closing(world.engines):
        values = rows(on_sqlite)["ann"][1]
        months = ("behaviour.active_months", "capacity.income_months", "capacity.income_regularity")
        assert [values[name] for name in months] == [24, 24, 100]
        found = builds.scores(on_sqlite, actions.ready(world))
        assert found.filter(person="ann")["score"].item() == 802


def test_a_refresh_counts_on_the_clocks_that_the_build_counted_on(on_sqlite):
    """A payment at 00:30 of 1 July, when it is June in UTC: a new month, and a night's."""
    now = MIDNIGHT + timedelta(hours=1)
    world = world_of(on_sqlite, shipped(), now, follows=True)
    with closing(world.engines):
        paid = f"{(now - timedelta(minutes=30)).replace(tzinfo=None).isoformat()} payment.made ann > shop #new amount=5 currency=CNY"
        append(on_sqlite, story(paid), now)
        until_done(on_sqlite, world.engines, lambda: now)
        refreshed = rows(on_sqlite)["ann"][1]
        builds.build(on_sqlite, now, "perks", now, timezone="Asia/Shanghai")
        rebuilt = rows(on_sqlite)["ann"][1]
        assert {n: refreshed[n] for n in LOCAL} == {n: rebuilt[n] for n in LOCAL}
        assert (refreshed["behaviour.active_months"], refreshed["behaviour.night_share"]) == (25, 8)  # 1 of 13


def closing_in_july() -> Release:
    """The shipped rules, by which nobody has a hotel from 1 July on."""
    files = dict(shipped().files)
    knockout = "    knockouts:\n      - {id: hotel.bad_record,"
    closed = "{id: hotel.closed, when: known(identity.level), unknown: pass, reason: written_off, from: 2026-07-01}"
    assert knockout in files["perks.yaml"]
    files["perks.yaml"] = files["perks.yaml"].replace(
        knockout, knockout.replace("- {id", f"- {closed}\n      - {{id", 1)
    )
    program = shipped().programs[0]
    features = {n: a for n, a in program.schema.items() if not n.startswith("watch.")}
    release, problems = check(files, features, kinds())
    assert release, problems
    return release


@pytest.mark.parametrize(("slip", "outcome"), [(timedelta(microseconds=-1), "ADMIT"), (timedelta(0), "DECLINE")])
def test_a_line_begins_to_hold_at_midnight_there_and_its_decision_is_replayed_so(on_sqlite, slip, outcome):
    as_of = MIDNIGHT + slip
    world = world_of(on_sqlite, closing_in_july(), as_of)
    with closing(world.engines):
        asked = Asked("system", None, "ann", "hotel", 50_000, "CNY")
        answered = actions.eligibility(world, asked, as_of)
        assert answered.outcome == outcome
        record = actions.recorded(world, answered.id)
        assert record["question"]["timezone"] == "Asia/Shanghai"
        other = replace(world, engines=Engines(shipped()))  # another release is in force by then
        with closing(other.engines):
            assert replay(other, answered.id).equal
