"""What a supervisor can see and nobody can hide: the chain, digests, proofs, decisions made again. On both databases."""

import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from api.access import auth, tokens
from api.catalogue import kinds, schema
from api.clock import EPOCH
from api.clock import day as day_of
from api.commands.audit import audits
from api.database import fetched, writing
from api.decisions import decisions
from api.decisions.decisions import Asked, committed
from api.releases import releases
from api.supervision import audit, digests, replay
from api.world import World
from engine.decide import as_json
from engine.errors import Refused
from engine.lang.check import check
from tests.api.audited import Office, tampered, undone
from tests.api.world import NOW

ONCE = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # where the database makes no difference


@pytest.fixture
def office(town: World) -> Office:
    return Office(town)


def test_a_chain_that_nobody_touched_holds(office: Office) -> None:
    made = office.some(7)
    seen: list[int] = []
    found = audit.verify(office.world.database, seen.append)
    assert (found.decisions, found.erased, found.broken) == (7, 0, None)
    assert seen == [7]
    assert found.head == audit.whole(office.world.database, made[-1].id)["hash"]


@ONCE
def test_an_empty_chain_holds(office: Office) -> None:
    found = audit.verify(office.world.database)
    assert (found.decisions, found.head, found.broken) == (0, decisions.FIRST, None)


def test_a_chain_that_was_emptied_does_not_hold(office: Office, town_url: str) -> None:
    office.some(3)
    both = ("delete from decisions", "delete from decision_subjects")
    with undone(office.world.database):
        tampered(office.world.database, *both)
        done = CliRunner().invoke(audits, ["verify"], env={"IFTAH_DATABASE_URL": town_url, "COLUMNS": "150"})
        assert (done.exit_code, "broken: 3 decisions were made, and 0 are there" in done.stdout) == (1, True)
        office.decided(office.people[0])  # who goes on after it does not hide it
        cut = audit.verify(office.world.database).broken
        tampered(office.world.database, *both, "delete from chain_head")
        gone = audit.verify(office.world.database).broken
        assert cut is not None
        assert gone is not None
        assert (cut.what, gone.what) == (
            "4 decisions were made, and 1 are there",
            "the head of the chain is not kept any more",
        )


BREAKS = (
    ("update decisions set outcome = 'DECLINE', waived = 0 where seq = {3}", 3, "its entry was altered"),
    ("update decisions set merchant = 'other' where seq = {1}", 1, "its entry was altered"),
    ("delete from decisions where seq = {2}", 3, "it does not follow"),
    ("delete from decisions where seq = {1}", 2, "it does not follow"),
    ("update decision_subjects set record = replace(record, 'hotel', 'motel') where seq = {4}", 4, "its record"),
    ("update decision_subjects set subject = 'someone-else' where seq = {2}", 2, "was altered: subject"),
    ("update decision_subjects set transaction_id = 'T' where seq = {5}", 5, "was altered: transaction_id"),
    ("delete from decisions where seq = {5}", 5, "there is a record, and no decision"),
    ("update decisions set hash = '" + "0" * 64 + "' where seq = {5}", 5, "its entry was altered"),
)


def test_the_first_break_is_named_with_its_place(office: Office) -> None:
    office.some(5)
    database = office.world.database
    seqs = [0, *reversed([row["seq"] for row in audit.sought(database, audit.Sought(), None, 9)])]
    for change, at, what in BREAKS:
        with undone(database):
            tampered(database, change.format(*seqs))
            broken = audit.verify(database).broken
        assert broken is not None, change
        assert (broken.seq, what in broken.what) == (seqs[at], True), (change, broken)
    assert audit.verify(database).broken is None


