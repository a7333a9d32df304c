"""Disputes: we exclude the item at once, the clock runs, the answer decides, and only a party may dispute."""

import json
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from api.evidence import ledger
from tests.api.full_record import ZEB
from tests.api.person_client import PersonClient
from tests.api.refresh_town import append_events, feature_rows
from tests.api.town import event

ITEM = {"contributor": "bank", "event_id": "p7"}


def count_payments(client: PersonClient, person: str = ZEB) -> int:
    client.refresh()
    return int(feature_rows(client.database)[person][1]["behaviour.payments"])


def open_dispute(client: PersonClient, **more: Any) -> Any:
    response = client.call("POST", "/me/disputes", {**ITEM, **more})
    assert response.status_code in (200, 201), response.text
    return response.json()


def test_a_disputed_item_leaves_the_score_at_once_and_the_deadline_starts(person_client: PersonClient) -> None:
    before = count_payments(person_client)
    dispute = open_dispute(person_client, statement="I was never there")
    assert person_client.call("GET", "/me").json()["code"] == "features_stale"  # never the score with the item in it
    assert count_payments(person_client) == before - 1
    assert person_client.get("/me")["score"] is not None
    assert (dispute["outcome"], dispute["statement"]) == (None, "I was never there")
    assert dispute["due_at"][:10] == (person_client.now + timedelta(days=20)).date().isoformat()
    assert {i["event_id"]: i["dispute"] for i in person_client.get("/me/evidence")["items"]}["p7"] == "open"
    row = ledger.read(person_client.database, people=[ZEB], kinds=["dispute.opened"]).to_dicts()[-1]
    assert (row["contributor"], row["ref_contributor"], row["ref_event"]) == ("iftah", "bank", "p7")


@pytest.mark.parametrize(("outcome", "counts"), [("upheld", False), ("rejected", True)])
def test_the_answer_decides_whether_the_item_counts_again(
    each_person_client: PersonClient, outcome: str, counts: bool
) -> None:
    client = each_person_client
    before = count_payments(client)
    dispute = open_dispute(client)
    answer = {"outcome": outcome, "note": "we asked the bank"}
    client.advance(days=2)
    resolution = client.call("POST", f"/disputes/{dispute['dispute_id']}/resolve", answer, caller="operator").json()
    assert (resolution["outcome"], resolution["resolved_by"], resolution["overdue"]) == (outcome, "the-operator", False)
    assert count_payments(client) == before - (0 if counts else 1)
    disputes = client.get("/me/disputes")["items"]
    assert [(d["outcome"], d["note"]) for d in disputes] == [(outcome, "we asked the bank")]
    assert "resolved_by" not in disputes[0]
    second_response = client.call("POST", f"/disputes/{dispute['dispute_id']}/resolve", answer, caller="operator")
    assert second_response.status_code == 200
    other_response = client.call(
        "POST", f"/disputes/{dispute['dispute_id']}/resolve", {"outcome": "rejected"}, caller="operator"
    )
    assert other_response.json()["code"] == "already_answered"
    assert client.call("POST", "/me/disputes", ITEM).json()["code"] == "dispute_answered"


def correct_event(client: PersonClient, name: str, event_id: str = "p7", subject: str = ZEB, **fields: object) -> None:
    row = event("event.corrected", subject, client.now, ref_event=event_id, fields=json.dumps(fields))
    append_events(client.database, row.with_columns(contributor=pl.lit("bank"), event_id=pl.lit(name)), client.now)


def evidence_item(client: PersonClient, event_id: str = "p7", caller: str = ZEB) -> dict[str, Any]:
    return next(i for i in client.get("/me/evidence?limit=100", caller=caller)["items"] if i["event_id"] == event_id)


