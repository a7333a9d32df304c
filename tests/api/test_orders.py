"""Orders from both sides of the counter: every state and limit, asked once and twice, on both databases."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from sqlalchemy import text

from api.catalogue import kinds, schema
from api.clock import iso
from api.database import reading
from api.evidence import ledger
from api.world import World
from engine.engines import Engines
from engine.lang.check import release_of
from tests.api.door import refused
from tests.api.ordering import ROOM, Counter
from tests.api.world import NOW, event


@pytest.fixture
def counter(town: World) -> Counter:
    return Counter(town)


def told(counter: Counter, kind: str) -> list[dict[str, Any]]:
    """What the house said of the person's orders since the town was made."""
    found = ledger.read(counter.world.database, people=[counter.person], kinds=[kind])
    return found.filter(pl.col("contributor") == "iftah", pl.col("recorded_at") > NOW).to_dicts()


def moves(counter: Counter) -> list[tuple[str, str, str]]:
    with reading(counter.world.database) as connection:
        rows = connection.execute(text("select action, before, after from order_moves order by seq"))
        return [(action, before, after) for action, before, after in rows]


def test_an_order_goes_from_a_decision_to_being_paid_and_the_ledger_hears_of_it(counter: Counter) -> None:
    decided = counter.decided()
    made = counter.order(decision=decided["decision_id"], attach="table 4", post_payments=ROOM).json()
    assert (made["state"], made["waived_amount"], made["total_amount"]) == ("created", 50_000, None)
    assert (made["decision_id"], made["attach"], made["post_payments"]) == (
        decided["decision_id"],
        "table 4",
        [payment | {"description": None, "count": None} for payment in ROOM],
    )
    assert counter.person not in str(made)
    assert counter.confirm(made["order_id"]).json()["state"] == "in_service"
    completed = counter.complete(post_discounts=[{"name": "member", "amount": 5_000}]).json()
    assert (completed["state"], completed["total_amount"]) == ("due", 35_000)
    assert datetime.fromisoformat(completed["due_at"]) == counter.now + timedelta(days=7)
    (mine,) = counter.mine()
    assert (mine["merchant"], mine["due_at"], mine["total_amount"]) == ("inn", completed["due_at"], 35_000)
    counter.later(days=1)
    paid = counter.do("O-1", "pay").json()
    assert (paid["state"], datetime.fromisoformat(paid["closed_at"])) == ("settled", counter.now)
    (settled,) = told(counter, "order.settled")
    expected = {"order": made["order_id"], "amount": 35_000, "currency": "CNY", "service": "inn/hotel", "days_late": 0}
    assert {name: settled[name] for name in expected} == expected
    assert moves(counter) == [
        ("create", "none", "created"),
        ("confirm", "created", "in_service"),
        ("complete", "in_service", "due"),
        ("pay", "due", "settled"),
    ]


def test_asking_for_the_same_again_changes_nothing_and_for_other_is_refused(counter: Counter) -> None:
    decision = counter.decided()["decision_id"]
    first, counter.now = counter.order(decision=decision), counter.now + timedelta(seconds=1)
    again, made = counter.order(decision=decision), first.json()
    assert (first.status_code, again.status_code, again.json()) == (201, 200, made)
    refused(counter.order(decision=decision, attach="other"), 409, "order_mismatch")
    assert counter.confirm(made["order_id"]).json() == counter.confirm(made["order_id"]).json()
    completed = counter.complete().json()
    assert counter.order(decision=decision).json() == completed  # asked again late: the same order, as it is now
    assert counter.complete().json() == completed
    refused(counter.complete(post_payments=[{"name": "room", "amount": 1}]), 409, "order_mismatch")
    first = {"post_payments": [{"name": "room", "amount": 300}], "modify_reason": "late breakfast"}
    second = {"post_payments": [{"name": "room", "amount": 200}], "modify_reason": "no breakfast"}
    for body in (first, second, first):  # a late retry of the first lowers nothing and raises nothing
        last = counter.do("O-1", "modify", body).json()
    assert (last["total_amount"], last["state"]) == (200, "due")
    refused(counter.do("O-1", "modify", {**first, "modify_reason": "up again"}), 409, "only_downwards")
    assert counter.do("O-1", "pay").json() == counter.do("O-1", "pay").json()
    assert len(moves(counter)) == 6
    assert len(told(counter, "order.settled")) == 1


