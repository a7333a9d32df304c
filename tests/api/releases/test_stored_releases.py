"""Releases of earlier language versions: we keep them as written, and can replay their decisions."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Engine, insert, update
from typer.testing import CliRunner

from api.cli.audit import audits
from api.releases import releases
from api.releases.catalogue import kinds, stored_schema
from api.runtime.context import AppContext
from api.store.database import open_database
from api.store.tables import CHAIN_HEAD, DECISION_SUBJECTS, DECISIONS, RELEASES
from api.supervision import audit
from api.supervision.replay import replay
from engine.decide.evaluators import Evaluators
from engine.lang.check.release import check, stored_release
from engine.lang.model.problems import RulesError
from iftah.shipped import shipped_schema
from tests.api.town import NOW, shipped_release

# The program of 2026-11-29 20:30 UTC stored this release and made this decision: no `timezone`, no `alarms`.
NAME = "0fa43afae374280bc4d98163cf09f2a5efe050826046efa9394c234532c139be"
FILES = {
    "trust.yaml": """kind: scorecard
score: {lowest: 350, highest: 950, base: 500}
scorable: {when: identity.level >= 1, reason: thin}
bands:
  - {name: low, from: 350}
  - {name: good, from: 600}
dimensions: {credit: 95, relationships: 5}
characteristics:
  - {id: kept, feature: credit.kept, dimension: credit, cuts: [1, 12], points: [0, 60, 120], missing: -0, reason: few}
""",
    "perks.yaml": """kind: perks
perks:
  - id: hotel
    about: A room without a deposit
    currency: CNY
    most: 20000
    valid_hours: 24
    request:
      rate: {type: decimal, digits: 2, low: 0, high: 9999}
    knockouts:
      - {id: hotel.dear, when: request.rate > 99.50, unknown: pass, reason: few}
    tiers:
      - {id: hotel.500, when: score >= 500, waive: {share: 50, up_to: 1000}}
""",
    "reasons.yaml": """kind: reasons
languages: [en]
reasons:
  thin: {en: Too little is known for a score.}
  few: {en: Few promises have been kept so far.}
""",
    "policy.yaml": """kind: policy