def test_a_whole_chain_made_anew_is_given_away_by_a_head_or_a_digest_from_before(office: Office) -> None:
    office.some(4)
    head = audit.verify(office.world.database).head
    digests.make(office.world.database, office.now + timedelta(days=3))
    assert audit.verify(office.world.database, head=head).broken is None
    last = audit.sought(office.world.database, audit.Sought(), None, 1)[0]["seq"]
    both = [f"delete from {table} where seq = {last}" for table in ("decisions", "decision_subjects")]
    tampered(office.world.database, *both)
    broken = audit.verify(office.world.database).broken
    assert broken is not None
    assert "reaches to it, and it is not there" in broken.what
    tampered(office.world.database, "delete from day_digests")
    cut = audit.verify(office.world.database).broken
    assert cut is not None
    assert cut.what == "4 decisions were made, and 3 are there"
    end = audit.sought(office.world.database, audit.Sought(), None, 1)[0]["hash"]
    tampered(office.world.database, f"update chain_head set length = 3, hash = '{end}' where id = 1")
    assert audit.verify(office.world.database).broken is None  # what is left is a chain
    dropped = audit.verify(office.world.database, head=head).broken
    assert dropped is not None
    assert "dropped" in dropped.what


def test_a_question_that_was_refused_is_in_the_chain_and_no_rule_was_asked_in_it(office: Office) -> None:
    """Its transaction may be asked again, so that it is not found by it; and what was told to the merchant is not what it says."""
    answered = office.decided(office.people[0])
    asked = Asked("inn", "T-1", office.people[1], "hotel", 50_000, "CNY", service="hotel", service_version=1)
    stand_in = {"record": "x" * 900, "release": office.world.release.id}
    with writing(office.world.database) as connection:
        (newest,) = fetched(connection, decisions.NEWEST)
        decisions.keep(connection, [decisions.refusal_of(asked, office.now, stand_in, "no_consent")], newest)
    found = audit.verify(office.world.database)
    assert (found.decisions, found.broken) == (2, None)
    refused = office.get("decisions", outcome="REFUSED").json()["items"][0]
    assert office.get(f"decisions/{refused['id']}").json()["record"]["refused"] == "no_consent"
    assert office.get(f"decisions/{refused['id']}/replay").json()["code"] == "not_replayable"
    assert office.get(f"decisions/{answered.id}/replay").json()["equal"]


def test_who_has_left_is_gone_and_the_chain_still_holds(office: Office) -> None:
    first, *_ = office.some(3)
    tampered(office.world.database, f"delete from decision_subjects where subject = '{first.asked.subject}'")
    found = audit.verify(office.world.database)
    assert (found.decisions, found.erased, found.broken) == (3, 1, None)
    shown = office.get(f"decisions/{first.id}").json()
    assert (shown["erased"], shown["record"], shown["salt"]) == (True, None, None)
    assert first.asked.subject not in json.dumps(shown)
    assert office.get(f"decisions/{first.id}/replay").json()["code"] == "erased"
    assert office.get(f"decisions/{first.id}/replay").status_code == 410


def test_each_decision_is_in_the_digest_of_one_day_and_has_a_proof(office: Office) -> None:
    made = office.some(8)  # five hours apart: two days
    assert digests.make(office.world.database, office.now) == []  # the day is not over
    assert office.get(f"decisions/{made[0].id}/proof").json()["code"] == "no_digest"
    found = digests.make(office.world.database, office.now + timedelta(days=9))
    assert [d.day for d in found] == sorted({day_of(m.decided_at) for m in made})
    assert digests.make(office.world.database, office.now + timedelta(days=9)) == []
    roots = {d["day"]: d["root"] for d in office.get("digests").json()["items"]}
    for answered in made:
        proof = office.get(f"decisions/{answered.id}/proof").json()
        assert proof["entry"]["id"] == answered.id
        assert digests.check(proof) == digests.Checked(roots[proof["day"]], dates=True)
    assert audit.verify(office.world.database).digests == len(found)


@ONCE
def test_a_proof_that_was_altered_proves_nothing(office: Office) -> None:
    made = office.some(3, timedelta(minutes=1))
    digests.make(office.world.database, office.now + timedelta(days=2))
    proof = digests.proof(office.world.database, made[1].id)
    entry = proof["entry"]
    for altered in (
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
        proof | {"entry": entry | {"subject": office.people[0]}},
        proof | {"entry": {name: value for name, value in entry.items() if name != "service"}},
        proof | {"entry": "", "score": 950},
        proof | {"remark": "checked"},
        {},
    ):
        with pytest.raises(Refused) as refused:
            digests.check(altered)
        assert refused.value.code == "bad_proof"