def test_an_item_changed_after_the_answer_can_be_disputed_again(each_person_client: PersonClient) -> None:
    client = each_person_client
    before = count_payments(client)
    first = open_dispute(client)
    client.call("POST", f"/disputes/{first['dispute_id']}/resolve", {"outcome": "rejected"}, caller="operator")
    assert client.call("POST", "/me/disputes", ITEM).json()["code"] == "dispute_answered"
    client.advance(days=1)
    correct_event(client, "same", amount=80)
    assert client.call("POST", "/me/disputes", ITEM).json()["code"] == "dispute_answered"  # its values are unchanged
    correct_event(client, "more", amount=999_999)
    item = evidence_item(client)
    assert (item["fields"]["amount"], item["dispute"]) == (999_999, "rejected")
    assert [v["fields"]["amount"] for v in item["history"]] == [80, 80]
    assert count_payments(client) == before
    second = client.call("POST", "/me/disputes", ITEM)
    assert second.status_code == 201
    assert second.json()["dispute_id"] != first["dispute_id"]
    assert count_payments(client) == before - 1
    assert evidence_item(client)["dispute"] == "open"
    assert client.get("/disputes?open=true", caller="operator")["items"][0]["item"] == evidence_item(client)


def test_an_upheld_item_stays_excluded_after_any_correction(person_client: PersonClient) -> None:
    before = count_payments(person_client)
    dispute = open_dispute(person_client)
    person_client.call("POST", f"/disputes/{dispute['dispute_id']}/resolve", {"outcome": "upheld"}, caller="operator")
    correct_event(person_client, "more", amount=999_999)
    assert person_client.call("POST", "/me/disputes", ITEM).json()["code"] == "dispute_answered"
    assert count_payments(person_client) == before - 1


def test_a_change_during_the_dispute_can_be_disputed_after_the_answer(person_client: PersonClient) -> None:
    dispute = open_dispute(person_client)
    correct_event(person_client, "more", amount=999_999)
    assert person_client.call("POST", "/me/disputes", ITEM).status_code == 200
    person_client.call("POST", f"/disputes/{dispute['dispute_id']}/resolve", {"outcome": "rejected"}, caller="operator")
    assert person_client.call("POST", "/me/disputes", ITEM).status_code == 201


def test_evidence_shows_the_current_values_with_their_history(each_person_client: PersonClient) -> None:
    client = each_person_client
    assert evidence_item(client)["history"] == []
    assert evidence_item(client)["corrected_at"] is None
    correct_event(client, "one", amount=90, category="dining")
    client.advance(hours=1)
    correct_event(client, "two", amount=70)
    item = evidence_item(client)
    assert item["fields"] == {"amount": 70, "currency": "CNY", "category": "dining"}
    assert [v["fields"]["amount"] for v in item["history"]] == [80, 90]
    assert item["history"][0]["recorded_at"] == item["recorded_at"]
    assert item["corrected_at"] > item["history"][1]["recorded_at"]
    correction_retraction = event("event.retracted", ZEB, client.now, ref_event="two")
    append_events(
        client.database,
        correction_retraction.with_columns(contributor=pl.lit("bank"), event_id=pl.lit("back")),
        client.now,
    )
    assert evidence_item(client)["fields"]["amount"] == 90
    assert evidence_item(client)["retracted_at"] is None
    item_retraction = event("event.retracted", ZEB, client.now, ref_event="p7")
    append_events(
        client.database, item_retraction.with_columns(contributor=pl.lit("bank"), event_id=pl.lit("gone")), client.now
    )
    assert evidence_item(client)["retracted_at"] is not None


def test_a_person_corrected_out_of_an_event_sees_only_its_former_version(
    person_client: PersonClient,
) -> None:
    append_events(
        person_client.database,
        event("payment.made", "ann", person_client.now, other=ZEB, amount=5, currency="CNY"),
        person_client.now,
    )
    row = event(
        "event.corrected", "ann", person_client.now, ref_event="new-1", fields=json.dumps({"other": "cy", "amount": 6})
    )
    append_events(person_client.database, row.with_columns(event_id=pl.lit("moved")), person_client.now)
    item = evidence_item(person_client, "new-1")
    assert (item["fields"]["amount"], item["with"]) == (5, "ann")
    assert item["retracted_at"] is not None
    cy_item = evidence_item(person_client, "new-1", caller="cy")
    assert (cy_item["fields"]["amount"], cy_item["history"]) == (6, [])
    ann_item = evidence_item(person_client, "new-1", caller="ann")
    assert [ann_item["history"][0]["with"], ann_item["with"]] == [ZEB, "cy"]


