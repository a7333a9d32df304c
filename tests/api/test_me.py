"""What a person sees of themselves: score, history, reasons, what would raise it, what is stored, who asked; and takes along."""

import json
from typing import Any

import pytest
from sqlalchemy import insert

from api import actions
from api.database import writing
from api.evidence import departed
from api.people import languages
from api.tables import CONSENT_REQUESTS
from api.world import World
from engine.decide import assess
from tests.api.leaving import ZEB
from tests.api.ordering import Counter
from tests.api.refreshing import append
from tests.api.side import Side
from tests.api.world import event

ROUTES = (
    *(
        ("GET", path)
        for path in ("", "/history", "/raise", "/evidence", "/inquiries", "/export", "/disputes", "/reviews")
    ),
    *(("PUT", "/monitoring"), ("DELETE", "/monitoring"), ("DELETE", ""), ("POST", "/disputes"), ("POST", "/reviews")),
)


def test_the_score_is_the_engine_s_with_its_reasons_in_words(side: Side) -> None:
    told = side.get("/me")
    found = actions.explained(side.world, ZEB, side.now)
    assert (told["person"], told["score"], told["band"]) == (ZEB, found.scored.score, found.scored.band)
    assert [r["code"] for r in told["reasons"]] == list(found.scored.reasons)
    assert sum(d["points"] for d in told["dimensions"]) + told["base"] == told["score"]
    assert all(d["points"] <= d["best"] for d in told["dimensions"])
    english = {r["code"]: r["text"] for r in told["reasons"]}
    chinese = {
        r["code"]: r["text"] for r in side.get("/me", **{"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"})["reasons"]
    }
    worded = found.program.reasons
    assert english == {code: worded[code]["en"] for code in found.scored.reasons}
    assert chinese == {code: worded[code]["zh"] for code in found.scored.reasons}
    assert len(english) == 4


def test_a_language_is_the_one_liked_best_of_those_there_are() -> None:
    for header, chosen in {
        None: "en",
        "": "en",
        "zh": "zh",
        "fr, zh;q=0.5": "zh",
        "zh;q=0.1, en;q=0.9": "en",
        "de": "en",
        "*;q=x": "en",
    }.items():
        assert languages.chosen(header, ("en", "zh")) == chosen, header


def test_the_history_has_a_row_for_each_score_that_differs(either_side: Side) -> None:
    side = either_side
    first = side.get("/me/history")["items"]
    assert [row["score"] for row in first] == [side.get("/me")["score"]]
    side.refreshed()
    append(side.engine, event("account.balance", ZEB, side.now, amount=1, currency="CNY"), side.later(minutes=1))
    side.refreshed()
    after = side.get("/me/history")["items"]
    assert after[:1] == first
    assert len(after) == 2
    assert after[-1]["score"] == side.get("/me")["score"] != first[0]["score"]
    append(
        side.engine, event("account.balance", ZEB, side.now, "again", amount=1, currency="CNY"), side.later(minutes=1)
    )
    side.refreshed()
    assert side.get("/me/history")["items"] == after  # the same score is no change


def test_what_would_raise_it_is_told_in_words_and_the_engine_agrees(side: Side) -> None:
    told = side.get("/me/raise")
    assert told["reached"]
    assert told["new_score"] >= told["target"] > told["score"]
    known = actions.explained(side.world, ZEB, side.now)
    moved = known.values | {s["feature"]: s["reach"] for s in told["steps"]}
    assert assess(side.world.engines.at(known.day), moved, known.day).score == told["new_score"]
    assert all(str(s["reach"]) in s["text"] or "." in s["text"] for s in told["steps"])
    chinese = side.get("/me/raise", **{"Accept-Language": "zh"})
    assert "至少" in chinese["steps"][0]["text"]
    assert chinese["steps"][0]["reach"] == told["steps"][0]["reach"]


