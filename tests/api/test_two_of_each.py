"""Two people, two merchants, two contributors, two of each thing: what is done to one leaves the other as it was.

Most of these fail where a query loses one of its conditions, which no world with one of a thing can show.
"""

from datetime import timedelta
from typing import Any

import pytest

from api.evidence import ledger
from api.orders import callback_keys
from api.world import World
from graph.vocabulary import CLASSES
from tests.api.contributor.door import Door as Contributor
from tests.api.contributor.door import about, payment
from tests.api.door import Door, refused
from tests.api.leaving import ZEB
from tests.api.ordering import Counter
from tests.api.refreshing import append, rows
from tests.api.side import Side
from tests.api.world import NOW, event

ONE_DATABASE = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # a condition is the same on both
LISTS = ("/me/disputes", "/me/reviews", "/me/inquiries", "/me/history", "/me/orders", "/me/consents", "/me/evidence")
PLAIN = [name for name in CLASSES if name != "restricted"]


def objected(side: Side, event_id: str, who: str = ZEB, contributor: str = "bank", **more: Any) -> dict[str, Any]:
    answer = side.call("POST", "/me/disputes", {"contributor": contributor, "event_id": event_id, **more}, who=who)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def reviewed(side: Side, decision: str, who: str = ZEB) -> dict[str, Any]:
    answer = side.call("POST", "/me/reviews", {"decision_id": decision, "statement": f"{who} asks"}, who=who)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def by(items: list[dict[str, Any]], key: str, value: str) -> dict[str, Any]:
    return {item[key]: item[value] for item in items}


def test_both_parties_object_to_one_item_and_each_has_an_answer_of_their_own(side: Side) -> None:
    mine, other = objected(side, "p2"), objected(side, "p2", "ann")
    assert mine["dispute_id"] != other["dispute_id"]
    side.call("POST", f"/disputes/{other['dispute_id']}/resolve", {"outcome": "rejected"}, who="operator")
    assert by(side.get("/me/evidence")["items"], "event_id", "dispute")["p2"] == "open"
    assert by(side.get("/me/evidence", "ann")["items"], "event_id", "dispute")["p2"] == "rejected"
    for who, said, outcome in ((ZEB, mine, None), ("ann", other, "rejected")):
        assert by(side.get("/me/disputes", who)["items"], "dispute_id", "outcome") == {said["dispute_id"]: outcome}


def test_an_answer_and_a_statement_are_of_one_objection(side: Side) -> None:
    first, second = objected(side, "p7", statement="one"), objected(side, "p8", statement="two")
    third = objected(side, "p2", "ann", statement="three")
    answer = {"outcome": "upheld", "note": "so it is"}
    told = side.call("POST", f"/disputes/{second['dispute_id']}/resolve", answer, who="operator").json()
    assert (told["dispute_id"], told["event_id"], told["outcome"]) == (second["dispute_id"], "p8", "upheld")
    for case, words in ((second, "again"), (first, "not me")):
        told = side.call("POST", f"/me/disputes/{case['dispute_id']}/statement", {"statement": words}).json()
        assert (told["dispute_id"], told["statement"]) == (case["dispute_id"], words)
    refused(
        side.call("POST", f"/me/disputes/{third['dispute_id']}/statement", {"statement": "mine"}),
        404,
        "unknown_dispute",
    )
    cases = side.get("/disputes", who="operator")["items"]
    ids = [case["dispute_id"] for case in (first, second, third)]
    assert by(cases, "dispute_id", "outcome") == dict(zip(ids, (None, "upheld", None), strict=True))
    assert by(cases, "dispute_id", "statement") == dict(zip(ids, ("not me", "again", "three"), strict=True))


def test_an_item_is_one_contributors_also_where_another_has_one_of_that_name(side: Side) -> None:
    same = {"other": "kiosk", "amount": 700, "currency": "CNY", "category": "dining"}
    append(side.engine, event("payment.made", ZEB, side.now, "p7", **same), side.now)  # of bank-test
    side.refreshed()
    before = rows(side.engine)[ZEB][1]["behaviour.payments"]
    made = objected(side, "p7", contributor="bank-test")
    (case,) = side.get("/disputes?open=true", who="operator")["items"]
    assert (case["item"]["contributor"], case["item"]["fields"]["amount"]) == ("bank-test", 700)
    items = side.get("/me/evidence")["items"]
    assert {(i["contributor"], i["dispute"]) for i in items if i["event_id"] == "p7"} == {
        ("bank", None),
        ("bank-test", "open"),
    }
    side.refreshed()
    assert rows(side.engine)[ZEB][1]["behaviour.payments"] == before - 1
    assert objected(side, "p7")["dispute_id"] != made["dispute_id"]


