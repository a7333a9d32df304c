"""A human looks at a decision again: asked by whom it is about, answered by the house, and the record stays."""

from datetime import timedelta

from sqlalchemy import select

from api.database import reading
from api.tables import DECISIONS
from tests.api.leaving import ZEB
from tests.api.side import Side


def test_a_person_asks_and_is_told_what_came_of_it(either_side: Side) -> None:
    side = either_side
    decision = side.asked()
    with reading(side.engine) as connection:
        before = connection.execute(select(DECISIONS)).mappings().all()
    asked = side.call("POST", "/me/reviews", {"decision_id": decision, "statement": "please look"})
    assert asked.status_code == 201
    review = asked.json()
    assert review["due_at"][:10] == (side.now + timedelta(days=20)).date().isoformat()
    cases = side.get("/reviews?open=true", who="operator")["items"]
    assert [(c["review_id"], c["subject"], c["statement"], c["overdue"]) for c in cases] == [
        (review["review_id"], ZEB, "please look", False)
    ]
    assert [c["decision"] for c in cases] == side.get("/me/inquiries")["items"]
    answer = {"outcome": "mistaken", "note": "ask again"}
    told = side.call("POST", f"/reviews/{review['review_id']}/answer", answer, who="operator").json()
    assert (told["outcome"], told["answered_by"]) == ("mistaken", "the-operator")
    mine = side.get("/me/reviews")["items"]
    assert [(r["outcome"], r["note"]) for r in mine] == [("mistaken", "ask again")]
    assert "answered_by" not in mine[0]
    assert side.get("/reviews?open=true", who="operator") == {"items": [], "next": None}
    with reading(side.engine) as connection:
        assert connection.execute(select(DECISIONS)).mappings().all() == before
    assert side.asked(transaction="t-2") != decision  # the merchant may ask anew


def test_asking_twice_is_asking_once(side: Side) -> None:
    body = {"decision_id": side.asked()}
    first, again = (side.call("POST", "/me/reviews", body) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


def test_an_answer_is_given_once(side: Side) -> None:
    review = side.call("POST", "/me/reviews", {"decision_id": side.asked()}).json()
    path = f"/reviews/{review['review_id']}/answer"
    assert side.call("POST", path, {"outcome": "stands"}, who="operator").status_code == 200
    assert side.call("POST", path, {"outcome": "stands"}, who="operator").status_code == 200
    assert side.call("POST", path, {"outcome": "mistaken"}, who="operator").json()["code"] == "already_answered"
    assert (
        side.call("POST", "/reviews/00/answer", {"outcome": "mistaken"}, who="operator").json()["code"]
        == "unknown_review"
    )
    assert side.call("POST", path, {"outcome": "mistaken"}).json()["code"] == "wrong_role"


def test_nobody_asks_about_another_s_decision(side: Side) -> None:
    body = {"decision_id": side.asked()}
    assert side.call("POST", "/me/reviews", body, who="ann").json()["code"] == "unknown_decision"
    assert side.call("POST", "/me/reviews", {"decision_id": "00"}).json()["code"] == "unknown_decision"


def test_a_late_review_shows(side: Side) -> None:
    side.call("POST", "/me/reviews", {"decision_id": side.asked()})
    side.later(days=21)
    assert [c["overdue"] for c in side.get("/reviews", who="operator")["items"]] == [True]
