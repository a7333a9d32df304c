"""Check the JSON Schemas for editors: they accept every file that the checker accepts, and reject wrong structures."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from api.cli.rules import schema_texts
from engine.lang.model.problems import Report
from engine.lang.model.types import Schema
from engine.lang.syntax import schema_types
from engine.lang.syntax.formatter import format_text
from engine.lang.syntax.json_schema import json_schema
from engine.lang.syntax.key_docs import KEYS
from engine.lang.syntax.parse import KINDS
from iftah.shipped import shipped_schema
from tests.effort import by_effort
from tests.engine import random_rules, small_rules
from tests.engine.lang.core_schema import values
from tests.engine.random_layout import scramble
from tests.engine.small_rules import BrokenRules, base, broken_rules
from tests.paths import DOCS, RULES

SHIPPED = sorted((RULES).rglob("*.yaml"))
SHAPE_CODES = {"R010", "R011", "R012", "R013"}  # the problems that a schema can detect
BEYOND_SCHEMA = {
    "a scorecard without a line": "that one of two keys needs an item is for the checker",
    "a number with an exponent": "for JSON, 5e0 is the whole number 5",
    "a day that is none": "a pattern does not know how many days a month has",
    "an amount finer than the currency": "how many digits a currency has is for the checker",
    "a cap finer than its currency": "how many digits a currency has is for the checker",
    "a key that is a list": "JSON has no such thing: readers differ in what they make of it",
}


@cache
def validator(kind: str, of: str) -> Draft202012Validator:
    catalogue: dict[str, Schema] = {
        "shipped": shipped_schema(),
        "small": small_rules.SCHEMA,
        "random": random_rules.SCHEMA,
    }
    return Draft202012Validator(json_schema(kind, catalogue[of]))


def errors(text: str, of: str) -> list[str]:
    document = values(text)
    kind = document.get("kind") if isinstance(document, dict) else None
    return [e.message for e in validator(kind if kind in KINDS else "policy", of).iter_errors(document)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_schema_is_a_valid_json_schema(kind: str) -> None:
    Draft202012Validator.check_schema(json_schema(kind, shipped_schema()))


@pytest.mark.parametrize("kind", KINDS)
def test_the_schemas_in_docs_equal_the_generated_ones(kind: str) -> None:
    text = (DOCS / "schemas" / f"{kind}.json").read_text(encoding="utf-8")
    assert text == schema_texts(RULES)[kind], "run `iftah schema --out docs/schemas`"


def test_no_other_schema_is_in_docs() -> None:
    assert {p.stem for p in (DOCS / "schemas").iterdir()} == {*KINDS, "map"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_the_shipped_files_are_valid_and_name_their_schema_first(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    schema_path = (path.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve()
    assert schema_path == DOCS / "schemas" / f"{values(rest)['kind']}.json"
    assert errors(text, "shipped") == []


@pytest.mark.parametrize("name", base())
def test_the_small_files_are_valid(name: str) -> None:
    assert errors(base()[name], "small") == []


@settings(max_examples=by_effort(25, 60), deadline=None)
@given(random_rules.scorecards() | random_rules.perk_files())
def test_random_files_are_valid(text: str) -> None:
    assert errors(text, "random") == []


@settings(max_examples=by_effort(25, 60), deadline=None)
@given(st.sampled_from(sorted(base())), st.integers(0, 2**32))
def test_formatted_files_are_valid_for_any_layout(name: str, seed: int) -> None:
    text = format_text(name, scramble(base()[name], seed), Report())
    assert text is not None
    assert errors(text, "small") == []


def misshapen_cases() -> list[BrokenRules]:
    return [c for c in broken_rules() if {p.split(" error ")[1][:4] for p in c.problems} & SHAPE_CODES]


@pytest.mark.parametrize("case", misshapen_cases(), ids=lambda c: c.name.replace(" ", "-"))
def test_a_file_of_the_wrong_shape_is_refused(case: BrokenRules) -> None:
    if case.name in BEYOND_SCHEMA:
        return
    invalid_files = [n for n, text in case.files.items() if text != base().get(n) and errors(text, "small")]
    assert invalid_files, case.problems


def test_problems_beyond_the_schema_are_among_the_broken_files() -> None:
    assert set(BEYOND_SCHEMA) <= {c.name for c in misshapen_cases()}


@pytest.mark.parametrize(
    ("written", "good"),
    [
        ("identity.level: 2", True),
        ("identity.level: missing", True),
        ("identity.level: two", False),
        ("identity.level: 2.5", False),
        ("money.cover: 1.25", True),
        ("money.paused: false", True),
        ("money.paused: no", False),
        ("identity.kind: guest", True),
        ("identity.kind: gest", False),
        ("credit.last_missed: 2024-02-29", True),
        ("credit.mised: 1", False),
    ],
)
def test_a_value_in_a_case_is_that_of_its_feature(written: str, good: bool) -> None:
    text = f"kind: cases\ncases:\n  - name: a\n    given:\n      {written}\n    expect: {{}}\n"
    assert (errors(text, "small") == []) == good


def records(shape: object) -> Iterator[schema_types.RecordType]:
    """Every record of a type."""
    if isinstance(shape, schema_types.RecordType):
        yield shape
    inner = (
        [f.shape for f in shape.fields] if isinstance(shape, schema_types.RecordType) else list(vars(shape).values())
    )
    for part in inner:
        if isinstance(part, schema_types.RecordType | schema_types.ListType | schema_types.TableType):
            yield from records(part)


def test_every_key_of_every_kind_has_its_description() -> None:
    by_label = {r.label: r for record in KINDS.values() for r in records(record)}
    assert {label: [f.name for f in r.fields] for label, r in by_label.items()} == {
        w: [*keys] for w, keys in KEYS.items()
    }


def test_each_record_has_a_unique_label() -> None:
    signatures = {(r.label, tuple(f.name for f in r.fields)) for record in KINDS.values() for r in records(record)}
    assert len({label for label, _ in signatures}) == len(signatures)
