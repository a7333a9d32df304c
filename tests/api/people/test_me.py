"""The person's own view: score, history, reasons, recourse, evidence, inquiries and export."""

import json
from typing import Any

import pytest
from sqlalchemy import insert

from api.decisions.score_explanation import explain_score
from api.evidence import erasure_tombstones
from api.people import languages
from api.runtime.context import AppContext
from api.store.database import writing
from api.store.tables import CONSENT_REQUESTS
from engine.decide.decide import assess
from graph.catalog import FEATURES
from graph.catalog.chinese import CHINESE
from tests.api.full_record import ZEB
from tests.api.order_client import OrderClient
from tests.api.person_client import PersonClient
from tests.api.refresh_town import append_events
from tests.api.town import event, shipped_release

ROUTES = (
    *(
        ("GET", path)
        for path in ("", "/history", "/recourse", "/evidence", "/inquiries", "/export", "/disputes", "/reviews")
    ),
    *(("PUT", "/monitoring"), ("DELETE", "/monitoring"), ("DELETE", ""), ("POST", "/disputes"), ("POST", "/reviews")),
)


def test_the_score_equals_the_engines_with_reasons_in_words(person_client: PersonClient) -> None:
    payload = person_client.get("/me")
    explanation = explain_score(person_client.context, ZEB, person_client.now)
    assert (payload["person"], payload["score"], payload["band"]) == (
        ZEB,
        explanation.result.score,
        explanation.result.band,
    )
    assert [r["code"] for r in payload["reasons"]] == list(explanation.result.reasons)
    assert sum(d["points"] for d in payload["dimensions"]) + payload["base"] == payload["score"]
    assert all(d["points"] <= d["best"] for d in payload["dimensions"])
    english = {r["code"]: r["text"] for r in payload["reasons"]}
    chinese = {
        r["code"]: r["text"]
        for r in person_client.get("/me", **{"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"})["reasons"]
    }
    texts = explanation.program.reasons
    assert english == {code: texts[code]["en"] for code in explanation.result.reasons}
    assert chinese == {code: texts[code]["zh"] for code in explanation.result.reasons}
    assert len(english) == 4


def test_the_language_is_the_preferred_one_of_those_available() -> None:
    for header, language in {
        None: "en",
        "": "en",
        "zh": "zh",
        "fr, zh;q=0.5": "zh",
        "zh;q=0.1, en;q=0.9": "en",
        "de": "en",
        "*;q=x": "en",
    }.items():
        assert languages.choose_language(header, ("en", "zh")) == language, header


def test_the_history_has_a_row_for_each_score_that_differs(each_person_client: PersonClient) -> None:
    client = each_person_client
    first_rows = client.get("/me/history")["items"]
    assert [row["score"] for row in first_rows] == [client.get("/me")["score"]]
    client.refresh()
    append_events(
        client.database, event("account.balance", ZEB, client.now, amount=1, currency="CNY"), client.advance(minutes=1)
    )
    client.refresh()
    later_rows = client.get("/me/history")["items"]
    assert later_rows[:1] == first_rows
    assert len(later_rows) == 2
    assert later_rows[-1]["score"] == client.get("/me")["score"] != first_rows[0]["score"]
    append_events(
        client.database,
        event("account.balance", ZEB, client.now, "again", amount=1, currency="CNY"),
        client.advance(minutes=1),
    )
    client.refresh()
    assert client.get("/me/history")["items"] == later_rows  # the same score is no change


def test_recourse_is_given_in_words_and_the_engine_confirms_it(person_client: PersonClient) -> None:
    plan = person_client.get("/me/recourse")
    assert plan["reached"]
    assert plan["new_score"] >= plan["target"] > plan["score"]
    explanation = explain_score(person_client.context, ZEB, person_client.now)
    values = explanation.values | {s["feature"]: s["reach"] for s in plan["steps"]}
    assert (
        assess(person_client.context.evaluators.at(explanation.day), values, explanation.day).score == plan["new_score"]
    )
    assert all(str(s["reach"]) in s["text"] or "." in s["text"] for s in plan["steps"])
    chinese = person_client.get("/me/recourse", **{"Accept-Language": "zh"})
    assert "至少" in chinese["steps"][0]["text"]
    assert chinese["steps"][0]["reach"] == plan["steps"][0]["reach"]


