"""Two people, merchants, contributors and things of each kind: an action on one leaves the other unchanged.

Most of these tests fail if a query loses one of its conditions. With only one thing of a kind you would not notice.
"""

from datetime import timedelta
from typing import Any

import pytest

from api.evidence import ledger
from api.merchants import callback_keys
from api.runtime.context import AppContext
from graph.evidence.vocabulary import CLASSES
from tests.api.evidence.contributor.contributor_client import ContributorClient as Contributor
from tests.api.evidence.contributor.contributor_client import payment, reference_event
from tests.api.full_record import ZEB
from tests.api.merchant_client import MerchantClient, assert_problem
from tests.api.order_client import OrderClient
from tests.api.person_client import PersonClient
from tests.api.refresh_town import append_events, feature_rows
from tests.api.town import NOW, event

SQLITE_ONLY = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # a condition is the same on both
LIST_PATHS = (
    "/me/disputes",
    "/me/reviews",
    "/me/inquiries",
    "/me/history",
    "/me/orders",
    "/me/consents",
    "/me/evidence",
)
UNRESTRICTED_CLASSES = [name for name in CLASSES if name != "restricted"]


def open_dispute(
    client: PersonClient, event_id: str, person: str = ZEB, contributor: str = "bank", **fields: Any
) -> dict[str, Any]:
    response = client.call(
        "POST", "/me/disputes", {"contributor": contributor, "event_id": event_id, **fields}, caller=person
    )
    assert response.status_code == 201, response.text
    dispute: dict[str, Any] = response.json()
    return dispute


def request_review(client: PersonClient, decision: str, person: str = ZEB) -> dict[str, Any]:
    response = client.call(
        "POST", "/me/reviews", {"decision_id": decision, "statement": f"{person} asks"}, caller=person
    )
    assert response.status_code == 201, response.text
    review: dict[str, Any] = response.json()
    return review


def index_by(items: list[dict[str, Any]], key: str, value: str) -> dict[str, Any]:
    return {item[key]: item[value] for item in items}


def test_both_parties_dispute_one_item_and_get_separate_answers(person_client: PersonClient) -> None:
    dispute, other_dispute = open_dispute(person_client, "p2"), open_dispute(person_client, "p2", "ann")
    assert dispute["dispute_id"] != other_dispute["dispute_id"]
    person_client.call(
        "POST", f"/disputes/{other_dispute['dispute_id']}/resolve", {"outcome": "rejected"}, caller="operator"
    )
    assert index_by(person_client.get("/me/evidence")["items"], "event_id", "dispute")["p2"] == "open"
    assert index_by(person_client.get("/me/evidence", "ann")["items"], "event_id", "dispute")["p2"] == "rejected"
    for person, case, outcome in ((ZEB, dispute, None), ("ann", other_dispute, "rejected")):
        assert index_by(person_client.get("/me/disputes", person)["items"], "dispute_id", "outcome") == {
            case["dispute_id"]: outcome
        }


def test_an_answer_and_a_statement_belong_to_one_dispute(person_client: PersonClient) -> None:
    first, second = (
        open_dispute(person_client, "p7", statement="one"),
        open_dispute(person_client, "p8", statement="two"),
    )
    third = open_dispute(person_client, "p2", "ann", statement="three")
    answer = {"outcome": "upheld", "note": "so it is"}
    payload = person_client.call("POST", f"/disputes/{second['dispute_id']}/resolve", answer, caller="operator").json()
    assert (payload["dispute_id"], payload["event_id"], payload["outcome"]) == (second["dispute_id"], "p8", "upheld")
    for case, statement in ((second, "again"), (first, "not me")):
        payload = person_client.call(
            "POST", f"/me/disputes/{case['dispute_id']}/statement", {"statement": statement}
        ).json()
        assert (payload["dispute_id"], payload["statement"]) == (case["dispute_id"], statement)
    assert_problem(
        person_client.call("POST", f"/me/disputes/{third['dispute_id']}/statement", {"statement": "mine"}),
        404,
        "unknown_dispute",
    )
    cases = person_client.get("/disputes", caller="operator")["items"]
    ids = [case["dispute_id"] for case in (first, second, third)]
    assert index_by(cases, "dispute_id", "outcome") == dict(zip(ids, (None, "upheld", None), strict=True))
    assert index_by(cases, "dispute_id", "statement") == dict(zip(ids, ("not me", "again", "three"), strict=True))


def test_a_dispute_concerns_one_contributors_item_even_if_ids_are_equal(person_client: PersonClient) -> None:
    fields = {"other": "kiosk", "amount": 700, "currency": "CNY", "category": "dining"}
    append_events(
        person_client.database, event("payment.made", ZEB, person_client.now, "p7", **fields), person_client.now
    )  # of bank-test
    person_client.refresh()
    count_before = feature_rows(person_client.database)[ZEB][1]["behaviour.payments"]
    dispute = open_dispute(person_client, "p7", contributor="bank-test")
    (case,) = person_client.get("/disputes?open=true", caller="operator")["items"]
    assert (case["item"]["contributor"], case["item"]["fields"]["amount"]) == ("bank-test", 700)
    items = person_client.get("/me/evidence")["items"]
    assert {(i["contributor"], i["dispute"]) for i in items if i["event_id"] == "p7"} == {
        ("bank", None),
        ("bank-test", "open"),
    }
    person_client.refresh()
    assert feature_rows(person_client.database)[ZEB][1]["behaviour.payments"] == count_before - 1
    assert open_dispute(person_client, "p7")["dispute_id"] != dispute["dispute_id"]


