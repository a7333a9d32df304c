"""Eligibility from the merchant's side: the answer, its record, and every refusal, on both databases."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from api import auth, builds, decisions, deps, ledger, releases
from api.actions import World, ready
from api.app import create_app
from api.database import reading
from api.decisions import chained, committed, entry
from engine.decide import Reference, decide, question_of
from engine.engines import Engines
from tests.api.world import NOW, event, shipped


class Door:
    """A merchant at the door: asks, and may move the clock."""

    def __init__(self, world: World) -> None:
        self.world, self.now = world, NOW + timedelta(hours=1)
        app = create_app(world)
        app.dependency_overrides[deps.present] = lambda: self.now
        self.client = TestClient(app, raise_server_exceptions=False)
        self.token = self.issue("merchant", "inn")
        self.scores = builds.scores(world.database, ready(world))

    def issue(self, role: str, party: str, expires: datetime | None = None) -> str:
        return auth.issue(self.world.database, role, party, party, NOW, expires)

    def ask(self, subject: str, token: str | None = None, **changes: Any) -> Any:
        body = {"subject": subject, "perk": "hotel", "amount": 50_000} | changes
        return self.client.post("/v1/eligibility", json=body, headers=self.bearer(token or self.token))

    def show(self, decision_id: str, token: str | None = None) -> Any:
        return self.client.get(f"/v1/decisions/{decision_id}", headers=self.bearer(token or self.token))

    def bearer(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def anyone(self, least: int = 600) -> str:
        return str(self.scores.filter(pl.col("score") >= least)["person"][0])

    def nobody_scored(self) -> str:
        return str(self.scores.filter(pl.col("score").is_null())["person"][0])


@pytest.fixture
def door(town: World) -> Door:
    return Door(town)


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert set(problem) <= {"type", "title", "status", "code", "detail", "where", "hint"}
    assert "Traceback" not in response.text
    return problem


def test_a_good_score_gets_a_room_and_learns_neither_score_nor_reasons(door: Door) -> None:
    answer = door.ask(door.anyone()).json()
    assert answer["outcome"] == "ADMIT"
    assert (answer["waived_amount"], answer["deposit_amount"], answer["currency"]) == (50_000, 0, "CNY")
    assert datetime.fromisoformat(answer["valid_until"]) == door.now + timedelta(hours=24)
    assert set(answer) == {"decision_id", "outcome", "waived_amount", "deposit_amount", "currency", "valid_until"}


def test_a_part_of_a_deposit_and_the_rest_make_the_whole(door: Door) -> None:
    answer = door.ask(door.anyone(), perk="car", amount=10_000_000).json()
    assert answer["outcome"] == "PARTIAL"
    assert answer["waived_amount"] + answer["deposit_amount"] == 10_000_000


def test_too_little_evidence_is_unscorable_and_takes_the_whole_deposit(door: Door) -> None:
    answer = door.ask(door.nobody_scored()).json()
    assert (answer["outcome"], answer["waived_amount"], answer["deposit_amount"]) == ("UNSCORABLE", 0, 50_000)


def test_everyone_online_gets_the_score_that_everyone_at_once_got(door: Door) -> None:
    for person, score, _ in door.scores.head(25).iter_rows():
        told = door.ask(person).json()
        record = decisions.record_of(door.world.database, told["decision_id"])
        assert record["decision"]["scored"]["score"] == score


def test_an_answer_is_on_record_with_all_it_depended_on_and_can_be_made_again(door: Door) -> None:
    told = door.ask(door.anyone(), transaction_id="T-1").json()
    record = decisions.record_of(door.world.database, told["decision_id"])
    assert (record["merchant"], record["transaction_id"]) == ("inn", "T-1")
    question = question_of(record["decision"])
    program = releases.kept(door.world.database, record["decision"]["release"]).at(question.day)
    again = decide(Reference(program), question)
    assert json.loads(again.canonical()) == record["decision"]


def test_records_are_chained_so_that_a_change_shows(door: Door) -> None:
    for _ in range(3):
        door.ask(door.anyone())
    both = "select d.*, salt, record from decisions d join decision_subjects s on s.seq = d.seq order by d.seq"
    with reading(door.world.database) as connection:
        rows = [dict(row) for row in connection.execute(text(both)).mappings()]
    before = decisions.FIRST
    for row in rows:
        assert row["previous_hash"] == before
        assert row["hash"] == chained(before, entry(row))
        assert row["commitment"] == committed(row["salt"], row["record"])
        before = row["hash"]
    assert len(rows) == 3
    altered = entry(rows[1]).replace("ADMIT", "DECLINE").replace("UNSCORABLE", "ADMIT")
    assert chained(rows[1]["previous_hash"], altered + " ") != rows[1]["hash"]
    assert committed(rows[1]["salt"], rows[1]["record"].replace("hotel", "motel")) != rows[1]["commitment"]


def test_an_entry_of_the_chain_names_nobody(door: Door) -> None:
    person = door.anyone()
    door.ask(person)
    with reading(door.world.database) as connection:
        row = connection.execute(text("select * from decisions")).one()
    assert person not in json.dumps(list(row))


def test_a_merchant_sees_its_own_decision_again_and_nobody_elses(door: Door) -> None:
    told = door.ask(door.anyone(), transaction_id="T-2").json()
    shown = door.show(told["decision_id"]).json()
    assert {k: shown[k] for k in told} == told
    assert (shown["transaction_id"], shown["perk"], shown["amount"]) == ("T-2", "hotel", 50_000)
    refused(door.show(told["decision_id"], door.issue("merchant", "other-inn")), 404, "unknown_decision")
    refused(door.show("never-made"), 404, "unknown_decision")


def test_the_same_transaction_gets_the_first_answer_for_a_day(door: Door) -> None:
    person = door.anyone()
    first = door.ask(person, transaction_id="T-3").json()
    door.now += timedelta(hours=24)
    assert door.ask(person, transaction_id="T-3").json() == first
    door.now += timedelta(seconds=1)
    refused(door.ask(person, transaction_id="T-3"), 409, "transaction_expired")


def test_the_same_transaction_for_something_else_is_refused(door: Door) -> None:
    door.ask(door.anyone(), transaction_id="T-4")
    refused(door.ask(door.anyone(), transaction_id="T-4", amount=1), 409, "transaction_mismatch")
    other = door.issue("merchant", "other-inn")
    assert door.ask(door.anyone(), token=other, transaction_id="T-4").status_code == 200


def test_without_a_token_or_with_a_bad_one_nothing_is_answered(door: Door) -> None:
    refused(door.client.post("/v1/eligibility", json={}), 401, "no_token")
    refused(door.ask("p-1", token="iftah_nonsense"), 401, "bad_token")
    expired = door.issue("merchant", "late", NOW + timedelta(minutes=1))
    refused(door.ask("p-1", token=expired), 401, "bad_token")
    assert auth.revoke(door.world.database, "inn", NOW) == 1
    response = door.ask("p-1")
    refused(response, 401, "bad_token")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("role", [r for r in auth.ROLES if r != "merchant"])
def test_only_a_merchant_may_ask(door: Door, role: str) -> None:
    token = door.issue(role, "someone")
    refused(door.ask("p-1", token=token), 403, "wrong_role")
    refused(door.show("x", token=token), 403, "wrong_role")


@pytest.mark.parametrize("amount", [0, -1, 1.5, "500", True, None, 10**13, 2_000_001])
def test_a_bad_amount_is_refused(door: Door, amount: object) -> None:
    assert refused(door.ask(door.anyone(), amount=amount), 422, "bad_amount")["where"] == "amount"


def test_an_unknown_person_perk_or_currency_is_refused_with_its_code(door: Door) -> None:
    refused(door.ask("nobody"), 404, "unknown_person")
    assert "hotel" in refused(door.ask(door.anyone(), perk="hotle"), 404, "unknown_perk")["hint"]
    refused(door.ask(door.anyone(), currency="EUR"), 422, "wrong_currency")


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"[]", b'{"subject": "p-1"}', b'{"subject":"\\ud800","perk":"hotel","amount":1}']
    + [json.dumps({"subject": s, "perk": "hotel", "amount": 1}).encode() for s in ("", "a\x00b", "a\nb", "x" * 129)]
    + [b'{"subject":"p-1","perk":"hotel","amount":1,"score":950}', b"\xff\xfe", b"[" * 5_000],
)
def test_a_body_that_is_not_a_question_is_refused_in_one_shape(door: Door, body: bytes) -> None:
    headers = door.bearer(door.token) | {"Content-Type": "application/json"}
    refused(door.client.post("/v1/eligibility", content=body, headers=headers), 422, "bad_request")


def test_addresses_and_methods_that_do_not_exist_answer_in_the_same_shape(door: Door) -> None:
    refused(door.client.get("/v1/nothing"), 404, "not_found")
    refused(door.client.delete("/v1/health"), 405, "method_not_allowed")


def test_nothing_is_recorded_for_a_refused_question(door: Door) -> None:
    door.ask("nobody")
    door.ask(door.anyone(), amount=-1)
    with reading(door.world.database) as connection:
        assert connection.execute(text("select count(*) from decisions")).scalar() == 0


def test_who_withdraws_consent_is_unknown_from_the_next_question_on(door: Door) -> None:
    person = door.anyone()
    withdrawn = event("consent.withdrawn", person, NOW, purpose="perks")
    assert ledger.append(door.world.database, withdrawn, NOW).accepted == 1
    problem = refused(door.ask(person), 404, "unknown_person")
    assert problem == refused(door.ask("nobody"), 404, "unknown_person")


def test_a_class_withdrawn_is_missing_from_the_next_question_on(door: Door) -> None:
    person = door.anyone()
    ledger.append(
        door.world.database, event("consent.withdrawn", person, NOW, purpose="perks", classes="behaviour"), NOW
    )
    record = decisions.record_of(door.world.database, door.ask(person).json()["decision_id"])
    values = record["decision"]["question"]["values"]
    assert values["behaviour.payments"] is None
    assert values["identity.level"] is not None


def test_a_tie_whose_other_end_withdrew_counts_no_longer(door: Door) -> None:
    ties = ledger.read(door.world.database, kinds=["tie.formed"])
    scored = set(door.scores.drop_nulls("score")["person"])
    a, b = next((a, b) for a, b in ties.select("subject", "other").iter_rows() if a in scored and a != b)
    before = decisions.record_of(door.world.database, door.ask(a).json()["decision_id"])
    assert before["decision"]["question"]["values"]["relationships.degree"] is not None
    ledger.append(door.world.database, event("consent.withdrawn", b, NOW, purpose="perks"), NOW)
    after = decisions.record_of(door.world.database, door.ask(a).json()["decision_id"])
    assert after["decision"]["question"]["values"]["relationships.degree"] is None


def test_evidence_disputed_since_the_build_stops_answers_until_the_next(door: Door) -> None:
    person = door.anyone()
    own = ledger.read(door.world.database, people=[person], kinds=["payment.made"]).filter(pl.col("subject") == person)
    item = own.row(0, named=True)
    said = event("dispute.opened", person, NOW, ref_event=item["event_id"], ref_contributor=item["contributor"])
    ledger.append(door.world.database, said, NOW)
    refused(door.ask(person), 503, "features_stale")
    builds.build(door.world.database, NOW, "perks", NOW)
    assert door.ask(person).status_code == 200


def test_a_dispute_does_not_give_away_somebody_without_consent(door: Door) -> None:
    person = door.anyone()
    gone = event("consent.withdrawn", person, NOW, purpose="perks")
    disputed = event("dispute.opened", person, NOW, event_id="new-2", ref_event="anything")
    assert ledger.append(door.world.database, pl.concat([gone, disputed]), NOW).accepted == 2
    assert refused(door.ask(person), 404, "unknown_person") == refused(door.ask("nobody"), 404, "unknown_person")


def test_a_change_sent_under_another_name_stops_answers_too(door: Door) -> None:
    person = door.anyone()
    own = ledger.read(door.world.database, people=[person], kinds=["payment.made"]).filter(pl.col("subject") == person)
    item = own.row(0, named=True)
    said = event("event.retracted", "nobody", NOW, ref_event=item["event_id"])
    said = said.with_columns(contributor=pl.lit(item["contributor"]))
    assert ledger.append(door.world.database, said, NOW).accepted == 1
    refused(door.ask(person), 503, "features_stale")
    refused(door.ask(item["other"]), 503, "features_stale")


def test_a_body_larger_than_any_question_is_refused_before_it_is_read(door: Door) -> None:
    headers = door.bearer(door.token) | {"Content-Type": "application/json"}
    keys = json.dumps({f"k{n}": 1 for n in range(20_000)}).encode()
    refused(door.client.post("/v1/eligibility", content=keys, headers=headers), 413, "too_large")
    pieces = (b'{"k": "' if n == 0 else b"x" * 1000 for n in range(200))
    refused(door.client.post("/v1/eligibility", content=pieces, headers=headers), 413, "too_large")


def test_many_wrong_keys_are_told_in_a_few_words(door: Door) -> None:
    problem = refused(door.ask("p-1", **{f"{'k' * 100}{n}": 1 for n in range(300)}), 422, "bad_request")
    assert len(json.dumps(problem)) < 1_000


def test_an_answer_is_never_given_from_a_database_file_that_is_gone(door: Door) -> None:
    if door.world.database.dialect.name == "sqlite":
        Path(str(door.world.database.url.database)).unlink()
        refused(door.ask(door.anyone()), 503, "not_ready")


def test_health_is_ready_once_features_are_there(town: World) -> None:
    found = TestClient(create_app(town)).get("/v1/health").json()
    assert (found["status"], found["release"]) == ("ready", town.release.id)
    assert found["people"] > 50


def test_health_says_so_when_there_are_no_features_yet(engine: Engine) -> None:
    world = World(engine, Engines(shipped()))
    client = TestClient(create_app(world))
    refused(client.get("/v1/health"), 503, "not_ready")
    token = auth.issue(engine, "merchant", "inn", "inn", NOW, None)
    body = {"subject": "p-1", "perk": "hotel", "amount": 1}
    refused(client.post("/v1/eligibility", json=body, headers={"Authorization": f"Bearer {token}"}), 503, "not_ready")
    world.engines.close()


def test_a_database_that_goes_away_is_a_503_and_says_nothing_of_itself(door: Door) -> None:
    with door.world.database.begin() as connection:
        connection.execute(text("drop table tokens"))
    problem = refused(door.ask("p-1"), 503, "not_ready")
    assert "tokens" not in json.dumps(problem)


def test_the_openapi_document_names_every_code(door: Door) -> None:
    document = door.client.get("/openapi.json").json()
    paths, schemas = document["paths"], document["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document))) <= set(schemas)
    said = json.dumps(paths["/v1/eligibility"]["post"]["responses"])
    assert all(code in said for code in ("unknown_person", "bad_amount", "no_token", "transaction_mismatch"))
    page = door.client.get("/docs")
    assert page.status_code == 200
    assert not re.findall(r'(?:src|href)="https?://', page.text)  # a closed network has the page too
