"""The sandbox of a service, actions of orders, and the check of signatures: they say what the real requests do, and record nothing."""

from typing import Any

import pytest
from sqlalchemy import func, select

from api.merchants import callback_keys
from api.merchants.signatures import SignedMessage, check
from api.orders import sandbox
from api.runtime.context import AppContext
from api.store.database import reading
from api.store.tables import DECISION_SUBJECTS, DECISIONS, EVENTS, MESSAGES, ORDER_MOVES, ORDERS
from tests.api.merchant_client import assert_problem
from tests.api.order_client import OrderClient

TABLES = (DECISIONS, DECISION_SUBJECTS, EVENTS, MESSAGES, ORDERS, ORDER_MOVES)


@pytest.fixture
def client(town: AppContext) -> OrderClient:
    return OrderClient(town, callback="https://inn.example/hook")


def row_counts(client: OrderClient) -> dict[str, int]:
    with reading(client.context.database) as connection:
        return {t.name: connection.execute(select(func.count()).select_from(t)).scalar_one() for t in TABLES}


def walk(client: OrderClient, *steps: dict[str, Any] | str, person: str = "admit", amount: int = 50_000) -> Any:
    form = {
        "subject": f"sandbox-{person}",
        "amount": amount,
        "steps": [{"action": step} if isinstance(step, str) else step for step in steps],
    }
    return client.http.post("/v1/services/hotel/sandbox", json=form, headers=client.bearer(client.token))


def actions(client: OrderClient, number: str = "O-1") -> list[str]:
    answer = client.http.get(f"/v1/orders/{number}", headers=client.bearer(client.token)).json()
    assert isinstance(answer["actions"], list)
    return list(answer["actions"])


def my_actions(client: OrderClient) -> list[str]:
    answer = client.http.get("/v1/me/orders", headers=client.bearer(client.person_token)).json()
    return list(answer["items"][0]["actions"])


@pytest.mark.parametrize(
    ("person", "outcome", "waived"),
    [
        ("admit", "ADMIT", 50_000),
        ("partial", "PARTIAL", 25_000),
        ("decline", "DECLINE", 0),
        ("unscorable", "UNSCORABLE", 0),
    ],
)
def test_each_made_up_person_has_its_outcome(client: OrderClient, person: str, outcome: str, waived: int) -> None:
    answer = walk(client, person=person).json()["answer"]
    assert (answer["outcome"], answer["waived_amount"], answer["deposit_amount"]) == (outcome, waived, 50_000 - waived)
    assert answer["decision_id"] == sandbox.NO_ID


def test_a_walk_gives_what_real_orders_give_and_records_nothing(client: OrderClient) -> None:
    before = row_counts(client)
    steps = ["create", "confirm", {"action": "complete", "total": 42_000}]
    due = walk(client, *steps).json()
    assert (due["order"]["state"], due["order"]["total_amount"]) == ("due", 42_000)
    assert set(due["actions"]) == {"modify", "pay", "clock"}
    overdue = walk(client, *steps, "clock").json()
    assert overdue["order"]["state"] == "overdue"
    settled = walk(client, *steps, {"action": "modify", "total": 40_000}, "pay").json()
    assert (settled["order"]["state"], settled["actions"]) == ("settled", [])
    assert [one["event"] for one in settled["callbacks"]] == [
        f"order.{name}" for name in ("created", "confirmed", "completed", "modified", "paid")
    ]
    assert walk(client, "create", "clock").json()["order"]["state"] == "expired"
    assert walk(client, "create", "confirm", {"action": "complete", "total": 0}).json()["order"]["state"] == "settled"
    assert row_counts(client) == before


def test_the_sandbox_rejects_what_real_requests_reject(client: OrderClient) -> None:
    assert_problem(walk(client, person="no-consent"), 403, "no_consent")
    assert_problem(walk(client, "create", person="decline"), 409, "not_admitted")
    assert_problem(walk(client, "create", "pay"), 409, "wrong_state")
    assert_problem(walk(client, "create", "confirm", {"action": "complete", "total": 60_000}), 409, "over_ceiling")
    assert_problem(walk(client, amount=10**11), 422, "bad_amount")
    assert_problem(walk(client, person="nobody"), 422, "bad_request")
    path, token = "/v1/services/hotel/sandbox", client.issue("merchant", "rival")
    form = {"subject": "sandbox-admit", "amount": 1}
    assert_problem(client.http.post(path, json=form, headers=client.bearer(token)), 404, "unknown_service")


def test_nobody_can_make_a_real_order_of_a_sandbox_answer(client: OrderClient) -> None:
    assert_problem(client.create_order(decision=walk(client).json()["answer"]["decision_id"]), 404, "unknown_decision")


def test_a_callback_of_the_sandbox_says_so_and_has_a_signature_that_holds(client: OrderClient) -> None:
    (callback,) = walk(client, "create").json()["callbacks"]
    assert callback["body"].startswith('{"sandbox": true')
    headers = callback["headers"]
    form = {
        "id": headers["webhook-id"],
        "timestamp": int(headers["webhook-timestamp"]),
        "signature": headers["webhook-signature"],
        "body": callback["body"],
    }

    def verify(**changes: Any) -> Any:
        answer = client.http.post(
            "/v1/callbacks/verification", json=form | changes, headers=client.bearer(client.token)
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert verify() == {"matches": True, "fresh": True}
    assert verify(body=callback["body"] + " ")["matches"] is False
    assert verify(id="msg_other")["matches"] is False
    assert verify(signature="v1,x v2,y")["matches"] is False
    assert verify(timestamp=form["timestamp"] - 301) == {"matches": False, "fresh": False}
    keys = callback_keys.rotate(client.context.database, "inn", client.now)
    message = SignedMessage(**form)
    assert check(message, keys, client.now).matches
    assert not check(message, keys[:1], client.now).matches


def test_an_order_says_what_each_party_can_do_in_its_state(client: OrderClient) -> None:
    order = client.create_order().json()
    assert actions(client) == ["cancel"]
    assert my_actions(client) == ["confirm"]
    client.confirm(order["order_id"])
    assert actions(client) == ["cancel", "complete", "dispute"]
    assert my_actions(client) == ["dispute"]
    client.complete()
    assert actions(client) == ["modify", "pay", "sync", "dispute"]
    client.post_action("O-1", "dispute", {"statement": "the room is damaged"})
    assert actions(client) == ["modify", "pay", "sync", "agree"]
    assert my_actions(client) == []
    client.post_action("O-1", "pay")
    assert (actions(client), my_actions(client)) == ([], [])