def test_each_decision_has_a_review_and_an_answer_of_its_own(person_client: PersonClient) -> None:
    first, second = person_client.decide(), person_client.decide(transaction="t-2")
    other_decision = person_client.decide(transaction="t-3", person="ann")
    reviews = [
        request_review(person_client, first),
        request_review(person_client, second),
        request_review(person_client, other_decision, "ann"),
    ]
    assert len({review["review_id"] for review in reviews}) == 3
    answer = {"outcome": "mistaken", "note": "ask again"}
    payload = person_client.call("POST", f"/reviews/{reviews[1]['review_id']}/answer", answer, caller="operator").json()
    assert (payload["review_id"], payload["decision_id"], payload["outcome"]) == (
        reviews[1]["review_id"],
        second,
        "mistaken",
    )
    cases = person_client.get("/reviews", caller="operator")["items"]
    assert index_by(cases, "decision_id", "outcome") == {first: None, second: "mistaken", other_decision: None}
    assert [case["decision"]["decision_id"] for case in cases] == [case["decision_id"] for case in cases]
    assert index_by(person_client.get("/me/reviews")["items"], "decision_id", "outcome") == {
        first: None,
        second: "mistaken",
    }
    assert index_by(person_client.get("/me/reviews", "ann")["items"], "decision_id", "outcome") == {
        other_decision: None
    }


def test_monitoring_attributes_belong_to_one_person(person_client: PersonClient) -> None:
    for person, sex in ((ZEB, "f"), ("ann", "m")):
        person_client.call("PUT", "/me/monitoring", {"attributes": {"sex": sex}}, caller=person)
    person_client.call("PUT", "/me/monitoring", {"attributes": {"region": "north"}})
    assert person_client.get("/me/export")["monitoring"] == {"region": "north"}
    assert person_client.get("/me/export", "ann")["monitoring"] == {"sex": "m"}
    person_client.call("DELETE", "/me/monitoring")
    assert person_client.get("/me/export", "ann")["monitoring"] == {"sex": "m"}


def fill_lists(client: PersonClient, person: str, number: int) -> None:
    """Create one item for each list."""
    decision = client.decide(transaction=f"t-{number}", person=person)
    request_review(client, decision, person)
    open_dispute(client, "p2", person)
    client.call("PUT", "/me/monitoring", {"attributes": {"sex": person}}, caller=person)
    request = {"service": "rooms", "subject": person, "classes": ["identity"]}
    assert client.call("POST", "/consents", request, caller="merchant").status_code == 201
    client.call(
        "POST",
        "/me/consents",
        {"purpose": "perks", "classes": ["identity"], "service": "the-merchant/rooms"},
        caller=person,
    )


def test_a_persons_view_has_no_data_of_others(person_client: PersonClient) -> None:
    terms = {"perk": "hotel", "mode": "waive_first"}
    assert person_client.call("PUT", "/services/rooms", terms, caller="merchant").status_code in (200, 201)
    person_client.get("/me")
    lists_before = {
        person: {path: person_client.get(path, person) for path in (*LIST_PATHS, "/me/export")}
        for person in ("bob", ZEB)
    }
    for number, person in enumerate((ZEB, "ann")):
        fill_lists(person_client, person, number)
        person_client.refresh()
    lists_after = {
        person: {path: person_client.get(path, person) for path in (*LIST_PATHS, "/me/export")}
        for person in ("bob", ZEB, "ann")
    }
    for path in LIST_PATHS:
        assert lists_after["bob"][path] == lists_before["bob"][path], path
    parts = ("inquiries", "reviews", "disputes", "consent_requests", "orders", "monitoring")
    assert {part: lists_after["bob"]["/me/export"][part] for part in parts} == {
        part: {} if part == "monitoring" else [] for part in parts
    }
    for person in (ZEB, "ann"):
        export = lists_after[person]["/me/export"]
        assert export["monitoring"] == {"sex": person}
        for part in ("inquiries", "reviews", "disputes", "consent_requests"):
            assert len(export[part]) == 1, part
        assert export["reviews"][0]["statement"] == f"{person} asks"


