"""The time zone of the rules folder defines the days of rules and the months and nights of features. A replay uses it too."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import Engine

from api.decisions.decisions import recorded_inputs
from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.evidence import ledger
from api.features import builds
from api.features.refresh import refresh_all
from api.releases import releases
from api.releases.catalogue import kinds
from api.runtime.context import AppContext
from api.runtime.scoring import current_build, score_everyone
from api.store.database import open_database
from api.supervision.replay import replay
from engine.decide.evaluators import Evaluators
from engine.lang.check.release import check
from engine.lang.model.program import Release
from engine.lang.model.timezones import zone
from tests.api.refresh_town import append_events, feature_rows
from tests.api.town import build_features, shipped_release
from tests.graph.story import enrol, story
from tests.shipped_features import FEATURES

SHANGHAI = zone("Asia/Shanghai")
MIDNIGHT = datetime(2026, 6, 30, 16, tzinfo=UTC)  # 1 July there
MONTHS = [(2024 + n // 12, n % 12 + 1) for n in range(6, 30)]
LOCAL = [f.name for f in FEATURES if f.scope == "local"]


def wages_and_rents(clock: str) -> pl.DataFrame:
    """Two years with a wage and a rent on the 1st of each month, at this time of day in Shanghai."""
    lines = [enrol("ann", level=3)]
    for year, month in MONTHS:
        at = datetime.fromisoformat(f"{year}-{month:02}-01T{clock}").replace(tzinfo=SHANGHAI).astimezone(UTC)
        when = at.replace(tzinfo=None).isoformat()
        lines.append(f"{when} payment.made firm > ann amount=900000 currency=CNY category=wage")
        lines += [f"{when} payment.made ann > flat amount=300000 currency=CNY category=housing"]
        lines += [f"{when} obligation.paid ann obligation=loan amount=1000 currency=CNY"]
    return story("\n".join(lines))


@pytest.fixture
def database(empty_template, tmp_path) -> Iterator[Engine]:
    with empty_template.lend("", tmp_path) as url:
        database = open_database(url)
        yield database
        database.dispose()


def context_of(
    database: Engine, release: Release, as_of: datetime, clock: str = "10:00", *, follows: bool = False
) -> AppContext:
    """Score everyone under a release as of a moment."""
    ledger.append(database, wages_and_rents(clock), as_of)
    context = AppContext(database, Evaluators(release))
    build = build_features(database, as_of, "perks", as_of, follows=follows, release=release, timezone=release.timezone)
    releases.record_release(database, release, 1)
    score_everyone(context, build)
    return context


@pytest.mark.parametrize("clock", ["00:00", "07:30", "08:00", "08:30", "10:00", "23:59"])
def test_wages_and_rents_count_the_same_at_any_time_of_the_first_day(database, clock):
    """In UTC, times before 08:00 belong to the previous month. At 10:00 both zones have the same months and give 802."""
    context = context_of(database, shipped_release(), MIDNIGHT - timedelta(days=1), clock)
    with closing(context.evaluators):
        values = feature_rows(database)["ann"][1]
        months = ("behaviour.active_months", "capacity.income_months", "capacity.income_regularity")
        assert [values[name] for name in months] == [24, 24, 100]
        scores = builds.scores(database, current_build(context))
        assert scores.filter(person="ann")["score"].item() == 802


def test_a_refresh_uses_the_time_zone_of_its_build(database):
    """A payment at 00:30 on 1 July, which is June in UTC: it counts for a new month, and as a night payment."""
    now = MIDNIGHT + timedelta(hours=1)
    context = context_of(database, shipped_release(), now, follows=True)
    with closing(context.evaluators):
        payment = f"{(now - timedelta(minutes=30)).replace(tzinfo=None).isoformat()} payment.made ann > shop #new amount=5 currency=CNY"
        append_events(database, story(payment), now)
        refresh_all(database, context.evaluators, lambda: now)
        refreshed_row = feature_rows(database)["ann"][1]
        build_features(database, now, "perks", now, timezone="Asia/Shanghai")
        rebuilt_row = feature_rows(database)["ann"][1]
        assert {n: refreshed_row[n] for n in LOCAL} == {n: rebuilt_row[n] for n in LOCAL}
        assert (refreshed_row["behaviour.active_months"], refreshed_row["behaviour.night_share"]) == (25, 8)  # 1 of 13


def release_closing_in_july() -> Release:
    """The shipped rules, with a knock-out of the hotel perk from 1 July on."""
    files = dict(shipped_release().files)
    knockout = "    knockouts:\n      - {id: hotel.bad_record,"
    rule = "{id: hotel.closed, when: known(identity.level), unknown: pass, reason: written_off, from: 2026-07-01}"
    assert knockout in files["perks.yaml"]
    files["perks.yaml"] = files["perks.yaml"].replace(knockout, knockout.replace("- {id", f"- {rule}\n      - {{id", 1))
    program = shipped_release().programs[0]
    features = {n: a for n, a in program.schema.items() if not n.startswith("watch.")}
    release, problems = check(files, features, kinds())
    assert release, problems
    return release


@pytest.mark.parametrize(("slip", "outcome"), [(timedelta(microseconds=-1), "ADMIT"), (timedelta(0), "DECLINE")])
def test_a_rule_starts_at_local_midnight_and_replays_agree(database, slip, outcome):
    as_of = MIDNIGHT + slip
    context = context_of(database, release_closing_in_july(), as_of)
    with closing(context.evaluators):
        question = EligibilityQuestion("system", None, "ann", "hotel", 50_000, "CNY", as_of)
        result = answer_question(context, question)
        assert result.outcome == outcome
        record = recorded_inputs(context.database, result.id)
        assert record["question"]["timezone"] == "Asia/Shanghai"
        other_context = replace(
            context, evaluators=Evaluators(shipped_release())
        )  # another release is in force by then
        with closing(other_context.evaluators):
            assert replay(other_context, result.id).equal
