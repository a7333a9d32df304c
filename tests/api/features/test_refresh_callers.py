"""The effects of a refresh on callers: decisions, scores, withheld values and the queue, tested through the API."""

import json
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Engine, text

from api.decisions import decisions
from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.evidence import ledger
from api.features import builds, refresh
from api.features.refresh import RefreshLimits
from api.runtime.context import AppContext
from api.runtime.scoring import current_build, score_everyone
from api.store import clock
from api.store.database import writing
from engine.decide.decide import ReferenceEvaluator, decide, question_from_record
from engine.errors import Rejected
from tests.api.refresh_town import (
    GLOBAL_FEATURES,
    Refresher,
    append_events,
    assert_matches_rebuild,
    current_scores,
    feature_rows,
    seconds_after,
)
from tests.api.town import NOW, build_features, event

HOTEL = ("hotel", 50_000, "CNY")


def follow_clock(town: AppContext) -> AppContext:
    """The town, with a build that follows the clock."""
    build_features(town.database, NOW, "perks", NOW, follows=True)
    score_everyone(town, current_build(town))
    return town


def refresh_town(town: AppContext, now: Any) -> tuple[int, int]:
    return Refresher(town.database, town.evaluators).run(now)


def pick_person(town: AppContext) -> str:
    """A person with a score, ties and payments."""
    scored_people = {p for p, (score, _) in current_scores(town.database).items() if score is not None}
    kinds = {k: ledger.read(town.database, kinds=[k]) for k in ("payment.made", "tie.formed")}
    people_with_ties = set(kinds["tie.formed"]["subject"]) & set(kinds["payment.made"]["subject"])
    trusted_people = {p for p, (_, values) in feature_rows(town.database).items() if values["relationships.trust"]}
    return min(scored_people & people_with_ties & trusted_people)


def decision_record(town: AppContext, person: str, now: Any) -> dict[str, Any]:
    """The record of a decision."""
    result = answer_question(town, EligibilityQuestion("inn", None, person, *HOTEL, now))
    return decisions.record_of(town.database, result.id)["decision"]


def payment_event(person: str, at: Any, name: str = "new-1") -> pl.DataFrame:
    return event("payment.made", person, at, name, other="shop", amount=100, currency="CNY")


def test_a_new_event_changes_the_row_the_score_and_the_next_decision(town: AppContext) -> None:
    follow_clock(town)
    person, now = pick_person(town), seconds_after(NOW, 60)
    count_before = feature_rows(town.database)[person][1]["behaviour.payments"]
    append_events(town.database, payment_event(person, now), now)
    assert refresh_town(town, seconds_after(now, 1)) == (1, 0)
    at, values = feature_rows(town.database)[person]
    assert values["behaviour.payments"] == count_before + 1
    assert (at.as_of, at.known_at, at.computed_at) == (seconds_after(now, 1), now, seconds_after(now, 1))
    record = decision_record(town, person, seconds_after(now, 2))
    question = record["question"]
    assert question["values"]["behaviour.payments"] == count_before + 1
    assert (question["as_of"], question["known_at"]) == (clock.iso(seconds_after(now, 1)), clock.iso(now))
    assert question["global_as_of"] == clock.iso(NOW)
    assert record["scored"]["score"] == current_scores(town.database)[person][0]
    replay = decide(ReferenceEvaluator(town.release.at(question_from_record(record).day)), question_from_record(record))
    assert json.loads(replay.canonical()) == record


def test_global_features_keep_the_values_of_the_build(town: AppContext) -> None:
    follow_clock(town)
    person = pick_person(town)
    values_before = feature_rows(town.database)[person][1]
    append_events(town.database, payment_event(person, NOW), seconds_after(NOW, 1))
    refresh_town(town, seconds_after(NOW, 2))
    assert {n: feature_rows(town.database)[person][1][n] for n in GLOBAL_FEATURES} == {
        n: values_before[n] for n in GLOBAL_FEATURES
    }


def test_a_full_scoring_equals_the_refreshed_scores(town: AppContext) -> None:
    follow_clock(town)
    person = pick_person(town)
    append_events(town.database, payment_event(person, NOW), seconds_after(NOW, 1))
    refresh_town(town, seconds_after(NOW, 2))
    own_score = current_scores(town.database)[person]
    all_scores = current_scores(town.database)
    score_everyone(town, current_build(town))
    assert current_scores(town.database).keys() == all_scores.keys()
    assert current_scores(town.database)[person][1] == own_score[1]
    assert builds.is_scored_under(town.database, current_build(town), own_score[1] or "")


