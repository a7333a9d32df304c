"""What a person owes, and how much of theirs is in use, holds up new orders: at the question, and no merchant learns of another."""

from typing import Any

import pytest

from api import actions
from api.background.timekeeper import keep_time
from api.supervision import audit
from api.supervision.replay import replay
from api.world import World
from tests.api.door import refused
from tests.api.ordering import Counter


@pytest.fixture
def counter(town: World) -> Counter:
    """A person whom two merchants may ask about: inn, which is ours, and lodge."""
    counter = Counter(town)
    counter.lodge = counter.issue("merchant", "lodge")  # type: ignore[attr-defined]
    return counter


def asked(counter: Counter, token: str | None = None, amount: int = 100) -> dict[str, Any]:
    said = counter.ask(counter.person, token, amount=amount)
    assert said.status_code == 200, said.text
    answer: dict[str, Any] = said.json()
    return answer


def lodge(counter: Counter) -> str:
    return str(counter.lodge)  # type: ignore[attr-defined]


def begun(counter: Counter, number: str, **changes: Any) -> None:
    """An order of a hundred with the inn, in service."""
    made = counter.order(number, asked(counter)["decision_id"], amount=100, **changes).json()
    if made["state"] == "created":
        assert counter.confirm(made["order_id"]).status_code == 200


def due(counter: Counter, number: str = "O-1") -> None:
    begun(counter, number)
    assert counter.complete(number, post_payments=[{"name": "room", "amount": 100}]).json()["state"] == "due"


def because(counter: Counter, answer: dict[str, Any]) -> list[str]:
    """What the person is told of a question."""
    mine = counter.client.get("/v1/me/inquiries", headers=counter.bearer(counter.me)).json()
    (row,) = [r for r in mine["items"] if r["decision_id"] == answer["decision_id"]]
    return [reason["code"] for reason in row["reasons"]]


def test_who_owes_one_merchant_is_declined_to_another_who_learns_nothing_of_it(counter: Counter) -> None:
    """A yuan that is not due for a week yet is `due`, and no more than that, and only to the person."""
    plain = asked(counter, lodge(counter), amount=500_000)
    assert plain["outcome"] == "ADMIT"
    due(counter)
    counter.later(minutes=1)
    answer = asked(counter, lodge(counter))
    assert (answer["outcome"], answer["waived_amount"], answer["deposit_amount"]) == ("DECLINE", 0, 100)
    assert set(answer) == set(plain)  # and no other words
    assert because(counter, answer)[0] == "due_outstanding"
    refused(counter.order("L-1", answer["decision_id"], lodge(counter), amount=100), 409, "not_admitted")
    counter.later(days=8)
    assert keep_time(counter.world, counter.now) == 1
    late = asked(counter, lodge(counter))
    assert (late["outcome"], because(counter, late)[0]) == ("DECLINE", "overdue_outstanding")


def test_the_decision_holds_what_was_counted_and_comes_out_the_same_when_it_is_made_again(counter: Counter) -> None:
    due(counter, "O-1")
    answer = asked(counter, lodge(counter))
    question = actions.recorded(counter.world, answer["decision_id"])["question"]
    assert (question["in_service"], question["unpaid"], question["overdue"]) == (0, 1, 0)
    assert replay(counter.world, answer["decision_id"]).equal
    assert audit.verify(counter.world.database).broken is None


@pytest.mark.parametrize("confirm", [True, False])
def test_an_answer_lapses_in_the_same_words_whatever_came_between(counter: Counter, confirm: bool) -> None:
    """Something became due, or the third order began, with another merchant after the question."""
    problems = []
    for number, orders in (("L-1", ("O-1",)), ("L-2", ("B-0", "B-1", "B-2"))):
        answer = asked(counter, lodge(counter))
        assert answer["outcome"] == "ADMIT"
        for order in orders:
            begun(counter, order)
        if number == "L-1":
            counter.complete("O-1", post_payments=[{"name": "room", "amount": 100}])
        form = {"amount": 100, "need_user_confirm": confirm}
        said = counter.order(number, answer["decision_id"], lodge(counter), **form)
        problems.append(refused(said, 409, "decision_lapsed"))
        refused(counter.seen(number, lodge(counter)), 404, "unknown_order")
        counter.do("O-1", "pay")
    assert problems[0] == problems[1]
    assert problems[0]["detail"] == "the decision does not stand any more"


def test_a_fourth_order_is_declined_at_the_question(counter: Counter) -> None:
    for n in range(3):
        begun(counter, f"O-{n}", need_user_confirm=False)
    answer = asked(counter, lodge(counter))
    assert (answer["outcome"], because(counter, answer)[0]) == ("DECLINE", "too_many_open")
    counter.complete("O-0", post_payments=[{"name": "room", "amount": 0}])
    assert asked(counter, lodge(counter), amount=99)["outcome"] == "ADMIT"


def test_the_person_who_confirms_is_told_why_it_does_not_begin(counter: Counter) -> None:
    made = [counter.order(f"O-{n}", asked(counter)["decision_id"], amount=100).json() for n in range(4)]
    for order in made[:3]:
        assert counter.confirm(order["order_id"]).status_code == 200
    assert refused(counter.confirm(made[3]["order_id"]), 409, "too_many_open")["detail"].endswith("as there may be")
    assert counter.complete("O-0", post_payments=[{"name": "room", "amount": 100}]).status_code == 200
    told = refused(counter.confirm(made[3]["order_id"]), 409, "due_outstanding")
    assert told["detail"] == "an order of yours is to be paid"
    counter.later(days=8)
    keep_time(counter.world, counter.now)
    refused(counter.confirm(made[3]["order_id"]), 409, "overdue_outstanding")
    counter.do("O-0", "pay")
    assert counter.confirm(made[3]["order_id"]).status_code == 200


def test_two_people_s_orders_are_counted_apart(counter: Counter) -> None:
    due(counter)
    other = next(str(p) for p in counter.scores.filter(counter.scores["score"] >= 750)["person"] if p != counter.person)
    assert counter.ask(other, lodge(counter), amount=100).json()["outcome"] == "ADMIT"
