"""Orders through the APIs of merchant and person: every state and limit, with repeated requests, on both databases."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from sqlalchemy import text

from api.evidence import ledger
from api.orders import order_store, orders
from api.releases.catalogue import kinds, schema
from api.runtime.context import AppContext
from api.store.clock import iso
from api.store.database import reading
from engine.decide.evaluators import Evaluators
from engine.lang.check.release import release_of
from tests.api.merchant_client import assert_problem
from tests.api.order_client import ROOM_PAYMENTS, OrderClient
from tests.api.town import NOW, event


@pytest.fixture
def client(town: AppContext) -> OrderClient:
    return OrderClient(town)


def system_events(client: OrderClient, kind: str) -> list[dict[str, Any]]:
    """The ledger's events about the person's orders since the creation of the town."""
    events = ledger.read(client.context.database, people=[client.person], kinds=[kind])
    return events.filter(pl.col("contributor") == "iftah", pl.col("recorded_at") > NOW).to_dicts()


def moves(client: OrderClient) -> list[tuple[str, str, str]]:
    with reading(client.context.database) as connection:
        rows = connection.execute(text("select action, before, after from order_moves order by seq"))
        return [(action, before, after) for action, before, after in rows]


def test_an_order_runs_from_decision_to_payment_and_the_ledger_records_it(client: OrderClient) -> None:
    decision = client.decide()
    order = client.create_order(decision=decision["decision_id"], attach="table 4", post_payments=ROOM_PAYMENTS).json()
    assert (order["state"], order["waived_amount"], order["total_amount"]) == ("created", 50_000, None)
    assert (order["decision_id"], order["attach"], order["post_payments"]) == (
        decision["decision_id"],
        "table 4",
        [payment | {"description": None, "count": None} for payment in ROOM_PAYMENTS],
    )
    assert client.person not in str(order)
    assert client.confirm(order["order_id"]).json()["state"] == "in_service"
    completed_order = client.complete(post_discounts=[{"name": "member", "amount": 5_000}]).json()
    assert (completed_order["state"], completed_order["total_amount"]) == ("due", 35_000)
    assert datetime.fromisoformat(completed_order["due_at"]) == client.now + timedelta(days=7)
    (listed_order,) = client.list_my_orders()
    assert (listed_order["merchant"], listed_order["due_at"], listed_order["total_amount"]) == (
        "inn",
        completed_order["due_at"],
        35_000,
    )
    client.advance(days=1)
    paid_order = client.post_action("O-1", "pay").json()
    assert (paid_order["state"], datetime.fromisoformat(paid_order["closed_at"])) == ("settled", client.now)
    (settlement,) = system_events(client, "order.settled")
    expected = {"order": order["order_id"], "amount": 35_000, "currency": "CNY", "service": "inn/hotel", "days_late": 0}
    assert {name: settlement[name] for name in expected} == expected
    assert moves(client) == [
        ("create", "none", "created"),
        ("confirm", "created", "in_service"),
        ("complete", "in_service", "due"),
        ("pay", "due", "settled"),
    ]


def test_repeated_requests_change_nothing_and_different_ones_are_refused(client: OrderClient) -> None:
    decision = client.decide()["decision_id"]
    first, client.now = client.create_order(decision=decision), client.now + timedelta(seconds=1)
    repeated_response, order = client.create_order(decision=decision), first.json()
    assert (first.status_code, repeated_response.status_code, repeated_response.json()) == (201, 200, order)
    assert_problem(client.create_order(decision=decision, attach="other"), 409, "order_mismatch")
    assert client.confirm(order["order_id"]).json() == client.confirm(order["order_id"]).json()
    completed_order = client.complete().json()
    assert (
        client.create_order(decision=decision).json() == completed_order
    )  # asked again late: the same order, as it is now
    assert client.complete().json() == completed_order
    assert_problem(client.complete(post_payments=[{"name": "room", "amount": 1}]), 409, "order_mismatch")
    first = {"post_payments": [{"name": "room", "amount": 300}], "modify_reason": "late breakfast"}
    second = {"post_payments": [{"name": "room", "amount": 200}], "modify_reason": "no breakfast"}
    for body in (first, second, first):  # a late retry of the first request changes nothing
        last_order = client.post_action("O-1", "modify", body).json()
    assert (last_order["total_amount"], last_order["state"]) == (200, "due")
    assert_problem(
        client.post_action("O-1", "modify", {**first, "modify_reason": "up again"}), 409, "total_may_only_decrease"
    )
    assert client.post_action("O-1", "pay").json() == client.post_action("O-1", "pay").json()
    assert len(moves(client)) == 6
    assert len(system_events(client, "order.settled")) == 1


def test_only_the_newest_decision_with_an_offer_becomes_an_order(client: OrderClient) -> None:
    first, second = client.decide(), client.decide(40_000)
    assert_problem(client.create_order(decision=first["decision_id"]), 409, "decision_superseded")
    assert_problem(client.create_order(decision=second["decision_id"]), 409, "over_ceiling")  # 50,000 are not waived
    assert_problem(client.create_order(decision=second["decision_id"], service="rooms", amount=1), 409, "wrong_service")
    assert_problem(client.create_order(decision="0" * 32), 404, "unknown_decision")
    other = client.issue("merchant", "lodge")
    assert_problem(client.create_order(decision=second["decision_id"], token=other), 404, "unknown_decision")
    assert client.create_order(decision=second["decision_id"], amount=40_000).json()["state"] == "created"
    assert_problem(client.create_order("O-2", decision=second["decision_id"], amount=40_000), 409, "decision_used")
    unscorable_decision = client.ask(client.unscored_person()).json()
    assert_problem(client.create_order("O-3", decision=unscorable_decision["decision_id"]), 409, "not_admitted")
    expired_decision = client.decide()
    client.advance(hours=24)
    assert_problem(client.create_order("O-4", decision=expired_decision["decision_id"]), 409, "decision_expired")


def test_after_a_withdrawal_no_order_starts_and_open_orders_continue(client: OrderClient) -> None:
    client.start_order()
    decision = client.decide()["decision_id"]
    withdrawal = event("consent.withdrawn", client.person, client.now, purpose="perks")
    assert ledger.append(client.context.database, withdrawal, client.now).accepted == 1
    assert_problem(client.create_order("O-2", decision=decision), 403, "no_consent")
    assert client.complete().json()["state"] == "due"
    assert client.post_action("O-1", "pay").json()["state"] == "settled"


def test_an_order_of_others_is_neither_visible_nor_movable(client: OrderClient) -> None:
    order, other_merchant = client.create_order().json(), client.issue("merchant", "lodge")
    unknown_problem = assert_problem(client.get_order("never"), 404, "unknown_order")
    assert assert_problem(client.get_order("O-1", other_merchant), 404, "unknown_order") == unknown_problem
    assert_problem(client.post_action("O-1", "cancel", {"cancel_reason": "mine"}, other_merchant), 404, "unknown_order")
    other_person = client.issue("subject", "somebody-else")
    assert_problem(client.confirm(order["order_id"], other_person), 404, "unknown_order")
    assert_problem(client.confirm(order["order_id"], client.token), 403, "wrong_role")
    assert_problem(client.get_order("O-1", client.person_token), 403, "wrong_role")
    assert client.http.get("/v1/orders", headers=client.bearer(other_merchant)).json() == {"items": [], "next": None}
    assert_problem(client.http.get("/v1/orders/O-1"), 401, "no_token")


def test_an_order_may_be_cancelled_until_it_is_completed(client: OrderClient) -> None:
    client.create_order("O-1")
    assert client.cancel("O-1").json()["state"] == "cancelled"
    assert_problem(client.complete("O-1"), 409, "wrong_state")
    client.start_order("O-2")
    cancelled_order = client.cancel("O-2").json()
    assert (cancelled_order["state"], cancelled_order["cancel_reason"]) == ("cancelled", "rain")
    assert_problem(client.cancel("O-2", "snow"), 409, "order_mismatch")
    client.create_due_order("O-3")
    assert_problem(client.cancel("O-3"), 409, "wrong_state")
    assert [(e["amount"], e["service"]) for e in system_events(client, "order.cancelled")] == [(None, "inn/hotel")] * 2


def test_totals_damage_and_times_stay_within_the_waiver(client: OrderClient) -> None:
    client.start_order()

    def payments_of(amount: int) -> list[dict[str, Any]]:
        return [{"name": "room", "amount": amount}]

    assert_problem(client.complete(post_payments=payments_of(50_001)), 409, "over_ceiling")
    discounts = [{"name": "half", "amount": 60_000}]
    assert_problem(
        client.complete(post_payments=payments_of(120_000), post_discounts=discounts, damage_amount=50_001),
        409,
        "over_ceiling",
    )
    assert_problem(client.complete(post_payments=payments_of(100), damage_amount=101), 422, "bad_amount")
    assert_problem(client.complete(post_payments=payments_of(59_999), post_discounts=discounts), 422, "bad_amount")
    hour, at = timedelta(hours=1), client.now
    for start, end in ((at - hour, at - 2 * hour), (at - hour, at + hour)):
        times = {"start_time": iso(start), "end_time": iso(end)}
        assert_problem(client.complete(time_range=times), 422, "bad_time_range")
    assert client.state() == "in_service"
    assert client.complete(post_payments=payments_of(50_000), damage_amount=50_000).json()["total_amount"] == 50_000


def test_enjoy_first_uses_the_ceiling_of_its_service_version(client: OrderClient) -> None:
    client.sign_up(mode="enjoy_first", ceiling=30_000)
    client.start_order(risk_fund={"name": "ESTIMATE_ORDER_COST", "amount": 50_000})
    client.sign_up(mode="enjoy_first", ceiling=90_000)
    assert_problem(client.complete(), 409, "over_ceiling")
    assert client.complete(post_payments=[{"name": "ride", "amount": 30_000}]).json()["mode"] == "enjoy_first"


def test_an_order_with_nothing_to_pay_is_settled_at_once(client: OrderClient) -> None:
    client.start_order()
    assert client.complete(post_payments=[{"name": "room", "amount": 0}]).json()["state"] == "settled"
    client.create_due_order("O-2")
    body = {"post_payments": [{"name": "room", "amount": 0}], "modify_reason": "it was cold"}
    assert client.post_action("O-2", "modify", body).json()["state"] == "settled"


def test_an_external_payment_is_reported_later_with_its_own_time(client: OrderClient) -> None:
    client.create_due_order()
    paid_at = client.advance(days=2)
    client.advance(days=1)
    for bad_time in (client.now + timedelta(hours=1), client.now - timedelta(days=30)):
        assert_problem(client.post_action("O-1", "sync", {"paid_at": iso(bad_time)}), 422, "bad_time_range")
    body = {"paid_at": iso(paid_at)}
    order = client.post_action("O-1", "sync", body).json()
    assert order["state"] == "settled"
    assert client.post_action("O-1", "sync", body).json() == order
    (settlement,) = system_events(client, "order.settled")
    assert settlement["happened_at"] == paid_at


def test_either_party_may_open_a_dispute_and_only_that_party_may_end_it(client: OrderClient) -> None:
    order = client.create_due_order()
    dispute_path, merchant_dispute = f"/v1/me/orders/{order['order_id']}/dispute", {"statement": "the towels are gone"}

    def post_statement(statement: str | None) -> Any:
        return client.http.post(dispute_path, json={"statement": statement}, headers=client.bearer(client.person_token))

    assert post_statement("the room was cold").json()["dispute"] == {"by": "person", "statement": "the room was cold"}
    assert client.get_order().json()["disputed"] is True
    assert_problem(client.post_action("O-1", "dispute", merchant_dispute), 409, "order_mismatch")
    assert_problem(client.post_action("O-1", "dispute", {"statement": None}), 409, "order_mismatch")
    assert post_statement("the room was cold").json() == post_statement("the room was cold").json()
    assert post_statement(None).json()["dispute"] is None
    assert client.post_action("O-1", "dispute", merchant_dispute).json()["disputed"] is True
    assert client.post_action("O-1", "pay").json()["disputed"] is False
    assert_problem(client.post_action("O-1", "dispute", merchant_dispute), 409, "wrong_state")


def test_orders_are_listed_newest_first_a_page_at_a_time(client: OrderClient) -> None:
    for n in range(5):
        client.advance(minutes=1)
        client.create_order(f"O-{n}", client.decide(100)["decision_id"], amount=100)
    client.cancel("O-3")

    def list_orders(**query: Any) -> Any:
        return client.http.get("/v1/orders", params=query, headers=client.bearer(client.token)).json()

    first_page = list_orders(limit=2)
    assert ([o["out_order_no"] for o in first_page["items"]], first_page["next"]) == (["O-4", "O-3"], "O-3")
    second_page = list_orders(after="O-3")
    assert ([o["out_order_no"] for o in second_page["items"]], second_page["next"]) == (["O-2", "O-1", "O-0"], None)
    assert [o["out_order_no"] for o in list_orders(state="cancelled")["items"]] == ["O-3"]
    assert client.http.get("/v1/orders?after=none", headers=client.bearer(client.token)).status_code == 404
    response = client.http.get("/v1/orders?state=lost", headers=client.bearer(client.token))
    assert assert_problem(response, 422, "bad_request")["hint"].startswith("use one of created, in_service, ")


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # the messages are the same on both databases
def test_a_refusal_names_the_problem_its_place_and_a_valid_value(client: OrderClient) -> None:
    def problem_of(response: Any, status: int, code: str) -> tuple[str, str]:
        problem = assert_problem(response, status, code)
        return problem["detail"], problem["where"]

    decision, at = client.decide(40_000)["decision_id"], client.now
    over_response = client.create_order(decision=decision)
    assert problem_of(over_response, 409, "over_ceiling") == (
        "the amount is more than the decision waives",
        "risk_fund.amount",
    )
    reversed_range = {"start_time": iso(at + timedelta(days=2)), "end_time": iso(at + timedelta(days=1))}
    response = client.create_order(decision=decision, amount=40_000, time_range=reversed_range)
    assert problem_of(response, 422, "bad_time_range") == ("the service ends before it begins", "time_range")
    future_range = {"start_time": iso(at + timedelta(days=1)), "end_time": iso(at + timedelta(days=2))}
    order = client.create_order(decision=decision, amount=40_000, time_range=future_range).json()
    expected = ("`pay` is not for an order that is `created`", "order")
    assert problem_of(client.post_action("O-1", "pay"), 409, "wrong_state") == expected
    client.confirm(order["order_id"])
    assert problem_of(client.complete(time_range=future_range), 422, "bad_time_range")[1] == "time_range"
    assert client.complete().json()["state"] == "due"
    sync_response = client.post_action("O-1", "sync", {"paid_at": iso(at - timedelta(days=30))})
    assert problem_of(sync_response, 422, "bad_time_range") == (
        "the payment cannot be before the end of the service, or in the future",
        "paid_at",
    )


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # we do not query the database
def test_an_invalid_body_is_refused_in_one_shape(client: OrderClient) -> None:
    client.create_due_order()
    base_form = client.order_form("O-2", "0" * 32)
    payments = [{"name": "x", "amount": 1}]
    bad_changes: list[dict[str, Any]] = [
        *({"out_order_no": n} for n in ("", "x" * 33, "a b", "../1", "a\x00", "é")),
        *({"risk_fund": {"name": n, "amount": a}} for n, a in (("DEPOSIT", 0), ("DEPOSIT", 1.5), ("GIFT", 1))),
        *({"risk_fund": {"name": "DEPOSIT", "amount": a}} for a in (-1, 10**13, "1", True, None)),
        *({"post_payments": p} for p in ([], payments * 101, [{"name": "x", "amount": -1}], [{"amount": 1}], "x")),
        *({"time_range": {"start_time": t}} for t in ("now", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00")),
        *({"service_introduction": t} for t in ("", "x" * 61, "a\nb", "\x00")),
        {"attach": "x" * 257},
        {"score": 950},
        {"location": {"middle": "x"}},
    ]
    for change in bad_changes:
        form = base_form | change
        response = client.http.post("/v1/orders", json=form, headers=client.bearer(client.token))
        assert_problem(response, 422, "bad_request")
    assert_problem(client.complete(post_payments=[]), 422, "bad_request")
    assert_problem(client.post_action("O-1", "modify", {"post_payments": payments}), 422, "bad_request")
    assert_problem(client.post_action("O-1", "sync", {}), 422, "bad_request")
    assert_problem(client.get_order("x" * 33), 422, "bad_request")


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_a_refusal_by_the_operators_rules_has_its_code(town: AppContext) -> None:
    files = {**town.release.files}
    files["orders.yaml"] = files["orders.yaml"].replace("code: over_ceiling", "code: too_dear")
    context = AppContext(town.database, Evaluators(release_of(files, schema(), kinds())))
    client = OrderClient(context)
    client.start_order()
    assert_problem(client.complete(post_payments=[{"name": "room", "amount": 50_001}]), 409, "too_dear")
    context.evaluators.close()


def test_a_repetition_is_told_by_its_fields_and_not_by_their_order() -> None:
    """The digest is that of the JSON text with sorted keys: Python's hashlib is the oracle, on the text written by hand."""
    text = '["create", {"amount": 5, "name": "房"}]'
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert orders.digest("create", {"amount": 5, "name": "房"}) == expected
    assert orders.digest("create", {"name": "房", "amount": 5}) == expected
    assert orders.digest("modify", {"name": "房", "amount": 5}) != expected


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_without_a_ceiling_of_the_service_the_amount_waived_is_the_ceiling(client: OrderClient) -> None:
    """Rules may read the ceiling of any order, also in a service that waives first and needs none."""
    client.start_order("O-1")
    client.sign_up(mode="enjoy_first", ceiling=30_000)
    client.start_order("O-2", risk_fund={"name": "ESTIMATE_ORDER_COST", "amount": 50_000})
    with reading(client.context.database) as connection:
        stored_orders = [order_store.by_number(connection, "inn", number) for number in ("O-1", "O-2")]
    assert [order and (order.mode, order.ceiling) for order in stored_orders] == [
        ("waive_first", 50_000),
        ("enjoy_first", 30_000),
    ]


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_a_refusal_of_a_new_order_for_its_own_terms_is_told_by_its_code(town: AppContext) -> None:
    """Only what the person's other orders are the reason for is hidden behind `decision_lapsed`."""
    files = {**town.release.files}
    refusal = "  - {id: small, on: [create], when: order.waived < 1.00 CNY, unknown: pass, code: too_small}\n"
    files["orders.yaml"] = files["orders.yaml"].replace("refusals:\n", f"refusals:\n{refusal}", 1)
    context = AppContext(town.database, Evaluators(release_of(files, schema(), kinds())))
    client = OrderClient(context)
    decision = client.decide()["decision_id"]
    assert_problem(client.create_order(decision=decision, amount=99), 409, "too_small")
    assert client.create_order(decision=decision, amount=100).status_code == 201
    context.evaluators.close()