def test_a_decision_that_comes_late_is_in_the_next_digest(office: Office) -> None:
    first = office.decided(office.people[0])
    tomorrow = EPOCH + timedelta(days=day_of(office.now) + 1)
    (yesterday,) = digests.make(office.world.database, tomorrow + timedelta(minutes=11))
    late = office.decided(office.people[1], at=tomorrow - timedelta(seconds=1))
    on_time = office.decided(office.people[2], at=tomorrow + timedelta(seconds=1))
    (today,) = digests.make(office.world.database, tomorrow + timedelta(days=2))
    assert (yesterday.day + 1, today.day) == (today.day, day_of(on_time.decided_at))
    proofs = [digests.proof(office.world.database, a.id) for a in (first, late, on_time)]
    assert [p["root"] for p in proofs] == [yesterday.root, today.root, today.root]
    assert audit.verify(office.world.database).broken is None


ALTERED = (
    ("update day_digests set root = '" + "ab" * 32 + "'", "is another"),
    ("update day_digests set last = last - 1", "is another"),
    ("update day_digests set first = first + 1", "is in no digest"),
    ("update day_digests set first = first - 1", "begins before it"),
)


def test_a_digest_that_was_altered_is_named(office: Office) -> None:
    office.some(3, timedelta(minutes=1))
    digests.make(office.world.database, office.now + timedelta(days=2))
    for change, what in ALTERED:
        with undone(office.world.database):
            tampered(office.world.database, change)
            broken = audit.verify(office.world.database).broken
        assert broken is not None, change
        assert what in broken.what


def test_any_decision_made_again_is_the_same_bit_for_bit(office: Office) -> None:
    made = [*office.some(6), office.decided(office.people[8], "car", 10_000_000)]
    for answered in made:
        found = office.get(f"decisions/{answered.id}/replay").json()
        assert found == {
            "decision": answered.id, "release": office.world.release.id, "equal": True, "differences": [],
        }  # fmt: skip


@ONCE
def test_a_decision_is_made_again_under_the_release_of_then(office: Office) -> None:
    """The rules have changed since: another release serves, and the kept one decides again."""
    answered = office.decided(office.people[0])
    files = dict(office.world.release.files)
    files["trust.yaml"] = files["trust.yaml"].replace("base: 480", "base: 500")
    other, problems = check(files, schema(), kinds())
    assert other, problems
    releases.keep(office.world.database, other, 1)
    world = World(office.world.database, type(office.world.engines)(other))
    found = replay.replay(world, answered.id)
    world.engines.close()
    assert (found.release, found.equal) == (office.world.release.id, True)


@ONCE
def test_a_record_that_is_not_what_the_rules_say_is_shown_apart(office: Office) -> None:
    """Whoever can write records and make their commitments anew still cannot make the rules say it."""
    answered = office.decided(office.people[0])
    row = audit.whole(office.world.database, answered.id)
    record = json.loads(row["about_record"])
    record["decision"]["scored"]["score"] = 900
    forged = as_json(record).replace("'", "''")
    statement = f"update decision_subjects set record = '{forged}' where seq = {row['seq']}"
    tampered(office.world.database, statement)
    found = replay.replay(office.world, answered.id)
    assert not found.equal
    assert [(d.engine, d.where, d.recorded) for d in found.differences] == [
        ("reference", "scored.score", "900"),
        ("online", "scored.score", "900"),
    ]


def test_decisions_are_found_by_time_merchant_perk_and_outcome_a_page_at_a_time(office: Office) -> None:
    made = [*office.some(5), office.decided(office.people[0], "bicycle", 9_900, office.now + timedelta(days=3))]
    first = office.get("decisions", limit=4).json()
    assert [d["id"] for d in first["items"]] == [a.id for a in reversed(made[2:])]
    rest = office.get("decisions", limit=4, after=first["next"]).json()
    assert ([d["id"] for d in rest["items"]], rest["next"]) == ([made[1].id, made[0].id], None)
    ids = lambda **query: {d["id"] for d in office.get("decisions", **query).json()["items"]}  # noqa: E731
    assert ids(perk="bicycle") == {made[5].id}
    assert ids(merchant="nobody") == set()
    assert ids(merchant="operator", outcome="ADMIT") == {a.id for a in made if a.outcome == "ADMIT"}
    begin, end = made[1].decided_at.isoformat(), made[3].decided_at.isoformat()
    assert ids(**{"from": begin, "to": end}) == {made[1].id, made[2].id}
    assert office.people[0] not in json.dumps(office.get("decisions").json())
    assert office.get("decisions", outcome="REFUSE").json()["code"] == "bad_request"  # and not: there are none


