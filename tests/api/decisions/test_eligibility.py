"""Eligibility through the merchant's API: answers, records, and every rejection, on both databases."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from api.access import auth, tokens
from api.decisions import decisions
from api.decisions.decisions import chain_hash, entry, record_commitment
from api.decisions.eligibility import answer_questions
from api.decisions.question import EligibilityQuestion
from api.evidence import ledger
from api.http.app import create_app
from api.releases import releases
from api.runtime.context import AppContext
from api.store.database import reading
from engine.decide.decide import ReferenceEvaluator, decide, question_from_record
from engine.decide.evaluators import Evaluators
from engine.errors import Rejected
from tests.api.merchant_client import MerchantClient, assert_problem
from tests.api.town import NOW, build_features, event, shipped_release


@pytest.fixture
def client(town: AppContext) -> MerchantClient:
    return MerchantClient(town)


def test_a_good_score_gets_a_room_and_the_merchant_sees_no_score_or_reasons(client: MerchantClient) -> None:
    answer = client.ask(client.scored_person()).json()
    assert answer["outcome"] == "ADMIT"
    assert (answer["waived_amount"], answer["deposit_amount"], answer["currency"]) == (50_000, 0, "CNY")
    assert datetime.fromisoformat(answer["valid_until"]) == client.now + timedelta(hours=24)
    assert set(answer) == {"decision_id", "outcome", "waived_amount", "deposit_amount", "currency", "valid_until"}


def test_the_waived_part_and_the_deposit_add_up_to_the_amount(client: MerchantClient) -> None:
    answer = client.ask(client.scored_person(700), perk="car", amount=10_000_000).json()
    assert answer["outcome"] == "PARTIAL"
    assert answer["waived_amount"] + answer["deposit_amount"] == 10_000_000


def test_too_little_evidence_is_unscorable_with_the_full_deposit(client: MerchantClient) -> None:
    answer = client.ask(client.unscored_person()).json()
    assert (answer["outcome"], answer["waived_amount"], answer["deposit_amount"]) == ("UNSCORABLE", 0, 50_000)


def test_online_scores_equal_batch_scores(client: MerchantClient) -> None:
    for person, score, _ in client.scores.head(25).iter_rows():
        answer = client.ask(person).json()
        record = decisions.record_of(client.context.database, answer["decision_id"])
        assert record["decision"]["scored"]["score"] == score


def test_a_decision_record_has_all_inputs_and_can_be_replayed(client: MerchantClient) -> None:
    answer = client.ask(client.scored_person(), transaction_id="T-1").json()
    record = decisions.record_of(client.context.database, answer["decision_id"])
    assert (record["merchant"], record["transaction_id"]) == ("inn", "T-1")
    question = question_from_record(record["decision"])
    program = releases.load_release(client.context.database, record["decision"]["release"]).at(question.day)
    decision = decide(ReferenceEvaluator(program), question)
    assert json.loads(decision.canonical()) == record["decision"]


def test_a_change_of_a_record_breaks_the_chain(client: MerchantClient) -> None:
    for _ in range(3):
        client.ask(client.scored_person())
    query = "select d.*, salt, record from decisions d join decision_subjects s on s.seq = d.seq order by d.seq"
    with reading(client.context.database) as connection:
        rows = [dict(row) for row in connection.execute(text(query)).mappings()]
    previous_hash = decisions.GENESIS_HASH
    for row in rows:
        assert row["previous_hash"] == previous_hash
        assert row["hash"] == chain_hash(previous_hash, entry(row))
        assert row["commitment"] == record_commitment(row["salt"], row["record"])
        previous_hash = row["hash"]
    assert len(rows) == 3
    altered_entry = entry(rows[1]).replace("ADMIT", "DECLINE").replace("UNSCORABLE", "ADMIT")
    assert chain_hash(rows[1]["previous_hash"], altered_entry + " ") != rows[1]["hash"]
    assert record_commitment(rows[1]["salt"], rows[1]["record"].replace("hotel", "motel")) != rows[1]["commitment"]


def test_a_chain_entry_names_no_person(client: MerchantClient) -> None:
    person = client.scored_person()
    client.ask(person)
    with reading(client.context.database) as connection:
        row = connection.execute(text("select * from decisions")).one()
    assert person not in json.dumps(list(row))


def test_a_merchant_can_read_its_own_decisions_only(client: MerchantClient) -> None:
    answer = client.ask(client.scored_person(), transaction_id="T-2").json()
    payload = client.get_decision(answer["decision_id"]).json()
    assert {k: payload[k] for k in answer} == answer
    assert (payload["transaction_id"], payload["perk"], payload["amount"]) == ("T-2", "hotel", 50_000)
    assert_problem(
        client.get_decision(answer["decision_id"], client.issue("merchant", "other-inn")), 404, "unknown_decision"
    )
    assert_problem(client.get_decision("never-made"), 404, "unknown_decision")


def test_the_same_transaction_gets_the_first_answer_for_a_day(client: MerchantClient) -> None:
    person = client.scored_person()
    first = client.ask(person, transaction_id="T-3").json()
    client.now += timedelta(hours=24)
    assert client.ask(person, transaction_id="T-3").json() == first
    client.now += timedelta(seconds=1)
    assert_problem(client.ask(person, transaction_id="T-3"), 409, "transaction_expired")


def test_the_same_transaction_with_another_question_is_refused(client: MerchantClient) -> None:
    client.ask(client.scored_person(), transaction_id="T-4")
    assert_problem(client.ask(client.scored_person(), transaction_id="T-4", amount=1), 409, "transaction_mismatch")
    other = client.issue("merchant", "other-inn")
    assert client.ask(client.scored_person(), token=other, transaction_id="T-4").status_code == 200


def test_a_missing_or_bad_token_is_rejected(client: MerchantClient) -> None:
    assert_problem(client.http.post("/v1/eligibility", json={}), 401, "no_token")
    assert_problem(client.post_question("p-1", token="iftah_nonsense"), 401, "bad_token")
    expired_token = client.issue("merchant", "late", NOW + timedelta(minutes=1))
    assert_problem(client.post_question("p-1", token=expired_token), 401, "bad_token")
    assert tokens.revoke(client.context.database, "inn", NOW) == 1
    response = client.post_question("p-1")
    assert_problem(response, 401, "bad_token")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("role", [r for r in auth.ROLES if r != "merchant"])
def test_only_a_merchant_may_ask(client: MerchantClient, role: str) -> None:
    token = client.issue(role, "someone")
    assert_problem(client.post_question("p-1", token=token), 403, "wrong_role")
    assert_problem(client.get_decision("x", token=token), 403, "wrong_role")


@pytest.mark.parametrize("amount", [0, -1, 1.5, "500", True, None, 10**13, 2_000_001])
def test_a_bad_amount_is_refused(client: MerchantClient, amount: object) -> None:
    assert assert_problem(client.ask(client.scored_person(), amount=amount), 422, "bad_amount")["where"] == "amount"


def test_without_consent_the_answer_is_the_same_as_for_an_unknown_person(
    client: MerchantClient,
) -> None:
    client.sign_up()
    person = client.scored_person()
    problem = assert_problem(client.post_question(person), 403, "no_consent")
    assert problem == assert_problem(client.post_question("nobody"), 403, "no_consent")
    client.consent(person, service="other")
    assert assert_problem(client.post_question(person), 403, "no_consent") == problem
    client.consent(person, classes="behaviour,credit")  # not to identity
    assert assert_problem(client.post_question(person), 403, "no_consent") == problem
    client.consent(person, until=client.now + timedelta(hours=1))
    assert client.post_question(person).status_code == 200
    client.now += timedelta(hours=1)
    assert assert_problem(client.post_question(person), 403, "no_consent") == problem


def test_a_service_uses_only_classes_in_both_consents(client: MerchantClient) -> None:
    person = client.scored_person()
    client.sign_up()
    client.consent(person, classes="identity,credit")
    record = decisions.record_of(client.context.database, client.post_question(person).json()["decision_id"])
    values = record["decision"]["question"]["values"]
    assert values["identity.level"] is not None
    assert values["behaviour.payments"] is None


def test_a_refusal_is_recorded_and_the_transaction_may_be_repeated(client: MerchantClient) -> None:
    person = client.scored_person()
    client.sign_up()
    assert_problem(client.post_question(person, transaction_id="T-7"), 403, "no_consent")
    with reading(client.context.database) as connection:
        query = "select subject, service, outcome from decisions d join decision_subjects s on s.seq = d.seq"
        assert [tuple(row) for row in connection.execute(text(query))] == [(person, "hotel", "REFUSED")]
    client.consent(person)
    assert client.post_question(person, transaction_id="T-7").json()["outcome"] == "ADMIT"


def test_an_unknown_service_or_a_person_off_its_allow_list_is_refused_with_a_code(client: MerchantClient) -> None:
    assert_problem(client.post_question(client.scored_person()), 404, "unknown_service")
    client.sign_up(allowed=("somebody",))
    assert_problem(client.post_question(client.scored_person()), 403, "not_on_allow_list")
    client.sign_up()
    assert client.ask(client.scored_person()).json()["outcome"] == "ADMIT"


def test_a_merchant_may_ask_about_five_amounts_a_day(client: MerchantClient) -> None:
    person = client.scored_person()
    for amount in (100, 200, 300, 400, 500, 100):
        assert client.ask(person, amount=amount).status_code == 200
    assert_problem(client.ask(person, amount=600), 429, "too_many_amounts")
    assert client.ask(person, amount=500).status_code == 200
    assert client.ask(person, client.issue("merchant", "lodge"), amount=600).status_code == 200
    client.now += timedelta(hours=24)
    assert client.ask(person, amount=600).status_code == 200


def test_amounts_are_counted_without_consent_too(client: MerchantClient) -> None:
    client.sign_up()
    for person in (client.scored_person(), "nobody"):
        for amount in (100, 200, 300, 400, 500):
            assert_problem(client.post_question(person, amount=amount), 403, "no_consent")
        assert_problem(client.post_question(person, amount=600), 429, "too_many_amounts")


def test_concurrent_questions_are_answered_in_a_batch_each_with_its_own_result(client: MerchantClient) -> None:
    people = [str(p) for p in client.scores["person"].head(12)]
    for person in people:
        client.ask(person, transaction_id=f"alone-{person}")
    questions = [
        EligibilityQuestion("inn", f"T{n}", p, "", 50_000, "", client.now, service="hotel")
        for n, p in enumerate([*people, "nobody"])
    ]
    questions += [
        questions[0],
        EligibilityQuestion("inn", "T1", "nobody", "", 1, "", client.now, service="hotel"),
        EligibilityQuestion("inn", None, "x", "", 1, "", client.now, service="no"),
    ]
    results = answer_questions(client.context, questions)
    codes = [a.code if isinstance(a, Rejected) else a.question.subject for a in results]
    assert codes == [*people, "no_consent", people[0], "transaction_mismatch", "unknown_service"]
    assert results[0] == results[13]
    with reading(client.context.database) as connection:
        assert connection.execute(text("select count(*) from decisions")).scalar() == 12 + 12 + 1


QUESTION_BODY = b'{"transaction_id":"T","service":"hotel","subject":"p-1","amount":1}'


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"[]", b'{"subject": "p-1"}', QUESTION_BODY.replace(b"p-1", b"\\ud800")]
    + [QUESTION_BODY.replace(b"p-1", json.dumps(s).encode()[1:-1]) for s in ("", "a\x00b", "a\nb", "x" * 129)]
    + [QUESTION_BODY.replace(b"}", b',"score":950}'), b"\xff\xfe", b"[" * 5_000],
)
def test_a_body_that_is_not_a_question_is_refused_in_one_shape(client: MerchantClient, body: bytes) -> None:
    headers = client.bearer(client.token) | {"Content-Type": "application/json"}
    assert_problem(client.http.post("/v1/eligibility", content=body, headers=headers), 422, "bad_request")


def test_addresses_and_methods_that_do_not_exist_answer_in_the_same_shape(client: MerchantClient) -> None:
    assert_problem(client.http.get("/v1/nothing"), 404, "not_found")
    assert_problem(client.http.delete("/v1/health"), 405, "method_not_allowed")


def test_an_invalid_question_leaves_no_record(client: MerchantClient) -> None:
    client.post_question("nobody")
    client.ask(client.scored_person(), amount=-1)
    client.ask(client.scored_person(), amount=10**12)
    with reading(client.context.database) as connection:
        assert connection.execute(text("select count(*) from decisions")).scalar() == 0


def test_after_a_withdrawal_the_next_question_is_refused(client: MerchantClient) -> None:
    person = client.scored_person()
    assert client.ask(person).status_code == 200
    withdrawal = event("consent.withdrawn", person, NOW + timedelta(hours=1), purpose="perks")
    assert ledger.append(client.context.database, withdrawal, client.now).accepted == 1
    assert assert_problem(client.ask(person), 403, "no_consent") == assert_problem(
        client.post_question("nobody"), 403, "no_consent"
    )


def test_a_withdrawn_class_is_missing_from_the_next_question(client: MerchantClient) -> None:
    person = client.scored_person()
    ledger.append(
        client.context.database, event("consent.withdrawn", person, NOW, purpose="perks", classes="behaviour"), NOW
    )
    record = decisions.record_of(client.context.database, client.ask(person).json()["decision_id"])
    values = record["decision"]["question"]["values"]
    assert values["behaviour.payments"] is None
    assert values["identity.level"] is not None


def test_a_tie_stops_counting_when_the_other_end_withdraws_consent(client: MerchantClient) -> None:
    ties = ledger.read(client.context.database, kinds=["tie.formed"])
    scored_people = set(client.scores.drop_nulls("score")["person"])
    a, b = next((a, b) for a, b in ties.select("subject", "other").iter_rows() if a in scored_people and a != b)
    before = decisions.record_of(client.context.database, client.ask(a).json()["decision_id"])
    assert before["decision"]["question"]["values"]["relationships.degree"] is not None
    ledger.append(client.context.database, event("consent.withdrawn", b, NOW, purpose="perks"), NOW)
    after = decisions.record_of(client.context.database, client.ask(a).json()["decision_id"])
    assert after["decision"]["question"]["values"]["relationships.degree"] is None


def test_a_dispute_after_the_build_stops_answers_until_the_next_build(client: MerchantClient) -> None:
    person = client.scored_person()
    payments = ledger.read(client.context.database, people=[person], kinds=["payment.made"]).filter(
        pl.col("subject") == person
    )
    item = payments.row(0, named=True)
    dispute = event("dispute.opened", person, NOW, ref_event=item["event_id"], ref_contributor=item["contributor"])
    ledger.append(client.context.database, dispute, NOW)
    assert_problem(client.ask(person), 503, "features_stale")
    build_features(client.context.database, NOW, "perks", NOW)
    assert client.ask(person).status_code == 200


def test_a_dispute_does_not_reveal_a_person_without_consent(client: MerchantClient) -> None:
    person = client.scored_person()
    withdrawal = event("consent.withdrawn", person, NOW, purpose="perks")
    dispute = event("dispute.opened", person, NOW, event_id="new-2", ref_event="anything")
    assert ledger.append(client.context.database, pl.concat([withdrawal, dispute]), NOW).accepted == 2
    assert assert_problem(client.ask(person), 403, "no_consent") == assert_problem(
        client.ask("nobody"), 403, "no_consent"
    )


def test_a_retraction_with_another_subject_stops_answers_too(client: MerchantClient) -> None:
    person = client.scored_person()
    payments = ledger.read(client.context.database, people=[person], kinds=["payment.made"]).filter(
        pl.col("subject") == person
    )
    item = payments.row(0, named=True)
    retraction = event("event.retracted", "nobody", NOW, ref_event=item["event_id"])
    retraction = retraction.with_columns(contributor=pl.lit(item["contributor"]))
    assert ledger.append(client.context.database, retraction, NOW).accepted == 1
    assert_problem(client.ask(person), 503, "features_stale")
    assert_problem(client.ask(item["other"]), 503, "features_stale")


def test_a_body_larger_than_any_question_is_refused_before_it_is_read(client: MerchantClient) -> None:
    headers = client.bearer(client.token) | {"Content-Type": "application/json"}
    keys = json.dumps({f"k{n}": 1 for n in range(20_000)}).encode()
    assert_problem(client.http.post("/v1/eligibility", content=keys, headers=headers), 413, "too_large")
    pieces = (b'{"k": "' if n == 0 else b"x" * 1000 for n in range(200))
    assert_problem(client.http.post("/v1/eligibility", content=pieces, headers=headers), 413, "too_large")


def test_many_unknown_keys_give_a_short_problem(client: MerchantClient) -> None:
    problem = assert_problem(client.ask("p-1", **{f"{'k' * 100}{n}": 1 for n in range(300)}), 422, "bad_request")
    assert len(json.dumps(problem)) < 1_000


def test_a_deleted_database_file_gives_no_answer(client: MerchantClient) -> None:
    if client.context.database.dialect.name == "sqlite":
        assert client.ask(client.scored_person()).status_code == 200
        Path(str(client.context.database.url.database)).unlink()
        assert_problem(client.ask(client.scored_person()), 503, "not_ready")


def test_health_is_ready_once_features_exist(town: AppContext) -> None:
    health = TestClient(create_app(town)).get("/v1/health").json()
    assert (health["status"], health["release"]) == ("ready", town.release.id)
    assert health["people"] > 50


def test_health_reports_missing_features(database: Engine) -> None:
    context = AppContext(database, Evaluators(shipped_release()))
    client = TestClient(create_app(context))
    assert_problem(client.get("/v1/health"), 503, "not_ready")
    assert client.get("/v1/health/live").json() == {"status": "alive"}
    token = tokens.issue(database, "merchant", "inn", "inn", NOW, None).secret
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    assert_problem(client.post("/v1/eligibility", content=QUESTION_BODY, headers=headers), 503, "not_ready")
    context.evaluators.close()


def test_an_unreachable_database_is_a_503_without_details(client: MerchantClient) -> None:
    with client.context.database.begin() as connection:
        connection.execute(text("drop table tokens"))
    problem = assert_problem(client.post_question("p-1"), 503, "not_ready")
    assert "tokens" not in json.dumps(problem)


def test_the_openapi_document_names_every_code(client: MerchantClient) -> None:
    document = client.http.get("/openapi.json").json()
    paths, schemas = document["paths"], document["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document))) <= set(schemas)
    responses = json.dumps(paths["/v1/eligibility"]["post"]["responses"])
    assert all(code in responses for code in ("no_consent", "bad_amount", "no_token", "transaction_mismatch"))
    page = client.http.get("/docs")
    assert page.status_code == 200
    assert not re.findall(r'(?:src|href)="https?://', page.text)  # a closed network has the page too
