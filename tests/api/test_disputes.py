"""Objections: the item is out at once, the clock runs, the answer decides, and only a party may object."""

import json
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from api.evidence import ledger
from tests.api.leaving import ZEB
from tests.api.refreshing import append, rows
from tests.api.side import Side
from tests.api.world import event

ITEM = {"contributor": "bank", "event_id": "p7"}


def payments(side: Side, person: str = ZEB) -> int:
    side.refreshed()
    return int(rows(side.engine)[person][1]["behaviour.payments"])


def opened(side: Side, **more: Any) -> Any:
    answer = side.call("POST", "/me/disputes", {**ITEM, **more})
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def test_an_item_is_out_of_the_score_at_once_and_the_clock_runs(side: Side) -> None:
    before = payments(side)
    made = opened(side, statement="I was never there")
    assert side.call("GET", "/me").json()["code"] == "features_stale"  # never the score with the item in it
    assert payments(side) == before - 1
    assert side.get("/me")["score"] is not None
    assert (made["outcome"], made["statement"]) == (None, "I was never there")
    assert made["due_at"][:10] == (side.now + timedelta(days=20)).date().isoformat()
    assert {i["event_id"]: i["dispute"] for i in side.get("/me/evidence")["items"]}["p7"] == "open"
    said = ledger.read(side.engine, people=[ZEB], kinds=["dispute.opened"]).to_dicts()[-1]
    assert (said["contributor"], said["ref_contributor"], said["ref_event"]) == ("iftah", "bank", "p7")


@pytest.mark.parametrize(("outcome", "counts"), [("upheld", False), ("rejected", True)])
def test_the_answer_decides_whether_the_item_counts_again(either_side: Side, outcome: str, counts: bool) -> None:
    side = either_side
    before = payments(side)
    made = opened(side)
    answer = {"outcome": outcome, "note": "we asked the bank"}
    side.later(days=2)
    told = side.call("POST", f"/disputes/{made['dispute_id']}/resolve", answer, who="operator").json()
    assert (told["outcome"], told["resolved_by"], told["overdue"]) == (outcome, "the-operator", False)
    assert payments(side) == before - (0 if counts else 1)
    mine = side.get("/me/disputes")["items"]
    assert [(d["outcome"], d["note"]) for d in mine] == [(outcome, "we asked the bank")]
    assert "resolved_by" not in mine[0]
    again = side.call("POST", f"/disputes/{made['dispute_id']}/resolve", answer, who="operator")
    assert again.status_code == 200
    other = side.call("POST", f"/disputes/{made['dispute_id']}/resolve", {"outcome": "rejected"}, who="operator")
    assert other.json()["code"] == "already_answered"
    assert side.call("POST", "/me/disputes", ITEM).json()["code"] == "dispute_answered"


def corrected(side: Side, name: str, event_id: str = "p7", subject: str = ZEB, **fields: object) -> None:
    row = event("event.corrected", subject, side.now, ref_event=event_id, fields=json.dumps(fields))
    append(side.engine, row.with_columns(contributor=pl.lit("bank"), event_id=pl.lit(name)), side.now)


def shown(side: Side, event_id: str = "p7", who: str = ZEB) -> dict[str, Any]:
    return next(i for i in side.get("/me/evidence?limit=100", who=who)["items"] if i["event_id"] == event_id)


def test_what_its_contributor_changed_after_the_answer_is_objected_to_anew(either_side: Side) -> None:
    side = either_side
    before = payments(side)
    first = opened(side)
    side.call("POST", f"/disputes/{first['dispute_id']}/resolve", {"outcome": "rejected"}, who="operator")
    assert side.call("POST", "/me/disputes", ITEM).json()["code"] == "dispute_answered"
    side.later(days=1)
    corrected(side, "same", amount=80)
    assert side.call("POST", "/me/disputes", ITEM).json()["code"] == "dispute_answered"  # it says what it said
    corrected(side, "more", amount=999_999)
    item = shown(side)
    assert (item["fields"]["amount"], item["dispute"]) == (999_999, "rejected")
    assert [v["fields"]["amount"] for v in item["history"]] == [80, 80]
    assert payments(side) == before
    second = side.call("POST", "/me/disputes", ITEM)
    assert second.status_code == 201
    assert second.json()["dispute_id"] != first["dispute_id"]
    assert payments(side) == before - 1
    assert shown(side)["dispute"] == "open"
    assert side.get("/disputes?open=true", who="operator")["items"][0]["item"] == shown(side)


def test_an_upheld_item_stays_out_whatever_it_is_changed_to(side: Side) -> None:
    before = payments(side)
    made = opened(side)
    side.call("POST", f"/disputes/{made['dispute_id']}/resolve", {"outcome": "upheld"}, who="operator")
    corrected(side, "more", amount=999_999)
    assert side.call("POST", "/me/disputes", ITEM).json()["code"] == "dispute_answered"
    assert payments(side) == before - 1


def test_a_change_while_the_dispute_was_open_may_be_objected_to_after_the_answer(side: Side) -> None:
    made = opened(side)
    corrected(side, "more", amount=999_999)
    assert side.call("POST", "/me/disputes", ITEM).status_code == 200
    side.call("POST", f"/disputes/{made['dispute_id']}/resolve", {"outcome": "rejected"}, who="operator")
    assert side.call("POST", "/me/disputes", ITEM).status_code == 201


