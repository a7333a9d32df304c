"""The supervisor's tools: chain, digests, proofs and replays detect every alteration. On both databases."""

import json
import logging
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result
from typer.testing import CliRunner

from api.access import auth, tokens
from api.cli.audit import audits
from api.decisions import decisions
from api.decisions.decisions import record_commitment
from api.decisions.question import EligibilityQuestion
from api.releases import releases
from api.releases.catalogue import kinds, schema
from api.runtime.context import AppContext
from api.store.clock import EPOCH
from api.store.clock import day as day_of
from api.store.database import fetch_rows, writing
from api.supervision import audit, digests, replay
from api.supervision.decision_search import DecisionFilter, find_decisions
from engine.decide.decide import as_json
from engine.errors import Rejected
from engine.lang.check.release import check
from tests.api.audit_client import AuditClient, tamper, undo_tampering
from tests.api.town import NOW

SQLITE_ONLY = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # where the database makes no difference


@pytest.fixture
def client(town: AppContext) -> AuditClient:
    return AuditClient(town)


def test_an_unchanged_chain_verifies(client: AuditClient) -> None:
    results = client.decide_many(7)
    progress: list[int] = []
    report = audit.verify(client.context.database, progress.append)
    assert (report.decisions, report.erased, report.first_break) == (7, 0, None)
    assert progress == [7]
    assert report.head == audit.find_decision_row(client.context.database, results[-1].id)["hash"]


@SQLITE_ONLY
def test_an_empty_chain_verifies(client: AuditClient) -> None:
    report = audit.verify(client.context.database)
    assert (report.decisions, report.head, report.first_break) == (0, decisions.GENESIS_HASH, None)


def test_an_emptied_chain_does_not_verify(client: AuditClient, town_url: str) -> None:
    client.decide_many(3)
    deletions = ("delete from decisions", "delete from decision_subjects")
    with undo_tampering(client.context.database):
        tamper(client.context.database, *deletions)
        result = CliRunner().invoke(audits, ["verify"], env={"IFTAH_DATABASE_URL": town_url, "COLUMNS": "150"})
        assert (result.exit_code, "broken: 3 decisions were made, and 0 are there" in result.stdout) == (1, True)
        client.decide(client.people[0])  # later decisions do not hide it
        first_break = audit.verify(client.context.database).first_break
        tamper(client.context.database, *deletions, "delete from chain_head")
        second_break = audit.verify(client.context.database).first_break
        assert first_break is not None
        assert second_break is not None
        assert (first_break.problem, second_break.problem) == (
            "4 decisions were made, and 1 are there",
            "the head of the chain is missing",
        )


CHAIN_CHANGES = (
    ("update decisions set outcome = 'DECLINE', waived = 0 where seq = {3}", 3, "its entry was altered"),
    ("update decisions set merchant = 'other' where seq = {1}", 1, "its entry was altered"),
    ("delete from decisions where seq = {2}", 3, "it does not follow"),
    ("delete from decisions where seq = {1}", 2, "it does not follow"),
    ("update decision_subjects set record = replace(record, 'hotel', 'motel') where seq = {4}", 4, "its record"),
    ("update decision_subjects set subject = 'someone-else' where seq = {2}", 2, "were altered: subject"),
    ("update decision_subjects set transaction_id = 'T' where seq = {5}", 5, "were altered: transaction_id"),
    ("delete from decisions where seq = {5}", 5, "there is a record, and no decision"),
    ("update decisions set hash = '" + "0" * 64 + "' where seq = {5}", 5, "its entry was altered"),
)


def test_the_first_break_is_reported_with_its_place(client: AuditClient) -> None:
    client.decide_many(5)
    database = client.context.database
    seqs = [0, *reversed([row["seq"] for row in find_decisions(database, DecisionFilter(), None, 9).rows])]
    for change, index, expected in CHAIN_CHANGES:
        with undo_tampering(database):
            tamper(database, change.format(*seqs))
            first_break = audit.verify(database).first_break
        assert first_break is not None, change
        assert (first_break.seq, expected in first_break.problem) == (seqs[index], True), (change, first_break)
    assert audit.verify(database).first_break is None