def test_a_target_may_be_a_perk_s_next_tier_or_a_score(person_client: PersonClient) -> None:
    score = person_client.get("/me")["score"]
    assert person_client.get("/me/recourse?perk=car")["target"] == min(
        t for t in (550, 600, 650, 700, 750, 800) if t > score
    )
    assert person_client.get("/me/recourse?perk=bicycle")["target"] == 640  # which grants it to be held
    assert person_client.get(f"/me/recourse?score={score + 1}")["target"] == score + 1
    assert person_client.call("GET", "/me/recourse?perk=yacht").json()["code"] == "unknown_perk"
    assert person_client.call("GET", "/me/recourse?score=100").json()["code"] == "bad_score"
    unreachable_plan = person_client.get("/me/recourse?score=950")
    assert not unreachable_plan["reached"]
    assert len(unreachable_plan["steps"]) <= 4


def test_recourse_leaves_out_classes_without_consent(person_client: PersonClient) -> None:
    withdrawal = event("consent.withdrawn", ZEB, person_client.now, purpose="perks", classes="behaviour,relationship")
    append_events(person_client.database, withdrawal, person_client.now)
    person_client.refresh()
    steps = person_client.get("/me/recourse?score=950")["steps"]
    assert steps
    assert not [s for s in steps if s["feature"].startswith(("behaviour.", "relationships."))]


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # the texts are the same on both databases
def test_recourse_gives_times_in_days(town: AppContext) -> None:
    client = OrderClient(town)
    for language, end in (("en", "{} days."), ("zh", "{} 天。")):
        headers = client.bearer(client.person_token) | {"Accept-Language": language}
        steps = client.http.get("/v1/me/recourse?score=950", headers=headers).json()["steps"]
        (step,) = (s for s in steps if s["feature"] == "identity.tenure_days")
        assert step["text"].endswith(end.format(step["reach"]))


def test_evidence_is_listed_with_its_contributor_and_without_data_of_others(person_client: PersonClient) -> None:
    items = {i["event_id"]: i for i in person_client.get("/me/evidence")["items"]}
    assert items["p7"]["contributor"] == "bank"
    assert items["p7"]["with"] == "shop"
    assert items["p7"]["fields"] == {"amount": 80, "currency": "CNY", "category": "groceries"}
    assert (items["p2"]["with"], items["p2"]["said_of_you_by_another"]) == ("ann", True)
    vouch = items["t-ann-zeb"]
    assert (vouch["with"], vouch["fields"]) == (None, {"tie": "vouch"})  # neither the other person nor the amount
    assert (items["t-bob-zeb"]["with"], items["t-bob-zeb"]["fields"]) == ("bob", {"tie": "family"})
    assert "t-ann-cy" in items  # a correction moved it to the person
    assert "t-bob-ann" not in items
    assert items["p6"]["dispute"] is None  # only the ledger refers to it: no case exists


def test_pages_of_evidence_add_up_to_the_whole_list(each_person_client: PersonClient) -> None:
    client = each_person_client
    full_page = client.get("/me/evidence?limit=1000")
    assert full_page["next"] is None
    pages: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = client.get(f"/me/evidence?limit=5&after={after}")
        assert len(page["items"]) <= 5
        pages, after = pages + page["items"], page["next"]
    assert pages == full_page["items"]


def test_inquiries_are_listed_newest_first_with_outcome_and_reasons(each_person_client: PersonClient) -> None:
    client = each_person_client
    first = client.decide()
    client.advance(minutes=5)
    second = client.decide("car", 10_000_000, "t-2")
    client.decide(transaction="t-3", person="ann")
    inquiries = client.get("/me/inquiries")["items"]
    assert [i["decision_id"] for i in inquiries] == [second, first]
    assert (inquiries[0]["merchant"], inquiries[0]["perk"], inquiries[0]["purpose"]) == ("inn", "car", "perks")
    assert inquiries[0]["outcome"] in ("PARTIAL", "DECLINE")
    assert inquiries[0]["reasons"][0]["text"].endswith(".")
    assert client.get(f"/me/inquiries?after={inquiries[0]['number']}")["items"] == inquiries[1:]
    assert [i["decision_id"] for i in client.get("/me/inquiries?limit=1")["items"]] == [second]


def test_the_export_has_every_section_in_one_document(each_person_client: PersonClient) -> None:
    client = each_person_client
    client.decide()
    client.call("PUT", "/me/monitoring", {"attributes": {"sex": "f", "region": "north"}})
    client.call("POST", "/me/disputes", {"contributor": "bank", "event_id": "p7"})
    client.refresh()
    pseudonym = erasure_tombstones.pseudonym(client.database, ZEB)
    with writing(client.database) as connection:
        request = {"merchant": "inn", "service": "rooms", "purpose": "perks", "classes": "identity", "state": "asked"}
        connection.execute(insert(CONSENT_REQUESTS).values(id="c-1", subject=pseudonym, asked_at=0, **request))
    response = client.call("GET", "/me/export")
    assert "attachment" in response.headers["content-disposition"]
    export = response.json()
    assert export["version"] == 1
    assert export["score"] == client.get("/me")
    assert export["history"] == client.get("/me/history")["items"]
    assert export["evidence"] == client.get("/me/evidence")["items"]
    assert export["inquiries"] == client.get("/me/inquiries")["items"]
    assert export["disputes"] == client.get("/me/disputes")["items"]
    assert export["reviews"] == []
    assert export["monitoring"] == {"region": "north", "sex": "f"}
    assert [c["merchant"] for c in export["consent_requests"]] == ["inn"]
    assert "salt" not in response.text
    schema = client.http.get("/openapi.json").json()["components"]["schemas"]["Export"]
    assert set(export) == set(schema["properties"])