def test_a_target_may_be_a_perk_s_next_tier_or_a_score(side: Side) -> None:
    score = side.get("/me")["score"]
    assert side.get("/me/raise?perk=car")["target"] == min(t for t in (550, 600, 650, 700, 750, 800) if t > score)
    assert side.get("/me/raise?perk=bicycle")["target"] == 640  # which grants it to be held
    assert side.get(f"/me/raise?score={score + 1}")["target"] == score + 1
    assert side.call("GET", "/me/raise?perk=yacht").json()["code"] == "unknown_perk"
    assert side.call("GET", "/me/raise?score=100").json()["code"] == "bad_score"
    far = side.get("/me/raise?score=950")
    assert not far["reached"]
    assert len(far["steps"]) <= 4


def test_nothing_is_advised_of_what_one_does_not_consent_to(side: Side) -> None:
    withdrawn = event("consent.withdrawn", ZEB, side.now, purpose="perks", classes="behaviour,relationship")
    append(side.engine, withdrawn, side.now)
    side.refreshed()
    steps = side.get("/me/raise?score=950")["steps"]
    assert steps
    assert not [s for s in steps if s["feature"].startswith(("behaviour.", "relationships."))]


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # words are the same on both
def test_a_time_is_told_in_days_and_not_as_operators_write_it(town: World) -> None:
    counter = Counter(town)
    for language, end in (("en", "{} days."), ("zh", "{} 天。")):
        headers = counter.bearer(counter.me) | {"Accept-Language": language}
        steps = counter.client.get("/v1/me/raise?score=950", headers=headers).json()["steps"]
        (young,) = (s for s in steps if s["feature"] == "identity.tenure_days")
        assert young["text"].endswith(end.format(young["reach"]))


def test_what_is_stored_is_told_with_who_told_it_and_nothing_of_others(side: Side) -> None:
    items = {i["event_id"]: i for i in side.get("/me/evidence")["items"]}
    assert items["p7"]["contributor"] == "bank"
    assert items["p7"]["with"] == "shop"
    assert items["p7"]["fields"] == {"amount": 80, "currency": "CNY", "category": "groceries"}
    assert (items["p2"]["with"], items["p2"]["said_of_you_by_another"]) == ("ann", True)
    vouch = items["t-ann-zeb"]
    assert (vouch["with"], vouch["fields"]) == (None, {"tie": "vouch"})  # neither who, nor how much
    assert (items["t-bob-zeb"]["with"], items["t-bob-zeb"]["fields"]) == ("bob", {"tie": "family"})
    assert "t-ann-cy" in items  # a correction moved it to the person
    assert "t-bob-ann" not in items
    assert items["p6"]["dispute"] is None  # nobody's but the ledger's own: there is no case of it


def test_what_is_stored_comes_in_pages_that_make_the_whole(either_side: Side) -> None:
    side = either_side
    whole = side.get("/me/evidence?limit=1000")
    assert whole["next"] is None
    pages: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = side.get(f"/me/evidence?limit=5&after={after}")
        assert len(page["items"]) <= 5
        pages, after = pages + page["items"], page["next"]
    assert pages == whole["items"]


def test_who_asked_is_told_newest_first_with_what_came_and_why(either_side: Side) -> None:
    side = either_side
    first = side.asked()
    side.later(minutes=5)
    second = side.asked("car", 10_000_000, "t-2")
    side.asked(transaction="t-3", of="ann")
    told = side.get("/me/inquiries")["items"]
    assert [i["decision_id"] for i in told] == [second, first]
    assert (told[0]["merchant"], told[0]["perk"], told[0]["purpose"]) == ("inn", "car", "perks")
    assert told[0]["outcome"] in ("PARTIAL", "DECLINE")
    assert told[0]["reasons"][0]["text"].endswith(".")
    assert side.get(f"/me/inquiries?after={told[0]['number']}")["items"] == told[1:]
    assert [i["decision_id"] for i in side.get("/me/inquiries?limit=1")["items"]] == [second]