@SQLITE_ONLY
def test_answering_one_consent_request_leaves_the_others(town: AppContext) -> None:
    """Two merchants ask two people: one grants, one declines, one request replaces another; the rest still wait."""
    client = MerchantClient(town)
    inn, lodge = client.token, client.issue("merchant", "lodge")
    ann, bob = (str(person) for person in client.scores["person"][:2])
    tokens = {person: client.issue("subject", person) for person in (ann, bob)}
    for token in (inn, lodge):
        client.sign_up(token)
        client.sign_up(token, "bicycle")

    def ask(token: str, person: str, service: str = "hotel", classes: Any = UNRESTRICTED_CLASSES) -> str:
        body = {"service": service, "subject": person, "classes": classes}
        response = client.http.post("/v1/consents", json=body, headers=client.bearer(token))
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    def states(token: str, *names: str) -> list[str]:
        responses = (client.http.get(f"/v1/consents/{name}", headers=client.bearer(token)) for name in names)
        return [response.json()["state"] for response in responses]

    def pending_requests(person: str) -> set[str]:
        payload = client.http.get("/v1/me/consents", headers=client.bearer(tokens[person])).json()
        return {request["id"] for request in payload["requests"]}

    first, second, third = ask(inn, ann), ask(lodge, ann), ask(inn, bob)
    bicycle = ask(inn, ann, "bicycle")
    assert (pending_requests(ann), pending_requests(bob)) == ({first, second, bicycle}, {third})
    grant = {"classes": ["identity"]}
    grant_response = client.http.post(f"/v1/me/consents/{second}/grant", json=grant, headers=client.bearer(tokens[ann]))
    assert grant_response.json()["id"] == second
    assert (states(inn, first, third, bicycle), states(lodge, second)) == (["asked"] * 3, ["granted"])
    new_request = ask(inn, ann, classes=["identity"])  # replaces only the first request
    assert states(inn, first, third, bicycle, new_request) == ["expired", "asked", "asked", "asked"]
    client.http.post(f"/v1/me/consents/{third}/decline", headers=client.bearer(tokens[bob]))
    assert (pending_requests(ann), pending_requests(bob)) == ({bicycle, new_request}, set())
    assert states(lodge, second) == ["granted"]
    grants = {
        (line["service"], line["data_class"]) for line in consents_in_force(client, tokens[ann]) if line["service"]
    }
    assert grants == {("lodge/hotel", "identity")}


def consents_in_force(client: MerchantClient, token: str) -> list[dict[str, Any]]:
    consents: list[dict[str, Any]] = client.http.get("/v1/me/consents", headers=client.bearer(token)).json()["in_force"]
    return consents


@SQLITE_ONLY
def test_two_merchants_may_use_one_order_number(town: AppContext) -> None:
    client = OrderClient(town)
    lodge = client.issue("merchant", "lodge")
    other = next(str(p) for p in client.scores.filter(client.scores["score"] >= 750)["person"] if p != client.person)
    inn_order = client.start_order("O-1")
    lodge_decision = client.ask(other, lodge).json()["decision_id"]
    lodge_order = client.create_order("O-1", decision=lodge_decision, token=lodge).json()
    assert lodge_order["order_id"] != inn_order["order_id"]
    assert (client.state("O-1"), client.get_order("O-1", lodge).json()["state"]) == ("in_service", "created")
    assert client.post_action("O-1", "cancel", {"cancel_reason": "snow"}, lodge).json()["state"] == "cancelled"
    assert (client.state("O-1"), client.get_order("O-1", lodge).json()["state"]) == ("in_service", "cancelled")
    assert [order["order_id"] for order in client.list_my_orders()] == [inn_order["order_id"]]
    events = ledger.read(town.database, kinds=["order.cancelled"])
    assert events["subject"].to_list()[-1] == other
    for token, order in ((client.token, inn_order), (lodge, lodge_order)):
        items = client.http.get("/v1/orders", headers=client.bearer(token)).json()["items"]
        assert [item["order_id"] for item in items] == [order["order_id"]]


@SQLITE_ONLY
def test_each_merchant_has_its_own_keys(town: AppContext) -> None:
    database = town.database
    inn, lodge = (
        callback_keys.ensure_secrets(database, "inn", NOW),
        callback_keys.ensure_secrets(database, "lodge", NOW),
    )
    assert len({*inn, *lodge}) == 2
    new = callback_keys.rotate(database, "lodge", NOW)
    assert (len(new), new[1:]) == (2, lodge)
    later = NOW + timedelta(hours=25)
    assert callback_keys.ensure_secrets(database, "inn", later) == inn
    assert callback_keys.ensure_secrets(database, "lodge", later) == new[:1]


@pytest.fixture
def contributor(town: AppContext) -> Contributor:
    return Contributor(town.database)


@SQLITE_ONLY
def test_corrections_apply_only_to_that_contributors_event(contributor: Contributor) -> None:
    """Two contributors use the same event id. One corrects its event, the other retracts its own; each sees only its own change."""
    for party in ("bank", "other-bank"):
        contributor.send(payment("same"), party=party)
    contributor.send(reference_event("event.corrected", "c1", "same", fields={"amount": 5, "other": "cafe"}))
    contributor.send(reference_event("event.retracted", "r1", "same"), party="other-bank")
    for party, changes in (("bank", ["corrected"]), ("other-bank", ["retracted"])):
        payload = contributor.get("same", party).json()
        assert (payload["event_id"], [change["what"] for change in payload["since"]]) == ("same", changes)