def test_a_rebuilt_chain_contradicts_an_earlier_head_or_digest(client: AuditClient) -> None:
    client.decide_many(4)
    head = audit.verify(client.context.database).head
    digests.make_digests(client.context.database, client.now + timedelta(days=3))
    assert audit.verify(client.context.database, head=head).first_break is None
    (newest,) = find_decisions(client.context.database, DecisionFilter(), None, 1).rows
    last = newest["seq"]
    deletions = [f"delete from {table} where seq = {last}" for table in ("decisions", "decision_subjects")]
    tamper(client.context.database, *deletions)
    first_break = audit.verify(client.context.database).first_break
    assert first_break is not None
    assert "reaches to it, and it is not there" in first_break.problem
    tamper(client.context.database, "delete from day_digests")
    second_break = audit.verify(client.context.database).first_break
    assert second_break is not None
    assert second_break.problem == "4 decisions were made, and 3 are there"
    last_hash = find_decisions(client.context.database, DecisionFilter(), None, 1).rows[0]["hash"]
    tamper(client.context.database, f"update chain_head set length = 3, hash = '{last_hash}' where id = 1")
    assert audit.verify(client.context.database).first_break is None  # the remaining rows form a chain
    third_break = audit.verify(client.context.database, head=head).first_break
    assert third_break is not None
    assert "dropped" in third_break.problem


def test_a_refused_question_is_in_the_chain_without_an_evaluation(client: AuditClient) -> None:
    """The merchant may ask the transaction again, so a look-up by transaction does not find the refusal."""
    result = client.decide(client.people[0])
    question = EligibilityQuestion(
        "inn", "T-1", client.people[1], "hotel", 50_000, "CNY", client.now, service="hotel", service_version=1
    )
    stand_in = SimpleNamespace(record="x" * 900, release=client.context.release.id)
    with writing(client.context.database) as connection:
        (newest,) = fetch_rows(connection, decisions.NEWEST_DECISION)
        decisions.append_decisions(
            connection, [decisions.refusal_of(question, stand_in, "no_consent")], decisions.ChainTail(*newest[0])
        )
    report = audit.verify(client.context.database)
    assert (report.decisions, report.first_break) == (2, None)
    refusal = client.get("decisions", outcome="REFUSED").json()["items"][0]
    assert client.get(f"decisions/{refusal['id']}").json()["record"]["refused"] == "no_consent"
    assert client.get(f"decisions/{refusal['id']}/replay").json()["code"] == "not_replayable"
    assert client.get(f"decisions/{result.id}/replay").json()["equal"]


def test_after_an_erasure_the_chain_still_verifies(client: AuditClient) -> None:
    first, *_ = client.decide_many(3)
    tamper(client.context.database, f"delete from decision_subjects where subject = '{first.question.subject}'")
    report = audit.verify(client.context.database)
    assert (report.decisions, report.erased, report.first_break) == (3, 1, None)
    payload = client.get(f"decisions/{first.id}").json()
    assert (payload["erased"], payload["record"], payload["salt"]) == (True, None, None)
    assert first.question.subject not in json.dumps(payload)
    assert client.get(f"decisions/{first.id}/replay").json()["code"] == "erased"
    assert client.get(f"decisions/{first.id}/replay").status_code == 410