def test_the_export_is_all_of_it_in_one_document(either_side: Side) -> None:
    side = either_side
    side.asked()
    side.call("PUT", "/me/monitoring", {"attributes": {"sex": "f", "region": "north"}})
    side.call("POST", "/me/disputes", {"contributor": "bank", "event_id": "p7"})
    side.refreshed()
    pseudonym = departed.pseudonym(side.engine, ZEB)
    with writing(side.engine) as connection:
        asked = {"merchant": "inn", "service": "rooms", "purpose": "perks", "classes": "identity", "state": "asked"}
        connection.execute(insert(CONSENT_REQUESTS).values(id="c-1", subject=pseudonym, asked_at=0, **asked))
    answer = side.call("GET", "/me/export")
    assert "attachment" in answer.headers["content-disposition"]
    told = answer.json()
    assert told["version"] == 1
    assert told["score"] == side.get("/me")
    assert told["history"] == side.get("/me/history")["items"]
    assert told["evidence"] == side.get("/me/evidence")["items"]
    assert told["inquiries"] == side.get("/me/inquiries")["items"]
    assert told["disputes"] == side.get("/me/disputes")["items"]
    assert told["reviews"] == []
    assert told["monitoring"] == {"region": "north", "sex": "f"}
    assert [c["merchant"] for c in told["consent_requests"]] == ["inn"]
    assert "salt" not in answer.text
    schema = side.client.get("/openapi.json").json()["components"]["schemas"]["Export"]
    assert set(told) == set(schema["properties"])


def test_an_export_needs_no_score(side: Side) -> None:
    append(side.engine, event("consent.withdrawn", ZEB, side.now, purpose="perks"), side.now)
    side.refreshed()
    none = side.call("GET", "/me").json()
    assert none["code"] == "unknown_person"
    assert none["detail"].startswith("there is no score of yours: ")  # and not that the person should ask the person
    told = side.get("/me/export")
    assert told["score"] is None
    assert told["evidence"]


def test_what_is_given_for_monitoring_is_kept_replaced_and_taken_back(side: Side) -> None:
    before = side.get("/me")["score"]
    assert side.call("PUT", "/me/monitoring", {"attributes": {"sex": "f", "region": "north"}}).json() == {
        "region": "north",
        "sex": "f",
    }
    assert side.call("PUT", "/me/monitoring", {"attributes": {"sex": "m"}}).json() == {"sex": "m"}
    assert side.get("/me/export")["monitoring"] == {"sex": "m"}
    assert side.call("PUT", "/me/monitoring", {"attributes": {"Sex!": "m"}}).status_code == 422
    assert side.call("DELETE", "/me/monitoring").json() == {}
    assert side.get("/me/export")["monitoring"] == {}
    assert side.get("/me")["score"] == before


def test_a_person_leaves_by_saying_so_and_the_token_ends(side: Side) -> None:
    assert side.call("DELETE", "/me", {"confirm": "yes"}).status_code == 422
    side.asked()
    gone = side.call("DELETE", "/me", {"confirm": "leave"}).json()
    assert gone["decisions"] == 1
    assert gone["events"] > 5
    assert side.call("GET", "/me").json()["code"] == "bad_token"
    side.refreshed()
    assert ZEB not in json.dumps(side.get("/me/export", who="ann"))


def test_only_a_person_s_own_token_opens_their_side(side: Side) -> None:
    for method, path in ROUTES:
        assert side.client.request(method, f"/v1/me{path}").json()["code"] == "no_token"
        assert side.call(method, f"/me{path}", who="merchant").json()["code"] == "wrong_role"


def test_who_has_no_score_is_told_why_and_how_to_get_one(side: Side) -> None:
    told = side.get("/me", who="cy")
    assert (told["score"], told["band"]) == (None, None)
    assert [r["code"] for r in told["reasons"]] == ["too_little_known"]
    way = side.get("/me/raise", who="cy")
    assert (way["score"], way["target"], way["reached"]) == (None, told["lowest"], True)
    assert way["steps"]
    assert way["new_score"] >= told["lowest"]
    assert [row["score"] for row in side.get("/me/history", who="cy")["items"]] == [None]
