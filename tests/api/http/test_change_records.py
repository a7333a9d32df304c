"""The record of a change over HTTP, for operators and for the supervisor."""

from sqlalchemy import Engine

from tests.api.http.proposal_client import Party, ProposalClient, rental_context, rental_files
from tests.api.merchant_client import assert_problem

PLAN = {"stages": [{"share": "5%", "hours": 24}, {"share": "100%"}], "guards": {"admit_rate": {"least": "-5%"}}}


def test_the_supervisor_reads_who_asked_who_agreed_and_what_happened(database: Engine) -> None:
    client = ProposalClient(rental_context(database))
    number = client.release(rental_files(80))
    client.li.take("releases/rollback", {"reason": "too strict"})
    record = Party(client, "supervisor", "authority").get(f"audit/changes/{number}")
    assert "+      - {id: bicycle.trusted, when: score >= 80" in record["text_differences"]["perks.yaml"]
    assert record["proposal"]["state"] == "rolled back"
    steps = [(step["kind"], step["actor"]) for step in record["proposal"]["steps"]]
    people = [("submission", "wang"), ("approval", "li"), ("activation", "wang"), ("rollback", "li")]
    assert steps == [("draft", "wang"), ("check", "iftah"), ("measurement", "wang"), *people]
    assert record == client.li.get(f"proposals/{number}/record")


def test_the_record_of_a_trial_says_what_its_guards_wait_for(database: Engine) -> None:
    client = ProposalClient(rental_context(database))
    number = client.approved(rental_files(80), plan=PLAN)
    client.wang.take(f"proposals/{number}/release")
    record = client.wang.get(f"proposals/{number}/record")
    assert [(g["measure"], g["status"], g["least"]) for g in record["guards"]] == [("admit_rate", "waits", "-5%")]
    assert [(o["measure"], o["champion"]["orders"]) for o in record["outcomes"]] == [("overdue", 0), ("disputed", 0)]


def test_a_supervisor_changes_nothing_and_a_merchant_reads_nothing(database: Engine) -> None:
    client = ProposalClient(rental_context(database))
    number = client.draft(rental_files(80))
    supervisor, merchant = Party(client, "supervisor", "authority"), Party(client, "merchant", "inn")
    assert_problem(supervisor.post(f"proposals/{number}/rejection", {"reason": "no"}), 403, "wrong_role")
    assert_problem(merchant.send("GET", f"proposals/{number}/record"), 403, "wrong_role")
    assert_problem(supervisor.send("GET", "audit/changes/99"), 404, "unknown_proposal")
