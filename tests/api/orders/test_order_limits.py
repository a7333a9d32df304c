"""Unpaid and open orders block new ones, already at the question, and no merchant learns about another."""

from typing import Any

import pytest
from sqlalchemy import inspect, select, table

from api.decisions.decisions import recorded_inputs
from api.jobs.order_clock import tick_orders
from api.runtime.context import AppContext
from api.store.database import Database
from api.supervision import audit
from api.supervision.replay import replay
from tests.api.merchant_client import assert_problem
from tests.api.order_client import OrderClient


@pytest.fixture
def client(town: AppContext) -> OrderClient:
    """A person with consent to two merchants: `inn`, the client itself, and `lodge`."""
    client = OrderClient(town)
    client.lodge = client.issue("merchant", "lodge")  # type: ignore[attr-defined]
    return client


def ask(client: OrderClient, token: str | None = None, amount: int = 100) -> dict[str, Any]:
    response = client.ask(client.person, token, amount=amount)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def lodge_token(client: OrderClient) -> str:
    return str(client.lodge)  # type: ignore[attr-defined]


def start_order(client: OrderClient, number: str, **changes: Any) -> None:
    """An order of 100 with `inn`, in service."""
    order = client.create_order(number, ask(client)["decision_id"], amount=100, **changes).json()
    if order["state"] == "created":
        assert client.confirm(order["order_id"]).status_code == 200


def create_due_order(client: OrderClient, number: str = "O-1") -> None:
    start_order(client, number)
    assert client.complete(number, post_payments=[{"name": "room", "amount": 100}]).json()["state"] == "due"


def reason_codes(client: OrderClient, answer: dict[str, Any]) -> list[str]:
    """The reasons that the person sees for a question."""
    inquiries = client.http.get("/v1/me/inquiries", headers=client.bearer(client.person_token)).json()
    (row,) = [r for r in inquiries["items"] if r["decision_id"] == answer["decision_id"]]
    return [reason["code"] for reason in row["reasons"]]


def test_a_debt_to_one_merchant_declines_others_without_revealing_it(client: OrderClient) -> None:
    """One yuan, due in a week, makes the order `due`, not overdue; only the person sees this."""
    first = ask(client, lodge_token(client), amount=500_000)
    assert first["outcome"] == "ADMIT"
    create_due_order(client)
    client.advance(minutes=1)
    answer = ask(client, lodge_token(client))
    assert (answer["outcome"], answer["waived_amount"], answer["deposit_amount"]) == ("DECLINE", 0, 100)
    assert set(answer) == set(first)  # and no other words
    assert reason_codes(client, answer)[0] == "due_outstanding"
    assert_problem(
        client.create_order("L-1", answer["decision_id"], lodge_token(client), amount=100), 409, "not_admitted"
    )
    client.advance(days=8)
    assert tick_orders(client.context, client.now) == 1
    last = ask(client, lodge_token(client))
    assert (last["outcome"], reason_codes(client, last)[0]) == ("DECLINE", "overdue_outstanding")


def test_the_decision_record_has_the_counts_and_replays_the_same(client: OrderClient) -> None:
    create_due_order(client, "O-1")
    answer = ask(client, lodge_token(client))
    question = recorded_inputs(client.context.database, answer["decision_id"])["question"]
    assert (question["in_service"], question["unpaid"], question["overdue"]) == (0, 1, 0)
    assert replay(client.context, answer["decision_id"]).equal
    assert audit.verify(client.context.database).first_break is None


@pytest.mark.parametrize("confirm", [True, False])
def test_an_answer_lapses_with_the_same_message_for_any_cause(client: OrderClient, confirm: bool) -> None:
    """After the question, an order became due, or a third order began, with another merchant."""
    problems = []
    for number, orders in (("L-1", ("O-1",)), ("L-2", ("B-0", "B-1", "B-2"))):
        answer = ask(client, lodge_token(client))
        assert answer["outcome"] == "ADMIT"
        for order in orders:
            start_order(client, order)
        if number == "L-1":
            client.complete("O-1", post_payments=[{"name": "room", "amount": 100}])
        form = {"amount": 100, "need_user_confirm": confirm}
        response = client.create_order(number, answer["decision_id"], lodge_token(client), **form)
        problems.append(assert_problem(response, 409, "decision_lapsed"))
        assert_problem(client.get_order(number, lodge_token(client)), 404, "unknown_order")
        client.post_action("O-1", "pay")
    assert problems[0] == problems[1]
    assert problems[0]["detail"] == "the decision is no longer valid"


def test_a_fourth_order_is_declined_at_the_question(client: OrderClient) -> None:
    for n in range(3):
        start_order(client, f"O-{n}", need_user_confirm=False)
    answer = ask(client, lodge_token(client))
    assert (answer["outcome"], reason_codes(client, answer)[0]) == ("DECLINE", "too_many_open")
    client.complete("O-0", post_payments=[{"name": "room", "amount": 0}])
    assert ask(client, lodge_token(client), amount=99)["outcome"] == "ADMIT"


def test_a_person_sees_the_reason_that_an_order_cannot_start(client: OrderClient) -> None:
    orders = [client.create_order(f"O-{n}", ask(client)["decision_id"], amount=100).json() for n in range(4)]
    for order in orders[:3]:
        assert client.confirm(order["order_id"]).status_code == 200
    assert assert_problem(client.confirm(orders[3]["order_id"]), 409, "too_many_open")["detail"].endswith(
        "the maximum number of orders in service"
    )
    assert client.complete("O-0", post_payments=[{"name": "room", "amount": 100}]).status_code == 200
    problem = assert_problem(client.confirm(orders[3]["order_id"]), 409, "due_outstanding")
    assert problem["detail"] == "you have an unpaid order"
    client.advance(days=8)
    tick_orders(client.context, client.now)
    assert_problem(client.confirm(orders[3]["order_id"]), 409, "overdue_outstanding")
    client.post_action("O-0", "pay")
    assert client.confirm(orders[3]["order_id"]).status_code == 200


def every_row(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    tables = [table(name) for name in sorted(inspect(database).get_table_names())]
    with database.connect() as connection:
        return {t.name: sorted(map(tuple, connection.execute(select("*").select_from(t))), key=repr) for t in tables}


def test_a_rejected_create_or_confirm_changes_no_row(client: OrderClient) -> None:
    """So no later decision reads anything of the attempt, and the chain of moves need not bind it."""
    pending = client.create_order("O-2", ask(client)["decision_id"], amount=100).json()
    answer = ask(client, lodge_token(client))
    create_due_order(client)
    rows = every_row(client.context.database)
    assert len(rows["orders"]) == 2
    create = client.create_order("L-1", answer["decision_id"], lodge_token(client), amount=100)
    assert_problem(create, 409, "decision_lapsed")
    assert_problem(client.confirm(pending["order_id"]), 409, "due_outstanding")
    assert every_row(client.context.database) == rows


def test_orders_are_counted_for_each_person(client: OrderClient) -> None:
    create_due_order(client)
    other = next(str(p) for p in client.scores.filter(client.scores["score"] >= 750)["person"] if p != client.person)
    assert client.ask(other, lodge_token(client), amount=100).json()["outcome"] == "ADMIT"
