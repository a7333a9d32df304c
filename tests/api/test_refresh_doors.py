"""What a refresh does for whoever asks: decisions, scores, what is withheld, what waits; from the doors."""

import json
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Engine, text

from api import actions, clock
from api.database import writing
from api.decisions import decisions
from api.decisions.decisions import Asked
from api.evidence import ledger
from api.features import builds, refresh
from api.features.refresh import Most
from api.world import World
from engine.decide import Reference, decide, question_of
from engine.errors import Refused
from tests.api.refreshing import GLOBAL, Refresher, append, later, rows, same_as_rebuilt, scored
from tests.api.world import NOW, event

HOTEL = ("hotel", 50_000, "CNY")


def following(town: World) -> World:
    """The town, built as of a moment that moves on."""
    builds.build(town.database, NOW, "perks", NOW, follows=True)
    actions.scored(town, actions.ready(town))
    return town


def refreshed(town: World, now: Any) -> tuple[int, int]:
    return Refresher(town.database, town.engines).all(now)


def somebody(town: World) -> str:
    """Someone with a score, ties and payments."""
    found = {p for p, (score, _) in scored(town.database).items() if score is not None}
    kinds = {k: ledger.read(town.database, kinds=[k]) for k in ("payment.made", "tie.formed")}
    tied = set(kinds["tie.formed"]["subject"]) & set(kinds["payment.made"]["subject"])
    alive = {p for p, (_, values) in rows(town.database).items() if values["relationships.trust"]}
    return min(found & tied & alive)


def asked(town: World, person: str, now: Any) -> dict[str, Any]:
    """The record of a decision."""
    told = actions.eligibility(town, Asked("inn", None, person, *HOTEL), now)
    return decisions.record_of(town.database, told.id)["decision"]


def paid(person: str, at: Any, name: str = "new-1") -> pl.DataFrame:
    return event("payment.made", person, at, name, other="shop", amount=100, currency="CNY")


def test_a_new_event_is_in_the_row_the_score_and_the_next_decision(town: World) -> None:
    following(town)
    person, now = somebody(town), later(NOW, 60)
    before = rows(town.database)[person][1]["behaviour.payments"]
    append(town.database, paid(person, now), now)
    assert refreshed(town, later(now, 1)) == (1, 0)
    at, values = rows(town.database)[person]
    assert values["behaviour.payments"] == before + 1
    assert (at.as_of, at.known_at, at.computed_at) == (later(now, 1), now, later(now, 1))
    record = asked(town, person, later(now, 2))
    question = record["question"]
    assert question["values"]["behaviour.payments"] == before + 1
    assert (question["as_of"], question["known_at"]) == (clock.iso(later(now, 1)), clock.iso(now))
    assert question["global_as_of"] == clock.iso(NOW)
    assert record["scored"]["score"] == scored(town.database)[person][0]
    again = decide(Reference(town.release.at(question_of(record).day)), question_of(record))
    assert json.loads(again.canonical()) == record


def test_global_features_stay_those_of_the_build(town: World) -> None:
    following(town)
    person = somebody(town)
    before = rows(town.database)[person][1]
    append(town.database, paid(person, NOW), later(NOW, 1))
    refreshed(town, later(NOW, 2))
    assert {n: rows(town.database)[person][1][n] for n in GLOBAL} == {n: before[n] for n in GLOBAL}


def test_what_everyone_at_once_gets_is_what_the_refreshed_got(town: World) -> None:
    following(town)
    person = somebody(town)
    append(town.database, paid(person, NOW), later(NOW, 1))
    refreshed(town, later(NOW, 2))
    mine = scored(town.database)[person]
    everyone = scored(town.database)
    actions.scored(town, actions.ready(town))
    assert scored(town.database).keys() == everyone.keys()
    assert scored(town.database)[person][1] == mine[1]
    assert builds.scored_under(town.database, actions.ready(town), mine[1] or "")


def test_who_withdraws_identity_has_neither_row_nor_score_and_who_comes_has_both(town: World) -> None:
    following(town)
    person = somebody(town)
    people = actions.ready(town).people
    append(town.database, event("consent.withdrawn", person, NOW, purpose="perks"), NOW)
    refreshed(town, later(NOW, 1))
    assert person not in rows(town.database)
    assert person not in scored(town.database)
    new = [
        event("person.enrolled", "newcomer", NOW, "n-1", identity_level=2),
        event("consent.granted", "newcomer", NOW, "n-2", purpose="perks", classes="identity,behaviour"),
    ]
    append(town.database, pl.concat(new), later(NOW, 2))
    refreshed(town, later(NOW, 3))
    values = rows(town.database)["newcomer"][1]
    assert (values["identity.level"], values["behaviour.payments"], values["credit.kept"]) == (2, 0, None)
    assert [values[n] for n in GLOBAL] == [None] * len(GLOBAL)
    assert "newcomer" in scored(town.database)
    assert actions.ready(town).people == people
    same_as_rebuilt(town.database, later(NOW, 3))


def test_a_dispute_stops_answers_only_until_the_row_is_made_anew(town: World) -> None:
    following(town)
    person = somebody(town)
    item = ledger.read(town.database, people=[person], kinds=["payment.made"]).filter(subject=person).row(0, named=True)
    said = event("dispute.opened", person, NOW, ref_event=item["event_id"], ref_contributor=item["contributor"])
    append(town.database, said, NOW)
    with pytest.raises(Refused, match="just changed"):
        asked(town, person, NOW)
    before = rows(town.database)[person][1]["behaviour.payments"]
    refreshed(town, later(NOW, 1))
    assert asked(town, person, later(NOW, 2))["question"]["values"]["behaviour.payments"] == before - 1


