"""Objections: the item is out at once, the clock runs, the answer decides, and only a party may object."""

from datetime import timedelta
from typing import Any

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
