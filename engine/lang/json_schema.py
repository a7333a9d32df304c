"""JSON Schema (2020-12) of each kind of rule file, for editors: from the table that the parser reads by.

It says less than the checker does (nothing of expressions, of totals, of names that other files hold), and of texts a
little more: one that YAML takes for a number or a truth has to stand in quotes, as `fmt` writes it.
"""

from typing import Any

from engine.lang.forms import KINDS
from engine.lang.glossary import KIND
from engine.lang.types import Schema


def json_schema(kind: str, schema: Schema) -> dict[str, Any]:
    """The JSON Schema of the files of a kind, with the names of the catalogue's features."""
    record = KINDS[kind]
    found = record.described(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **found,
        "title": f"Iftah: {record.what}",
        "properties": {"kind": {"const": kind, "description": KIND}, **found["properties"]},
        "required": ["kind", *found["required"]],
    }