def test_only_a_decision_that_promises_something_and_is_the_newest_becomes_an_order(counter: Counter) -> None:
    first, second = counter.decided(), counter.decided(40_000)
    refused(counter.order(decision=first["decision_id"]), 409, "decision_superseded")
    refused(counter.order(decision=second["decision_id"]), 409, "over_ceiling")  # 50,000 are not waived
    refused(counter.order(decision=second["decision_id"], service="rooms", amount=1), 409, "wrong_service")
    refused(counter.order(decision="0" * 32), 404, "unknown_decision")
    other = counter.issue("merchant", "lodge")
    refused(counter.order(decision=second["decision_id"], token=other), 404, "unknown_decision")
    assert counter.order(decision=second["decision_id"], amount=40_000).json()["state"] == "created"
    refused(counter.order("O-2", decision=second["decision_id"], amount=40_000), 409, "decision_used")
    nothing = counter.ask(counter.nobody_scored()).json()
    refused(counter.order("O-3", decision=nothing["decision_id"]), 409, "not_admitted")
    late = counter.decided()
    counter.later(hours=24)
    refused(counter.order("O-4", decision=late["decision_id"]), 409, "decision_expired")


def test_a_consent_withdrawn_begins_nothing_new_and_an_open_order_goes_on(counter: Counter) -> None:
    counter.begun()
    decision = counter.decided()["decision_id"]
    gone = event("consent.withdrawn", counter.person, counter.now, purpose="perks")
    assert ledger.append(counter.world.database, gone, counter.now).accepted == 1
    refused(counter.order("O-2", decision=decision), 403, "no_consent")
    assert counter.complete().json()["state"] == "due"
    assert counter.do("O-1", "pay").json()["state"] == "settled"


def test_nobody_sees_or_moves_an_order_that_is_not_theirs(counter: Counter) -> None:
    made, other = counter.order().json(), counter.issue("merchant", "lodge")
    unknown = refused(counter.seen("never"), 404, "unknown_order")
    assert refused(counter.seen("O-1", other), 404, "unknown_order") == unknown
    refused(counter.do("O-1", "cancel", {"cancel_reason": "mine"}, other), 404, "unknown_order")
    somebody = counter.issue("subject", "somebody-else")
    refused(counter.confirm(made["order_id"], somebody), 404, "unknown_order")
    refused(counter.confirm(made["order_id"], counter.token), 403, "wrong_role")
    refused(counter.seen("O-1", counter.me), 403, "wrong_role")
    assert counter.client.get("/v1/orders", headers=counter.bearer(other)).json() == {"items": [], "next": None}
    refused(counter.client.get("/v1/orders/O-1"), 401, "no_token")


def test_an_order_may_be_cancelled_until_it_is_completed(counter: Counter) -> None:
    counter.order("O-1")
    assert counter.cancel("O-1").json()["state"] == "cancelled"
    refused(counter.complete("O-1"), 409, "wrong_state")
    counter.begun("O-2")
    cancelled = counter.cancel("O-2").json()
    assert (cancelled["state"], cancelled["cancel_reason"]) == ("cancelled", "rain")
    refused(counter.cancel("O-2", "snow"), 409, "order_mismatch")
    counter.due("O-3")
    refused(counter.cancel("O-3"), 409, "wrong_state")
    assert [(e["amount"], e["service"]) for e in told(counter, "order.cancelled")] == [(None, "inn/hotel")] * 2