def test_withdrawing_identity_removes_row_and_score_and_enrolling_adds_both(town: AppContext) -> None:
    follow_clock(town)
    person = pick_person(town)
    people = current_build(town).people
    append_events(town.database, event("consent.withdrawn", person, NOW, purpose="perks"), NOW)
    refresh_town(town, seconds_after(NOW, 1))
    assert person not in feature_rows(town.database)
    assert person not in current_scores(town.database)
    new = [
        event("person.enrolled", "newcomer", NOW, "n-1", identity_level=2),
        event("consent.granted", "newcomer", NOW, "n-2", purpose="perks", classes="identity,behaviour"),
    ]
    append_events(town.database, pl.concat(new), seconds_after(NOW, 2))
    refresh_town(town, seconds_after(NOW, 3))
    values = feature_rows(town.database)["newcomer"][1]
    assert (values["identity.level"], values["behaviour.payments"], values["credit.kept"]) == (2, 0, None)
    assert [values[n] for n in GLOBAL_FEATURES] == [None] * len(GLOBAL_FEATURES)
    assert "newcomer" in current_scores(town.database)
    assert current_build(town).people == people
    assert_matches_rebuild(town.database, seconds_after(NOW, 3))


def test_a_dispute_stops_answers_until_the_row_is_refreshed(town: AppContext) -> None:
    follow_clock(town)
    person = pick_person(town)
    item = ledger.read(town.database, people=[person], kinds=["payment.made"]).filter(subject=person).row(0, named=True)
    dispute = event("dispute.opened", person, NOW, ref_event=item["event_id"], ref_contributor=item["contributor"])
    append_events(town.database, dispute, NOW)
    with pytest.raises(Rejected, match="just changed"):
        decision_record(town, person, NOW)
    count_before = feature_rows(town.database)[person][1]["behaviour.payments"]
    refresh_town(town, seconds_after(NOW, 1))
    assert (
        decision_record(town, person, seconds_after(NOW, 2))["question"]["values"]["behaviour.payments"]
        == count_before - 1
    )


def test_a_build_as_of_a_moment_is_not_refreshed_and_reports_waiting_events(town: AppContext) -> None:
    """The dispute is later than the build's `as_of`: no row of that build can exclude the item, so we give no answer."""
    person, build = pick_person(town), current_build(town)
    values_before = feature_rows(town.database)[person][1]
    item = ledger.read(town.database, people=[person], kinds=["payment.made"]).filter(subject=person).row(0, named=True)
    early_payment, late_payment = (
        payment_event(person, build.as_of - timedelta(days=1), "early"),
        payment_event(person, NOW, "late"),
    )
    dispute = event("dispute.opened", person, NOW, "d", ref_event=item["event_id"], ref_contributor=item["contributor"])
    append_events(town.database, pl.concat([early_payment, late_payment]), seconds_after(NOW, 1))
    refresh_town(town, seconds_after(NOW, 2))
    assert feature_rows(town.database)[person][1]["behaviour.payments"] == values_before["behaviour.payments"] + 1
    assert feature_rows(town.database)[person][0].as_of == build.as_of
    assert current_build(town).future_events == build.future_events + 1
    assert decision_record(town, person, seconds_after(NOW, 2))
    append_events(town.database, dispute, seconds_after(NOW, 3))
    refresh_town(town, seconds_after(NOW, 4))
    with pytest.raises(Rejected, match="just changed"):
        decision_record(town, person, seconds_after(NOW, 5))
    build_features(town.database, seconds_after(NOW, 6), "perks", seconds_after(NOW, 6))
    assert decision_record(town, person, seconds_after(NOW, 7))