def test_each_decision_is_in_exactly_one_digest_and_has_a_proof(client: AuditClient) -> None:
    results = client.decide_many(8)  # five hours apart: two days
    assert digests.make_digests(client.context.database, client.now) == []  # the day is not over
    assert client.get(f"decisions/{results[0].id}/proof").json()["code"] == "no_digest"
    day_digests = digests.make_digests(client.context.database, client.now + timedelta(days=9))
    assert [d.day for d in day_digests] == sorted({day_of(m.decided_at) for m in results})
    assert digests.make_digests(client.context.database, client.now + timedelta(days=9)) == []
    roots = {d["day"]: d["root"] for d in client.get("digests").json()["items"]}
    for result in results:
        proof = client.get(f"decisions/{result.id}/proof").json()
        assert proof["entry"]["id"] == result.id
        assert digests.check_proof(proof) == digests.ProofCheck(roots[proof["day"]], dates=True)
    assert audit.verify(client.context.database).digests == len(day_digests)


@SQLITE_ONLY
def test_an_altered_proof_is_invalid(client: AuditClient) -> None:
    results = client.decide_many(3, timedelta(minutes=1))
    digests.make_digests(client.context.database, client.now + timedelta(days=2))
    proof = digests.make_proof(client.context.database, results[1].id)
    entry = proof["entry"]
    for bad_proof in (
        proof | {"entry": entry | {"outcome": "DECLINE" if entry["outcome"] != "DECLINE" else "ADMIT"}},
        proof | {"index": 0},
        proof | {"path": proof["path"][::-1]},
        proof | {"root": "00" * 32},
        proof | {"size": 2},
        proof | {"format": "other"},
        proof | {"format": "iftah.proof.1"},
        proof | {"day": "2026-01-03"},
        proof | {"day": "20260102"},
        proof | {"index": True},
        proof | {"entry": entry | {"subject": client.people[0]}},
        proof | {"entry": {name: value for name, value in entry.items() if name != "service"}},
        proof | {"entry": "", "score": 950},
        proof | {"remark": "checked"},
        {},
    ):
        with pytest.raises(Rejected) as error:
            digests.check_proof(bad_proof)
        assert error.value.code == "bad_proof"


def test_a_late_decision_is_in_the_next_digest(client: AuditClient) -> None:
    first = client.decide(client.people[0])
    tomorrow = EPOCH + timedelta(days=day_of(client.now) + 1)
    (yesterday,) = digests.make_digests(client.context.database, tomorrow + timedelta(minutes=11))
    late = client.decide(client.people[1], at=tomorrow - timedelta(seconds=1))
    on_time = client.decide(client.people[2], at=tomorrow + timedelta(seconds=1))
    (today,) = digests.make_digests(client.context.database, tomorrow + timedelta(days=2))
    assert (yesterday.day + 1, today.day) == (today.day, day_of(on_time.decided_at))
    proofs = [digests.make_proof(client.context.database, a.id) for a in (first, late, on_time)]
    assert [p["root"] for p in proofs] == [yesterday.root, today.root, today.root]
    assert audit.verify(client.context.database).first_break is None


DIGEST_CHANGES = (
    ("update day_digests set root = '" + "ab" * 32 + "'", "is another"),
    ("update day_digests set last = last - 1", "is another"),
    ("update day_digests set first = first + 1", "is in no digest"),
    ("update day_digests set first = first - 1", "begins before it"),
)


def test_an_altered_digest_is_reported(client: AuditClient) -> None:
    client.decide_many(3, timedelta(minutes=1))
    digests.make_digests(client.context.database, client.now + timedelta(days=2))
    for change, expected in DIGEST_CHANGES:
        with undo_tampering(client.context.database):
            tamper(client.context.database, change)
            first_break = audit.verify(client.context.database).first_break
        assert first_break is not None, change
        assert expected in first_break.problem


def test_every_decision_replays_bit_for_bit(client: AuditClient) -> None:
    results = [*client.decide_many(6), client.decide(client.people[8], "car", 10_000_000)]
    for result in results:
        payload = client.get(f"decisions/{result.id}/replay").json()
        assert payload == {
            "decision": result.id, "release": client.context.release.id, "equal": True, "differences": [],
        }  # fmt: skip


