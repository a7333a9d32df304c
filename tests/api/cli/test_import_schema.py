"""The JSON Schema of an import map, for editors."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.cli.rules import MAP_KIND, schema_texts
from tests.api.cli.test_import_guess import GUESS
from tests.api.imports import ORDER_MAP, with_fields
from tests.engine.lang.core_schema import values
from tests.paths import DOCS, RULES


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema: Any = json.loads(schema_texts(RULES)[MAP_KIND])
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_schemas_in_docs_are_as_generated() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "schemas").glob("*.json")}
    assert texts == schema_texts(RULES), "run `iftah schema --out docs/schemas`"


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


@pytest.mark.parametrize("name", sorted(path.parent.name for path in (DOCS / "examples").glob("*/rules")))
def test_the_schemas_of_a_folder_have_the_names_that_it_declares(name: str) -> None:
    """Each file of an example is valid under the schemas for its folder, and would not be under those of the shipped rules."""
    folder = DOCS / "examples" / name
    schemas = {kind: json.loads(text) for kind, text in schema_texts(folder / "rules").items()}
    files = [path.read_text(encoding="utf-8") for path in folder.rglob("*.yaml")]
    documents = [(values(text)["kind"], values(text), text) for text in files]
    for kind, content, text in documents:
        assert [error.message for error in Draft202012Validator(schemas[kind]).iter_errors(content)] == [], text[:200]
    shipped = Draft202012Validator(json.loads(schema_texts(RULES)["scorecard"]))
    (card,) = (content for kind, content, _ in documents if kind == "scorecard")
    assert list(shipped.iter_errors(card))


def test_a_folder_with_a_problem_has_the_schemas_of_the_catalogue(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trust.yaml").write_text("kind: scorecard\n", encoding="utf-8")
    text = schema_texts(tmp_path, ["scorecard"])["scorecard"]
    assert "credit.longest_delay_days" in text
    assert "the features of the folder are left out (see `iftah check`)" in capsys.readouterr().err