def test_global_features_are_withheld_after_a_tie_is_removed(town: AppContext) -> None:
    follow_clock(town)
    person = pick_person(town)
    tie = ledger.read(town.database, people=[person], kinds=["tie.formed"]).row(0, named=True)
    other = tie["other"] if tie["subject"] == person else tie["subject"]
    append_events(town.database, event("consent.withdrawn", other, NOW, purpose="perks"), NOW)
    values_at_once = decision_record(town, person, NOW)["question"]["values"]
    assert values_at_once["relationships.degree"] is values_at_once["relationships.trust"] is None
    refresh_town(town, seconds_after(NOW, 1))
    values_after = decision_record(town, person, seconds_after(NOW, 2))["question"]["values"]
    assert values_after["relationships.trust"] is None
    assert values_after["relationships.degree"] is not None, "their other ties count again"
    build_features(town.database, seconds_after(NOW, 3), "perks", seconds_after(NOW, 3), follows=True)
    assert decision_record(town, person, seconds_after(NOW, 4))["question"]["values"]["relationships.trust"] is not None


def test_an_event_dated_ahead_counts_from_its_own_time(town: AppContext) -> None:
    follow_clock(town)
    person = pick_person(town)
    count_before = feature_rows(town.database)[person][1]["behaviour.payments"]
    append_events(town.database, payment_event(person, seconds_after(NOW, 3600)), NOW)
    refresh_town(town, seconds_after(NOW, 1))
    assert feature_rows(town.database)[person][1]["behaviour.payments"] == count_before
    assert refresh_town(town, seconds_after(NOW, 3599)) == (0, 0)
    assert refresh_town(town, seconds_after(NOW, 3600)) == (1, 0)
    assert feature_rows(town.database)[person][1]["behaviour.payments"] == count_before + 1


def test_an_expired_consent_removes_the_row(town: AppContext) -> None:
    person = pick_person(town)
    grant = event("consent.granted", person, NOW, purpose="perks", classes="identity", until=seconds_after(NOW, 3600))
    append_events(town.database, grant, NOW)
    follow_clock(town)
    assert person in feature_rows(town.database)
    refresh_town(town, seconds_after(NOW, 3600))
    assert person not in feature_rows(town.database)


def test_a_deferred_person_is_refreshed_separately_and_delays_no_other(town: AppContext) -> None:
    follow_clock(town)
    person, other = pick_person(town), max(p for p, (s, _) in current_scores(town.database).items() if s)
    payments = pl.concat([payment_event(person, NOW, f"many-{n}") for n in range(300)])
    append_events(town.database, pl.concat([payments, payment_event(other, NOW, "one")]), seconds_after(NOW, 1))
    limits = RefreshLimits(rows_of_one=250)
    rows_before = feature_rows(town.database)
    result = refresh.refresh(town.database, town.evaluators, seconds_after(NOW, 2), limits)
    assert result == refresh.RefreshResult(301, 1, 1)
    rows_after = feature_rows(town.database)
    assert rows_after[other][1]["behaviour.payments"] == rows_before[other][1]["behaviour.payments"] + 1
    assert rows_after[person] == (rows_after[person][0], rows_before[person][1])
    assert refresh.lag(town.database, NOW).people == 1
    retraction = event("event.retracted", person, NOW, "gone", ref_event="many-7")
    append_events(town.database, retraction, seconds_after(NOW, 3))
    refresh.refresh(town.database, town.evaluators, seconds_after(NOW, 4), limits)
    with pytest.raises(Rejected, match="just changed"):  # it is behind the build's mark, and not in the row
        decision_record(town, person, seconds_after(NOW, 4))
    assert refresh.catch_up(town.database, town.evaluators, seconds_after(NOW, 5), limits) == refresh.RefreshResult(
        0, 1, 0
    )
    assert refresh.catch_up(town.database, town.evaluators, seconds_after(NOW, 5), limits) is None
    assert (
        feature_rows(town.database)[person][1]["behaviour.payments"]
        == rows_before[person][1]["behaviour.payments"] + 299
    )
    assert decision_record(town, person, seconds_after(NOW, 6))
    assert_matches_rebuild(town.database, seconds_after(NOW, 5))


def test_a_build_with_another_catalogue_is_not_refreshed(town: AppContext) -> None:
    follow_clock(town)
    with writing(town.database) as connection:
        connection.execute(text("update builds set catalogue = 'older'"))
    append_events(town.database, payment_event(pick_person(town), NOW), NOW)
    with pytest.raises(Rejected, match="another version") as error:
        refresh_town(town, NOW)
    assert error.value.code == "catalogue_mismatch"


def test_without_a_build_there_is_nothing_to_refresh(database: Engine, town: AppContext) -> None:
    assert refresh.refresh(database, town.evaluators, NOW) is None
    assert refresh.catch_up(database, town.evaluators, NOW) is None