forbidden_classes: [health]
forbidden_names: [age]
restricted: [restricted]
relationships: [relationship]
relationships_share: 5
""",
}
RECORD = (
    '{"decided_at":"2026-06-30T16:30:00Z","decision":{"alone":{"because":[],"deposit":450,"outcome":"PART'
    'IAL","tier":"hotel.500","waived":450},"answer":{"because":[],"deposit":450,"outcome":"PARTIAL","tier'
    '":"hotel.500","waived":450},"held_since":null,"question":{"amount":900,"as_of":"2026-06-30T16:30:00Z'
    '","asked_at":"2026-06-30T16:30:00Z","context":{"rate":1250},"currency":"CNY","global_as_of":"2026-06'
    '-30T16:30:00Z","global_known_at":"2026-06-30T16:30:00Z","held_since":null,"known_at":"2026-06-30T16:'
    '30:00Z","perk":"hotel","purpose":"perks","subject":"ann","used":[],"values":{"credit.kept":1,"identi'
    'ty.level":2}},"reasons":["few"],"release":"0fa43afae374280bc4d98163cf09f2a5efe050826046efa9394c23453'
    '2c139be","same_without_relationships":true,"scored":{"alone":560,"band":"low","parts":[{"baseline":1'
    '20,"bin":1,"dimension":"credit","id":"kept","points":60,"reason":"few","status":true}],"reasons":["f'
    'ew"],"score":560},"statuses":{"hotel.500":true,"hotel.dear":false},"unknown":{},"valid_hours":24,"ve'
    'rsion":3},"id":"e58b7739622344a2bea8e6b4bfdeda91","merchant":"system","service":null,"transaction_id'
    '":null,"valid_until":"2026-07-01T16:30:00Z"}'
)
DECISION = {
    "seq": 1,
    "id": "e58b7739622344a2bea8e6b4bfdeda91",
    "merchant": "system",
    "service": None,
    "service_version": None,
    "perk": "hotel",
    "amount": 900,
    "currency": "CNY",
    "outcome": "PARTIAL",
    "waived": 450,
    "deposit": 450,
    "decided_at": 1782837000000000,
    "valid_until": 1782923400000000,
    "commitment": "1c53a23054ac6afc390a6ae5e5693f37829ad84621f53c0bf3f71fcc09025fb2",
    "previous_hash": "0000000000000000000000000000000000000000000000000000000000000000",
    "hash": "56c4581b33c2360b8179846172072f7cb543b375d97aecbde239f2dbe283ea88",
    "release": NAME,
}
SUBJECT = {
    "seq": 1,
    "merchant": "system",
    "transaction_id": None,
    "subject": "ann",
    "context": '{"rate": "12.50"}',
    "held_since": None,
    "salt": "4f04224e9703d15ba87ec4e2ee8f47e0ad57d0cb248abb29eb7eaa0f9b695e41",
    "record": RECORD,
}


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    database = open_database(database_url)
    with database.begin() as connection:
        connection.execute(insert(RELEASES).values(id=NAME, files=json.dumps(FILES), loaded_at=1))
        connection.execute(insert(DECISIONS).values(DECISION))
        connection.execute(insert(DECISION_SUBJECTS).values(SUBJECT))
        connection.execute(update(CHAIN_HEAD).where(CHAIN_HEAD.c.id == 1).values(length=1, hash=DECISION["hash"]))
    yield database
    database.dispose()


def test_an_older_decision_replays_bit_for_bit(database: Engine) -> None:
    with closing(Evaluators(shipped_release())) as evaluators:
        result = replay(AppContext(database, evaluators), str(DECISION["id"]))
    assert (result.equal, result.release, result.differences) == (True, NAME, ())
    assert audit.verify(database).first_break is None


def test_the_replay_command_replays_an_older_decision(database: Engine, database_url: str) -> None:
    env = {"IFTAH_DATABASE_URL": database_url, "COLUMNS": "150"}
    result = CliRunner().invoke(audits, ["replay", str(DECISION["id"])], env=env)
    assert "the same, bit for bit" in result.stdout


def test_an_older_release_keeps_its_name_with_utc_days_and_no_alarms(database: Engine) -> None:
    release = releases.load_release(database, NAME)
    assert (release.id, release.timezone, release.files) == (NAME, "UTC", FILES)
    assert {program.release for program in release.programs} == {NAME}


def test_an_older_release_does_not_pass_the_checks_of_today() -> None:
    release, problems = check(FILES, shipped_schema(), kinds())
    assert release is None
    assert [(p.code, p.at.file) for p in problems] == [("R011", "policy.yaml"), ("R011", "policy.yaml")]


def test_an_older_release_has_the_name_of_its_original_or_canonical_numbers() -> None:
    """Version 2 gave both names to files with `-0`, such as these."""
    later_files = {**FILES, "policy.yaml": FILES["policy.yaml"] + "alarms: []\ntimezone: Asia/Shanghai\n"}
    later = "590b71dd9cd162055ac962ab042faa1eae65090d7edc98751b269ac9e54bfdd8"
    assert stored_release(NAME, FILES, stored_schema(FILES), kinds()).id == NAME
    assert stored_release(later, later_files, stored_schema(FILES), kinds()).id == later


def test_altered_files_have_another_name_or_fail_the_check() -> None:
    zoned_files = {**FILES, "policy.yaml": FILES["policy.yaml"] + "alarms: []\ntimezone: Asia/Shanghai\n"}
    assert stored_release(NAME, zoned_files, stored_schema(FILES), kinds()).id != NAME
    with pytest.raises(RulesError):
        stored_release(NAME, {**FILES, "trust.yaml": FILES["trust.yaml"] + "stray: 1\n"}, stored_schema(FILES), kinds())


def test_a_release_without_declarations_keeps_the_types_that_its_features_had() -> None:
    """Of 0.1.0: then the program declared all features, now a rule file does. The names of some were others before."""
    text = FILES["trust.yaml"].replace("credit.kept,", "capacity.payers,")
    files = {**FILES, "trust.yaml": text}
    names = stored_schema(files)
    assert names["capacity.payers"].data_class == "behaviour"
    assert "credit.kept" not in names
    assert {"identity.level", "credit.kept"} <= set(stored_schema(FILES))
    assert names.keys() <= set(shipped_schema()) | {"capacity.payers"}


def test_an_amendment_lists_the_changes_of_policy() -> None:
    """After an upgrade, the program starts with a folder that names its time zone."""
    zoned_files = {**FILES, "policy.yaml": FILES["policy.yaml"] + "alarms: [fraud]\ntimezone: Asia/Shanghai\n"}
    amendment = releases.amendment_of(FILES, zoned_files, NOW)
    assert amendment is not None
    assert amendment.changes == ("alarms with `fraud`", "timezone UTC -> Asia/Shanghai")
