"""Stored decisions of every version of the record: the code of today decides them again, byte for byte.

`records.yaml` is the outside oracle: earlier code wrote it. The question is about 600.00 of a villa for five nights, held for two
months, with an earlier waiver of 194.00. The tier `villa.short` waives up to 1000.00, so the answer is to admit; only the version
that counts orders knows of two unpaid ones, and declines. Their release is of version 3 of the language. Never write the file anew: real records cannot change either.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest
from ruamel.yaml import YAML

from engine.decide.decide import DecisionInputs, ReferenceEvaluator, decide, question_from_record
from engine.lang.engines.durable import DurableEvaluator
from tests.engine.small_rules import PERSON, former_release, make_question, release
from tests.paths import ENGINE_CASES

RECORDS: Final[dict[int, str]] = YAML(typ="safe").load((ENGINE_CASES / "records.yaml").read_text())
ADDED_FIELDS: Final = {
    3: {"global_as_of", "global_known_at"},
    4: {"timezone"},
    5: {"in_service", "unpaid", "overdue"},
    7: {"linked"},
}
each_version = pytest.mark.parametrize("version", RECORDS)


@pytest.fixture
def online() -> Iterator[DurableEvaluator]:
    evaluator = DurableEvaluator(former_release())
    yield evaluator
    evaluator.close()


def test_there_is_a_stored_record_of_every_version() -> None:
    assert list(RECORDS) == [2, 3, 4, 5]


@each_version
def test_a_stored_record_comes_again_byte_for_byte(version: int, online: DurableEvaluator) -> None:
    question = question_from_record(json.loads(RECORDS[version]))
    assert decide(ReferenceEvaluator(former_release()), question).canonical() == RECORDS[version]
    assert decide(online, question).canonical() == RECORDS[version]


@each_version
def test_a_record_has_the_fields_of_its_version_and_of_those_before(version: int) -> None:
    record = json.loads(RECORDS[version])
    added = set().union(*(fields for since, fields in ADDED_FIELDS.items() if since <= version))
    absent = set().union(*ADDED_FIELDS.values()) - added
    assert record["version"] == version
    assert added <= record["question"].keys()
    assert not absent & record["question"].keys()


@each_version
def test_only_the_version_that_counts_orders_is_limited_by_them(version: int) -> None:
    record = json.loads(RECORDS[version])
    answer = (record["answer"]["outcome"], record["answer"]["waived"], record["answer"]["because"])
    assert answer == (("DECLINE", 0, ["overdue"]) if version == 5 else ("ADMIT", 60_000, []))


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        (2, {}),
        (3, {"global_as_of": "2024-01-01T00:00:00Z"}),
        (4, {"timezone": "Asia/Shanghai"}),
        (5, {"in_service": 0, "unpaid": 0, "overdue": 0}),
        (5, {"global_as_of": "2024-01-01T00:00:00Z", "in_service": 0, "unpaid": 0, "overdue": 0}),
        (7, {"linked": ["a", "b"]}),
    ],
)
def test_a_record_takes_the_version_of_its_newest_field(version: int, fields: dict[str, object]) -> None:
    question: DecisionInputs = replace(make_question("room", 50_000, "CNY", PERSON), **fields)  # type: ignore[arg-type]
    record = decide(ReferenceEvaluator(release()), question).record()
    assert record["version"] == version
    assert {k: v for k, v in record["question"].items() if k in set().union(*ADDED_FIELDS.values())} == fields
    assert decide(ReferenceEvaluator(release()), question_from_record(record)).record() == record