def test_evidence_shows_what_counts_now_with_its_history(either_side: Side) -> None:
    side = either_side
    assert shown(side)["history"] == []
    assert shown(side)["corrected_at"] is None
    corrected(side, "one", amount=90, category="dining")
    side.later(hours=1)
    corrected(side, "two", amount=70)
    item = shown(side)
    assert item["fields"] == {"amount": 70, "currency": "CNY", "category": "dining"}
    assert [v["fields"]["amount"] for v in item["history"]] == [80, 90]
    assert item["history"][0]["recorded_at"] == item["recorded_at"]
    assert item["corrected_at"] > item["history"][1]["recorded_at"]
    back = event("event.retracted", ZEB, side.now, ref_event="two")
    append(side.engine, back.with_columns(contributor=pl.lit("bank"), event_id=pl.lit("back")), side.now)
    assert shown(side)["fields"]["amount"] == 90
    assert shown(side)["retracted_at"] is None
    gone = event("event.retracted", ZEB, side.now, ref_event="p7")
    append(side.engine, gone.with_columns(contributor=pl.lit("bank"), event_id=pl.lit("gone")), side.now)
    assert shown(side)["retracted_at"] is not None


def test_who_is_not_named_any_more_sees_what_was_said_of_them_and_not_of_whom_it_is_now(side: Side) -> None:
    append(side.engine, event("payment.made", "ann", side.now, other=ZEB, amount=5, currency="CNY"), side.now)
    row = event("event.corrected", "ann", side.now, ref_event="new-1", fields=json.dumps({"other": "cy", "amount": 6}))
    append(side.engine, row.with_columns(event_id=pl.lit("moved")), side.now)
    item = shown(side, "new-1")
    assert (item["fields"]["amount"], item["with"]) == (5, "ann")
    assert item["retracted_at"] is not None
    theirs = shown(side, "new-1", who="cy")
    assert (theirs["fields"]["amount"], theirs["history"]) == (6, [])
    payers = shown(side, "new-1", who="ann")
    assert [payers["history"][0]["with"], payers["with"]] == [ZEB, "cy"]


def test_objecting_twice_is_objecting_once(side: Side) -> None:
    first = side.call("POST", "/me/disputes", ITEM)
    again = side.call("POST", "/me/disputes", ITEM)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


def test_one_may_object_to_what_others_say_of_one_and_to_what_a_correction_made_one_s_own(either_side: Side) -> None:
    side = either_side
    for event_id in ("t-ann-zeb", "p2", "t-ann-cy", "p5"):
        assert opened(side, event_id=event_id)["event_id"] == event_id


@pytest.mark.parametrize("event_id", ["t-bob-ann", "nothing", f"consent-{ZEB}"])
def test_one_may_not_object_to_what_is_others_nothing_or_no_evidence(side: Side, event_id: str) -> None:
    events = ledger.extent(side.engine).events
    for contributor in ("bank", "desk"):
        answer = side.call("POST", "/me/disputes", {"contributor": contributor, "event_id": event_id})
        assert answer.json()["code"] == "unknown_item"
    assert ledger.extent(side.engine).events == events


def test_what_is_due_first_comes_first_and_what_is_late_stays_out(either_side: Side) -> None:
    side = either_side
    before = payments(side)
    first = opened(side)
    side.later(days=5)
    second = opened(side, event_id="p8")
    side.later(days=16)
    cases = side.get("/disputes?open=true", who="operator")["items"]
    assert [(c["dispute_id"], c["overdue"]) for c in cases] == [
        (first["dispute_id"], True),
        (second["dispute_id"], False),
    ]
    assert cases[0]["subject"] == ZEB
    item = next(i for i in side.get("/me/evidence")["items"] if i["event_id"] == ITEM["event_id"])
    assert cases[0]["item"] == item  # whoever answers need not look elsewhere for what is meant
    assert payments(side) == before - 2
    side.call("POST", f"/disputes/{first['dispute_id']}/resolve", {"outcome": "rejected"}, who="operator")
    assert payments(side) == before - 1  # a late answer still is one
    assert len(side.get("/disputes?open=true", who="operator")["items"]) == 1
    assert len(side.get("/disputes", who="operator")["items"]) == 2


def test_a_statement_is_put_beside_an_item_also_after_the_answer(side: Side) -> None:
    made = opened(side)
    side.call("POST", f"/disputes/{made['dispute_id']}/resolve", {"outcome": "rejected"}, who="operator")
    path = f"/me/disputes/{made['dispute_id']}/statement"
    assert side.call("POST", path, {"statement": "It was my brother"}).json()["statement"] == "It was my brother"
    assert side.get("/disputes", who="operator")["items"][0]["statement"] == "It was my brother"
    assert side.call("POST", path, {"statement": "mine"}, who="ann").json()["code"] == "unknown_dispute"


def test_only_an_operator_answers(side: Side) -> None:
    made = opened(side)
    path = f"/disputes/{made['dispute_id']}/resolve"
    assert side.call("POST", path, {"outcome": "upheld"}).json()["code"] == "wrong_role"
    assert side.call("GET", "/disputes").json()["code"] == "wrong_role"
    assert (
        side.call("POST", "/disputes/00/resolve", {"outcome": "upheld"}, who="operator").json()["code"]
        == "unknown_dispute"
    )


def test_the_other_party_s_sums_are_without_it_too(side: Side) -> None:
    append(side.engine, event("payment.made", "ann", side.now, other=ZEB, amount=5, currency="CNY"), side.now)
    before = payments(side, "ann")
    side.call("POST", "/me/disputes", {"contributor": "bank-test", "event_id": "new-1"})
    assert payments(side, "ann") == before - 1