def test_an_export_needs_no_score(person_client: PersonClient) -> None:
    append_events(
        person_client.database, event("consent.withdrawn", ZEB, person_client.now, purpose="perks"), person_client.now
    )
    person_client.refresh()
    problem = person_client.call("GET", "/me").json()
    assert problem["code"] == "unknown_person"
    assert problem["detail"].startswith("you have no score: ")  # and not that the person should ask the person
    export = person_client.get("/me/export")
    assert export["score"] is None
    assert export["evidence"]


def test_monitoring_attributes_can_be_stored_replaced_and_deleted(person_client: PersonClient) -> None:
    score_before = person_client.get("/me")["score"]
    assert person_client.call("PUT", "/me/monitoring", {"attributes": {"sex": "f", "region": "north"}}).json() == {
        "region": "north",
        "sex": "f",
    }
    assert person_client.call("PUT", "/me/monitoring", {"attributes": {"sex": "m"}}).json() == {"sex": "m"}
    assert person_client.get("/me/export")["monitoring"] == {"sex": "m"}
    assert person_client.call("PUT", "/me/monitoring", {"attributes": {"Sex!": "m"}}).status_code == 422
    assert person_client.call("DELETE", "/me/monitoring").json() == {}
    assert person_client.get("/me/export")["monitoring"] == {}
    assert person_client.get("/me")["score"] == score_before


def test_a_person_can_erase_themselves_and_the_token_is_revoked(person_client: PersonClient) -> None:
    assert person_client.call("DELETE", "/me", {"confirm": "yes"}).status_code == 422
    person_client.decide()
    erasure = person_client.call("DELETE", "/me", {"confirm": "leave"}).json()
    assert erasure["decisions"] == 1
    assert erasure["events"] > 5
    assert person_client.call("GET", "/me").json()["code"] == "bad_token"
    person_client.refresh()
    assert ZEB not in json.dumps(person_client.get("/me/export", caller="ann"))


def test_only_a_persons_own_token_reads_their_data(person_client: PersonClient) -> None:
    for method, path in ROUTES:
        assert person_client.http.request(method, f"/v1/me{path}").json()["code"] == "no_token"
        assert person_client.call(method, f"/me{path}", caller="merchant").json()["code"] == "wrong_role"


def test_a_person_without_a_score_gets_the_reason_and_recourse(person_client: PersonClient) -> None:
    payload = person_client.get("/me", caller="cy")
    assert (payload["score"], payload["band"]) == (None, None)
    assert [r["code"] for r in payload["reasons"]] == ["too_little_known"]
    plan = person_client.get("/me/recourse", caller="cy")
    assert (plan["score"], plan["target"], plan["reached"]) == (None, payload["lowest"], True)
    assert plan["steps"]
    assert plan["new_score"] >= payload["lowest"]
    assert [row["score"] for row in person_client.get("/me/history", caller="cy")["items"]] == [None]


def test_features_and_evidence_are_in_words_in_the_language_of_the_person(person_client: PersonClient) -> None:
    english = {f["feature"]: f for f in person_client.get("/me/features")["items"]}
    chinese = {f["feature"]: f for f in person_client.get("/me/features", **{"Accept-Language": "zh"})["items"]}
    values = explain_score(person_client.context, ZEB, person_client.now).values
    assert set(english) == set(chinese) == {name for name in values if not name.startswith("watch.")}
    degree, payments = english["relationships.degree"], chinese["behaviour.payments"]
    assert (degree["value"], degree["data_classes"]) == (str(values["relationships.degree"]), ["relationship"])
    assert payments["made_of"] == ["本人向对方付款"]
    assert chinese["relationships.core_number"]["about"].startswith("核数")
    items = {i["event_id"]: i["about"] for i in person_client.get("/me/evidence", **{"Accept-Language": "zh"})["items"]}
    assert (items["p7"], items["zeb-says"]) == ("本人向对方付款", "您对一条记录提出了异议")


def test_every_feature_that_no_rule_file_declares_has_words_in_chinese() -> None:
    declared = shipped_release().programs[0].declarations
    assert {f.name for f in FEATURES} - set(declared) <= set(CHINESE)