def test_a_build_as_of_a_moment_stays_there_and_says_what_waits(town: World) -> None:
    """The dispute comes later than the moment: no row of that build can honour it, so there is no answer."""
    person, made = somebody(town), actions.ready(town)
    before = rows(town.database)[person][1]
    item = ledger.read(town.database, people=[person], kinds=["payment.made"]).filter(subject=person).row(0, named=True)
    early, late = paid(person, made.as_of - timedelta(days=1), "early"), paid(person, NOW, "late")
    said = event("dispute.opened", person, NOW, "d", ref_event=item["event_id"], ref_contributor=item["contributor"])
    append(town.database, pl.concat([early, late]), later(NOW, 1))
    refreshed(town, later(NOW, 2))
    assert rows(town.database)[person][1]["behaviour.payments"] == before["behaviour.payments"] + 1
    assert rows(town.database)[person][0].as_of == made.as_of
    assert actions.ready(town).later == made.later + 1
    assert asked(town, person, later(NOW, 2))
    append(town.database, said, later(NOW, 3))
    refreshed(town, later(NOW, 4))
    with pytest.raises(Refused, match="just changed"):
        asked(town, person, later(NOW, 5))
    builds.build(town.database, later(NOW, 6), "perks", later(NOW, 6))
    assert asked(town, person, later(NOW, 7))


def test_what_the_whole_graph_says_is_withheld_where_a_tie_of_it_is_taken_back(town: World) -> None:
    following(town)
    person = somebody(town)
    tie = ledger.read(town.database, people=[person], kinds=["tie.formed"]).row(0, named=True)
    other = tie["other"] if tie["subject"] == person else tie["subject"]
    append(town.database, event("consent.withdrawn", other, NOW, purpose="perks"), NOW)
    at_once = asked(town, person, NOW)["question"]["values"]
    assert at_once["relationships.degree"] is at_once["relationships.trust"] is None
    refreshed(town, later(NOW, 1))
    after = asked(town, person, later(NOW, 2))["question"]["values"]
    assert after["relationships.trust"] is None
    assert after["relationships.degree"] is not None, "their other ties count again"
    builds.build(town.database, later(NOW, 3), "perks", later(NOW, 3), follows=True)
    assert asked(town, person, later(NOW, 4))["question"]["values"]["relationships.trust"] is not None


def test_an_event_of_a_clock_that_runs_ahead_counts_when_its_time_has_come(town: World) -> None:
    following(town)
    person = somebody(town)
    before = rows(town.database)[person][1]["behaviour.payments"]
    append(town.database, paid(person, later(NOW, 3600)), NOW)
    refreshed(town, later(NOW, 1))
    assert rows(town.database)[person][1]["behaviour.payments"] == before
    assert refreshed(town, later(NOW, 3599)) == (0, 0)
    assert refreshed(town, later(NOW, 3600)) == (1, 0)
    assert rows(town.database)[person][1]["behaviour.payments"] == before + 1


def test_a_consent_that_runs_out_takes_the_row_with_it(town: World) -> None:
    person = somebody(town)
    said = event("consent.granted", person, NOW, purpose="perks", classes="identity", until=later(NOW, 3600))
    append(town.database, said, NOW)
    following(town)
    assert person in rows(town.database)
    refreshed(town, later(NOW, 3600))
    assert person not in rows(town.database)


def test_who_is_put_off_is_done_apart_and_nobody_waits(town: World) -> None:
    following(town)
    person, other = somebody(town), max(p for p, (s, _) in scored(town.database).items() if s)
    many = pl.concat([paid(person, NOW, f"many-{n}") for n in range(300)])
    append(town.database, pl.concat([many, paid(other, NOW, "one")]), later(NOW, 1))
    most = Most(rows_of_one=250)
    before = rows(town.database)
    done = refresh.refresh(town.database, town.engines, later(NOW, 2), most)
    assert done == refresh.Refreshed(301, 1, 1)
    found = rows(town.database)
    assert found[other][1]["behaviour.payments"] == before[other][1]["behaviour.payments"] + 1
    assert found[person] == (found[person][0], before[person][1])
    assert refresh.lag(town.database, NOW).people == 1
    item = event("event.retracted", person, NOW, "gone", ref_event="many-7")
    append(town.database, item, later(NOW, 3))
    refresh.refresh(town.database, town.engines, later(NOW, 4), most)
    with pytest.raises(Refused, match="just changed"):  # it is behind the build's mark, and not in the row
        asked(town, person, later(NOW, 4))
    assert refresh.catch_up(town.database, town.engines, later(NOW, 5), most) == refresh.Refreshed(0, 1, 0)
    assert refresh.catch_up(town.database, town.engines, later(NOW, 5), most) is None
    assert rows(town.database)[person][1]["behaviour.payments"] == before[person][1]["behaviour.payments"] + 299
    assert asked(town, person, later(NOW, 6))
    same_as_rebuilt(town.database, later(NOW, 5))


def test_a_build_of_another_catalogue_is_not_refreshed(town: World) -> None:
    following(town)
    with writing(town.database) as connection:
        connection.execute(text("update builds set catalogue = 'older'"))
    append(town.database, paid(somebody(town), NOW), NOW)
    with pytest.raises(Refused, match="another version") as refusal:
        refreshed(town, NOW)
    assert refusal.value.code == "other_catalogue"


def test_without_a_build_there_is_nothing_to_refresh(engine: Engine, town: World) -> None:
    assert refresh.refresh(engine, town.engines, NOW) is None
    assert refresh.catch_up(engine, town.engines, NOW) is None
