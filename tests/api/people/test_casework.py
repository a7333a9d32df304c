"""Casework of an operator: what an answer would do to the numbers, one case by its id, and lists in pages."""

import pytest
from sqlalchemy import text

from api.store.database import reading
from tests.api.person_client import PersonClient

NOBODY = "0" * 16
ITEMS = ("p7", "p8", "o2")


def open_disputes(client: PersonClient, *items: str) -> list[str]:
    opened = []
    for item in items:
        client.advance(minutes=1)
        response = client.call("POST", "/me/disputes", {"contributor": "bank", "event_id": item})
        assert response.status_code == 201, response.text
        opened.append(response.json()["dispute_id"])
    client.refresh()
    return opened


@pytest.mark.parametrize("outcome", ["upheld", "rejected"])
def test_the_effect_says_before_the_answer_what_the_score_is_after_it(
    person_client: PersonClient, outcome: str
) -> None:
    client = person_client
    open_disputes(client, "w1", "p2")
    before = client.get("/me")["score"]
    (name,) = open_disputes(client, "p3")
    effect = client.get(f"/disputes/{name}/effect", caller="operator")
    assert (effect["score_out"], effect["score_counted"]) == (client.get("/me")["score"], before)
    assert effect["score_out"] != effect["score_counted"]
    (payers,) = (one for one in effect["features"] if one["feature"] == "capacity.distinct_payers")
    assert int(payers["item_out"] or 0) < int(payers["item_counted"])
    assert payers["about"].startswith("Number of distinct parties")
    client.advance(hours=1)
    assert client.call("POST", f"/disputes/{name}/resolve", {"outcome": outcome}, caller="operator").status_code == 200
    client.refresh()
    score = "score_out" if outcome == "upheld" else "score_counted"
    assert client.get("/me")["score"] == effect[score]
    effect_after = client.get(f"/disputes/{name}/effect", caller="operator")
    assert (effect_after["score_out"], effect_after["score_counted"]) == (effect["score_out"], effect["score_counted"])


def test_the_words_of_an_effect_are_in_the_language_of_the_reader(person_client: PersonClient) -> None:
    (name,) = open_disputes(person_client, "w1")
    english, chinese = (
        person_client.get(f"/disputes/{name}/effect", caller="operator", **{"Accept-Language": language})
        for language in ("en", "zh")
    )
    assert [one["feature"] for one in english["features"]] == [one["feature"] for one in chinese["features"]]
    assert english["features"] != chinese["features"]


def test_lists_of_cases_come_in_pages_by_due_date(person_client: PersonClient) -> None:
    client = person_client
    names = open_disputes(client, *ITEMS)
    rows, after = [], ""
    for _ in range(9):
        page = client.get(f"/disputes?open=true&limit=1{after}", caller="operator")
        rows += page["items"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    listed = [row["dispute_id"] for row in rows]
    assert [name for name in listed if name in names] == names
    assert len(set(listed)) == len(listed)
    assert [row["due_at"] for row in rows] == sorted(row["due_at"] for row in rows)
    assert client.call("GET", "/disputes?after=x", caller="operator").status_code == 422


def test_one_case_is_read_by_its_id(person_client: PersonClient) -> None:
    client = person_client
    (name,) = open_disputes(client, "p7")
    case = client.get(f"/disputes/{name}", caller="operator")
    assert case in client.get("/disputes?open=true", caller="operator")["items"]
    decision = client.decide()
    review = client.call("POST", "/me/reviews", {"decision_id": decision}).json()["review_id"]
    case_of_review = client.get(f"/reviews/{review}", caller="operator")
    assert (case_of_review["decision_id"], case_of_review["outcome"]) == (decision, None)
    assert client.call("GET", f"/reviews/{NOBODY}", caller="operator").json()["code"] == "unknown_review"
    assert client.call("GET", f"/disputes/{NOBODY}/effect", caller="operator").json()["code"] == "unknown_dispute"


@pytest.mark.parametrize(("table", "answered_at"), [("disputes", "resolved_at"), ("reviews", "answered_at")])
def test_the_cases_that_wait_are_read_from_an_index_of_them_alone(
    each_person_client: PersonClient, table: str, answered_at: str
) -> None:
    database = each_person_client.database
    condition = f"{answered_at} IS NULL AND (due_at, id) > (5, 'a')"
    query = f"SELECT id FROM {table} WHERE {condition} ORDER BY due_at, id LIMIT 50"
    explain = "EXPLAIN QUERY PLAN" if database.dialect.name == "sqlite" else "EXPLAIN"
    with reading(database) as connection:
        if database.dialect.name == "postgresql":
            connection.execute(text("SET enable_seqscan = off"))
        plan = " ".join(str(row) for row in connection.execute(text(f"{explain} {query}")))
    assert f"{table}_waiting" in plan
    assert "sort" not in plan.lower()