def test_totals_damage_and_times_are_held_to_what_was_waived(counter: Counter) -> None:
    counter.begun()

    def one(amount: int) -> list[dict[str, Any]]:
        return [{"name": "room", "amount": amount}]

    refused(counter.complete(post_payments=one(50_001)), 409, "over_ceiling")
    off = [{"name": "half", "amount": 60_000}]
    refused(counter.complete(post_payments=one(120_000), post_discounts=off, damage_amount=50_001), 409, "over_ceiling")
    refused(counter.complete(post_payments=one(100), damage_amount=101), 422, "bad_amount")
    refused(counter.complete(post_payments=one(59_999), post_discounts=off), 422, "bad_amount")
    hour, at = timedelta(hours=1), counter.now
    for start, end in ((at - hour, at - 2 * hour), (at - hour, at + hour)):
        times = {"start_time": iso(start), "end_time": iso(end)}
        refused(counter.complete(time_range=times), 422, "bad_time_range")
    assert counter.state() == "in_service"
    assert counter.complete(post_payments=one(50_000), damage_amount=50_000).json()["total_amount"] == 50_000


def test_enjoy_first_is_held_to_the_ceiling_of_the_version_it_was_made_under(counter: Counter) -> None:
    counter.sign_up(mode="enjoy_first", ceiling=30_000)
    counter.begun(risk_fund={"name": "ESTIMATE_ORDER_COST", "amount": 50_000})
    counter.sign_up(mode="enjoy_first", ceiling=90_000)
    refused(counter.complete(), 409, "over_ceiling")
    assert counter.complete(post_payments=[{"name": "ride", "amount": 30_000}]).json()["mode"] == "enjoy_first"


def test_nothing_to_pay_is_paid_at_once(counter: Counter) -> None:
    counter.begun()
    assert counter.complete(post_payments=[{"name": "room", "amount": 0}]).json()["state"] == "settled"
    counter.due("O-2")
    free = {"post_payments": [{"name": "room", "amount": 0}], "modify_reason": "it was cold"}
    assert counter.do("O-2", "modify", free).json()["state"] == "settled"


def test_payment_in_another_way_is_told_later_with_its_own_time(counter: Counter) -> None:
    counter.due()
    paid = counter.later(days=2)
    counter.later(days=1)
    for wrong in (counter.now + timedelta(hours=1), counter.now - timedelta(days=30)):
        refused(counter.do("O-1", "sync", {"paid_at": iso(wrong)}), 422, "bad_time_range")
    body = {"paid_at": iso(paid)}
    synced = counter.do("O-1", "sync", body).json()
    assert synced["state"] == "settled"
    assert counter.do("O-1", "sync", body).json() == synced
    (settled,) = told(counter, "order.settled")
    assert settled["happened_at"] == paid


def test_a_dispute_is_opened_and_ended_by_either_and_never_by_the_other(counter: Counter) -> None:
    made = counter.due()
    mine, theirs = f"/v1/me/orders/{made['order_id']}/dispute", {"statement": "the towels are gone"}

    def say(statement: str | None) -> Any:
        return counter.client.post(mine, json={"statement": statement}, headers=counter.bearer(counter.me))

    assert say("the room was cold").json()["dispute"] == {"by": "person", "statement": "the room was cold"}
    assert counter.seen().json()["disputed"] is True
    refused(counter.do("O-1", "dispute", theirs), 409, "order_mismatch")
    refused(counter.do("O-1", "dispute", {"statement": None}), 409, "order_mismatch")
    assert say("the room was cold").json() == say("the room was cold").json()
    assert say(None).json()["dispute"] is None
    assert counter.do("O-1", "dispute", theirs).json()["disputed"] is True
    assert counter.do("O-1", "pay").json()["disputed"] is False
    refused(counter.do("O-1", "dispute", theirs), 409, "wrong_state")


