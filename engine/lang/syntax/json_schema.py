"""Build a JSON Schema (2020-12) for each kind of rule file from the parser's grammar. Editors use it.

The schema checks less than our checker: no expressions, no totals, and no names in other files. For texts, it is
stricter: you must quote a text that YAML reads as a number or a boolean, as `fmt` does.
"""

from engine.lang.model.types import Schema
from engine.lang.syntax.grammar import KINDS
from engine.lang.syntax.key_docs import KIND
from engine.lang.syntax.schema_types import JsonSchema


def json_schema(kind: str, schema: Schema) -> JsonSchema:
    """Build the JSON Schema of a kind of file, with the names of the catalogue's features."""
    record = KINDS[kind]
    record_schema = record.json_schema(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **record_schema,
        "title": f"Iftah: {record.label}",
        "properties": {"kind": {"const": kind, "description": KIND}, **record_schema["properties"]},
        "required": ["kind", *record_schema["required"]],
    }
