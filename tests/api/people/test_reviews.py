"""Human reviews of decisions: the person asks, an operator answers, and the record never changes."""

from datetime import timedelta

from sqlalchemy import select

from api.store.database import reading
from api.store.tables import DECISIONS
from tests.api.full_record import ZEB
from tests.api.person_client import PersonClient


def test_a_person_requests_a_review_and_sees_its_result(each_person_client: PersonClient) -> None:
    client = each_person_client
    decision = client.decide()
    with reading(client.database) as connection:
        rows_before = connection.execute(select(DECISIONS)).mappings().all()
    response = client.call("POST", "/me/reviews", {"decision_id": decision, "statement": "please look"})
    assert response.status_code == 201
    review = response.json()
    assert review["due_at"][:10] == (client.now + timedelta(days=20)).date().isoformat()
    cases = client.get("/reviews?open=true", caller="operator")["items"]
    assert [(c["review_id"], c["subject"], c["statement"], c["overdue"]) for c in cases] == [
        (review["review_id"], ZEB, "please look", False)
    ]
    assert [c["decision"] for c in cases] == client.get("/me/inquiries")["items"]
    answer = {"outcome": "mistaken", "note": "ask again"}
    answered_review = client.call("POST", f"/reviews/{review['review_id']}/answer", answer, caller="operator").json()
    assert (answered_review["outcome"], answered_review["answered_by"]) == ("mistaken", "the-operator")
    own_reviews = client.get("/me/reviews")["items"]
    assert [(r["outcome"], r["note"]) for r in own_reviews] == [("mistaken", "ask again")]
    assert "answered_by" not in own_reviews[0]
    assert client.get("/reviews?open=true", caller="operator") == {"items": [], "next": None}
    with reading(client.database) as connection:
        assert connection.execute(select(DECISIONS)).mappings().all() == rows_before
    assert client.decide(transaction="t-2") != decision  # the merchant may ask anew


def test_requesting_twice_opens_one_review(person_client: PersonClient) -> None:
    body = {"decision_id": person_client.decide()}
    first, second = (person_client.call("POST", "/me/reviews", body) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


def test_a_review_is_answered_once(person_client: PersonClient) -> None:
    review = person_client.call("POST", "/me/reviews", {"decision_id": person_client.decide()}).json()
    path = f"/reviews/{review['review_id']}/answer"
    assert person_client.call("POST", path, {"outcome": "stands"}, caller="operator").status_code == 200
    assert person_client.call("POST", path, {"outcome": "stands"}, caller="operator").status_code == 200
    assert (
        person_client.call("POST", path, {"outcome": "mistaken"}, caller="operator").json()["code"]
        == "already_answered"
    )
    assert (
        person_client.call("POST", "/reviews/00/answer", {"outcome": "mistaken"}, caller="operator").json()["code"]
        == "unknown_review"
    )
    assert person_client.call("POST", path, {"outcome": "mistaken"}).json()["code"] == "wrong_role"


def test_a_person_cannot_request_a_review_of_anothers_decision(person_client: PersonClient) -> None:
    body = {"decision_id": person_client.decide()}
    assert person_client.call("POST", "/me/reviews", body, caller="ann").json()["code"] == "unknown_decision"
    assert person_client.call("POST", "/me/reviews", {"decision_id": "00"}).json()["code"] == "unknown_decision"


def test_a_late_review_is_marked(person_client: PersonClient) -> None:
    person_client.call("POST", "/me/reviews", {"decision_id": person_client.decide()})
    person_client.advance(days=21)
    assert [c["overdue"] for c in person_client.get("/reviews", caller="operator")["items"]] == [True]