@SQLITE_ONLY
def test_a_decision_replays_under_its_own_release(client: AuditClient) -> None:
    """The rules have changed since: another release serves, and the stored one makes the replay."""
    result = client.decide(client.people[0])
    files = dict(client.context.release.files)
    files["trust.yaml"] = files["trust.yaml"].replace("base: 480", "base: 500")
    other_release, problems = check(files, schema(), kinds())
    assert other_release, problems
    releases.record_release(client.context.database, other_release, 1)
    context = AppContext(client.context.database, type(client.context.evaluators)(other_release))
    comparison = replay.replay(context, result.id)
    context.evaluators.close()
    assert (comparison.release, comparison.equal) == (client.context.release.id, True)


@SQLITE_ONLY
def test_a_record_that_contradicts_the_rules_is_reported_as_forged(client: AuditClient) -> None:
    """A replay detects a forged record even if the forger also recomputed its commitment."""
    result = client.decide(client.people[0])
    row = audit.find_decision_row(client.context.database, result.id)
    record = json.loads(row["about_record"])
    record["decision"]["scored"]["score"] = 900
    forged_text = as_json(record).replace("'", "''")
    statement = f"update decision_subjects set record = '{forged_text}' where seq = {row['seq']}"
    tamper(client.context.database, statement)
    comparison = replay.replay(client.context, result.id)
    assert not comparison.equal
    assert [(d.engine, d.where, d.recorded) for d in comparison.differences] == [
        ("reference", "scored.score", "900"),
        ("online", "scored.score", "900"),
    ]


def test_decisions_are_searched_by_time_merchant_perk_and_outcome_in_pages(client: AuditClient) -> None:
    results = [
        *client.decide_many(5),
        client.decide(client.people[0], "bicycle", 9_900, client.now + timedelta(days=3)),
    ]
    first = client.get("decisions", limit=4).json()
    assert [d["id"] for d in first["items"]] == [a.id for a in reversed(results[2:])]
    second = client.get("decisions", limit=4, after=first["next"]).json()
    assert ([d["id"] for d in second["items"]], second["next"]) == ([results[1].id, results[0].id], None)
    ids = lambda **query: {d["id"] for d in client.get("decisions", **query).json()["items"]}  # noqa: E731
    assert ids(perk="bicycle") == {results[5].id}
    assert ids(merchant="nobody") == set()
    assert ids(merchant="operator", outcome="ADMIT") == {a.id for a in results if a.outcome == "ADMIT"}
    begin, end = results[1].decided_at.isoformat(), results[3].decided_at.isoformat()
    assert ids(**{"from": begin, "to": end}) == {results[1].id, results[2].id}
    assert client.people[0] not in json.dumps(client.get("decisions").json())
    assert client.get("decisions", outcome="REFUSE").json()["code"] == "bad_request"  # and not: there are none


def test_a_record_is_shown_with_its_salt_and_the_access_is_logged(
    client: AuditClient, caplog: pytest.LogCaptureFixture
) -> None:
    result = client.decide(client.people[0])
    with caplog.at_level(logging.INFO, "iftah"):
        payload = client.get(f"decisions/{result.id}").json()
    assert record_commitment(payload["salt"], as_json(payload["record"])) == payload["commitment"]
    assert payload["record"]["decision"]["question"]["subject"] == client.people[0]
    (log_record,) = [r for r in caplog.records if r.getMessage() == "a record was read"]
    assert vars(log_record)["decision"] == result.id
    assert client.people[0] not in json.dumps(vars(log_record), default=str)


@SQLITE_ONLY
def test_releases_are_shown_with_their_original_files(client: AuditClient) -> None:
    (line,) = client.get("releases").json()["items"]
    assert line["id"] == client.context.release.id
    assert client.get(f"releases/{line['id']}").json()["files"] == dict(client.context.release.files)
    assert client.get("releases/00ff").json()["code"] == "unknown_release"