def test_disputing_twice_opens_one_dispute(person_client: PersonClient) -> None:
    first = person_client.call("POST", "/me/disputes", ITEM)
    second = person_client.call("POST", "/me/disputes", ITEM)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


def test_a_person_may_dispute_events_of_others_about_them_also_after_a_correction(
    each_person_client: PersonClient,
) -> None:
    client = each_person_client
    for event_id in ("t-ann-zeb", "p2", "t-ann-cy", "p5"):
        assert open_dispute(client, event_id=event_id)["event_id"] == event_id


@pytest.mark.parametrize("event_id", ["t-bob-ann", "nothing", f"consent-{ZEB}"])
def test_a_person_may_not_dispute_foreign_unknown_or_non_evidence_events(
    person_client: PersonClient, event_id: str
) -> None:
    events = ledger.extent(person_client.database).events
    for contributor in ("bank", "desk"):
        answer = person_client.call("POST", "/me/disputes", {"contributor": contributor, "event_id": event_id})
        assert answer.json()["code"] == "unknown_item"
    assert ledger.extent(person_client.database).events == events


def test_disputes_are_listed_by_deadline_and_late_items_stay_excluded(each_person_client: PersonClient) -> None:
    client = each_person_client
    before = count_payments(client)
    first = open_dispute(client)
    client.advance(days=5)
    second = open_dispute(client, event_id="p8")
    client.advance(days=16)
    cases = client.get("/disputes?open=true", caller="operator")["items"]
    assert [(c["dispute_id"], c["overdue"]) for c in cases] == [
        (first["dispute_id"], True),
        (second["dispute_id"], False),
    ]
    assert cases[0]["subject"] == ZEB
    item = next(i for i in client.get("/me/evidence")["items"] if i["event_id"] == ITEM["event_id"])
    assert cases[0]["item"] == item  # the operator sees the disputed item in the dispute
    assert count_payments(client) == before - 2
    client.call("POST", f"/disputes/{first['dispute_id']}/resolve", {"outcome": "rejected"}, caller="operator")
    assert count_payments(client) == before - 1  # we accept a late answer
    assert len(client.get("/disputes?open=true", caller="operator")["items"]) == 1
    assert len(client.get("/disputes", caller="operator")["items"]) == 2


def test_a_statement_can_be_added_to_an_item_also_after_the_answer(person_client: PersonClient) -> None:
    dispute = open_dispute(person_client)
    person_client.call("POST", f"/disputes/{dispute['dispute_id']}/resolve", {"outcome": "rejected"}, caller="operator")
    path = f"/me/disputes/{dispute['dispute_id']}/statement"
    assert (
        person_client.call("POST", path, {"statement": "It was my brother"}).json()["statement"] == "It was my brother"
    )
    assert person_client.get("/disputes", caller="operator")["items"][0]["statement"] == "It was my brother"
    assert person_client.call("POST", path, {"statement": "mine"}, caller="ann").json()["code"] == "unknown_dispute"


def test_only_an_operator_answers_disputes(person_client: PersonClient) -> None:
    dispute = open_dispute(person_client)
    path = f"/disputes/{dispute['dispute_id']}/resolve"
    assert person_client.call("POST", path, {"outcome": "upheld"}).json()["code"] == "wrong_role"
    assert person_client.call("GET", "/disputes").json()["code"] == "wrong_role"
    assert (
        person_client.call("POST", "/disputes/00/resolve", {"outcome": "upheld"}, caller="operator").json()["code"]
        == "unknown_dispute"
    )


def test_a_disputed_item_leaves_the_other_partys_sums_too(person_client: PersonClient) -> None:
    append_events(
        person_client.database,
        event("payment.made", "ann", person_client.now, other=ZEB, amount=5, currency="CNY"),
        person_client.now,
    )
    before = count_payments(person_client, "ann")
    person_client.call("POST", "/me/disputes", {"contributor": "bank-test", "event_id": "new-1"})
    assert count_payments(person_client, "ann") == before - 1