def test_each_decision_has_a_review_of_its_own_and_an_answer_is_of_one(side: Side) -> None:
    first, second = side.asked(), side.asked(transaction="t-2")
    others = side.asked(transaction="t-3", of="ann")
    reviews = [reviewed(side, first), reviewed(side, second), reviewed(side, others, "ann")]
    assert len({review["review_id"] for review in reviews}) == 3
    answer = {"outcome": "mistaken", "note": "ask again"}
    told = side.call("POST", f"/reviews/{reviews[1]['review_id']}/answer", answer, who="operator").json()
    assert (told["review_id"], told["decision_id"], told["outcome"]) == (reviews[1]["review_id"], second, "mistaken")
    cases = side.get("/reviews", who="operator")["items"]
    assert by(cases, "decision_id", "outcome") == {first: None, second: "mistaken", others: None}
    assert [case["decision"]["decision_id"] for case in cases] == [case["decision_id"] for case in cases]
    assert by(side.get("/me/reviews")["items"], "decision_id", "outcome") == {first: None, second: "mistaken"}
    assert by(side.get("/me/reviews", "ann")["items"], "decision_id", "outcome") == {others: None}


def test_what_one_gives_for_reports_by_group_is_ones_own(side: Side) -> None:
    for who, sex in ((ZEB, "f"), ("ann", "m")):
        side.call("PUT", "/me/monitoring", {"attributes": {"sex": sex}}, who=who)
    side.call("PUT", "/me/monitoring", {"attributes": {"region": "north"}})
    assert side.get("/me/export")["monitoring"] == {"region": "north"}
    assert side.get("/me/export", "ann")["monitoring"] == {"sex": "m"}
    side.call("DELETE", "/me/monitoring")
    assert side.get("/me/export", "ann")["monitoring"] == {"sex": "m"}


def busy(side: Side, who: str, number: int) -> None:
    """One of everything that lists show."""
    decision = side.asked(transaction=f"t-{number}", of=who)
    reviewed(side, decision, who)
    objected(side, "p2", who)
    side.call("PUT", "/me/monitoring", {"attributes": {"sex": who}}, who=who)
    asked = {"service": "rooms", "subject": who, "classes": ["identity"]}
    assert side.call("POST", "/consents", asked, who="merchant").status_code == 201
    side.call(
        "POST", "/me/consents", {"purpose": "perks", "classes": ["identity"], "service": "the-merchant/rooms"}, who=who
    )


def test_nothing_of_another_is_in_what_one_sees_of_oneself(side: Side) -> None:
    terms = {"perk": "hotel", "mode": "waive_first"}
    assert side.call("PUT", "/services/rooms", terms, who="merchant").status_code in (200, 201)
    side.get("/me")
    before = {who: {path: side.get(path, who) for path in (*LISTS, "/me/export")} for who in ("bob", ZEB)}
    for number, who in enumerate((ZEB, "ann")):
        busy(side, who, number)
        side.refreshed()
    after = {who: {path: side.get(path, who) for path in (*LISTS, "/me/export")} for who in ("bob", ZEB, "ann")}
    for path in LISTS:
        assert after["bob"][path] == before["bob"][path], path
    parts = ("inquiries", "reviews", "disputes", "consent_requests", "orders", "monitoring")
    assert {part: after["bob"]["/me/export"][part] for part in parts} == {
        part: {} if part == "monitoring" else [] for part in parts
    }
    for who in (ZEB, "ann"):
        export = after[who]["/me/export"]
        assert export["monitoring"] == {"sex": who}
        for part in ("inquiries", "reviews", "disputes", "consent_requests"):
            assert len(export[part]) == 1, part
        assert export["reviews"][0]["statement"] == f"{who} asks"


