"""A chain, records and digests of before 0006 are brought along: they verify, and what they can bind is bound."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from api.commands.audit import audits
from api.database import open_database
from api.decisions.decisions import FIRST, chained, committed, entry
from api.supervision import audit, digests, merkle
from api.supervision.audit import day_name
from api.tables import DECISIONS
from api.world import World
from engine.decide import as_json
from engine.engines import Engines
from tests.api.audited import Office, tampered
from tests.api.door import Door, refused
from tests.api.test_migrations import back_to

ONCE = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # where the database makes no difference


def as_before(engine: Engine) -> None:
    """What is there as the version before had it: records without the request, digests of the root alone, no head."""
    with engine.begin() as connection:
        rows = [dict(r) for r in connection.execute(text("select * from decisions order by seq")).mappings()]
        records = connection.execute(text("select seq, salt, record from decision_subjects")).all()
    beside = {seq: (salt, json.loads(record)) for seq, salt, record in records}
    statements, previous, tree = [], FIRST, merkle.Growing()
    for row in rows:
        salt, record = beside[row["seq"]]
        said = as_json({k: v for k, v in record.items() if k not in ("subject", "context", "order_moves")})
        row["commitment"] = committed(salt, said)
        hash_ = chained(previous, entry(row))
        sets = f"commitment = '{row['commitment']}', previous_hash = '{previous}', hash = '{hash_}'"
        statements.append(f"update decisions set {sets} where seq = {row['seq']}")
        quoted = said.replace("'", "''")
        statements.append(f"update decision_subjects set record = '{quoted}' where seq = {row['seq']}")
        tree.add(bytes.fromhex(hash_))
        previous = hash_
    tampered(engine, *statements, f"update day_digests set root = '{tree.root().hex()}'")
    with engine.begin() as connection:
        back_to(connection, "0005")


@pytest.fixture
def before(town_url: str, shipped_engines: Engines) -> World:
    """Answers about two people, refusals about two others, and their digest, of the version before."""
    engine = open_database(town_url)
    world = World(engine, shipped_engines)
    door = Door(world)
    ann, bob, cy, dee = door.scores.filter(door.scores["score"] >= 700)["person"].to_list()[:4]
    for person in (ann, bob):
        door.ask(person, amount=100, context={"nights": 3})
        door.ask(person, perk="bicycle", amount=10_000)
    for person in (cy, dee):
        refused(door.put(person), 403, "no_consent")
    digests.make(engine, door.now + timedelta(days=2))
    as_before(engine)
    engine.dispose()
    return World(open_database(town_url), shipped_engines)


def test_what_was_decided_before_still_verifies_and_the_chain_goes_on(before: World) -> None:
    found = audit.verify(before.database)
    assert (found.decisions, found.digests, found.broken) == (6, 1, None)
    office = Office(before)
    office.now += timedelta(days=3)
    office.some(3, timedelta(minutes=1))
    digests.make(before.database, office.now + timedelta(days=2))
    found = audit.verify(before.database)
    assert (found.decisions, found.digests, found.broken) == (9, 2, None)
    assert [d.format for d in digests.listed(before.database)] == [1, 2]
    before.database.dispose()


@ONCE
def test_a_proof_of_a_digest_of_before_leads_to_its_root_and_says_that_it_does_not_cover_the_day(
    before: World, tmp_path: Path
) -> None:
    (row,) = digests.listed(before.database)
    with before.database.connect() as connection:
        name = connection.execute(DECISIONS.select().order_by(DECISIONS.c.seq)).first()
    assert name is not None
    proof = digests.proof(before.database, name.id)
    assert proof["format"] == "iftah.proof.1"
    assert digests.check(proof) == digests.Checked(row.root, dates=False)

    def printed(given: dict[str, object]) -> Result:
        file = tmp_path / "proof.json"
        file.write_text(json.dumps(given))
        return CliRunner().invoke(audits, ["check-proof", str(file)], env={"COLUMNS": "150"})

    assert "by its own word: a root of that format does not cover the day" in printed(proof).stdout
    assert day_name(row.day) in printed(proof).stdout
    before.database.dispose()


@ONCE
def test_what_is_read_of_a_decision_of_before_is_bound_by_its_record(before: World) -> None:
    with before.database.connect() as connection:
        query = "select s.seq from decision_subjects s join decisions d on d.seq = s.seq where d.perk = 'bicycle'"
        held = connection.execute(text(f"{query} order by s.seq")).scalars().first()
    for change, what in (
        ("held_since = held_since - 1", "held_since"),
        ("subject = 'nobody-else'", "subject"),
        ("transaction_id = 'T-0'", "transaction_id"),
    ):
        column = change.partition(" ")[0]
        with before.database.connect() as connection:
            kept = connection.execute(text(f"select {column} from decision_subjects where seq = {held}")).scalar()
        tampered(before.database, f"update decision_subjects set {change} where seq = {held}")
        found = audit.verify(before.database).broken
        assert found is not None
        assert (found.seq, found.what) == (held, f"what later questions read of it was altered: {what}")
        back = f"'{kept}'" if isinstance(kept, str) else kept
        tampered(before.database, f"update decision_subjects set {column} = {back} where seq = {held}")
    assert audit.verify(before.database).broken is None
    tampered(before.database, "delete from decisions", "delete from decision_subjects", "delete from day_digests")
    emptied = audit.verify(before.database).broken
    assert emptied is not None
    assert emptied.what == "6 decisions were made, and 0 are there"
    before.database.dispose()