def test_orders_are_listed_newest_first_a_page_at_a_time(counter: Counter) -> None:
    for n in range(5):
        counter.later(minutes=1)
        counter.order(f"O-{n}", counter.decided(100)["decision_id"], amount=100)
    counter.cancel("O-3")

    def listed(**query: Any) -> Any:
        return counter.client.get("/v1/orders", params=query, headers=counter.bearer(counter.token)).json()

    first = listed(limit=2)
    assert ([o["out_order_no"] for o in first["items"]], first["next"]) == (["O-4", "O-3"], "O-3")
    rest = listed(after="O-3")
    assert ([o["out_order_no"] for o in rest["items"]], rest["next"]) == (["O-2", "O-1", "O-0"], None)
    assert [o["out_order_no"] for o in listed(state="cancelled")["items"]] == ["O-3"]
    assert counter.client.get("/v1/orders?after=none", headers=counter.bearer(counter.token)).status_code == 404
    lost = counter.client.get("/v1/orders?state=lost", headers=counter.bearer(counter.token))
    assert refused(lost, 422, "bad_request")["hint"].startswith("use one of created, in_service, ")


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # what is said is the same on both
def test_a_refusal_says_what_was_wrong_where_and_what_would_not_be(counter: Counter) -> None:
    def said(answer: Any, status: int, code: str) -> tuple[str, str]:
        problem = refused(answer, status, code)
        return problem["detail"], problem["where"]

    decision, at = counter.decided(40_000)["decision_id"], counter.now
    over = counter.order(decision=decision)
    assert said(over, 409, "over_ceiling") == ("the amount is more than the decision waives", "risk_fund.amount")
    backwards = {"start_time": iso(at + timedelta(days=2)), "end_time": iso(at + timedelta(days=1))}
    answer = counter.order(decision=decision, amount=40_000, time_range=backwards)
    assert said(answer, 422, "bad_time_range") == ("the service ends before it begins", "time_range")
    to_come = {"start_time": iso(at + timedelta(days=1)), "end_time": iso(at + timedelta(days=2))}
    made = counter.order(decision=decision, amount=40_000, time_range=to_come).json()
    early = ("`pay` is not for an order that is `created`", "order")
    assert said(counter.do("O-1", "pay"), 409, "wrong_state") == early
    counter.confirm(made["order_id"])
    assert said(counter.complete(time_range=to_come), 422, "bad_time_range")[1] == "time_range"
    assert counter.complete().json()["state"] == "due"
    sync = counter.do("O-1", "sync", {"paid_at": iso(at - timedelta(days=30))})
    assert said(sync, 422, "bad_time_range") == ("nobody paid for it then", "paid_at")


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # nothing is asked of the database
def test_a_form_that_is_none_is_refused_in_one_shape(counter: Counter) -> None:
    counter.due()
    good = counter.form("O-2", "0" * 32)
    pay = [{"name": "x", "amount": 1}]
    wrong: list[dict[str, Any]] = [
        *({"out_order_no": n} for n in ("", "x" * 33, "a b", "../1", "a\x00", "é")),
        *({"risk_fund": {"name": n, "amount": a}} for n, a in (("DEPOSIT", 0), ("DEPOSIT", 1.5), ("GIFT", 1))),
        *({"risk_fund": {"name": "DEPOSIT", "amount": a}} for a in (-1, 10**13, "1", True, None)),
        *({"post_payments": p} for p in ([], pay * 101, [{"name": "x", "amount": -1}], [{"amount": 1}], "x")),
        *({"time_range": {"start_time": t}} for t in ("now", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00")),
        *({"service_introduction": t} for t in ("", "x" * 61, "a\nb", "\x00")),
        {"attach": "x" * 257},
        {"score": 950},
        {"location": {"middle": "x"}},
    ]
    for change in wrong:
        form = good | change
        answer = counter.client.post("/v1/orders", json=form, headers=counter.bearer(counter.token))
        refused(answer, 422, "bad_request")
    refused(counter.complete(post_payments=[]), 422, "bad_request")
    refused(counter.do("O-1", "modify", {"post_payments": pay}), 422, "bad_request")
    refused(counter.do("O-1", "sync", {}), 422, "bad_request")
    refused(counter.seen("x" * 33), 422, "bad_request")


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_a_refusal_of_the_operators_own_is_told_by_its_code(town: World) -> None:
    files = {**town.release.files}
    files["orders.yaml"] = files["orders.yaml"].replace("code: over_ceiling", "code: too_dear")
    ours = World(town.database, Engines(release_of(files, schema(), kinds())))
    counter = Counter(ours)
    counter.begun()
    refused(counter.complete(post_payments=[{"name": "room", "amount": 50_001}]), 409, "too_dear")
    ours.engines.close()
