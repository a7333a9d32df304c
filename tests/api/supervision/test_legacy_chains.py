"""Chains, records and digests from before migration 0006 still verify, and bind as much as they can."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from api.cli.audit import audits
from api.decisions.decisions import GENESIS_HASH, chain_hash, entry, record_commitment
from api.runtime.context import AppContext
from api.store.database import open_database
from api.store.tables import DECISIONS
from api.supervision import audit, digests, merkle
from api.supervision.audit import day_name
from engine.decide.decide import as_json
from engine.decide.evaluators import Evaluators
from tests.api.audit_client import AuditClient, tamper
from tests.api.merchant_client import MerchantClient, assert_problem
from tests.api.store.test_migrations import downgrade_to

SQLITE_ONLY = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # where the database makes no difference


def downgrade_chain(database: Engine) -> None:
    """Downgrade the data to the previous version: records without the request, digests of the root alone, no head."""
    with database.begin() as connection:
        rows = [dict(r) for r in connection.execute(text("select * from decisions order by seq")).mappings()]
        records = connection.execute(text("select seq, salt, record from decision_subjects")).all()
    records_by_seq = {seq: (salt, json.loads(record)) for seq, salt, record in records}
    statements, previous, tree = [], GENESIS_HASH, merkle.MerkleBuilder()
    for row in rows:
        salt, record = records_by_seq[row["seq"]]
        old_record = as_json({k: v for k, v in record.items() if k not in ("subject", "context", "order_moves")})
        row["commitment"] = record_commitment(salt, old_record)
        hash_ = chain_hash(previous, entry(row))
        assignments = f"commitment = '{row['commitment']}', previous_hash = '{previous}', hash = '{hash_}'"
        statements.append(f"update decisions set {assignments} where seq = {row['seq']}")
        literal = old_record.replace("'", "''")
        statements.append(f"update decision_subjects set record = '{literal}' where seq = {row['seq']}")
        tree.add(bytes.fromhex(hash_))
        previous = hash_
    tamper(database, *statements, f"update day_digests set root = '{tree.root().hex()}'")
    with database.begin() as connection:
        downgrade_to(connection, "0005")


@pytest.fixture
def legacy_context(town_url: str, shipped_evaluators: Evaluators) -> AppContext:
    """Answers about two people, refusals about two others, and their digest, in the previous version."""
    database = open_database(town_url)
    context = AppContext(database, shipped_evaluators)
    client = MerchantClient(context)
    ann, bob, cy, dee = client.scores.filter(client.scores["score"] >= 700)["person"].to_list()[:4]
    for person in (ann, bob):
        client.ask(person, amount=100, context={"nights": 3})
        client.ask(person, perk="bicycle", amount=10_000)
    for person in (cy, dee):
        assert_problem(client.post_question(person), 403, "no_consent")
    digests.make_digests(database, client.now + timedelta(days=2))
    downgrade_chain(database)
    database.dispose()
    return AppContext(open_database(town_url), shipped_evaluators)


def test_older_decisions_still_verify_and_the_chain_continues(legacy_context: AppContext) -> None:
    report = audit.verify(legacy_context.database)
    assert (report.decisions, report.digests, report.first_break) == (6, 1, None)
    client = AuditClient(legacy_context)
    client.now += timedelta(days=3)
    client.decide_many(3, timedelta(minutes=1))
    digests.make_digests(legacy_context.database, client.now + timedelta(days=2))
    report = audit.verify(legacy_context.database)
    assert (report.decisions, report.digests, report.first_break) == (9, 2, None)
    assert [d.format for d in digests.list_digests(legacy_context.database)] == [1, 2]
    legacy_context.database.dispose()


@SQLITE_ONLY
def test_a_proof_of_an_older_digest_leads_to_its_root_and_states_its_limits(
    legacy_context: AppContext, tmp_path: Path
) -> None:
    (row,) = digests.list_digests(legacy_context.database)
    with legacy_context.database.connect() as connection:
        decision = connection.execute(DECISIONS.select().order_by(DECISIONS.c.seq)).first()
    assert decision is not None
    proof = digests.make_proof(legacy_context.database, decision.id)
    assert proof["format"] == "iftah.proof.1"
    assert digests.check_proof(proof) == digests.ProofCheck(row.root, dates=False)

    def check_proof(document: dict[str, object]) -> Result:
        file = tmp_path / "proof.json"
        file.write_text(json.dumps(document))
        return CliRunner().invoke(audits, ["check-proof", str(file)], env={"COLUMNS": "150"})

    assert "as the proof claims: a root of that format does not cover the day" in check_proof(proof).stdout
    assert day_name(row.day) in check_proof(proof).stdout
    legacy_context.database.dispose()


@SQLITE_ONLY
def test_columns_of_an_older_decision_are_bound_by_its_record(legacy_context: AppContext) -> None:
    with legacy_context.database.connect() as connection:
        query = "select s.seq from decision_subjects s join decisions d on d.seq = s.seq where d.perk = 'bicycle'"
        seq = connection.execute(text(f"{query} order by s.seq")).scalars().first()
    for change, expected in (
        ("held_since = held_since - 1", "held_since"),
        ("subject = 'nobody-else'", "subject"),
        ("transaction_id = 'T-0'", "transaction_id"),
    ):
        column = change.partition(" ")[0]
        with legacy_context.database.connect() as connection:
            original = connection.execute(text(f"select {column} from decision_subjects where seq = {seq}")).scalar()
        tamper(legacy_context.database, f"update decision_subjects set {change} where seq = {seq}")
        first_break = audit.verify(legacy_context.database).first_break
        assert first_break is not None
        assert (first_break.seq, first_break.problem) == (
            seq,
            f"columns that later questions read were altered: {expected}",
        )
        literal = f"'{original}'" if isinstance(original, str) else original
        tamper(legacy_context.database, f"update decision_subjects set {column} = {literal} where seq = {seq}")
    assert audit.verify(legacy_context.database).first_break is None
    tamper(legacy_context.database, "delete from decisions", "delete from decision_subjects", "delete from day_digests")
    last_break = audit.verify(legacy_context.database).first_break
    assert last_break is not None
    assert last_break.problem == "6 decisions were made, and 0 are there"
    legacy_context.database.dispose()
