"""Eligibility from the merchant's side: the answer, its record, and every refusal, on both databases."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from api.access import auth, tokens
from api.app import create_app
from api.database import reading
from api.decisions import decisions
from api.decisions.decisions import Asked, chained, committed, entry
from api.decisions.eligibility import Put, answered
from api.evidence import ledger
from api.features import builds
from api.releases import releases
from api.world import World
from engine.decide import Reference, decide, question_of
from engine.engines import Engines
from engine.errors import Refused
from tests.api.door import Door, refused
from tests.api.world import NOW, event, shipped


@pytest.fixture
def door(town: World) -> Door:
    return Door(town)


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
    refused(door.put("p-1", token="iftah_nonsense"), 401, "bad_token")
    expired = door.issue("merchant", "late", NOW + timedelta(minutes=1))
    refused(door.put("p-1", token=expired), 401, "bad_token")
    assert tokens.revoke(door.world.database, "inn", NOW) == 1
    response = door.put("p-1")
    refused(response, 401, "bad_token")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("role", [r for r in auth.ROLES if r != "merchant"])
def test_only_a_merchant_may_ask(door: Door, role: str) -> None:
    token = door.issue(role, "someone")
    refused(door.put("p-1", token=token), 403, "wrong_role")
    refused(door.show("x", token=token), 403, "wrong_role")


@pytest.mark.parametrize("amount", [0, -1, 1.5, "500", True, None, 10**13, 2_000_001])
def test_a_bad_amount_is_refused(door: Door, amount: object) -> None:
    assert refused(door.ask(door.anyone(), amount=amount), 422, "bad_amount")["where"] == "amount"


def test_without_consent_there_is_no_answer_and_nobody_learns_whether_there_is_such_a_person(door: Door) -> None:
    door.sign_up()
    person = door.anyone()
    problem = refused(door.put(person), 403, "no_consent")
    assert problem == refused(door.put("nobody"), 403, "no_consent")
    door.consent(person, service="other")
    assert refused(door.put(person), 403, "no_consent") == problem
    door.consent(person, classes="behaviour,credit")  # not to identity
    assert refused(door.put(person), 403, "no_consent") == problem
    door.consent(person, until=door.now + timedelta(hours=1))
    assert door.put(person).status_code == 200
    door.now += timedelta(hours=1)
    assert refused(door.put(person), 403, "no_consent") == problem


def test_a_service_gets_what_both_the_person_and_its_own_consent_cover(door: Door) -> None:
    person = door.anyone()
    door.sign_up()
    door.consent(person, classes="identity,credit")
    record = decisions.record_of(door.world.database, door.put(person).json()["decision_id"])
    values = record["decision"]["question"]["values"]
    assert values["identity.level"] is not None
    assert values["behaviour.payments"] is None


def test_a_refusal_is_on_record_for_the_person_and_may_be_asked_again(door: Door) -> None:
    person = door.anyone()
    door.sign_up()
    refused(door.put(person, transaction_id="T-7"), 403, "no_consent")
    with reading(door.world.database) as connection:
        query = "select subject, service, outcome from decisions d join decision_subjects s on s.seq = d.seq"
        assert [tuple(row) for row in connection.execute(text(query))] == [(person, "hotel", "REFUSED")]
    door.consent(person)
    assert door.put(person, transaction_id="T-7").json()["outcome"] == "ADMIT"


def test_an_unknown_service_or_somebody_not_on_its_list_is_refused_with_its_code(door: Door) -> None:
    refused(door.put(door.anyone()), 404, "unknown_service")
    door.sign_up(allowed=("somebody",))
    refused(door.put(door.anyone()), 403, "not_on_allow_list")
    door.sign_up()
    assert door.ask(door.anyone()).json()["outcome"] == "ADMIT"


def test_a_merchant_cannot_feel_its_way_by_amounts(door: Door) -> None:
    person = door.anyone()
    for amount in (100, 200, 300, 400, 500, 100):
        assert door.ask(person, amount=amount).status_code == 200
    refused(door.ask(person, amount=600), 429, "too_many_amounts")
    assert door.ask(person, amount=500).status_code == 200
    assert door.ask(person, door.issue("merchant", "lodge"), amount=600).status_code == 200
    door.now += timedelta(hours=24)
    assert door.ask(person, amount=600).status_code == 200


def test_amounts_are_counted_where_there_is_no_consent_too(door: Door) -> None:
    door.sign_up()
    for person in (door.anyone(), "nobody"):
        for amount in (100, 200, 300, 400, 500):
            refused(door.put(person, amount=amount), 403, "no_consent")
        refused(door.put(person, amount=600), 429, "too_many_amounts")


def test_questions_that_come_at_once_are_answered_together_and_each_for_itself(door: Door) -> None:
    people = [str(p) for p in door.scores["person"].head(12)]
    for person in people:
        door.ask(person, transaction_id=f"alone-{person}")
    asked = [Asked("inn", f"T{n}", p, "", 50_000, "", service="hotel") for n, p in enumerate([*people, "nobody"])]
    asked += [
        asked[0],
        Asked("inn", "T1", "nobody", "", 1, "", service="hotel"),
        Asked("inn", None, "x", "", 1, "", service="no"),
    ]
    told = answered(door.world, [Put(a, door.now) for a in asked])
    codes = [a.code if isinstance(a, Refused) else a.asked.subject for a in told]
    assert codes == [*people, "no_consent", people[0], "transaction_mismatch", "unknown_service"]
    assert told[0] == told[13]
    with reading(door.world.database) as connection:
        assert connection.execute(text("select count(*) from decisions")).scalar() == 12 + 12 + 1


QUESTION = b'{"transaction_id":"T","service":"hotel","subject":"p-1","amount":1}'


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"[]", b'{"subject": "p-1"}', QUESTION.replace(b"p-1", b"\\ud800")]
    + [QUESTION.replace(b"p-1", json.dumps(s).encode()[1:-1]) for s in ("", "a\x00b", "a\nb", "x" * 129)]
    + [QUESTION.replace(b"}", b',"score":950}'), b"\xff\xfe", b"[" * 5_000],
)
def test_a_body_that_is_not_a_question_is_refused_in_one_shape(door: Door, body: bytes) -> None:
    headers = door.bearer(door.token) | {"Content-Type": "application/json"}
    refused(door.client.post("/v1/eligibility", content=body, headers=headers), 422, "bad_request")


def test_addresses_and_methods_that_do_not_exist_answer_in_the_same_shape(door: Door) -> None:
    refused(door.client.get("/v1/nothing"), 404, "not_found")
    refused(door.client.delete("/v1/health"), 405, "method_not_allowed")


def test_nothing_is_recorded_of_a_question_that_cannot_be_asked(door: Door) -> None:
    door.put("nobody")
    door.ask(door.anyone(), amount=-1)
    door.ask(door.anyone(), amount=10**12)
    with reading(door.world.database) as connection:
        assert connection.execute(text("select count(*) from decisions")).scalar() == 0


def test_who_withdraws_consent_is_not_asked_about_from_the_next_question_on(door: Door) -> None:
    person = door.anyone()
    assert door.ask(person).status_code == 200
    withdrawn = event("consent.withdrawn", person, NOW + timedelta(hours=1), purpose="perks")
    assert ledger.append(door.world.database, withdrawn, door.now).accepted == 1
    assert refused(door.ask(person), 403, "no_consent") == refused(door.put("nobody"), 403, "no_consent")


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
    assert refused(door.ask(person), 403, "no_consent") == refused(door.ask("nobody"), 403, "no_consent")


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
        assert door.ask(door.anyone()).status_code == 200
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
    token = tokens.issue(engine, "merchant", "inn", "inn", NOW, None).secret
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    refused(client.post("/v1/eligibility", content=QUESTION, headers=headers), 503, "not_ready")
    world.engines.close()


def test_a_database_that_goes_away_is_a_503_and_says_nothing_of_itself(door: Door) -> None:
    with door.world.database.begin() as connection:
        connection.execute(text("drop table tokens"))
    problem = refused(door.put("p-1"), 503, "not_ready")
    assert "tokens" not in json.dumps(problem)


def test_the_openapi_document_names_every_code(door: Door) -> None:
    document = door.client.get("/openapi.json").json()
    paths, schemas = document["paths"], document["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document))) <= set(schemas)
    said = json.dumps(paths["/v1/eligibility"]["post"]["responses"])
    assert all(code in said for code in ("no_consent", "bad_amount", "no_token", "transaction_mismatch"))
    page = door.client.get("/docs")
    assert page.status_code == 200
    assert not re.findall(r'(?:src|href)="https?://', page.text)  # a closed network has the page too