@ONE_DATABASE
def test_a_request_for_consent_is_answered_alone(town: World) -> None:
    """Two merchants ask two people: one yes, one no, one that takes the place of another; the rest still wait."""
    door = Door(town)
    inn, lodge = door.token, door.issue("merchant", "lodge")
    ann, bob = (str(person) for person in door.scores["person"][:2])
    tokens = {person: door.issue("subject", person) for person in (ann, bob)}
    for token in (inn, lodge):
        door.sign_up(token)
        door.sign_up(token, "bicycle")

    def ask(token: str, person: str, service: str = "hotel", classes: Any = PLAIN) -> str:
        body = {"service": service, "subject": person, "classes": classes}
        answer = door.client.post("/v1/consents", json=body, headers=door.bearer(token))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def states(token: str, *names: str) -> list[str]:
        found = (door.client.get(f"/v1/consents/{name}", headers=door.bearer(token)) for name in names)
        return [answer.json()["state"] for answer in found]

    def waiting(person: str) -> set[str]:
        answer = door.client.get("/v1/me/consents", headers=door.bearer(tokens[person])).json()
        return {request["id"] for request in answer["requests"]}

    first, second, third = ask(inn, ann), ask(lodge, ann), ask(inn, bob)
    bicycle = ask(inn, ann, "bicycle")
    assert (waiting(ann), waiting(bob)) == ({first, second, bicycle}, {third})
    grant = {"classes": ["identity"]}
    told = door.client.post(f"/v1/me/consents/{second}/grant", json=grant, headers=door.bearer(tokens[ann]))
    assert told.json()["id"] == second
    assert (states(inn, first, third, bicycle), states(lodge, second)) == (["asked"] * 3, ["granted"])
    anew = ask(inn, ann, classes=["identity"])  # takes the place of the first alone
    assert states(inn, first, third, bicycle, anew) == ["expired", "asked", "asked", "asked"]
    door.client.post(f"/v1/me/consents/{third}/decline", headers=door.bearer(tokens[bob]))
    assert (waiting(ann), waiting(bob)) == ({bicycle, anew}, set())
    assert states(lodge, second) == ["granted"]
    here = {(line["service"], line["data_class"]) for line in said(door, tokens[ann]) if line["service"]}
    assert here == {("lodge/hotel", "identity")}


def said(door: Door, token: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = door.client.get("/v1/me/consents", headers=door.bearer(token)).json()["in_force"]
    return found


@ONE_DATABASE
def test_orders_of_two_merchants_and_two_people_under_one_number(town: World) -> None:
    counter = Counter(town)
    lodge = counter.issue("merchant", "lodge")
    other = next(str(p) for p in counter.scores.filter(counter.scores["score"] >= 750)["person"] if p != counter.person)
    mine = counter.begun("O-1")
    theirs = counter.ask(other, lodge).json()["decision_id"]
    made = counter.order("O-1", decision=theirs, token=lodge).json()
    assert made["order_id"] != mine["order_id"]
    assert (counter.state("O-1"), counter.seen("O-1", lodge).json()["state"]) == ("in_service", "created")
    assert counter.do("O-1", "cancel", {"cancel_reason": "snow"}, lodge).json()["state"] == "cancelled"
    assert (counter.state("O-1"), counter.seen("O-1", lodge).json()["state"]) == ("in_service", "cancelled")
    assert [order["order_id"] for order in counter.mine()] == [mine["order_id"]]
    events = ledger.read(town.database, kinds=["order.cancelled"])
    assert events["subject"].to_list()[-1] == other
    for token, order in ((counter.token, mine), (lodge, made)):
        listed = counter.client.get("/v1/orders", headers=counter.bearer(token)).json()["items"]
        assert [item["order_id"] for item in listed] == [order["order_id"]]


@ONE_DATABASE
def test_each_merchant_has_keys_of_its_own(town: World) -> None:
    engine = town.database
    inn, lodge = callback_keys.kept(engine, "inn", NOW), callback_keys.kept(engine, "lodge", NOW)
    assert len({*inn, *lodge}) == 2
    new = callback_keys.rotated(engine, "lodge", NOW)
    assert (len(new), new[1:]) == (2, lodge)
    later = NOW + timedelta(hours=25)
    assert callback_keys.kept(engine, "inn", later) == inn
    assert callback_keys.kept(engine, "lodge", later) == new[:1]


@pytest.fixture
def contributor(town: World) -> Contributor:
    return Contributor(town.database)


@ONE_DATABASE
def test_what_was_said_of_an_event_is_of_that_contributors(contributor: Contributor) -> None:
    """Two contributors have an event of one name; each corrects its own, and one is told of its own."""
    for party in ("bank", "other-bank"):
        contributor.send(payment("same"), party=party)
    contributor.send(about("event.corrected", "c1", "same", fields={"amount": 5, "other": "cafe"}))
    contributor.send(about("event.retracted", "r1", "same"), party="other-bank")
    for party, what in (("bank", ["corrected"]), ("other-bank", ["retracted"])):
        told = contributor.get("same", party).json()
        assert (told["event_id"], [one["what"] for one in told["since"]]) == ("same", what)
