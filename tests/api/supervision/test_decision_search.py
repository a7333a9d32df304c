"""Search of decisions, explanations of them, and looks of operators at their records."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from api.access import tokens
from api.people.erasure import erase
from api.runtime.context import AppContext
from api.store.database import reading
from api.supervision.decision_search import SEARCH_COLUMNS, DecisionFilter, find_decisions
from tests.api.audit_client import AuditClient, tamper
from tests.api.merchant_client import assert_problem
from tests.api.town import NOW

PURPOSE = {"kind": "review", "purpose": "the person asks for a review"}
PERSONAL_PARTS = ("/explanation", "/replay")


@pytest.fixture
def client(town: AppContext) -> AuditClient:
    return AuditClient(town)


def operator(client: AuditClient, party: str = "mei") -> str:
    return tokens.issue(client.context.database, "operator", party, party, NOW).secret


def look(client: AuditClient, token: str, path: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    response = client.http.post(f"/v1/{path}/looks", json=PURPOSE, headers=headers)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def test_a_search_is_by_time_merchant_perk_outcome_and_release(client: AuditClient) -> None:
    decisions = [*client.decide_many(6), client.decide(client.people[7], "power_bank", 9900, client.now)]
    items = client.get("decisions", limit=500).json()["items"]
    assert [i["decided_at"] for i in items] == sorted((i["decided_at"] for i in items), reverse=True)
    assert {i["id"] for i in items} == {d.id for d in decisions}
    release = client.context.release.id
    for query in ({"perk": "hotel"}, {"outcome": items[0]["outcome"]}, {"release": release}, {"merchant": "operator"}):
        name, value = next(iter(query.items()))
        expected = [i["id"] for i in items if i[name] == value]
        assert [i["id"] for i in client.get("decisions", **query).json()["items"]] == expected, query
    assert client.get("decisions", release="0" * 64).json()["items"] == []
    pages, after = list[str](), None
    while after is not None or not pages:
        page = client.get("decisions", limit=2, perk="hotel", **({"after": after} if after else {})).json()
        pages, after = [*pages, *(i["id"] for i in page["items"])], page["next"]
    assert pages == [i["id"] for i in items if i["perk"] == "hotel"]


def test_an_operator_searches_without_a_look_and_sees_no_person(client: AuditClient) -> None:
    decision = client.decide(client.people[0])
    token = operator(client)
    (item,) = client.get("decisions", token).json()["items"]
    entry = client.get(f"decisions/{decision.id}", token).json()
    assert entry["withheld"] is True
    assert client.people[0] not in str((item, entry))
    assert {entry[name] for name in ("subject", "salt", "record")} == {None}
    assert client.get(f"decisions/{decision.id}").json()["withheld"] is False


def test_an_operator_opens_a_record_under_a_look_at_it_or_at_its_person(client: AuditClient) -> None:
    decision, other = client.decide(client.people[0]), client.decide(client.people[1])
    token = operator(client)
    keys = [look(client, token, f"decisions/{decision.id}"), look(client, token, f"people/{client.people[0]}")]
    for key in keys:
        whole = client.get(f"decisions/{decision.id}", token, look=key).json()
        assert (whole["subject"], whole["withheld"]) == (client.people[0], False)
        for part in PERSONAL_PARTS:
            assert client.get(f"decisions/{decision.id}{part}", token, look=key).status_code == 200
            assert_problem(client.get(f"decisions/{other.id}{part}", token, look=key), 403, "look_needed")
        assert_problem(client.get(f"decisions/{other.id}", token, look=key), 403, "look_needed")
        assert_problem(client.get(f"decisions/{decision.id}", operator(client, "lee"), look=key), 403, "look_needed")
    for part in PERSONAL_PARTS:
        assert_problem(client.get(f"decisions/{decision.id}{part}", token), 403, "look_needed")
    headers = {"Authorization": f"Bearer {token}"}
    path = f"/v1/people/{client.people[0]}?look={keys[0]}"  # a look at a decision opens no person
    assert_problem(client.http.get(path, headers=headers), 403, "look_needed")


def test_a_look_at_an_erased_decision_finds_nobody(client: AuditClient) -> None:
    decision, token = client.decide(client.people[0]), operator(client)
    erase(client.context.database, client.people[0], client.now)
    headers = {"Authorization": f"Bearer {token}"}
    response = client.http.post(f"/v1/decisions/{decision.id}/looks", json=PURPOSE, headers=headers)
    assert_problem(response, 410, "erased")
    assert client.get(f"decisions/{decision.id}", token).json()["erased"] is True
    assert_problem(client.get(f"decisions/{decision.id}/replay", token), 410, "erased")


def explanations(client: AuditClient) -> list[dict[str, Any]]:
    ids = [
        client.decide(p, perk, amount).id
        for p in client.people[:12]
        for perk, amount in (("hotel", 50_000), ("car", 900_000))
    ]
    return [client.get(f"decisions/{name}/explanation").json() for name in ids]


def test_an_explanation_names_the_rule_that_decided_and_its_lines(client: AuditClient) -> None:
    answers = explanations(client)
    assert {a["outcome"] for a in answers} >= {"ADMIT", "UNSCORABLE"}
    for answer in answers:
        decisive = [rule for rule in answer["rules"] if rule["decides"]]
        marked = [line["text"] for line in answer["lines"] if line["decides"]]
        if answer["outcome"] in ("ADMIT", "PARTIAL", "UNSCORABLE"):
            assert len(decisive) == 1, answer
            name = "scorable" if answer["outcome"] == "UNSCORABLE" else decisive[0]["id"]
            assert name in marked[0]
            assert answer["file"] == ("trust.yaml" if answer["outcome"] == "UNSCORABLE" else "perks.yaml")
        if answer["outcome"] in ("ADMIT", "PARTIAL"):
            assert decisive[0]["status"] is True
            assert decisive[0]["comparisons"][0]["value"] == str(answer["score"])
        if answer["score"] is not None:
            assert 480 + sum(p["points"] for p in answer["points"]) >= answer["score"] - 1
        assert all(value["value"] for value in answer["values"])


def test_an_explanation_is_in_the_readers_language(client: AuditClient) -> None:
    decision = client.decide(client.people[0])
    headers = {"Authorization": f"Bearer {client.token}", "Accept-Language": "zh"}
    answer = client.http.get(f"/v1/audit/decisions/{decision.id}/explanation", headers=headers).json()
    assert any("\u4e00" <= letter <= "\u9fff" for letter in answer["values"][0]["about"])


def test_a_supervisor_walks_the_chain_and_sees_a_break(client: AuditClient) -> None:
    decisions = client.decide_many(3)
    result = client.get("chain").json()
    assert (result["intact"], result["decisions"], result["first_break"]) == (True, 3, None)
    assert client.get("chain", head=result["head"]).json()["intact"] is True
    assert client.get("chain", head="0" * 64).json()["intact"] is False
    tamper(
        client.context.database, f"update decisions set outcome = 'ADMIT', waived = 7 where id = '{decisions[1].id}'"
    )
    broken = client.get("chain").json()
    assert (broken["intact"], broken["first_break"]["id"]) == (False, decisions[1].id)


def test_a_supervisor_lists_looks(client: AuditClient) -> None:
    token, (first, second) = operator(client), client.people[:2]
    for person in (first, second, first):
        look(client, token, f"people/{person}")
    client.now += timedelta(minutes=1)
    look(client, operator(client, "lee"), f"people/{second}")
    items = client.get("looks").json()["items"]
    assert [(i["party"], i["person"]) for i in items] == [
        ("lee", second),
        ("mei", first),
        ("mei", second),
        ("mei", first),
    ]
    assert all("id" not in i for i in items)
    assert len(client.get("looks", person=first).json()["items"]) == 2
    assert len(client.get("looks", party="lee").json()["items"]) == 1
    page = client.get("looks", limit=3).json()
    assert [i["person"] for i in client.get("looks", after=page["next"]).json()["items"]] == [first]


def test_a_search_by_several_filters_stops_after_so_many_decisions_and_goes_on_from_there(client: AuditClient) -> None:
    for n, person in enumerate(client.people[:9]):
        client.decide(person, "hotel" if n in (0, 1, 7) else "power_bank", 9900, client.now + timedelta(hours=n))
    database, merchant = client.context.database, client.get("decisions").json()["items"][0]["merchant"]
    every = find_decisions(database, DecisionFilter(), None, 100).rows
    criteria = DecisionFilter(merchant=merchant, perk="hotel")
    assert find_decisions(database, criteria, None, 100) == ([r for r in every if r["perk"] == "hotel"], None)
    pages, before = list[tuple[list[int], int | None]](), None
    while not pages or before is not None:
        rows, stop = find_decisions(database, criteria, before, 100, scanned=4)
        before = stop
        pages.append(([row["seq"] for row in rows], before))
    seqs = [row["seq"] for row in every]
    hotels = [row["seq"] for row in every if row["perk"] == "hotel"]
    assert pages == [(hotels[:1], seqs[3]), (hotels[1:2], seqs[7]), (hotels[2:], None)]


def test_a_search_that_is_full_does_not_say_that_it_stopped(client: AuditClient) -> None:
    client.decide_many(6)
    database, criteria = client.context.database, DecisionFilter(perk="hotel", release=client.context.release.id)
    rows, stop = find_decisions(database, criteria, None, 2, scanned=3)
    assert (len(rows), stop) == (2, None)
    rows, stop = find_decisions(database, criteria, None, 4, scanned=3)
    assert len(rows) == 3
    assert stop == rows[-1]["seq"]
    rows, stop = find_decisions(database, criteria, None, 9, scanned=6)
    assert (len(rows), stop) == (6, None)


@pytest.mark.parametrize("column", SEARCH_COLUMNS)
def test_a_search_reads_an_index(town: AppContext, column: str) -> None:
    query = f"SELECT seq FROM decisions WHERE ({column} || '') = 'x' ORDER BY decided_at DESC, seq DESC LIMIT 100"
    explain = "EXPLAIN QUERY PLAN" if town.database.dialect.name == "sqlite" else "EXPLAIN"
    with reading(town.database) as connection:
        if town.database.dialect.name == "postgresql":
            connection.execute(text("SET enable_seqscan = off"))
        plan = " ".join(str(row) for row in connection.execute(text(f"{explain} {query}")))
    assert f"decisions_of_{column}" in plan