@SQLITE_ONLY
def test_only_a_supervisor_reads_the_audit_and_an_operator_its_decisions(client: AuditClient) -> None:
    decision_paths = ("decisions", "decisions/ab", "decisions/ab/replay", "decisions/ab/proof")
    paths = (*decision_paths, "digests", "releases", "report/2026", "looks", "changes", "chain")
    for role in set(auth.ROLES) - {"supervisor"}:
        token = tokens.issue(client.context.database, role, "someone", "x", NOW).secret
        hidden_paths = [path for path in paths if role != "operator" or path not in decision_paths]
        assert {client.get(path, token).json()["code"] for path in hidden_paths} == {"wrong_role"}


@SQLITE_ONLY
def test_an_operator_reads_and_replays_no_decision_without_a_look(client: AuditClient) -> None:
    decision = client.decide(client.people[0]).id
    token = tokens.issue(client.context.database, "operator", "someone", "x", NOW).secret
    entry = client.get(f"decisions/{decision}", token).json()
    assert (entry["withheld"], entry["subject"], entry["salt"], entry["record"]) == (True, None, None, None)
    assert client.people[0] not in json.dumps(entry)
    assert client.get(f"decisions/{decision}/replay", token).json()["code"] == "look_needed"


@SQLITE_ONLY
def test_a_supervisor_cannot_write(client: AuditClient) -> None:
    paths = client.http.get("/openapi.json").json()["paths"]
    assert {m for path, ways in paths.items() if path.startswith("/v1/audit/") for m in ways} == {"get"}


@SQLITE_ONLY
def test_unknown_ids_are_refused_in_one_shape(client: AuditClient) -> None:
    for path, status, code in (
        ("decisions/00ff", 404, "unknown_decision"),
        ("decisions/00ff/replay", 404, "unknown_decision"),
        ("decisions/00ff/proof", 404, "unknown_decision"),
        ("decisions/..%2f..", 404, "not_found"),
        ("decisions/%00", 422, "bad_request"),
        (f"report/{client.now.year + 2}", 422, "bad_year"),
        ("decisions?from=yesterday", 422, "bad_request"),
        ("decisions?limit=100000", 422, "bad_request"),
    ):
        response = client.get(path)
        assert (response.status_code, response.json()["code"]) == (status, code), path


def test_the_command_line_verifies_proves_and_replays(client: AuditClient, town_url: str, tmp_path: Path) -> None:
    results = client.decide_many(3, timedelta(minutes=1))

    def iftah(*words: str, url: str = town_url) -> Result:
        return CliRunner().invoke(audits, [*words], env={"IFTAH_DATABASE_URL": url, "COLUMNS": "150"})

    digest_output = iftah("digest").stdout.split()
    proof = tmp_path / "proof.json"
    proof.write_text(iftah("proof", results[1].id).stdout)
    missing_url = f"sqlite:///{tmp_path / 'none' / 'none.db'}"
    check_result = iftah("check-proof", str(proof), "--root", digest_output[1], url=missing_url)
    assert (check_result.exit_code, results[1].id in check_result.stdout) == (0, True), check_result.output
    mismatch = iftah("check-proof", str(proof), "--root", "00" * 32, url=missing_url)
    assert mismatch.exit_code == 1
    assert "rather than to your root" in mismatch.output
    assert "the same, bit for bit" in iftah("replay", results[0].id).stdout
    result = iftah("verify")
    assert (result.exit_code, "3 decisions hold" in result.stdout) == (0, True), result.output
    assert f"{results[0].decided_at.year}" in iftah("report", str(results[0].decided_at.year)).stdout
    tamper(client.context.database, "update decisions set outcome = 'DECLINE', waived = 7")
    second_result = iftah("verify")
    assert (second_result.exit_code, f"broken: decision {results[0].id}" in second_result.stdout) == (1, True), (
        second_result.stdout
    )