def test_a_record_is_shown_with_what_opens_its_commitment_and_the_reading_is_logged(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    answered = office.decided(office.people[0])
    with caplog.at_level(logging.INFO, "iftah"):
        shown = office.get(f"decisions/{answered.id}").json()
    assert committed(shown["salt"], as_json(shown["record"])) == shown["commitment"]
    assert shown["record"]["decision"]["question"]["subject"] == office.people[0]
    (said,) = [r for r in caplog.records if r.getMessage() == "a record was read"]
    assert vars(said)["decision"] == answered.id
    assert office.people[0] not in json.dumps(vars(said), default=str)


@ONCE
def test_releases_are_shown_with_their_files_as_they_were(office: Office) -> None:
    (line,) = office.get("releases").json()["items"]
    assert line["id"] == office.world.release.id
    assert office.get(f"releases/{line['id']}").json()["files"] == dict(office.world.release.files)
    assert office.get("releases/00ff").json()["code"] == "unknown_release"


@ONCE
def test_only_a_supervisor_reads_the_audit(office: Office) -> None:
    ways = (
        "decisions",
        "decisions/ab",
        "decisions/ab/replay",
        "decisions/ab/proof",
        "digests",
        "releases",
        "report/2026",
    )
    for role in set(auth.ROLES) - {"supervisor"}:
        token = tokens.issue(office.world.database, role, "someone", "x", NOW).secret
        assert {office.get(address, token).json()["code"] for address in ways} == {"wrong_role"}


@ONCE
def test_a_supervisor_writes_nothing(office: Office) -> None:
    paths = office.client.get("/openapi.json").json()["paths"]
    assert {m for path, ways in paths.items() if path.startswith("/v1/audit/") for m in ways} == {"get"}


@ONCE
def test_what_is_not_there_is_refused_in_the_one_shape(office: Office) -> None:
    for address, status, code in (
        ("decisions/00ff", 404, "unknown_decision"),
        ("decisions/00ff/replay", 404, "unknown_decision"),
        ("decisions/00ff/proof", 404, "unknown_decision"),
        ("decisions/..%2f..", 404, "not_found"),
        ("decisions/%00", 422, "bad_request"),
        (f"report/{office.now.year + 2}", 422, "bad_year"),
        ("decisions?from=yesterday", 422, "bad_request"),
        ("decisions?limit=100000", 422, "bad_request"),
    ):
        found = office.get(address)
        assert (found.status_code, found.json()["code"]) == (status, code), address


def test_the_command_line_verifies_proves_and_replays(office: Office, town_url: str, tmp_path: Path) -> None:
    made = office.some(3, timedelta(minutes=1))

    def iftah(*words: str, url: str = town_url) -> Result:
        return CliRunner().invoke(audits, [*words], env={"IFTAH_DATABASE_URL": url, "COLUMNS": "150"})

    printed = iftah("digest").stdout.split()
    proof = tmp_path / "proof.json"
    proof.write_text(iftah("proof", made[1].id).stdout)
    nowhere = f"sqlite:///{tmp_path / 'none' / 'none.db'}"
    checked = iftah("check-proof", str(proof), "--root", printed[1], url=nowhere)
    assert (checked.exit_code, made[1].id in checked.stdout) == (0, True), checked.output
    elsewhere = iftah("check-proof", str(proof), "--root", "00" * 32, url=nowhere)
    assert elsewhere.exit_code == 1
    assert "not to the root that was given" in elsewhere.output
    assert "the same, bit for bit" in iftah("replay", made[0].id).stdout
    done = iftah("verify")
    assert (done.exit_code, "3 decisions hold" in done.stdout) == (0, True), done.output
    assert f"{made[0].decided_at.year}" in iftah("report", str(made[0].decided_at.year)).stdout
    tampered(office.world.database, "update decisions set outcome = 'DECLINE', waived = 7")
    broken = iftah("verify")
    assert (broken.exit_code, f"broken: decision {made[0].id}" in broken.stdout) == (1, True), broken.stdout
