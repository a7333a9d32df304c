"""The JSON Schema of an import map, for editors."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.cli.rules import schema_text
from tests.api.cli.test_import_guess import GUESS
from tests.api.imports import ORDER_MAP, with_fields
from tests.engine.lang.core_schema import values
from tests.paths import DOCS


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema: Any = json.loads(schema_text("map"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_schema_in_docs_is_as_generated() -> None:
    text = (DOCS / "schemas" / "map.json").read_text(encoding="utf-8")
    assert text == schema_text("map"), "run `iftah schema --out docs/schemas`"


def test_each_key_has_its_meaning(validator: Draft202012Validator) -> None:
    schema: Any = validator.schema
    event = schema["properties"]["events"]["items"]
    field = schema["properties"]["set"]["additionalProperties"]["anyOf"][1]
    for properties in (schema["properties"], event["properties"], field["properties"]):
        assert all(len(key["description"].split()) > 2 for key in properties.values())


@pytest.mark.parametrize("text", [ORDER_MAP, GUESS, with_fields("category: {column: x, lookup: {a: dining}}")])
def test_it_accepts_maps(validator: Draft202012Validator, text: str) -> None:
    assert [error.message for error in validator.iter_errors(values(text))] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kind: person.enrolled", "kind: person.enroled"),
        ("subject: customer", "subjekt: customer"),
        ("first_only: true", "first_only: maybe"),
        ("scale: currency", "scale: lots"),
        ("timezone: Asia/Shanghai", "timezone: Asia/Shanghay"),
        ("events:", "event:"),
    ],
)
def test_it_refuses_what_the_command_refuses(validator: Draft202012Validator, old: str, new: str) -> None:
    assert list(validator.iter_errors(values(ORDER_MAP.replace(old, new, 1))))
